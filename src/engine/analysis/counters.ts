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

/** How counters are read in one release. */
export interface Counting {
  /** Start of the release in milliseconds: nothing before it counts. */
  readonly startedAt: number;
  /** Requests of a Pod in this time after its creation do not count, in milliseconds. */
  readonly warmUpMs: number;
  /** True if the check compares with the stable version. */
  readonly comparesStable: boolean;
}

/** The last counters of each Pod, by its name. It keeps Pods that are gone: a source has their last samples for a while. */
export type Known = ReadonlyMap<string, KnownPod>;

interface KnownPod extends Counts {
  readonly arm: Arm;
  readonly createdAt: number;
  readonly at: number;
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

const NONE: Counts = { total: 0, bad: 0 };
const sum = (one: Counts, other: Counts): Counts => ({
  total: one.total + other.total,
  bad: one.bad + other.bad,
});

/** What was known at the start of the release: the counters of the Pods that existed then. */
export function knownAtStart({ startedAt }: Counting, counters: Counters, pods: readonly PodFacts[]): Known {
  const known = new Map<string, KnownPod>();
  for (const pod of pods) {
    if (pod.createdAt >= startedAt) continue;
    const now = read(counters, pod.name, startedAt);
    if (typeof now === 'object') known.set(pod.name, { ...now, arm: pod.arm, createdAt: pod.createdAt, at: startedAt });
  }
  return known;
}

/** The look at this time, and what is known after it. The order of Pods and of samples does not matter. */
export function lookAt(
  { startedAt, warmUpMs, comparesStable }: Counting,
  before: Known,
  counters: Counters,
  pods: readonly PodFacts[],
  at: number,
): { readonly known: Known; readonly seen: Seen } {
  const known = new Map(before);
  const seen = { fresh: NONE, stable: NONE };
  const missing = { fresh: 0, stable: 0 };
  const sampled = { fresh: 0, stable: 0 };
  const byPod = new Map<string, Counts>();
  let unknown: string | undefined;
  for (const { name, arm, createdAt, gone } of withGone(pods, before)) {
    if (createdAt > at) continue;
    const same = before.get(name);
    // The Pod of a StatefulSet keeps its name when it gets another version.
    const last = same?.arm === arm ? same : undefined;
    const now = read(counters, name, at, last);
    if (now === undefined) {
      if (!gone && at - createdAt > warmUpMs) missing[arm] += 1;
      continue;
    }
    if (typeof now === 'string') {
      unknown = now;
      continue;
    }
    sampled[arm] += 1;
    const from = last ?? bornIn(createdAt, startedAt);
    const counted = from && difference(now, from);
    if (counted && counted.bad > counted.total) {
      // Kept for the next look, which may have both.
      unknown = `more bad requests than requests in Pod ${name}`;
      continue;
    }
    known.set(name, { ...now, arm, createdAt, at });
    if (!counted || from.at < createdAt + warmUpMs) continue;
    seen[arm] = sum(seen[arm], counted);
    if (arm === 'fresh') byPod.set(name, counted);
  }
  return { known, seen: { at, ...result() } };

  function result(): { look: Look; byPod: ReadonlyMap<string, Counts> } | { unknown: string } {
    if (unknown !== undefined) return { unknown };
    if (sampled.fresh === 0 && missing.fresh > 0) return { unknown: 'the source has no counters of the new Pods' };
    if (comparesStable && sampled.stable === 0 && missing.stable > 0)
      return { unknown: 'the source has no counters of the stable Pods' };
    return { look: seen, byPod };
  }
}

interface Counted extends PodFacts {
  /** The Pod does not exist any more. */
  readonly gone?: true;
}

/** The Pods, and those that are gone. */
function* withGone(pods: readonly PodFacts[], known: Known): Generator<Counted> {
  yield* pods;
  const names = new Set(pods.map(({ name }) => name));
  for (const [name, { arm, createdAt }] of known) if (!names.has(name)) yield { name, arm, createdAt, gone: true };
}

/** The counters of a Pod at a time. Undefined if there are none, or why they cannot be used. */
function read({ total, bad }: Counters, name: string, at: number, before?: Counts): Counts | string | undefined {
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
const bornIn = (createdAt: number, startedAt: number): (Counts & { readonly at: number }) | undefined =>
  createdAt >= startedAt ? { ...NONE, at: createdAt } : undefined;

/** A counter that is lower than before was reset by a restart. */
const difference = (now: Counts, before: Counts): Counts =>
  now.total < before.total || now.bad < before.bad
    ? now
    : { total: now.total - before.total, bad: now.bad - before.bad };
