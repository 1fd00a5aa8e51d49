// The start of a step, its policy, and the end of the steps.
import type { CanaryStatus, IntOrString } from '../../api/types.ts';
import { pods } from '../lib/text.ts';
import { formatTime } from '../lib/time.ts';
import * as messages from '../messages.ts';
import { conditionOf, dropConditions, noteStep, setCondition, type Draft } from '../status.ts';
import { acceptFailed } from './analysis.ts';
import { approvedTarget } from './approval.ts';
import { noteApprovals } from './notes.ts';
import { usualNext, withoutReplan } from './replan.ts';
import { atStep, type Answer, type Run } from './run.ts';

/** The release waits to start. */
export function startStep(run: Run): Answer {
  const waiting = waitForPolicy(run);
  if (waiting !== undefined) return waiting;
  enter(run, run.index, run.snapshot.now, run.draft.canary!.grantedReplicas);
  return {};
}

/** Waits until the policy's windows open, or until policies or other releases change. Undefined if no policy blocks the step. */
function waitForPolicy({ snapshot, draft, events, name }: Run): Answer | undefined {
  const { gate, rollout, now } = snapshot;
  const blocked = gate?.blocked;
  if (blocked === undefined) {
    dropConditions(draft, 'PolicyBlocked');
    return undefined;
  }
  draft.message = messages.blocked(name, blocked.message);
  const before = conditionOf(rollout.status?.conditions, 'PolicyBlocked');
  if (before?.reason !== blocked.reason) events.push({ reason: 'PolicyBlocked', message: draft.message });
  setCondition(draft, now, 'PolicyBlocked', 'True', blocked.reason, blocked.message);
  return { againAtMs: blocked.opensAt };
}

/** Enters the next step, or the one in nextStepIndex. It writes only the status. The budget follows when the status is written. */
export function enterNext(run: Run): Answer {
  const { snapshot, draft, index, steps } = run;
  const waiting = waitForPolicy(run);
  if (waiting !== undefined) return waiting;
  noteApprovals(run);
  acceptFailed(run);
  const usual = usualNext(draft.canary!, index, steps.length);
  const wanted = draft.canary!.nextStepIndex;
  // The step was approved before its start, so it starts now.
  const next =
    draft.canary!.grantedReplicas === 0 && jumpOf(run) === 0
      ? index
      : wanted >= 1 && wanted <= steps.length
        ? wanted
        : usual;
  if (next === -1) return finish(run);
  enter(run, next, snapshot.now);
  return {};
}

/** `approved`: the approved `replicas` of the step, if a policy requires approvals. */
function enter(
  { progress, draft, steps, events, goal }: Run,
  index: number,
  now: number,
  approved?: IntOrString,
): void {
  const step = steps[index - 1] ?? { replicas: '100%' };
  const grantedReplicas = draft.canary!.grantedReplicas === undefined ? undefined : (approved ?? step.replicas);
  const target = approvedTarget(step, grantedReplicas, progress.replicas, index >= steps.length);
  // If no Pod of another version is left, scaling caused the surplus, so it is not kept. After a jump back, Pods beyond the target may be granted
  // but not created yet.
  const keeps =
    (progress.updated > target && progress.old > 0) || (index < draft.canary!.currentStepIndex && goal.target > target);
  draft.canary = { ...withoutReplan(draft.canary!), ...atStep(index, steps.length, keeps, progress.replicas) };
  if (grantedReplicas !== undefined) draft.canary = { ...draft.canary, grantedReplicas };
  setState(draft, 'StepUpgrade', now);
  noteStep(draft, index, now);
  const name = messages.stepOf(index, Math.max(steps.length, 1));
  draft.message = messages.updating(
    name,
    Math.min(progress.available, target),
    target,
    messages.controllerOf(progress.kind.resource),
  );
  // If the step before has completed in the same moment, one event reports both.
  const completed = events.at(-1)?.reason === 'StepCompleted' ? `${events.pop()!.message}; ` : '';
  const message = `${completed}${name}: updating ${target} of ${pods(progress.replicas)}`;
  events.push({ reason: 'StepStarted', message });
}

/** All steps are done. The next decision gives the Deployment back. */
export function finish({ snapshot, draft, progress }: Run): Answer {
  const { now } = snapshot;
  setState(draft, 'Completed', now);
  const { kind } = progress.kind.resource;
  setCondition(draft, now, 'Progressing', 'True', 'Finalising', `the steps are done, the ${kind} is given back`);
  draft.message = messages.natively('finishing', progress.updated, progress.replicas);
  return {};
}

export function setState(draft: Draft, state: CanaryStatus['currentStepState'], now: number): void {
  draft.canary = { ...draft.canary!, currentStepState: state, lastUpdateTime: formatTime(now) };
}

/** The step in nextStepIndex if it is not the usual next one, otherwise 0. */
export function jumpOf({ draft, index, steps }: Run): number {
  const wanted = draft.canary!.nextStepIndex;
  const usual = usualNext(draft.canary!, index, steps.length);
  return wanted >= 1 && wanted <= steps.length && wanted !== usual ? wanted : 0;
}
