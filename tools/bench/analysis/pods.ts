// Made-up Pods and counters, and answers about them as Prometheus writes them. Pure.
import type { PodFacts } from '../../../src/engine/analysis/counters.ts';

/** Requests a second of a Pod, and how many of them are counted for one that is bad. */
const PER_SECOND = 5;
const BAD_OF = 1_000;

export const BAD = 'http_requests_total{code=~"5.."}';
export const TOTAL = 'http_requests_total';

/** The counter of a Pod that began to count at `sinceMs`, at a time. */
export function counterAt(which: 'total' | 'bad', sinceMs: number, atMs: number): number {
  const total = Math.floor((Math.max(0, atMs - sinceMs) * PER_SECOND) / 1000);
  return which === 'total' ? total : Math.floor(total / BAD_OF);
}

/** When the samples of a Pod begin and end. */
export interface Sampled {
  readonly name: string;
  readonly fromMs: number;
  readonly toMs?: number | undefined;
}

/** The answer of query_range to `sum by (pod) (…)`, as text. Pods without a sample in the range are left out. */
export function answerText(
  which: 'total' | 'bad',
  pods: Iterable<Sampled>,
  startMs: number,
  endMs: number,
  stepMs: number,
): string {
  const series: string[] = [];
  for (const { name, fromMs, toMs = Infinity } of pods) {
    const values: string[] = [];
    for (let at = startMs; at <= endMs; at += stepMs)
      if (at >= fromMs && at <= toMs) values.push(`[${at / 1000},"${counterAt(which, fromMs, at)}"]`);
    if (values.length > 0) series.push(`{"metric":{"pod":${JSON.stringify(name)}},"values":[${values.join(',')}]}`);
  }
  return `{"status":"success","data":{"resultType":"matrix","result":[${series.join(',')}]}}`;
}

/** Pods of a large Deployment in its last step but one, with names as long as usual. */
export function makePods(workload: string, fresh: number, stable: number, startedAt: number): PodFacts[] {
  const suffix = (index: number): string => index.toString(36).padStart(5, '0');
  const make = (arm: PodFacts['arm'], hash: string, count: number, createdAt: number): PodFacts[] =>
    Array.from({ length: count }, (_, index) => ({ name: `${workload}-${hash}-${suffix(index)}`, arm, createdAt }));
  return [...make('fresh', FRESH, fresh, startedAt + 1_000), ...make('stable', STABLE, stable, startedAt - 86_400_000)];
}

/** Hashes of ReplicaSets. */
export const FRESH = '7f9c6d5b8d';
export const STABLE = '5d9f7c6b4c';
