// The check `pods`: one value per Pod, such as memory, compared between the Pods of both versions by rank.
import type { Judgement, Verdict } from './verdict.ts';

/** With fewer Pods of the new version, even the strongest difference can be chance. */
const FEWEST = 3;
/** Looks in a row that must agree. */
const LOOKS = 3;
/** Highest probability of a difference by chance, in one look. */
const CHANCE = 0.01;
/** Up to this number of Pods, the probability is exact. */
const MOST_EXACT = 40;

export interface PodValues {
  readonly at: number;
  readonly fresh: readonly number[];
  readonly stable: readonly number[];
}

export interface RankState extends Judgement {
  /** Looks in a row in which the new version was higher, and in which it was not. */
  readonly higher: number;
  readonly notHigher: number;
}

export const startRank = (at: number): RankState => ({ verdict: 'Open', since: at, higher: 0, notHigher: 0 });

/** `timesStable`: the new values are divided by it before the comparison. A check of this kind holds a release; it never rolls back. */
export function judgeRank(timesStable: number, before: RankState, { at, fresh, stable }: PodValues): RankState {
  if (before.verdict === 'Worse') return before;
  const { why: _, ...rest } = before;
  const state = (verdict: Verdict, more: Partial<RankState> = {}): RankState => ({
    ...rest,
    ...more,
    verdict,
    since: before.verdict === verdict ? before.since : at,
  });
  if (fresh.length === 0) return state('Unknown', { why: 'no values of Pods of the new version' });
  if (stable.length === 0) return state('Unknown', { why: 'no values of Pods of the stable version' });
  if ([...fresh, ...stable].some((value) => !Number.isFinite(value)))
    return state('Unknown', { why: 'the source returned a value that is not a number' });
  if (!canDiffer(fresh.length, stable.length))
    return state('Open', { why: `too few Pods to compare (${fresh.length} new, ${stable.length} stable)` });
  const isHigher =
    chanceOfHigher(
      fresh.map((value) => value / timesStable),
      stable,
    ) <= CHANCE;
  const higher = isHigher ? before.higher + 1 : 0;
  const notHigher = isHigher ? 0 : before.notHigher + 1;
  return state(higher >= LOOKS ? 'Worse' : notHigher >= LOOKS ? 'Fine' : 'Open', { higher, notHigher });
}

/** True if a difference between so many Pods of both versions can be shown. */
export const canDiffer = (fresh: number, stable: number): boolean =>
  fresh >= FEWEST && leastChance(fresh, stable) <= CHANCE;

/** The chance of the strongest possible difference between so many Pods, without ties: 1 / (n + m over n). */
const leastChance = (n: number, m: number): number =>
  Array.from({ length: n }, (_, index) => (index + 1) / (m + index + 1)).reduce((all, one) => all * one, 1);

/**
 * Probability that values in random order put `fresh` as high as this (Mann and Whitney; one side). Exact for up to 40 Pods, with ties; a normal
 * approximation above. From 0 to 1.
 */
export function chanceOfHigher(fresh: readonly number[], stable: readonly number[]): number {
  const ranks = twiceRanks([...fresh, ...stable]);
  const reached = ranks.slice(0, fresh.length).reduce((sum, rank) => sum + rank, 0);
  return ranks.length <= MOST_EXACT
    ? exactly(ranks, fresh.length, reached)
    : nearly(ranks, fresh.length, stable.length, reached);
}

/** Twice the rank of each value, so that the mean rank of equal values is an integer. */
function twiceRanks(values: readonly number[]): number[] {
  const sorted = [...values].sort((a, b) => a - b);
  const first = new Map<number, number>();
  const last = new Map<number, number>();
  sorted.forEach((value, index) => {
    if (!first.has(value)) first.set(value, index);
    last.set(value, index);
  });
  return values.map((value) => first.get(value)! + last.get(value)! + 2);
}

/** Counts the ways to choose `count` of the ranks, by their sum. */
function exactly(ranks: readonly number[], count: number, reached: number): number {
  const most = ranks.reduce((sum, rank) => sum + rank, 0);
  // ways[k][s]: ways to choose k of the ranks so far with the sum s.
  const ways = Array.from({ length: count + 1 }, () => new Float64Array(most + 1));
  ways[0]![0] = 1;
  for (const rank of ranks)
    for (let chosen = count; chosen > 0; chosen--)
      for (let sum = most; sum >= rank; sum--) ways[chosen]![sum]! += ways[chosen - 1]![sum - rank]!;
  const all = ways[count]!;
  const total = all.reduce((sum, value) => sum + value, 0);
  return all.reduce((sum, value, index) => (index >= reached ? sum + value : sum), 0) / total;
}

function nearly(ranks: readonly number[], n: number, m: number, reached: number): number {
  const size = n + m;
  const mean = ranks.reduce((sum, rank) => sum + rank, 0) / size;
  const spread = ranks.reduce((sum, rank) => sum + (rank - mean) ** 2, 0);
  const variance = (n * m * spread) / (size * (size - 1));
  // Half a step of the sum, which is counted in half ranks.
  return variance === 0 ? 1 : upperTail((reached - n * mean - 1) / Math.sqrt(variance));
}

/** Probability of a standard normal value above `z` (Abramowitz and Stegun 26.2.17; error below 1e-7). */
function upperTail(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const series = [0.31938153, -0.356563782, 1.781477937, -1.821255978, 1.330274429];
  const sum = series.reduce((total, factor, index) => total + factor * t ** (index + 1), 0);
  const tail = (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * sum;
  return z >= 0 ? tail : 1 - tail;
}
