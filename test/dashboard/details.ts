// Releases for tests of the page without a cluster: one in each state.
import type { DashboardEvent, ReleaseDetail, ReleaseRow } from '../../src/view/dashboard/types.ts';
import { ago, FEW, FIGURES, ROWS, WAITING } from './fixtures.ts';
import { actionsOf, batch, dotsOf, STEPS, times } from './parts.ts';

export const WAITING_DETAIL: ReleaseDetail = {
  row: WAITING,
  release: { id: '8f14e45fceea167a', author: 'ben@example.com', startedAt: ago(41), expected: 'about 24m' },
  waits: {
    for: 'approval',
    says: 'step 2/4 done: waiting for approval (1 of 2)',
    since: ago(12),
    approval: {
      given: ['carla@example.com'],
      required: 2,
      who: '2 people, each a member of release-managers, not the author (policy production)',
    },
  },
  next: {
    ...{ step: 3, from: 5, to: 8, of: 10, missing: 1, extra: 2 },
    says: '3 more Pods: 5 → 8 of 10; at most 1 missing, 2 extra; then waits for approval',
  },
  batches: [
    batch(1, '10%', 'done', dotsOf(...times(1, 'new', 'available')), 1),
    batch(2, '50%', 'current', dotsOf(...times(4, 'new', 'available')), 5, 'waits for approval'),
    batch(
      3,
      '80%',
      'ahead',
      dotsOf(...times(3, 'stable', 'available')),
      8,
      'is watched for 10m, then waits for approval',
    ),
    batch(4, '100%', 'ahead', dotsOf(...times(2, 'stable', 'available')), 10, 'continues immediately'),
  ],
  versions: [
    {
      version: 'new',
      keeper: 'ReplicaSet web-6b8f4',
      revision: '12',
      images: ['registry.example/shop/web:2.4.0', 'registry.example/mesh/proxy:1.31'],
      pods: 5,
      available: 5,
    },
    {
      version: 'stable',
      keeper: 'ReplicaSet web-5d4fc',
      revision: '11',
      images: ['registry.example/shop/web:2.3.9', 'registry.example/mesh/proxy:1.31'],
      pods: 5,
      available: 5,
    },
  ],
  checks: [
    {
      ...{ name: 'errors', tone: 'done', verdict: 'Fine', word: 'Fine', since: ago(6) },
      says: 'new version: 3 of 5120 requests bad (0.059 %); stable version: 4 of 5080 requests bad (0.079 %)',
      limit: 'at most 1% bad requests, and at most 2 times the share of the stable version',
      ifWorse: 'the release stops and waits for approval',
      ...{ n: 5120, bad: 3, evidence: 1.4, alarm: 20 },
      plot: {
        what: 'evidence',
        limit: 20,
        points: [1, 1.2, 1.9, 2.6, 2.1, 1.7, 2.2, 1.8, 1.5, 1.3, 1.6, 1.4].map((value, i) => ({
          at: ago(36 - 3 * i),
          value,
        })),
      },
    },
    {
      ...{ name: 'latency', tone: 'moving', verdict: 'Open', word: 'not shown yet', since: ago(9) },
      says: 'new version: 41 of 5120 requests slower than 500ms (0.8 %); stable version: 30 of 5080 (0.59 %)',
      limit: 'at most 2 times the share of the stable version',
      ifWorse: 'the release is rolled back',
      ...{ n: 5120, bad: 41, evidence: 4.8, alarm: 20 },
      plot: {
        what: 'evidence',
        limit: 20,
        points: [1, 1.1, 1.4, 2, 2.4, 3.1, 2.9, 3.6, 4.4, 4.1, 5.2, 4.8].map((value, i) => ({
          at: ago(36 - 3 * i),
          value,
        })),
      },
    },
  ],
  diff: {
    ...{ from: 'revision 11 (5d4fc)', to: 'revision 12 (6b8f4)', added: 3, removed: 1, cut: false },
    lines: [
      { kind: 'context', text: 'spec:' },
      { kind: 'context', text: '  containers:' },
      { kind: 'context', text: '  - env:' },
      { kind: 'add', text: '    - name: CART_V2' },
      { kind: 'add', text: '      value: "true"' },
      { kind: 'remove', text: '    image: registry.example/shop/web:2.3.9' },
      { kind: 'add', text: '    image: registry.example/shop/web:2.4.0' },
      { kind: 'context', text: '    name: web' },
      { kind: 'gap', text: '14 unchanged lines' },
    ],
  },
  policies: {
    known: true,
    list: [
      {
        ...{ name: 'production', enforcement: 'Deny', holds: false },
        says: ['a waiting step requires approval by 2 people, each a member of release-managers, not the author'],
      },
      {
        ...{ name: 'office-hours', enforcement: 'Warn', holds: false },
        says: ['has windows and is open now'],
      },
    ],
  },
  history: [
    {
      ...{
        revision: '12',
        release: '8f14e45fceea167a',
        version: '6b8f4',
        author: 'ben@example.com',
        startedAt: ago(41),
      },
      ...{ tone: 'moving', outcome: 'in progress', checks: [], brokenGlass: [] },
      approvals: [{ what: 'step 1', user: 'carla@example.com', time: ago(30) }],
    },
    {
      ...{
        revision: '11',
        version: '5d4fc',
        author: 'dora@example.com',
        startedAt: ago(60 * 50),
        endedAt: ago(60 * 49),
        seconds: 3_600,
      },
      ...{ tone: 'done', outcome: 'Completed', brokenGlass: [] },
      approvals: [
        { what: 'step 1', user: 'anna@example.com', time: ago(60 * 50) },
        { what: 'step 2', user: 'carla@example.com', time: ago(60 * 49) },
      ],
      checks: [{ name: 'errors', verdict: 'Fine', tone: 'done' }],
    },
    {
      ...{
        version: '7c1aa',
        author: 'ben@example.com',
        startedAt: ago(60 * 99),
        endedAt: ago(60 * 98.8),
        seconds: 720,
      },
      ...{ tone: 'bad', outcome: 'RolledBack', approvals: [] },
      checks: [{ name: 'errors', verdict: 'Worse', tone: 'bad' }],
      brokenGlass: [{ user: 'eve@example.com', reason: 'INC-481, the shop is down', time: ago(60 * 98.9) }],
    },
  ],
  figures: FIGURES,
  actions: actionsOf('web', ['approve', 'pause', 'jump', 'finish', 'undo', 'abort'], {
    approve: {
      says: 'your approval of step 2 is the second of 2: the release continues with step 3: 8 of 10 Pods, then it waits for approval',
    },
    jump: { choices: STEPS },
    abort: { says: 'the 5 Pods of the new version are replaced by the stable version immediately, without steps' },
    finish: { says: 'the remaining 5 Pods are replaced without further steps, within maxSurge and maxUnavailable' },
  }),
  gaps: [],
};

