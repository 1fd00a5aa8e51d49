// Approval by an edit of the spec: a shorter pause in the waiting step lets the release continue, so it is checked like an approval.
import type { CanaryStep, Rollout } from '../../api/types.ts';
import { isInFlight } from '../release/in-flight.ts';

export const stepsOf = (rollout: Rollout | undefined): readonly CanaryStep[] =>
  rollout?.spec.strategy.canary?.steps ?? [];

/** The changed field and its new value. Undefined if the edit is not an approval. */
export function approvalByEdit(
  old: Rollout | undefined,
  next: Rollout,
): { readonly field: string; readonly value: number } | undefined {
  const index = waitingIndex(old);
  if (index === undefined) return undefined;
  const [before, after] = [pauseIn(old, index), pauseIn(next, index)];
  return after < before ? { field: `spec.strategy.canary.steps[${index}].pause.duration`, value: after } : undefined;
}

/** The Rollout without the approval: the waiting step keeps its old pause. */
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

/** The pause in seconds. Infinity if the step waits for approval. */
const pauseIn = (rollout: Rollout | undefined, index: number): number =>
  stepsOf(rollout)[index]?.pause?.duration ?? Infinity;

/** 0-based index of the step that waits for approval or for its pause. */
function waitingIndex(old: Rollout | undefined): number | undefined {
  const status = old?.status?.canaryStatus;
  return old !== undefined && isInFlight(old, undefined) && status?.currentStepState === 'StepPaused'
    ? status.currentStepIndex - 1
    : undefined;
}
