// The list of releases: those that wait for a person first.
import type { Rollout, Workload } from '../../api/types.ts';
import { inNamespace } from '../../engine/lib/text.ts';
import { figuresView } from './figures.ts';
import { rowOf } from './row.ts';
import { name } from './text.ts';
import type { Overview, RankName, ReleaseRow } from './types.ts';

/** Releases that are shown, at most. */
export const MOST_ROWS = 2000;

const RANKS: readonly RankName[] = ['person', 'failing', 'motion', 'rest'];

/** Those that wait for a person first, then failing ones, then those in motion; the longest wait first. The others in the order of their keys. */
export function compareRows(a: ReleaseRow, b: ReleaseRow): number {
  if (a.rank !== b.rank) return RANKS.indexOf(a.rank) - RANKS.indexOf(b.rank);
  const [x, y] = a.rank === 'rest' ? ['', ''] : [a.since ?? '~', b.since ?? '~'];
  return x === y ? order(a.key, b.key) : order(x, y);
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** A Rollout and its workload. Undefined: it does not exist, or may not be read. */
export interface Item {
  readonly rollout: Rollout;
  readonly workload: Workload | undefined;
}

/** Rows by their Rollout. Objects are never changed, so a row stays true as long as the workload is the same object, too. */
const known = new WeakMap<Rollout, { readonly workload: Workload | undefined; readonly row: ReleaseRow }>();

function knownRow({ rollout, workload }: Item): ReleaseRow {
  const before = known.get(rollout);
  if (before !== undefined && before.workload === workload) return before.row;
  const row = rowOf(rollout, workload);
  known.set(rollout, { workload, row });
  return row;
}

/** `items`: in any order. `namespace`: undefined for all. `now`: milliseconds since the epoch. Only the rows of changed objects are made again. */
export function overviewOf(
  items: readonly Item[],
  { namespace, now }: { readonly namespace: string | undefined; readonly now: number },
): Overview {
  const rows = items.map(knownRow).sort(compareRows);
  const counts = { person: 0, failing: 0, motion: 0, rest: 0 };
  for (const { rank } of rows) counts[rank] += 1;
  const where = namespace === undefined ? 'the cluster' : `namespace "${name(namespace)}"`;
  return {
    ...(namespace !== undefined && { namespace: name(namespace) }),
    releases: rows.slice(0, MOST_ROWS),
    counts,
    leftOut: Math.max(0, rows.length - MOST_ROWS),
    figures: figuresView(
      items.map(({ rollout }) => rollout.status?.history ?? []),
      now,
    ),
    ...(rows.length === 0 && {
      empty: `there are no Rollouts in ${where}; to create one: kubectl tranche init WORKLOAD${inNamespace(namespace && name(namespace))}`,
    }),
  };
}
