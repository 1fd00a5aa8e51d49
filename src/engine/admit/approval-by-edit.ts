// Approval by an edit of the spec: a shorter pause or less analysis in the waiting step lets the release continue, so it is checked like an approval.
import type { StepAnalysis } from '../../api/analysis.ts';
import type { CanaryStep, Rollout } from '../../api/types.ts';
import { minTotalOf } from '../analysis/step.ts';
import { pauseSeconds } from '../lib/pause.ts';
import { isInFlight } from '../release/in-flight.ts';

export const stepsOf = (rollout: Rollout | undefined): readonly CanaryStep[] =>
  rollout?.spec.strategy.canary?.steps ?? [];

/** The changed field and its new value. Undefined if the edit is not an approval. */
export function approvalByEdit(
  old: Rollout | undefined,
  next: Rollout,
): { readonly field: string; readonly value: unknown } | undefined {
  const index = waitingIndex(old);
  if (index === undefined) return undefined;
  const [before, after] = [stepsOf(old)[index], stepsOf(next)[index]];
  const pause = pauseSeconds(after);
  const at = `spec.strategy.canary.steps[${index}]`;
  if (pause < pauseSeconds(before)) return { field: `${at}.pause.duration`, value: pause };
  const was = before?.analysis;
  if (pause === Infinity || !asksForRequests(was)) return undefined;
  if (needsFewerRequests(was, after?.analysis)) return { field: `${at}.analysis`, value: after?.analysis ?? null };
  const counts = countsRequests(old) && !countsRequests(next);
  return counts ? { field: 'spec.strategy.canary.analysis', value: null } : undefined;
}

const countsRequests = (rollout: Rollout | undefined): boolean =>
  rollout?.spec.strategy.canary?.analysis?.some(({ ratio }) => ratio !== undefined) === true;

/** A step that had too few requests may be waiting for approval for that reason only. */
const asksForRequests = (was: StepAnalysis | undefined): was is StepAnalysis =>
  was !== undefined && minTotalOf(was) > 0 && (was.lowTraffic ?? 'Approval') === 'Approval';

const needsFewerRequests = (was: StepAnalysis, is: StepAnalysis | undefined): boolean =>
  is === undefined || (is.lowTraffic ?? 'Approval') !== 'Approval' || minTotalOf(is) < minTotalOf(was);

/** The Rollout without the approval: the waiting step keeps its old pause and analysis. */
export function asWaiting(old: Rollout | undefined, next: Rollout): Rollout {
  if (approvalByEdit(old, next) === undefined) return next;
  const index = waitingIndex(old);
  const { canary, ...strategy } = next.spec.strategy;
  const steps = stepsOf(next).map((step, i) => {
    if (i !== index) return step;
    const { pause: _, analysis: __, ...rest } = step;
    const { pause, analysis } = stepsOf(old)[i] ?? {};
    return { ...rest, ...(pause && { pause }), ...(analysis && { analysis }) };
  });
  return { ...next, spec: { ...next.spec, strategy: { ...strategy, canary: { ...canary, steps } } } };
}

/** 0-based index of the step that waits for approval or for its pause. */
function waitingIndex(old: Rollout | undefined): number | undefined {
  const status = old?.status?.canaryStatus;
  return old !== undefined && isInFlight(old, undefined) && status?.currentStepState === 'StepPaused'
    ? status.currentStepIndex - 1
    : undefined;
}
