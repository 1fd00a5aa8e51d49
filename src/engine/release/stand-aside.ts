// A Rollout that releases nothing: an older Rollout has its workload, or the workload is missing or cannot be released.
import { draftOf, closeHistory, conditionOf, dropConditions, report, setCondition } from '../status.ts';
import type { Decision } from '../decision.ts';
import type { Snapshot } from '../snapshot.ts';
import { notReached } from './reach.ts';
import type { Obstacle } from '../workload/kind.ts';
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
    | 'NotReached',
  by = '',
): Decision {
  const { rollout, now, unreached } = snapshot;
  const name = rollout.spec.workloadRef.name;
  const draft = draftOf(rollout);
  draft.message = {
    WorkloadNotFound: `Deployment "${name}" does not exist: waiting for it`,
    RecreateStrategy: by,
    OnDeleteStrategy: by,
    LeftByOpenKruise: messages.leftByOpenKruise(rollout),
    InvalidWorkloadRef: `this Rollout has no effect: ${by}`,
    WorkloadTaken: `Rollout "${by}" already releases Deployment "${name}": delete one of the two`,
    NotReached: unreached === undefined ? '' : notReached(name, unreached),
  }[reason];
  if (reason === 'WorkloadNotFound') {
    closeHistory(draft, now, 'WorkloadGone');
    dropConditions(draft, 'Progressing', 'Succeeded');
    draft.canary = undefined;
    draft.phase = 'Initial';
  } else if (draft.phase === '') draft.phase = 'Initial';
  setCondition(draft, now, 'Stalled', 'True', reason, draft.message);
  const before = conditionOf(rollout.status?.conditions, 'Stalled');
  // A Deployment may be created after its Rollout, so its absence is not worth a warning.
  const known = reason === 'WorkloadNotFound' || (before?.status === 'True' && before.reason === reason);
  const decision = report(snapshot, draft, known ? [] : [{ reason: 'Stalled', message: draft.message }]);
  return reason === 'WorkloadNotFound' ? { ...decision, againAfterMs: MISSING_AGAIN_MS } : decision;
}
