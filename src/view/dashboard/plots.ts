// The points of the small plots of checks. The status has only the last numbers, so the dashboard collects them while it watches a release.
import type { CheckStatus } from '../../api/analysis.ts';
import type { Rollout } from '../../api/types.ts';
import { formatTime } from '../../engine/lib/time.ts';
import type { Plot, PlotPoint } from './types.ts';

/** The points of one release, by the name of the check. */
export interface Plots {
  /** The id of the release: another one starts again. */
  readonly release: string;
  readonly points: ReadonlyMap<string, readonly PlotPoint[]>;
}

/** Points of one check, at most. Then every second one of the older half goes. */
const MOST_POINTS = 120;
const MOST_CHECKS = 50;

/** The plots with one more point for each check whose numbers have changed. `now`: milliseconds since the epoch. */
export function withPoints(before: Plots | undefined, { status }: Rollout, now: number): Plots | undefined {
  const { analysis, observedRolloutID: release = '' } = status?.canaryStatus ?? {};
  if (status?.phase !== 'Progressing' || analysis === undefined) return undefined;
  const known = before?.release === release ? before.points : new Map<string, readonly PlotPoint[]>();
  const next = new Map<string, readonly PlotPoint[]>();
  let changed = known !== before?.points;
  for (const check of analysis.slice(0, MOST_CHECKS)) {
    const points = known.get(check.name) ?? [];
    const value = valueOf(check);
    const isNew = value !== undefined && points.at(-1)?.value !== value.value;
    changed ||= isNew;
    next.set(check.name, isNew ? thinned([...points, { at: formatTime(now), value: value.value }]) : points);
  }
  return changed ? { release, points: next } : before;
}

const valueOf = ({
  evidence,
  total,
  bad = 0,
}: CheckStatus): (Pick<Plot, 'what'> & { readonly value: number }) | undefined =>
  evidence !== undefined
    ? { what: 'evidence', value: evidence }
    : total !== undefined && total > 0
      ? { what: 'share', value: Math.round((1e5 * bad) / total) / 1000 }
      : undefined;

function thinned(points: readonly PlotPoint[]): readonly PlotPoint[] {
  if (points.length <= MOST_POINTS) return points;
  const half = MOST_POINTS / 2;
  return points.filter((_, i) => i >= half || i % 2 === 0);
}

/** Undefined with fewer than two points. */
export function plotOf(plots: Plots | undefined, check: CheckStatus | undefined): Plot | undefined {
  const points = (check && plots?.points.get(check.name)) ?? [];
  const value = check && valueOf(check);
  if (value === undefined || points.length < 2) return undefined;
  const limit = value.what === 'evidence' ? check?.alarm : undefined;
  return { what: value.what, points, ...(limit !== undefined && { limit }) };
}
