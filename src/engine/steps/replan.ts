// Another number of steps in the middle of a release: at which of the new steps the release is, without an approval that nobody gave.
import type { CanaryStatus, CanaryStep, IntOrString } from '../../api/types.ts';
import { stepTarget } from '../lib/replicas.ts';
import { formatTime } from '../lib/time.ts';

/** `replicas` of each step, as the status keeps them. */
export const planOf = (steps: readonly CanaryStep[]): readonly IntOrString[] =>
  steps.map(({ replicas }) => replicas ?? 0);

/** The step that follows when nobody names another one; -1 = none. */
export function usualNext({ notBegun }: Pick<CanaryStatus, 'notBegun'>, index: number, steps: number): number {
  if (notBegun === true) return index;
  return index < steps ? index + 1 : -1;
}

/** The status of a step that has been left keeps nothing of what a change of the plan has done to it. */
export function withoutReplan(status: CanaryStatus): CanaryStatus {
  const { planChanged: _, notBegun: __, ...rest } = status;
  return rest;
}

/**
 * Step 1 has been granted at most, and nobody has been asked for anything: the release begins with whatever the steps are, as if they
 * had changed before the template.
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
  /** `spec.replicas` of the Deployment. */
  readonly replicas: number;
  /** Pods of the new version. */
  readonly updated: number;
}

/**
 * The status for these steps. With as many steps as before the step stays the one with its number, and its target is what it says now.
 * With another number the release stays at the step that was granted as many Pods: the same one where it fits, else the first of
 * those that ask for the most without asking for more. It waits there for approval. Where every step asks for more, it waits
 * before the first.
 */
export function replan(status: CanaryStatus, steps: readonly CanaryStep[], sizes: Sizes, now: number): CanaryStatus {
  const { plan, currentStepIndex: index, currentStepState: state } = status;
  const next = planOf(steps);
  // With 0 replicas all steps are alike: that is decided when there are Pods.
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
  // What is under way is ended; what waits, or was approved to go on with steps that are not there any more, waits.
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

/** What `replan` has done, in words; undefined when the number of steps is the one it was. */
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
