// Statistics for the benches. Pure.

/** Percentile by nearest rank, without interpolation. `share` is from 0 to 1. NaN if there are no values. */
export function percentile(values: readonly number[] | Float64Array, share: number): number {
  return percentileOfSorted(Float64Array.from(values).sort(), share);
}

function percentileOfSorted(sorted: Float64Array, share: number): number {
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return sorted[Math.min(rank, sorted.length) - 1] ?? NaN;
}

export const median = (values: readonly number[] | Float64Array): number => percentile(values, 0.5);

export interface Summary {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** Percentiles in the unit of the values. */
export function summarize(values: readonly number[] | Float64Array): Summary {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): number => percentileOfSorted(sorted, share);
  return { count: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}

export type Point = readonly [x: number, y: number];

/**
 * Slope by Theil–Sen: the median of the slopes between all pairs, which up to 29 % of outliers do not affect. In y per x. 0 for fewer than
 * two points. Quadratic: for up to some hundred points.
 */
export function slope(points: readonly Point[]): number {
  const slopes: number[] = [];
  for (const [i, [x, y]] of points.entries()) {
    for (const [x2, y2] of points.slice(i + 1)) if (x2 !== x) slopes.push((y2 - y) / (x2 - x));
  }
  return slopes.length === 0 ? 0 : median(slopes);
}
