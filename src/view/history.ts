// The releases that a Rollout remembers, with the revision of the Deployment that each can be put back from.
import { REVISION } from '../api/keys.ts';
import type { Approval, HistoryEntry } from '../api/types.ts';
import { parseTime } from '../engine/lib/time.ts';
import { hashOf } from '../engine/workload/deployment/view.ts';
import type { Facts } from './facts.ts';

/** All times are in milliseconds since the epoch. */
export interface HistoryRow {
  /** Of the Deployment; undefined when no ReplicaSet keeps the version any more. */
  readonly revision: string | undefined;
  readonly releaseId: string | undefined;
  /** `pod-template-hash` of the version; undefined when it never had a Pod. */
  readonly podTemplateHash: string | undefined;
  readonly author: string | undefined;
  readonly startedAt: number | undefined;
  readonly endedAt: number | undefined;
  /** Undefined: it is in progress. */
  readonly outcome: string | undefined;
  /** In the order in which they were given; one person may have approved a step again. */
  readonly approvals: readonly Approval[];
}

/** The newest first. */
export function historyRows({ rollout, view }: Facts): HistoryRow[] {
  const sets = [...(view?.newSet ? [view.newSet] : []), ...(view?.oldSets ?? [])];
  const revisions = new Map(sets.map((set) => [hashOf(set), set.metadata.annotations?.[REVISION]]));
  // The entry of a release gets its hash when it ends; until then the status has it.
  const hashOfEntry = ({ revision, endTime }: HistoryEntry): string =>
    (endTime === undefined && rollout.status?.canaryStatus?.canaryRevision) || revision;
  return (rollout.status?.history ?? []).map((entry) => ({
    revision: revisions.get(hashOfEntry(entry)),
    releaseId: entry.rolloutID || undefined,
    podTemplateHash: hashOfEntry(entry) || undefined,
    author: entry.author,
    startedAt: parseTime(entry.startTime),
    endedAt: parseTime(entry.endTime),
    outcome: entry.outcome,
    approvals: entry.approvals ?? [],
  }));
}
