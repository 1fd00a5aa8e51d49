// What the page knows, and how lines of the stream change it.
import type {
  ActionView,
  Connection,
  DashboardEvent,
  Overview,
  RankName,
  ReleaseDetail,
  ReleaseRow,
} from '../view/dashboard/types.ts';
import type { StreamState } from './stream.ts';

export interface State {
  stream: StreamState | 'starting';
  /** When the stream was lost, in milliseconds. */
  lostAt: number | undefined;
  connection: Connection | undefined;
  summary: Omit<Overview, 'releases'> | undefined;
  /** In the order in which they are shown. */
  rows: readonly ReleaseRow[];
  /** The opened release: `namespace/name`. */
  open: string | undefined;
  detail: ReleaseDetail | undefined;
  /** The opened release does not exist. */
  isGone: boolean;
  filter: string;
  /** Rows that are drawn, at most. The first frame has those that a window shows; the others follow. */
  most: number;
  /** The dialog for an action, or the help. */
  dialog:
    | { readonly kind: 'action'; readonly key: string; readonly action: ActionView }
    | { readonly kind: 'help' }
    | undefined;
  /** The result of the last action. */
  notice: { readonly good: boolean; readonly text: string } | undefined;
}

export const state: State = {
  ...{ stream: 'starting', lostAt: undefined, connection: undefined, summary: undefined, rows: [] },
  ...{ open: undefined, detail: undefined, isGone: false, filter: '', most: 60, dialog: undefined, notice: undefined },
};

const RANKS: readonly RankName[] = ['person', 'failing', 'motion', 'rest'];

/** The order of src/view: by rank, then the longest wait, and without a release by key. */
function byRank(a: ReleaseRow, b: ReleaseRow): number {
  const rank = RANKS.indexOf(a.rank) - RANKS.indexOf(b.rank);
  if (rank !== 0) return rank;
  const [since, other] = a.rank === 'rest' ? ['', ''] : [a.since ?? '~', b.since ?? '~'];
  if (since !== other) return since < other ? -1 : 1;
  return a.key < b.key ? -1 : 1;
}

export function take(event: DashboardEvent): void {
  switch (event.type) {
    case 'connection':
      state.connection = event.connection;
      return;
    case 'overview': {
      const { releases, ...summary } = event.overview;
      state.rows = releases;
      state.summary = summary;
      return;
    }
    case 'rows': {
      const byKey = new Map(state.rows.map((row) => [row.key, row]));
      for (const key of event.gone) byKey.delete(key);
      for (const row of event.changed) byKey.set(row.key, row);
      state.rows = [...byKey.values()].sort(byRank);
      state.summary = event.summary;
      return;
    }
    case 'detail':
      if (event.key !== state.open) return;
      state.detail = event.detail;
      state.isGone = false;
      return;
    case 'gone':
      if (event.key !== state.open) return;
      state.detail = undefined;
      state.isGone = true;
  }
}

/** The rows that fit the filter: each word is in the name, the namespace, the workload, an image or the author. */
export function fittingRows({ rows, filter }: Pick<State, 'rows' | 'filter'>): readonly ReleaseRow[] {
  const words = filter
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  if (words.length === 0) return rows;
  return rows.filter(({ key, workload, images, author = '', word, state }) => {
    const text = [key, workload, ...images, author, word, state].join(' ').toLowerCase();
    return words.every((one) => text.includes(one));
  });
}
