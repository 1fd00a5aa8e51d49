// A change of the number of steps during a release: finds the new step of the release without skipping an approval.
import type { CanaryStatus, CanaryStep, IntOrString } from '../../api/types.ts';
import { stepTarget } from '../lib/replicas.ts';
import { formatTime } from '../lib/time.ts';

/** `replicas` of each step, as stored in the status. */
export const planOf = (steps: readonly CanaryStep[]): readonly IntOrString[] =>
  steps.map(({ replicas }) => replicas ?? 0);

/** The usual next step. -1 if there is none. */
export function usualNext({ notBegun }: Pick<CanaryStatus, 'notBegun'>, index: number, steps: number): number {
  if (notBegun === true) return index;
  return index < steps ? index + 1 : -1;
}

/** The status without the fields of a plan change, for when the release leaves the step. */
export function withoutReplan(status: CanaryStatus): CanaryStatus {
  const { planChanged: _, notBegun: __, ...rest } = status;
  return rest;
}

/**
 * True if at most step 1 was granted and no approval was needed yet. The release then starts with the new steps, as if they had changed before the
 * template.
 */
export const isAtItsStart = ({
  currentStepIndex,
  currentStepState,
  keepsReplicas,
  planChanged,
}: CanaryStatus): boolean =>
  currentStepIndex <= 1 &&
  keepsReplicas !== true &&
  planChanged !== true &&
  ['', 'BeforeStepUpgrade', 'StepUpgrade'].includes(currentStepState);

export interface Sizes {
  /** Number of Pods that the workload wants. */
  readonly replicas: number;
  /** Pods of the new version. */
  readonly updated: number;
}

/**
 * The status for the new steps. If the number of steps is unchanged, the step keeps its number and gets its new target. Otherwise the release moves
 * to the step that matches the granted Pods: the same step if it fits, or else the first step with the highest target that is not more than granted.
 * It waits for approval there. If every step asks for more Pods, it waits before step 1.
 */
export function replan(status: CanaryStatus, steps: readonly CanaryStep[], sizes: Sizes, now: number): CanaryStatus {
  const { plan, currentStepIndex: index, currentStepState: state } = status;
  const next = planOf(steps);
  // With 0 replicas all targets are 0, so this is decided when there are Pods.
  if (sizes.replicas === 0 || next.length === 0) return status;
  if (plan === undefined ? index <= next.length : plan.length === next.length) return { ...status, plan: next };
  if (isAtItsStart(status))
    return { ...status, plan: next, currentStepIndex: 1, nextStepIndex: next.length > 1 ? 2 : -1 };
  const target = (value: IntOrString | undefined): number => stepTarget(value, sizes.replicas);
  const began = status.notBegun !== true && plan?.[index - 1] !== undefined;
  const granted = began ? target(plan[index - 1]) : sizes.updated;
  const targets = next.map(target);
  const most = Math.max(0, ...targets.filter((pods) => pods <= granted));
  const fits = most > 0;
  const at = !fits ? 1 : targets[index - 1] === most ? index : targets.indexOf(most) + 1;
  // A step in progress is finished. A waiting or approved step waits again, because the approval was for steps that no longer exist.
  const moving = fits && state !== 'StepPaused' && state !== 'StepReady';
  const { notBegun: _, ...rest } = status;
  return {
    ...rest,
    plan: next,
    planChanged: true,
    ...(fits ? {} : { notBegun: true }),
    currentStepIndex: at,
    nextStepIndex: usualNext({ notBegun: !fits }, at, next.length),
    keepsReplicas: status.keepsReplicas === true || !moving || sizes.updated > target(next[at - 1]),
    ...(moving ? {} : { currentStepState: 'StepPaused', lastUpdateTime: formatTime(now) }),
  };
}

/** Describes the result of `replan`. Undefined if the number of steps is unchanged. */
export function replanned(before: CanaryStatus, after: CanaryStatus): string | undefined {
  const [was, is] = [before.plan?.length ?? before.currentStepIndex, after.plan?.length ?? 0];
  if (was === is || after.plan === before.plan || (before.plan === undefined && after.planChanged !== true))
    return undefined;
  return `the number of steps changed from ${was} to ${is}: ${whereAt(after, is)}`;
}

export const whereAt = ({ currentStepIndex, notBegun, planChanged }: CanaryStatus, steps: number): string => {
  const step = `step ${currentStepIndex} of ${steps}`;
  if (notBegun === true) return `the release waits for approval before ${step}`;
  return planChanged === true
    ? `the release is at ${step}, and waits for approval after it`
    : `the release is at ${step}`;
};
