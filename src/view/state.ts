// The state of a Rollout: one word, since when, and the message of the operator.
import { HELD, ROLLOUT_ID } from '../api/keys.ts';
import type { Deployment, Rollout } from '../api/types.ts';
import { conditionOf, isTrue, progressingReason } from '../engine/status.ts';
import { pauseSeconds } from '../engine/lib/pause.ts';
import { rollbackId } from '../engine/release/release-id.ts';
import { withoutWayBack } from '../engine/messages.ts';

export type State =
  /** No release is in progress. */
  | 'Idle'
  /** A change is held; the operator has not reported it yet. */
  | 'Starting'
  /** Pods of a step are being replaced. */
  | 'Moving'
  /** The Pods of a step are available; the checks watch them. */
  | 'Watching'
  /** A step is done; the release waits for approval or for its time. */
  | 'Waiting'
  /** Paused by spec.strategy.paused of the Rollout or by the workload, such as by spec.paused of a Deployment. */
  | 'Paused'
  /** A policy does not let the next step start. */
  | 'Blocked'
  | 'Stalled'
  | 'Finishing'
  | 'RollingBack'
  | 'Disabled'
  | 'Deleting'
  /** The operator has not processed it, or it cannot work: see the message. */
  | 'Pending';

export function stateOf(rollout: Rollout, deployment: Deployment | undefined): State {
  const { metadata, spec, status } = rollout;
  if (metadata.deletionTimestamp !== undefined) return 'Deleting';
  if (spec.disabled === true) return 'Disabled';
  if (deployment && isUnreported(rollout, deployment)) return 'Starting';
  if (status?.phase === 'Progressing') {
    const reason = progressingReason(rollout);
    if (reason === 'Cancelling') return 'RollingBack';
    if (reason === 'Finalising') return 'Finishing';
    if (reason === 'Paused') return 'Paused';
    if (isTrue(rollout, 'Stalled')) return 'Stalled';
    if (isTrue(rollout, 'PolicyBlocked')) return 'Blocked';
    const { currentStepState } = status.canaryStatus ?? {};
    if (currentStepState === 'StepMetricsAnalysis') return 'Watching';
    return currentStepState === 'StepPaused' ? 'Waiting' : 'Moving';
  }
  if (isTrue(rollout, 'Stalled')) return 'Stalled';
  return status?.phase === 'Healthy' ? 'Idle' : 'Pending';
}

/** The webhook has started a release, but the status is still about the previous one. */
export function isUnreported({ status }: Rollout, { metadata }: Deployment): boolean {
  const id = metadata.labels?.[ROLLOUT_ID];
  if (id === undefined || status === undefined) return false;
  const observed = status.canaryStatus?.observedRolloutID;
  if (observed !== id && observed !== rollbackId(id)) return true;
  return status.phase === 'Healthy' && metadata.annotations?.[HELD] !== undefined;
}

/** The release is held because a check is Worse. An approval lets it go on. */
export const isHeldByCheck = ({ status }: Rollout): boolean => {
  const stalled = conditionOf(status?.conditions, 'Stalled');
  return status?.phase === 'Progressing' && stalled?.status === 'True' && stalled.reason === 'AnalysisFailed';
};

export type Outcome = 'succeeded' | 'failed' | 'underWay';

/** The outcome of the current or the last release. */
export function outcomeOf(rollout: Rollout, deployment: Deployment | undefined): Outcome {
  const state = stateOf(rollout, deployment);
  if (state === 'Stalled' || state === 'Deleting' || state === 'Disabled') return 'failed';
  if (state !== 'Idle') return 'underWay';
  return conditionOf(rollout.status?.conditions, 'Succeeded')?.status === 'False' ? 'failed' : 'succeeded';
}

/** The time of the last change of the state. */
export const sinceOf = ({ status }: Rollout): string | undefined =>
  status?.phase === 'Progressing'
    ? status.canaryStatus?.lastUpdateTime
    : conditionOf(status?.conditions, 'Progressing')?.lastTransitionTime;

/** A step that is done waits for approval, and not for its time only: by its pause, or because a policy asks for it. Then the message says so. */
export function waitsForApproval({ spec, status }: Rollout): boolean {
  const { currentStepIndex = 0, planChanged, notBegun } = status?.canaryStatus ?? {};
  const seconds = pauseSeconds(spec.strategy.canary?.steps?.[currentStepIndex - 1]);
  if (seconds === Infinity || planChanged === true || notBegun === true) return true;
  return /waiting for approval/.test(status?.message ?? '');
}

export const stepsOf = ({ spec }: Rollout): number => spec.strategy.canary?.steps?.length ?? 0;

/** The message of the operator; undefined if there is none. */
export function messageOf({ metadata, status }: Rollout): string | undefined {
  const closing = status?.phase === 'Progressing' || isTerminating(status);
  if (metadata.deletionTimestamp !== undefined && !closing) return 'the Rollout is being deleted';
  return status?.message ? withoutWayBack(status.message) : undefined;
}

const isTerminating = (status: Rollout['status']): boolean =>
  conditionOf(status?.conditions, 'Terminating') !== undefined;
