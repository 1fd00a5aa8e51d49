// The false alarms of a check on this service: random halves of Pods of the same version, at random quiet times of the past.
import type { AnalysisCheck } from '../../api/analysis.ts';
import type { PodFacts } from '../../engine/analysis/counters.ts';
import type { Release, Series } from '../../engine/analysis/query.ts';
import { dueRange, findingOf, lagMs, see, startWatch } from '../../engine/analysis/watch.ts';
import type { Quiet } from './past.ts';

/** Values of `timesStable` that are tried, in this order. */
export const TOLERANCES: readonly number[] = [1.25, 1.5, 2, 3];
/** The share of false alarms that is wanted at most. */
export const WANTED = 0.01;

/** Mulberry32: numbers in [0, 1) that depend only on the seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A random time to begin, such that `lengthMs` later it is still quiet. Each is equally likely. Undefined if no quiet time is that long. */
export function randomStart(
  quiet: readonly Quiet[],
  lengthMs: number,
  random: () => number,
): (Quiet & { readonly startedAt: number }) | undefined {
  const long = quiet.filter(({ from, to }) => to - from >= lengthMs);
  let left = random() * long.reduce((sum, { from, to }) => sum + to - from - lengthMs, 0);
  for (const [index, span] of long.entries()) {
    const room = span.to - span.from - lengthMs;
    if (left <= room || index === long.length - 1)
      return { ...span, startedAt: Math.floor((span.from + left) / 1000) * 1000 };
    left -= room;
  }
  return undefined;
}

/** A name that a ReplicaSet of this workload gives to a Pod. */
const ofWorkload = (workload: string, revision: string | undefined): RegExp => {
  const escaped = workload.replaceAll('.', '[.]');
  return revision === undefined
    ? new RegExp(`^${escaped}-[a-z0-9]{1,10}-[a-z0-9]{5}$`)
    : new RegExp(`^${escaped}-${revision.replaceAll(/[^a-z0-9]/g, '')}-`);
};

/** The Pods of an answer in two random halves. Undefined if there are fewer than two. */
export function halve(
  series: readonly Series[],
  { workload, startedAt }: Release,
  revision: string | undefined,
  random: () => number,
): PodFacts[] | undefined {
  const own = ofWorkload(workload, revision);
  const found = series.filter(({ pod, samples }) => pod !== undefined && own.test(pod) && samples.size > 0);
  if (found.length < 2) return undefined;
  const shuffled = found.map((one) => ({ one, order: random() })).sort((a, b) => a.order - b.order);
  return shuffled.map(({ one: { pod, samples } }, index) => {
    const first = [...samples.keys()].reduce((least, at) => Math.min(least, at), Infinity);
    // A Pod without a sample at the start was created later.
    const createdAt = first <= startedAt ? startedAt - 1 : first - 1;
    return { name: pod!, arm: index < found.length / 2 ? 'fresh' : 'stable', createdAt };
  });
}

/** Whether the check is Worse for the half that plays the new version. */
export function alarms(
  check: AnalysisCheck,
  release: Release,
  answers: readonly (readonly Series[])[],
  pods: readonly PodFacts[],
  until: number,
): boolean {
  const watch = startWatch(check, release);
  const range = dueRange(watch, until + lagMs(check), Infinity);
  return range !== undefined && findingOf(see(watch, range, answers, pods)).verdict === 'Worse';
}

/** Interval that has the true share with a probability of 95 % (Wilson). Shares from 0 to 1. */
export function shareBetween(hits: number, trials: number): { readonly low: number; readonly high: number } {
  if (trials === 0) return { low: 0, high: 1 };
  const z = 1.96;
  const share = hits / trials;
  const middle = (share + z ** 2 / (2 * trials)) / (1 + z ** 2 / trials);
  const half = (z / (1 + z ** 2 / trials)) * Math.sqrt((share * (1 - share)) / trials + z ** 2 / (4 * trials ** 2));
  return { low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}

/** The check with another tolerance. */
export const tolerating = (check: AnalysisCheck, timesStable: number): AnalysisCheck => ({
  ...check,
  ratio: { ...check.ratio!, timesStable },
});
