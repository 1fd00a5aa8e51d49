// Turns raw counters of Pods into the requests of each look.
//
// Differences are taken here and not by the source. `increase()` of Prometheus is 0 for a counter whose first sample is 1, and each counter of a new
// version is such a counter. The engine knows when a Pod was created, so it knows that the counter was 0.
import type { Counts, Look } from './evidence.ts';

export type Arm = 'fresh' | 'stable';

export interface PodFacts {
  readonly name: string;
  /** `fresh`: of the new version. Pods of other versions are left out. */
  readonly arm: Arm;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

/** Samples of one Pod: value by time in milliseconds. A time without a sample is absent. */
export type Samples = ReadonlyMap<number, number>;

export interface Counters {
  /** By name of the Pod. */
  readonly total: ReadonlyMap<string, Samples>;
  /** A Pod without bad requests has no samples here. */
  readonly bad: ReadonlyMap<string, Samples>;
}

export interface CountersFacts {
  readonly counters: Counters;
  readonly pods: readonly PodFacts[];
  /** Times of the looks in milliseconds, ascending. The first is the start of the release: nothing before it counts. */
  readonly times: readonly number[];
  /** Requests of a Pod in this time after its creation do not count, in milliseconds. */
  readonly warmUpMs: number;
  /** True if the check compares with the stable version. */
  readonly comparesStable: boolean;
}

/** One look, or why there is nothing to be seen at this time. */
export type Seen =
  | {
      readonly at: number;
      readonly look: Look;
      /** Requests of each Pod of the new version in this look. */
      readonly byPod: ReadonlyMap<string, Counts>;
    }
  | { readonly at: number; readonly unknown: string };

interface Known extends Counts {
  readonly at: number;
}

const NONE: Counts = { total: 0, bad: 0 };
const sum = (one: Counts, other: Counts): Counts => ({ total: one.total + other.total, bad: one.bad + other.bad });

/** The looks after the first time. The order of Pods and of samples does not matter. */
export function looksOf({ counters, pods, times, warmUpMs, comparesStable }: CountersFacts): Seen[] {
  const [startedAt = 0, ...later] = times;
  const known = new Map<string, Known>();
  const baseline = (pod: PodFacts): void => {
    const now = read(counters, pod, startedAt);
    if (typeof now === 'object') known.set(pod.name, { ...now, at: startedAt });
  };
  pods.filter(({ createdAt }) => createdAt < startedAt).forEach(baseline);
  return later.map((at) => {
    const seen = { fresh: NONE, stable: NONE };
    const missing = { fresh: 0, stable: 0 };
    const sampled = { fresh: 0, stable: 0 };
    const byPod = new Map<string, Counts>();
    let unknown: string | undefined;
    for (const pod of pods) {
      if (pod.createdAt > at) continue;
      const now = read(counters, pod, at, known.get(pod.name));
      if (now === undefined) {
        if (at - pod.createdAt > warmUpMs) missing[pod.arm] += 1;
        continue;
      }
      if (typeof now === 'string') {
        unknown = now;
        continue;
      }
      sampled[pod.arm] += 1;
      const before = known.get(pod.name) ?? bornIn(pod, startedAt);
      const counted = before && difference(now, before);
      if (counted && counted.bad > counted.total) {
        // Kept for the next look, which may have both.
        unknown = `more bad requests than requests in Pod ${pod.name}`;
        continue;
      }
      known.set(pod.name, { ...now, at });
      if (!counted || before.at < pod.createdAt + warmUpMs) continue;
      seen[pod.arm] = sum(seen[pod.arm], counted);
      if (pod.arm === 'fresh') byPod.set(pod.name, counted);
    }
    if (unknown !== undefined) return { at, unknown };
    if (sampled.fresh === 0 && missing.fresh > 0) return { at, unknown: 'no samples of Pods of the new version' };
    if (comparesStable && sampled.stable === 0 && missing.stable > 0)
      return { at, unknown: 'no samples of Pods of the stable version' };
    return { at, look: seen, byPod };
  });
}

/** The counters of a Pod at a time. Undefined if there are none, or why they cannot be used. */
function read({ total, bad }: Counters, { name }: PodFacts, at: number, before?: Counts): Counts | string | undefined {
  const requests = total.get(name)?.get(at);
  if (requests === undefined) return undefined;
  // A counter of bad requests that is gone, but not because of a restart, has not changed.
  const kept = before !== undefined && requests >= before.total ? before.bad : 0;
  const failed = bad.get(name)?.get(at) ?? kept;
  for (const value of [requests, failed])
    if (!Number.isFinite(value) || value < 0) return `the source returned ${value} for Pod ${name}`;
  return { total: requests, bad: failed };
}

/** All counters of a Pod that was created in the release were 0. An older Pod without samples so far has no baseline yet. */
const bornIn = ({ createdAt }: PodFacts, startedAt: number): Known | undefined =>
  createdAt >= startedAt ? { ...NONE, at: createdAt } : undefined;

/** A counter that is lower than before was reset by a restart. */
const difference = (now: Counts, before: Counts): Counts =>
  now.total < before.total || now.bad < before.bad
    ? now
    : { total: now.total - before.total, bad: now.bad - before.bad };
