// The last releases of a Rollout, each with the revision of the workload that `undo` can restore.
import type { Approval, HistoryEntry } from '../api/types.ts';
import { parseTime } from '../engine/lib/time.ts';
import { versionsOf, type Facts } from './facts.ts';

/** All times are in milliseconds since the epoch. */
export interface HistoryRow {
  /** Number of the revision; undefined if no ReplicaSet or ControllerRevision has the version. */
  readonly revision: string | undefined;
  readonly releaseId: string | undefined;
  /** `pod-template-hash` of the version; undefined if it had no Pods. */
  readonly podTemplateHash: string | undefined;
  readonly author: string | undefined;
  readonly startedAt: number | undefined;
  readonly endedAt: number | undefined;
  /** Undefined: the release is in progress. */
  readonly outcome: string | undefined;
  /** How Pods were updated without the steps, if the webhook did not see it. */
  readonly bypassed?: string;
  /** In order of time. A person may have approved a step more than once. */
  readonly approvals: readonly Approval[];
  /** The last verdict of each check, by name. */
  readonly verdicts: NonNullable<HistoryEntry['analysis']>;
  /** Who overrode policies for this release, and why. */
  readonly brokenGlass: NonNullable<HistoryEntry['brokenGlass']>;
}

/** Newest first. */
export function historyRows({ rollout, view }: Facts): HistoryRow[] {
  const revisions = new Map(versionsOf(view).map(({ revision, number }) => [revision, number]));
  // An entry gets its hash at the end of the release. Until then, the hash is in the status.
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
    ...(entry.bypassed !== undefined && { bypassed: entry.bypassed }),
    approvals: entry.approvals ?? [],
    verdicts: entry.analysis ?? {},
    brokenGlass: entry.brokenGlass ?? [],
  }));
}
