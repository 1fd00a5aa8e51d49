// A shorter pause in the step that waits lets it go on: an approval by an edit of the Rollout's spec, and judged as one.
import type { CanaryStep, Rollout } from '../../api/types.ts';
import { isInFlight } from '../release/in-flight.ts';

export const stepsOf = (rollout: Rollout | undefined): readonly CanaryStep[] =>
  rollout?.spec.strategy.canary?.steps ?? [];

/** The field that approves, and its new value; undefined when the edit is no approval. */
export function approvalByEdit(
  old: Rollout | undefined,
  next: Rollout,
): { readonly field: string; readonly value: number } | undefined {
  const index = waitingIndex(old);
  if (index === undefined) return undefined;
  const [before, after] = [pauseIn(old, index), pauseIn(next, index)];
  return after < before ? { field: `spec.strategy.canary.steps[${index}].pause.duration`, value: after } : undefined;
}

/** The plan without that approval: as it would be if the step went on waiting. */
export function asWaiting(old: Rollout | undefined, next: Rollout): Rollout {
  if (approvalByEdit(old, next) === undefined) return next;
  const index = waitingIndex(old);
  const { canary, ...strategy } = next.spec.strategy;
  const steps = stepsOf(next).map((step, i) => {
    if (i !== index) return step;
    const { pause: _, ...rest } = step;
    const pause = stepsOf(old)[i]?.pause;
    return { ...rest, ...(pause && { pause }) };
  });
  return { ...next, spec: { ...next.spec, strategy: { ...strategy, canary: { ...canary, steps } } } };
}

/** Seconds; without end where the step waits for approval. */
const pauseIn = (rollout: Rollout | undefined, index: number): number =>
  stepsOf(rollout)[index]?.pause?.duration ?? Infinity;

/** The step that waits for approval or for its time: its 0-based index. */
function waitingIndex(old: Rollout | undefined): number | undefined {
  const status = old?.status?.canaryStatus;
  return old !== undefined && isInFlight(old, undefined) && status?.currentStepState === 'StepPaused'
    ? status.currentStepIndex - 1
    : undefined;
}
