// Where a Rollout stands: one word, since when, and what the operator says.
import { HELD, ROLLOUT_ID } from '../api/keys.ts';
import type { Deployment, Rollout } from '../api/types.ts';
import { conditionOf, isTrue, progressingReason, rollbackId } from '../engine/status.ts';
import { withoutWayBack } from '../engine/messages.ts';

export type State =
  /** Nothing is being released. */
  | 'Idle'
  /** A change was held; the operator has not reported it yet. */
  | 'Starting'
  /** Pods of a step are being replaced. */
  | 'Moving'
  /** A step is done; approval or time leads on. */
  | 'Waiting'
  /** Frozen by spec.strategy.paused, or by the Deployment's own. */
  | 'Paused'
  /** A policy keeps the next step back. */
  | 'Blocked'
  | 'Stalled'
  | 'Finishing'
  | 'RollingBack'
  | 'Disabled'
  | 'Deleting'
  /** It has not been looked at, or cannot work: see the message. */
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
    return status.canaryStatus?.currentStepState === 'StepPaused' ? 'Waiting' : 'Moving';
  }
  if (isTrue(rollout, 'Stalled')) return 'Stalled';
  return status?.phase === 'Healthy' ? 'Idle' : 'Pending';
}

/** A release that the webhook has begun and the status does not tell of yet: the status is about another one. */
export function isUnreported({ status }: Rollout, { metadata }: Deployment): boolean {
  const id = metadata.labels?.[ROLLOUT_ID];
  if (id === undefined || status === undefined) return false;
  const observed = status.canaryStatus?.observedRolloutID;
  if (observed !== id && observed !== rollbackId(id)) return true;
  return status.phase === 'Healthy' && metadata.annotations?.[HELD] !== undefined;
}

export type Outcome = 'succeeded' | 'failed' | 'underWay';

/** How the release that the Deployment is in, or was in last, has ended. */
export function outcomeOf(rollout: Rollout, deployment: Deployment | undefined): Outcome {
  const state = stateOf(rollout, deployment);
  if (state === 'Stalled' || state === 'Deleting' || state === 'Disabled') return 'failed';
  if (state !== 'Idle') return 'underWay';
  return conditionOf(rollout.status?.conditions, 'Succeeded')?.status === 'False' ? 'failed' : 'succeeded';
}

/** Since when it is as it is. */
export const sinceOf = ({ status }: Rollout): string | undefined =>
  status?.phase === 'Progressing'
    ? status.canaryStatus?.lastUpdateTime
    : conditionOf(status?.conditions, 'Progressing')?.lastTransitionTime;

export const stepsOf = ({ spec }: Rollout): number => spec.strategy.canary?.steps?.length ?? 0;

/** What the operator says of it; undefined when it has said nothing. */
export function messageOf({ metadata, status }: Rollout): string | undefined {
  const closing = status?.phase === 'Progressing' || isTerminating(status);
  if (metadata.deletionTimestamp !== undefined && !closing) return 'it is being deleted';
  return status?.message ? withoutWayBack(status.message) : undefined;
}

const isTerminating = (status: Rollout['status']): boolean =>
  conditionOf(status?.conditions, 'Terminating') !== undefined;
