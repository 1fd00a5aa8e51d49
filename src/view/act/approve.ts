// The approval of the waiting step, a jump to another step, and the way to the last one.
import { isApprovable } from '../../engine/lib/pause.ts';
import { isWhole } from '../../engine/lib/replicas.ts';
import { kindFor } from '../facts.ts';
import { stateOf, stepsOf } from '../state.ts';
import { Refusal } from './refusal.ts';
import { describeStep } from './steps.ts';
import { commandFor, follow, inSteps, whileFrozen, type Target } from './target.ts';
import { approvalOf, patchStatus, type Write } from './write.ts';

export interface Approving {
  /** Undefined: it is approved already. */
  readonly write: Write | undefined;
  /** `step 1 of 3 of web` */
  readonly what: string;
  /** Why the approval is unusual: ` before the end of its analysis`. Otherwise empty. */
  readonly early: string;
  /** What follows: `next is step 2 of 3: ...`. */
  readonly next: string;
}

/** `step`: the step that the user means; undefined for the waiting one. Throws Refusal. */
export function approve(target: Target, step?: number): Approving {
  const { rollout } = target;
  const status = inSteps(target, 'approve');
  const index = status.currentStepIndex;
  const what = `step ${index} of ${stepsOf(rollout)} of ${rollout.metadata.name}`;
  if (step !== undefined && step !== index)
    throw new Refusal(`cannot approve step ${step}: the release is at step ${index} of ${stepsOf(rollout)}`);
  if (status.currentStepState === 'StepReady') return { write: undefined, what, early: '', next: '' };
  if (!isApprovable(status))
    throw new Refusal(`cannot approve: ${what} is not waiting yet: ${rollout.status?.message}; ${follow(rollout)}`);
  const next = status.nextStepIndex >= 1 ? status.nextStepIndex : index + 1;
  return {
    write: approvalOf(rollout),
    what,
    early: status.currentStepState === 'StepMetricsAnalysis' ? ' before the end of its analysis' : '',
    next: `next is ${describeStep(target, next)}${whileFrozen(target)}`,
  };
}

export interface Jumping {
  readonly write: Write;
  readonly current: number;
  /** The jump is the approval of the current step. Otherwise the step is in progress. */
  readonly approves: boolean;
  /** The current step goes to this one anyway, when it is done and approved. */
  readonly usual: boolean;
  /** `step 3 of 3: ...` */
  readonly there: string;
  /** If the release jumps immediately: `web jumps from step 1 to step 3 of 3: ...`. */
  readonly atOnce: string;
}

/** Throws Refusal. */
export function jump(target: Target, step: number): Jumping {
  const { rollout } = target;
  const status = inSteps(target, 'jump');
  const all = stepsOf(rollout);
  const { name } = rollout.metadata;
  if (step > all) throw new Refusal(`cannot jump to step ${step}: ${name} has ${all} steps: write 1 to ${all}`);
  const current = status.currentStepIndex;
  const there = `${describeStep(target, step)}${step <= current ? '; updated Pods stay updated' : ''}`;
  const approves = status.currentStepState === 'StepPaused';
  return {
    write: patchStatus(rollout, { nextStepIndex: step, ...(approves && { currentStepState: 'StepReady' }) }),
    current,
    approves,
    usual: step === status.nextStepIndex,
    there,
    atOnce: `${name} jumps from step ${current} to ${there}${whileFrozen(target)}`,
  };
}

/** What a step that is in progress is waited for. */
export interface Finishing {
  /** Undefined: the step is in progress, and is waited for. */
  readonly write: Write | undefined;
  readonly current: number;
  /** `web continues with step 3 of 3: ...` */
  readonly says: string;
  /** After this write, the release needs no other one. */
  readonly ends: boolean;
}

/** The way to the last step, and from there to the remaining Pods. Throws Refusal. */
export function finish(target: Target): Finishing {
  const { rollout, deployment } = target;
  const status = inSteps(target, 'finish');
  refuseFrozen(target);
  const [current, last] = [status.currentStepIndex, stepsOf(rollout)];
  const onward = current < last ? { nextStepIndex: last } : {};
  return {
    write:
      status.currentStepState === 'StepPaused'
        ? patchStatus(rollout, { ...onward, currentStepState: 'StepReady' })
        : undefined,
    current,
    says: `${rollout.metadata.name} continues with ${describeStep(target, current < last ? last : last + 1)}`,
    ends: current === last || isLastWhole({ rollout, deployment }),
  };
}

function refuseFrozen({ rollout, deployment }: Target): void {
  const { name } = rollout.metadata;
  const state = stateOf(rollout, deployment);
  if (state === 'Paused' || rollout.spec.strategy.paused === true)
    throw new Refusal(`cannot finish: ${name} is paused; resume it first: ${commandFor('resume', rollout)}`);
  if (state === 'Stalled') throw new Refusal(`cannot finish: ${rollout.status?.message}`);
}

/** The last step is in progress and no wait follows, or the native controller releases the remaining Pods. */
export function isOutOfOurHands({ rollout, deployment }: Target): boolean {
  const state = stateOf(rollout, deployment);
  if (state === 'Finishing' || state === 'Idle') return true;
  const status = rollout.status?.canaryStatus;
  return (
    isLastWhole({ rollout, deployment }) &&
    status?.currentStepIndex === stepsOf(rollout) &&
    status.currentStepState === 'StepUpgrade'
  );
}

const isLastWhole = ({ rollout, deployment }: Target): boolean =>
  deployment !== undefined &&
  isWhole(rollout.spec.strategy.canary?.steps?.at(-1), kindFor(rollout).replicas(deployment));
