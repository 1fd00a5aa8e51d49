// Judges what has been: the same fold of looks as the operator's, over the past of a source.
import type { AnalysisCheck, Verdict } from '../../api/analysis.ts';
import type { PodFacts } from '../../engine/analysis/counters.ts';
import type { Counts } from '../../engine/analysis/evidence.ts';
import { queriesOf, type Query, type Release, type Series, type Unknown } from '../../engine/analysis/query.ts';
import {
  dueRange,
  findingOf,
  intervalMs,
  lagMs,
  miss,
  see,
  startWatch,
  type Finding,
  type Range,
} from '../../engine/analysis/watch.ts';
import type { MetricSource } from '../../metric-sources/source.ts';
import { withPods } from '../../schema/promql.ts';

/** What a check said after one look. */
export interface Moment {
  readonly at: number;
  readonly verdict: Verdict;
  readonly evidence?: number;
  readonly fresh?: Counts;
  readonly stable?: Counts;
}

export interface Replay {
  readonly check: AnalysisCheck;
  /** At the first look that was Worse, where the release would have stopped; otherwise at the last one. */
  readonly finding: Finding;
  /** In order of time, to the end, even if a look before it was Worse. */
  readonly moments: readonly Moment[];
  /** The source had at least one sample of this time. */
  readonly hadSamples: boolean;
}

export interface Asked {
  readonly source: MetricSource;
  readonly check: AnalysisCheck;
  readonly release: Release;
  /** Milliseconds since the epoch. No later look is judged. The source has the samples of this time. */
  readonly until: number;
  /** Pods of both versions that exist now. */
  readonly pods: readonly PodFacts[];
  /** About how many Pods have samples at the same time. An answer then has less than 1 MiB. */
  readonly podsAtOnce: number;
  readonly signal: AbortSignal;
}

/** The longest answer is 1 MiB, and a sample takes about 30 bytes. */
const SAMPLES_AT_ONCE = 25_000;
/** Prometheus returns at most 11,000 samples of a series. */
const LOOKS_AT_ONCE = 10_000;

export const looksAtOnce = (pods: number): number =>
  Math.max(10, Math.min(LOOKS_AT_ONCE, Math.floor(SAMPLES_AT_ONCE / Math.max(1, pods))));

/** Stops at the first Unknown of the source, which the finding then tells. Rejects if the signal is aborted. */
export async function replay({ source, check, release, until, pods, podsAtOnce, signal }: Asked): Promise<Replay> {
  const queries = queriesOf(check, release);
  let watch = startWatch(check, release);
  const moments: Moment[] = [];
  let hadSamples = false;
  let worse: Finding | undefined;
  for (;;) {
    const range = dueRange(watch, until + lagMs(check), looksAtOnce(podsAtOnce));
    if (range === undefined) break;
    const answers = await ask(source, queries, range, signal);
    if ('unknown' in answers) {
      watch = miss(watch, answers.unknown, range.fromMs);
      break;
    }
    hadSamples ||= answers.some((series) => series.some(({ samples }) => samples.size > 0));
    // One look after the other, so that each verdict has its time.
    for (let at = watch.lastAt + range.stepMs; at <= range.toMs; at += range.stepMs) {
      const look = { ...range, fromMs: Math.min(range.fromMs, at), toMs: at };
      watch = see(watch, look, samplesAt(answers, moments.length === 0 ? [release.startedAt, at] : [at]), pods);
      const finding = findingOf(watch);
      moments.push(momentOf(finding));
      if (finding.verdict === 'Worse') worse ??= finding;
    }
  }
  return { check, finding: worse ?? findingOf(watch), moments, hadSamples };
}

/** The answers to all queries, or why one of them has none. */
async function ask(
  source: MetricSource,
  queries: readonly Query[],
  { fromMs, toMs, stepMs }: Range,
  signal: AbortSignal,
): Promise<readonly (readonly Series[])[] | Unknown> {
  const answers: (readonly Series[])[] = [];
  for (const query of queries) {
    const answer = await source.range(query, fromMs, toMs, stepMs, signal);
    if ('unknown' in answer) return answer;
    answers.push(answer);
  }
  return answers;
}

/** Only the samples of these times: a look does not read the others, and there are thousands of looks. */
const samplesAt = (answers: readonly (readonly Series[])[], times: readonly number[]): Series[][] =>
  answers.map((series) =>
    series.map(({ pod, samples }) => ({
      pod,
      samples: new Map(
        times.flatMap((at): [number, number][] => {
          const value = samples.get(at);
          return value === undefined ? [] : [[at, value]];
        }),
      ),
    })),
  );

const momentOf = ({ lastAt, verdict, evidence, fresh, stable }: Finding): Moment => ({
  at: lastAt,
  verdict,
  ...(evidence !== undefined && { evidence }),
  ...(fresh && { fresh }),
  ...(stable && { stable }),
});

/** Counters of a whole interval at once, for several judgements of the same samples. */
export async function readInterval({
  source,
  check,
  release,
  until,
  podsAtOnce,
  signal,
}: Omit<Asked, 'pods'>): Promise<readonly (readonly Series[])[] | Unknown> {
  const stepMs = intervalMs(check);
  const most = looksAtOnce(podsAtOnce);
  const queries = queriesOf(check, release);
  const merged = queries.map(() => new Map<string | undefined, Map<number, number>>());
  for (let fromMs = release.startedAt; fromMs <= until; fromMs += most * stepMs) {
    const toMs = Math.min(until, fromMs + (most - 1) * stepMs);
    const answers = await ask(source, queries, { fromMs, toMs, stepMs }, signal);
    if ('unknown' in answers) return answers;
    answers.forEach((series, index) => {
      for (const { pod, samples } of series) {
        const all = merged[index]!.get(pod) ?? new Map<number, number>();
        for (const [at, value] of samples) all.set(at, value);
        merged[index]!.set(pod, all);
      }
    });
  }
  return merged.map((series) => [...series].map(([pod, samples]) => ({ pod, samples })));
}

/** How far back a source is asked for its first sample. */
const REACH_MS = 90 * 86_400_000;
const REACH_STEP_MS = 15 * 60_000;

/** About when the first sample of a check's Pods was, to a quarter of an hour. Undefined if it has none, or counts no requests. */
export async function firstSample(
  { source, check, release, signal }: Pick<Asked, 'source' | 'check' | 'release' | 'signal'>,
  podLabel: string,
  now: number,
): Promise<number | undefined> {
  const [counters] = queriesOf(check, release);
  if (counters?.kind !== 'Counters') return undefined;
  const { namespace, workload, selector } = counters;
  const query: Query = {
    kind: 'Expression',
    namespace,
    expression: `count(${withPods(selector, podLabel, workload)})`,
  };
  const answer = await source.range(query, now - REACH_MS, now, REACH_STEP_MS, signal);
  if ('unknown' in answer) return undefined;
  const times = answer.flatMap(({ samples }) => [...samples.keys()]);
  return times.length === 0 ? undefined : times.reduce((first, at) => Math.min(first, at), Infinity);
}
