// A Rollout that releases nothing: an older Rollout has its workload, or the workload is missing or cannot be released.
import { draftOf, closeHistory, conditionOf, dropConditions, report, setCondition } from '../status.ts';
import type { Decision } from '../decision.ts';
import type { Snapshot } from '../snapshot.ts';
import { isHeld, isInFlight } from './in-flight.ts';
import { notReached } from './reach.ts';
import type { Obstacle } from '../workload/kind.ts';
import { kindOf } from '../workload/registry.ts';
import * as messages from '../messages.ts';

const MISSING_AGAIN_MS = 60_000;

/** Reports why the Rollout releases nothing. `by`: the name of the other Rollout, or the obstacle. */
export function standAside(
  snapshot: Snapshot,
  reason:
    | 'WorkloadNotFound'
    | Obstacle['reason']
    | 'LeftByOpenKruise'
    | 'WorkloadTaken'
    | 'InvalidWorkloadRef'
    | 'NotReached'
    | 'KindNotServed',
  by = '',
): Decision {
  const { rollout, now, unreached, absence } = snapshot;
  const { kind, name } = rollout.spec.workloadRef;
  const draft = draftOf(rollout);
  draft.message = {
    WorkloadNotFound: `${kind} "${name}" does not exist: waiting for it`,
    RecreateStrategy: by,
    OnDeleteStrategy: by,
    UnsupportedStrategy: by,
    LeftByOpenKruise: messages.leftByOpenKruise(rollout, kindOf(rollout.spec.workloadRef)?.resource),
    InvalidWorkloadRef: `this Rollout has no effect: ${by}`,
    WorkloadTaken: `Rollout "${by}" already releases ${kind} "${name}": delete one of the two`,
    KindNotServed: absence?.message ?? '',
    NotReached: unreached === undefined ? '' : notReached(kind, name, unreached),
  }[reason];
  const isMissing = reason === 'WorkloadNotFound' || (reason === 'KindNotServed' && absence?.gone === true);
  if (isMissing) {
    closeHistory(draft, now, 'WorkloadGone');
    dropConditions(draft, 'Progressing', 'Succeeded');
    draft.canary = undefined;
    draft.phase = 'Initial';
  } else if (isOver(snapshot, reason)) {
    closeHistory(draft, now, reason === 'WorkloadTaken' ? 'Superseded' : 'Bypassed');
    dropConditions(draft, 'Progressing', 'Succeeded', 'PolicyBlocked');
    // Its versions would be taken for those of the next release.
    draft.canary = undefined;
    draft.phase = 'Initial';
  } else if (draft.phase === '') draft.phase = 'Initial';
  setCondition(draft, now, 'Stalled', 'True', reason, draft.message);
  const before = conditionOf(rollout.status?.conditions, 'Stalled');
  // A workload may be created after its Rollout, so its absence is not worth a warning.
  const known = isMissing || (before?.status === 'True' && before.reason === reason);
  const decision = report(snapshot, draft, known ? [] : [{ reason: 'Stalled', message: draft.message }]);
  return reason === 'WorkloadNotFound' ? { ...decision, againAfterMs: MISSING_AGAIN_MS } : decision;
}

/**
 * True if this Rollout has a release in its status and does not govern it any more. A phase that stays in progress keeps the ReplicaSets of the
 * workload from its users. A held workload waits for the Rollout, so its release stays. A route that it changed for another Rollout's workload is put
 * back when the Rollout is deleted.
 */
function isOver({ rollout, workload }: Snapshot, reason: Parameters<typeof standAside>[1]): boolean {
  if (rollout.metadata.deletionTimestamp !== undefined || !isInFlight(rollout, undefined)) return false;
  if (reason === 'WorkloadTaken') return rollout.status?.canaryStatus?.traffic === undefined;
  return OBSTACLES.has(reason) && !isHeld(workload);
}

/** With these strategies, the workload's controller updates the Pods without steps. */
const OBSTACLES: ReadonlySet<string> = new Set<Obstacle['reason']>([
  'RecreateStrategy',
  'OnDeleteStrategy',
  'UnsupportedStrategy',
]);
