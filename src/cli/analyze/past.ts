// The releases of a Rollout that can be judged again, from its history, and the quiet times between them.
import type { AnalysisCheck, Verdict } from '../../api/analysis.ts';
import type { Deployment, HistoryEntry, Rollout, StepStart } from '../../api/types.ts';
import type { Release } from '../../engine/analysis/query.ts';
import { parseTime } from '../../engine/lib/time.ts';
import { selectorText } from '../../engine/lib/selector.ts';

/** A release of the past, or the current one. All times are in milliseconds since the epoch. */
export interface PastRelease {
  readonly release: Release;
  /** In the history, from 1 = the newest. */
  readonly number: number;
  /** Undefined: it is in progress. */
  readonly endedAt: number | undefined;
  readonly outcome: string | undefined;
  /** In order of time. */
  readonly steps: readonly { readonly step: number; readonly at: number }[];
  /** What the checks said in the release itself, by name. */
  readonly said: Readonly<Record<string, Verdict>>;
}

/** A time without a release. */
export interface Quiet {
  readonly from: number;
  readonly to: number;
  /** Hash of the version that ran. Undefined if it is not known. */
  readonly revision: string | undefined;
}

/** Outcomes after which the new version ran. */
const RUNS = new Set<string | undefined>(['Completed', 'Restored', 'Bypassed']);

/** Newest first. Without entries whose start is not readable. */
export function releasesOf(
  rollout: Rollout,
  deployment: Deployment | undefined,
  checks: readonly AnalysisCheck[],
): PastRelease[] {
  const { history = [], canaryStatus } = rollout.status ?? {};
  const { namespace = 'default' } = rollout.metadata;
  return history.flatMap((entry, index): PastRelease[] => {
    const startedAt = parseTime(entry.startTime);
    if (startedAt === undefined) return [];
    const release: Release = {
      namespace,
      workload: rollout.spec.workloadRef.name,
      pods: deployment === undefined ? '' : selectorText(deployment.spec.selector),
      rolloutID: entry.rolloutID,
      revision: revisionAt(rollout, index),
      stableRevision:
        (index === 0 && entry.endTime === undefined && canaryStatus?.stableRevision) ||
        ranAfter(history, index + 1) ||
        '',
      startedAt,
      ratioChecks: Math.max(1, checks.filter(({ ratio }) => ratio !== undefined).length),
    };
    const endedAt = parseTime(entry.endTime);
    const current = index === 0 && endedAt === undefined ? (canaryStatus?.analysis ?? []) : [];
    const said = { ...entry.analysis, ...Object.fromEntries(current.map(({ name, verdict }) => [name, verdict])) };
    return [{ release, number: index + 1, endedAt, outcome: entry.outcome, steps: stepsOf(entry.steps), said }];
  });
}

/** An entry gets its hash at the end of the release. Until then, the hash is in the status. */
function revisionAt({ status }: Rollout, index: number): string {
  const { endTime, revision } = status!.history![index]!;
  return (index === 0 && endTime === undefined && status!.canaryStatus?.canaryRevision) || revision;
}

/** Hash of the version that ran when the release before this one had ended. */
const ranAfter = (history: readonly HistoryEntry[], index: number): string | undefined =>
  history.slice(index).find(({ outcome }) => RUNS.has(outcome))?.revision;

const stepsOf = (steps: readonly StepStart[] = []): PastRelease['steps'] =>
  steps.flatMap(({ step, time }) => {
    const at = parseTime(time);
    return at === undefined ? [] : [{ step, at }];
  });

/** The number of the step that ran at this time. Undefined if no step had started. */
export const stepAt = ({ steps }: Pick<PastRelease, 'steps'>, at: number): number | undefined =>
  steps.findLast((step) => step.at <= at)?.step;

/** The release that was in progress at this time, in milliseconds. Undefined if there was none. */
export const covering = (releases: readonly PastRelease[], at: number): PastRelease | undefined =>
  releases.find(({ release, endedAt = Infinity }) => release.startedAt <= at && at <= endedAt);

/** The times between `from` and `to` in which no release of the history was in progress. Oldest first. */
export function quietTimes(releases: readonly PastRelease[], from: number, to: number): Quiet[] {
  const oldestFirst = releases.toReversed();
  const quiet: Quiet[] = [];
  let since = from;
  let revision: string | undefined = oldestFirst[0]?.release.stableRevision || undefined;
  for (const { release, endedAt = Infinity, outcome } of oldestFirst) {
    quiet.push({ from: since, to: Math.min(release.startedAt, to), revision });
    since = Math.max(since, endedAt);
    if (RUNS.has(outcome)) ({ revision } = release);
    else revision = release.stableRevision || undefined;
  }
  quiet.push({ from: since, to, revision: revision === '' ? undefined : revision });
  return quiet.filter((span) => span.to > span.from);
}
