// Decides whether a series of values grows. Noise and a single jump are not a leak; steady growth is. Pure.
import { median, slope, type Point } from '../stats.ts';

export interface Rule {
  /** Growth up to this amount is not a leak, in the unit of the values. */
  readonly absolute: number;
  /** Growth up to this share of the median is not a leak. */
  readonly share: number;
}

export interface Verdict {
  /** Slope in y per x (Theil–Sen). */
  readonly slope: number;
  /** Growth from the first point to the last. */
  readonly growth: number;
  /** Kendall's tau: from -1 (always down) to 1 (always up). 0 = as often up as down. */
  readonly steadiness: number;
  /** The largest growth that does not count as a leak. */
  readonly allowed: number;
  readonly leaks: boolean;
}

/** Noise rarely exceeds this value. A leak is close to 1. */
const STEADY = 0.5;
/** Minimum number of points. */
export const MIN_POINTS = 8;

/** Throws if there are too few points. */
export function judge(points: readonly Point[], { absolute, share }: Rule): Verdict {
  if (points.length < MIN_POINTS) throw new Error(`${points.length} points are too few: use a longer run`);
  const perX = slope(points);
  const growth = perX * (points.at(-1)![0] - points[0]![0]);
  const steadiness = directionOf(points.map(([, y]) => y));
  const allowed = Math.max(absolute, share * median(points.map(([, y]) => y)));
  return { slope: perX, growth, steadiness, allowed, leaks: growth > allowed && steadiness > STEADY };
}

function directionOf(values: readonly number[]): number {
  let ups = 0;
  let pairs = 0;
  for (const [i, value] of values.entries()) {
    for (const later of values.slice(i + 1)) {
      ups += Math.sign(later - value);
      pairs++;
    }
  }
  return pairs === 0 ? 0 : ups / pairs;
}
