// Is it flat? Pure, and robust: what goes up and down, or jumps once, is no leak; what goes up again and again is.
import { median, slope, type Point } from '../stats.ts';

export interface Rule {
  /** So much is no finding, in the unit of the values: caches and heaps breathe. */
  readonly absolute: number;
  /** Nor is this share of the middle value. */
  readonly share: number;
}

export interface Verdict {
  /** In y per x (Theil–Sen). */
  readonly slope: number;
  /** What that makes from the first point to the last. */
  readonly growth: number;
  /** From -1 (always down) to 1 (always up), 0 when it goes up as often as down (Kendall). */
  readonly steadiness: number;
  /** A growth that is steady and not more than this is not found. */
  readonly allowed: number;
  readonly leaks: boolean;
}

/** Noise without direction is hardly ever beyond this; a leak comes near 1. */
const STEADY = 0.5;
/** Fewer prove nothing. */
export const MIN_POINTS = 8;

/** Throws when there are too few points. */
export function judge(points: readonly Point[], { absolute, share }: Rule): Verdict {
  if (points.length < MIN_POINTS) throw new Error(`${points.length} points are too few to judge: run for longer`);
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
