// Warnings for the author of a Rollout about its requests: fields without effect, and Pods that get many more requests than the others.
import type { CanaryStep, CanaryStrategy } from '../../api/types.ts';
import { stepTargets } from '../lib/replicas.ts';
import { pods } from '../lib/text.ts';
import { isRouted, matchesOf, shareIn } from '../traffic/plan.ts';

const STEPS = 'spec.strategy.canary.steps';
/** A Pod with this many times its requests at rest is worth a warning. */
const MANY_TIMES = 2;

/** `replicas`: undefined if the size of the workload is not known. */
export function* adviseOnTraffic(canary: CanaryStrategy, replicas: number | undefined): Generator<string> {
  const { steps = [], trafficRoutings = [] } = canary;
  if (trafficRoutings.length === 0) return yield* withoutRoute(canary, steps);
  if (replicas === undefined || replicas === 0) return;
  for (const [index, target] of stepTargets(steps, replicas).entries()) {
    const step = steps[index];
    const share = step && shareIn(step);
    if (share === undefined || matchesOf(step!).length > 0) continue;
    if (!isRouted(step!, replicas, index === steps.length - 1)) continue;
    const at = `${STEPS}[${index}].traffic`;
    const old = replicas - target;
    // Against an even share for each Pod.
    const ofNew = (share * replicas) / (100 * target);
    const ofOld = ((100 - share) * replicas) / (100 * old);
    if (ofNew >= MANY_TIMES)
      yield `tranche: ${at}: ${share}% of the requests go to ${pods(target)} of ${replicas}, ${times(ofNew)} times what a Pod gets without a release`;
    if (ofOld >= MANY_TIMES)
      yield `tranche: ${at}: ${share}% of the requests leave ${100 - share}% for ${pods(old)} of ${replicas}, ${times(ofOld)} times what a Pod gets without a release`;
  }
}

const times = (factor: number): number => Number(factor.toFixed(1));

function* withoutRoute(canary: CanaryStrategy, steps: readonly CanaryStep[]): Generator<string> {
  if (steps.some(({ traffic, replicas }) => traffic !== undefined && traffic !== replicas)) {
    yield 'tranche: the weights of the steps have no effect without trafficRoutings: each Pod gets its share of the requests';
  } else if (steps.some(({ traffic }) => traffic !== undefined)) {
    yield 'tranche: the weights of the steps are percentages of Pods, because there are no trafficRoutings';
  }
  if ((canary as { readonly disableGenerateCanaryService?: unknown }).disableGenerateCanaryService === true) {
    yield 'tranche: spec.strategy.canary.disableGenerateCanaryService has no effect without trafficRoutings';
  }
}