const [LEDGER, , INDEXER, CART, QUEUE, API] = ROWS as [
  ReleaseRow,
  ReleaseRow,
  ReleaseRow,
  ReleaseRow,
  ReleaseRow,
  ReleaseRow,
];
const { waits: _waits, next: _next, diff: _diff, ...REST } = WAITING_DETAIL;

export const STALLED_DETAIL: ReleaseDetail = {
  ...REST,
  row: INDEXER,
  waits: { for: 'pods', says: INDEXER.says, since: ago(11) },
  batches: [
    batch(
      1,
      '25%',
      'current',
      dotsOf(['new', 'failing', 'CrashLoopBackOff'], ['new', 'starting', 'ContainerCreating'], ['new', 'available']),
      3,
      'waits for approval',
    ),
    batch(
      2,
      '100%',
      'ahead',
      dotsOf(...times(2, 'abandoned', 'leaving'), ...times(7, 'stable', 'available')),
      12,
      'continues immediately',
    ),
  ],
  checks: [],
  policies: { known: false, list: [] },
  figures: FEW,
  actions: actionsOf('indexer', ['pause', 'retry', 'abort'], {
    pause: {
      verdict: {
        allowed: false,
        why: 'you may not: rollouts.rollouts.kruise.io "indexer" is forbidden: User "anna@example.com" cannot patch resource "rollouts" in the namespace "search"; ask for the ClusterRole edit there',
      },
    },
  }),
  gaps: ['you may not list ControllerRevisions in namespace "search"'],
};

