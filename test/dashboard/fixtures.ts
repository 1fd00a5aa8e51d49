// Rows for tests of the page without a cluster, at a fixed time: a release in each state.
import type { Connection, Figures, Overview, RankName, ReleaseRow } from '../../src/view/dashboard/types.ts';

/** Friday, 10:00 in UTC. */
export const NOW = Date.parse('2026-01-02T10:00:00Z');
export const ago = (minutes: number): string => new Date(NOW - minutes * 60_000).toISOString().replace('.000', '');

export const FIGURES: Figures = {
  releases: 41,
  since: ago(60 * 24 * 30),
  leadTime: { value: 1_440, unit: 'seconds', text: '24m', over: 36, says: 'median of 36 completed releases' },
  frequency: { value: 8.4, unit: 'per week', text: '8.4 per week', over: 36, says: '36 completed releases in 30 days' },
  failureRate: { value: 12, unit: 'percent', text: '12 %', over: 41, says: '5 of 41 releases were rolled back' },
  timeToRestore: { value: 200, unit: 'seconds', text: '3m20s', over: 5, says: 'median of 5 releases that failed' },
};
export const FEW: Figures = { releases: 1, since: ago(900), missing: '1 release has ended: figures need at least 3' };

export const connection = (more: Partial<Connection> = {}): Connection => ({
  live: true,
  since: ago(125),
  context: 'prod-eu',
  user: 'anna@example.com',
  readOnly: false,
  ...more,
});

const row = (
  key: string,
  more: Partial<ReleaseRow> & Pick<ReleaseRow, 'rank' | 'tone' | 'state' | 'word' | 'says'>,
): ReleaseRow => {
  const [namespace = '', name = ''] = key.split('/');
  const images = [`registry.example/${namespace}/${name}:1.8.2`];
  return { key, namespace, name, kind: 'Deployment', workload: name, pods: {}, strip: [], images, ...more };
};

export const WAITING = row('shop/web', {
  ...{ rank: 'person', tone: 'waits', state: 'Waiting', word: 'Waits for approval' },
  says: 'step 2/4 done: waiting for approval (1 of 2)',
  since: ago(12),
  step: { current: 2, of: 4 },
  pods: { updated: 5, available: 10, wanted: 10 },
  strip: [
    { progress: 'done', percent: 10 },
    { progress: 'current', percent: 50 },
    { progress: 'ahead', percent: 80 },
    { progress: 'ahead', percent: 100 },
  ],
  release: '8f14e45fceea167a',
  author: 'ben@example.com',
  images: ['registry.example/shop/web:2.4.0', 'registry.example/mesh/proxy:1.31'],
  moreImages: 1,
  checks: 'Fine',
});

export const ROWS: readonly ReleaseRow[] = [
  row('payments/ledger', {
    ...{ rank: 'person', tone: 'bad', state: 'Stalled', word: 'A check is Worse' },
    says: 'check errors is Worse: new version 12 of 480 requests bad (2.5 %), stable version 3 of 4320 (0.069 %)',
    since: ago(34),
    step: { current: 1, of: 3 },
    pods: { updated: 2, available: 20, wanted: 20 },
    strip: [
      { progress: 'current', percent: 10 },
      { progress: 'ahead', percent: 50 },
      { progress: 'ahead', percent: 100 },
    ],
    author: 'deploy-bot',
    checks: 'Worse',
  }),
  WAITING,
  row('search/indexer', {
    ...{ rank: 'failing', tone: 'bad', state: 'Stalled', word: 'Stalled' },
    says: 'step 1/2: 1 of 3 Pods available; indexer-7c9d-x2k4p: CrashLoopBackOff for 11m',
    since: ago(11),
    step: { current: 1, of: 2 },
    pods: { updated: 3, available: 10, wanted: 12 },
    strip: [
      { progress: 'current', percent: 25 },
      { progress: 'ahead', percent: 100 },
    ],
    author: 'carla@example.com',
  }),
  row('shop/cart', {
    ...{ rank: 'motion', tone: 'moving', state: 'Moving', word: 'Replacing Pods' },
    says: 'step 2/3: 4 of 6 Pods available',
    since: ago(1),
    step: { current: 2, of: 3 },
    pods: { updated: 6, available: 11, wanted: 12 },
    strip: [
      { progress: 'done', percent: 10 },
      { progress: 'current', percent: 50 },
      { progress: 'ahead', percent: 100 },
    ],
    author: 'ben@example.com',
  }),
  row('mail/queue', {
    ...{ rank: 'motion', tone: 'moving', state: 'Blocked', word: 'Waits for a policy' },
    says: 'policy office-hours is closed until Mon 08:00 (Europe/Berlin): no step continues',
    since: ago(900),
    until: ago(-60 * 70),
    step: { current: 1, of: 2 },
    pods: { updated: 1, available: 5, wanted: 5 },
    kind: 'StatefulSet',
    strip: [
      { progress: 'current', percent: 20 },
      { progress: 'ahead', percent: 100 },
    ],
  }),
  row('mail/api', {
    ...{ rank: 'rest', tone: 'done', state: 'Idle', word: 'Completed', says: 'released 3.0.1' },
    since: ago(60 * 26),
    pods: { available: 4, wanted: 4 },
    author: 'dora@example.com',
  }),
  row('shop/admin', {
    ...{ rank: 'rest', tone: 'idle', state: 'Disabled', word: 'Disabled', says: 'the Rollout is disabled' },
    since: ago(60 * 24 * 12),
    pods: { available: 2, wanted: 2 },
  }),
];

export const summaryOf = (rows: readonly ReleaseRow[]): Omit<Overview, 'releases'> => {
  const count = (rank: RankName): number => rows.filter((one) => one.rank === rank).length;
  const counts = { person: count('person'), failing: count('failing'), motion: count('motion'), rest: count('rest') };
  return { counts, leftOut: 0, figures: FIGURES };
};
export const overviewOf = (rows: readonly ReleaseRow[]): Overview => ({ ...summaryOf(rows), releases: rows });

export const EMPTY: Overview = {
  ...overviewOf([]),
  namespace: 'shop',
  figures: { releases: 0, missing: 'no release has ended: figures need at least 3' },
  empty: 'there are no Rollouts in namespace "shop"; to create one: kubectl tranche init DEPLOYMENT -n shop',
};