export const WORSE_DETAIL: ReleaseDetail = {
  ...WAITING_DETAIL,
  row: LEDGER,
  waits: { for: 'approval', says: LEDGER.says, since: ago(34) },
  batches: [
    batch(1, '10%', 'current', dotsOf(...times(2, 'new', 'available')), 2, 'waits for approval'),
    batch(2, '50%', 'ahead', dotsOf(...times(8, 'stable', 'available')), 10),
    batch(3, '100%', 'ahead', dotsOf(...times(10, 'stable', 'available')), 20),
  ],
  checks: [
    {
      ...{
        name: 'errors',
        tone: 'bad',
        verdict: 'Worse',
        word: 'Worse',
        since: ago(34),
        n: 480,
        bad: 12,
        evidence: 31,
        alarm: 20,
      },
      says: 'new version: 12 of 480 requests bad (2.5 %); stable version: 3 of 4320 requests bad (0.069 %)',
      limit: 'at most 1% bad requests',
      ifWorse: 'the release stops and waits for approval',
      plot: {
        what: 'evidence',
        limit: 20,
        points: [1, 1.5, 3, 4.4, 9, 14, 22, 31].map((value, i) => ({ at: ago(48 - 2 * i), value })),
      },
    },
  ],
  actions: actionsOf('ledger', ['approve', 'undo', 'abort'], {
    approve: {
      overrules:
        'check errors, which is Worse: new version 12 of 480 requests bad (2.5 %), stable version 3 of 4320 (0.069 %)',
    },
    abort: { danger: true },
  }),
  policies: { known: true, list: [] },
};

export const MOVING_DETAIL: ReleaseDetail = {
  ...REST,
  row: CART,
  waits: { for: 'pods', says: CART.says, since: ago(1) },
  batches: [
    batch(1, '1', 'done', dotsOf(...times(1, 'new', 'available')), 1),
    batch(
      2,
      '50%',
      'current',
      dotsOf(
        ...times(2, 'new', 'available'),
        ['new', 'ready'],
        ['new', 'starting', 'ContainerCreating'],
        ['new', 'missing'],
      ),
      6,
      'waits 5m',
    ),
    batch(3, '100%', 'ahead', dotsOf(...times(6, 'stable', 'available')), 12, 'continues immediately'),
  ],
  surplus: dotsOf(...times(1, 'stable', 'leaving')),
  traffic: {
    shares: [
      { version: 'new', percent: 20 },
      { version: 'stable', percent: 80 },
    ],
    says: 'HTTPRoute cart sends 20 % to the new version',
  },
  actions: actionsOf('cart', ['pause', 'jump', 'finish', 'undo', 'abort'], { pause: {}, abort: {} }).map(
    ({ verdict: _, ...one }) => one,
  ),
};

export const BLOCKED_DETAIL: ReleaseDetail = {
  ...REST,
  row: QUEUE,
  waits: { for: 'policy', says: QUEUE.says, since: ago(900), until: ago(-60 * 70) },
  batches: [
    batch(1, '1', 'done', dotsOf(['new', 'available']), 1),
    batch(2, '100%', 'ahead', dotsOf(...times(4, 'stable', 'available')), 5, 'continues immediately'),
  ],
  checks: [],
  policies: {
    known: true,
    list: [
      {
        ...{ name: 'office-hours', enforcement: 'Deny', holds: true, until: ago(-60 * 70) },
        says: ['is closed until Mon 08:00 (Europe/Berlin): no release starts, and no step continues'],
      },
    ],
  },
  actions: actionsOf('queue', ['pause', 'undo', 'abort']),
};

export const IDLE_DETAIL: ReleaseDetail = {
  row: API,
  batches: [batch(undefined, 'all Pods', 'done', dotsOf(...times(4, 'stable', 'available')), 4)],
  versions: WAITING_DETAIL.versions.slice(1),
  checks: [],
  policies: { known: true, list: [] },
  history: [],
  figures: FEW,
  actions: actionsOf('api', ['pause', 'undo'], {
    undo: {
      choices: [
        {
          value: 7,
          label: 'revision 7 (9f2b1)',
          says: 'the template of revision 7 goes through the steps',
          command: 'kubectl tranche undo api -n mail --to-revision 7',
        },
      ],
    },
  }),
  gaps: [],
};

/** The details by the name of the state. */
export const DETAILS = {
  waiting: WAITING_DETAIL,
  worse: WORSE_DETAIL,
  stalled: STALLED_DETAIL,
  moving: MOVING_DETAIL,
  blocked: BLOCKED_DETAIL,
  idle: IDLE_DETAIL,
} as const;

export const detailEvent = (detail: ReleaseDetail): DashboardEvent => ({ type: 'detail', key: detail.row.key, detail });
