// What a step leaves on record.
import assert from 'node:assert/strict';
import { APPROVED, GLASS_BROKEN, ROLLOUT_BATCH_ID, ROLLOUT_ID } from '../../../src/api/keys.ts';
import type { HistoryEntry, Pod } from '../../../src/api/types.ts';
import { labelPods, noteApprovals, noteBrokenGlass, noteTakeover, noteTrim } from '../../../src/engine/steps/notes.ts';
import type { Run } from '../../../src/engine/steps/run.ts';
import type { Effect } from '../../../src/engine/decision.ts';
import {
  ago,
  atStep,
  condition,
  GLASS,
  NOW,
  pod,
  pods,
  rollout,
  rows,
  runOf,
  stage,
  type StatusSketch,
  type Stage,
} from '../build.ts';

interface Sketch {
  readonly status?: StatusSketch;
  readonly stage?: Stage;
  readonly annotations?: Record<string, string>;
  readonly index?: number;
  readonly labelsAgainAt?: number;
  readonly labelsPods?: boolean;
}
const run = ({ status, annotations, index = 1, labelsAgainAt, labelsPods, ...sketch }: Sketch = {}): Run =>
  runOf({
    rollout: rollout({ status: atStep(index, 'StepPaused', status), ...(annotations && { annotations }) }),
    ...stage({ updated: 2, ...sketch.stage }),
    ...(labelsAgainAt === undefined ? {} : { labelsAgainAt }),
    ...(labelsPods === undefined ? {} : { labelsPods }),
  });
const told = ({ events }: Run): string[] => events.map(({ reason, message }) => `${reason} ${message}`);

describe('a correction of the sizes', () => {
  const effect = {} as Effect;
  it('is told', () => {
    const trimmed = run();
    noteTrim(trimmed, { kind: 'Act', effect, trimmed: { from: 5, to: 3 } });
    assert.deepEqual(told(trimmed), ['Trimmed step 1/3: reduced the updated Pods from 5 to 3 after scaling']);
    assert.equal(trimmed.draft.canary?.keepsReplicas, false);
  });

  it('that did not last is told, and not tried again', () => {
    const refused = run();
    noteTrim(refused, { kind: 'TrimRefused' });
    assert.deepEqual(told(refused), [
      'TrimRefused step 1/3: the size correction was reverted; the sizes stay as they are',
    ]);
    assert.equal(refused.draft.canary?.keepsReplicas, true);
  });

  it('is none where another write is made, or none', () => {
    const other = run();
    noteTrim(other, { kind: 'Act', effect });
    noteTrim(other, { kind: 'Done' });
    assert.deepEqual(told(other), []);
  });
});

describe('a release that is taken over', () => {
  it('is in the history since OpenKruise began it, and no longer stalled', () => {
    const taken = run({ status: { history: [], conditions: [condition('Stalled', 'True', 'LeftByOpenKruise')] } });
    noteTakeover(taken);
    assert.deepEqual(taken.draft.history, [{ rolloutID: 'r2', revision: 'v2', startTime: ago(600) }]);
    assert.deepEqual(
      taken.draft.conditions.map(({ type }) => type),
      ['Progressing'],
    );
    assert.deepEqual(told(taken), ['TakenOver step 1/3: continuing the release that OpenKruise Rollouts started']);
  });

  it('begins now where nothing says when it began', () => {
    const taken = run({ status: { reason: undefined!, history: [] } });
    noteTakeover(taken);
    assert.equal(taken.draft.history[0]?.startTime, ago(0));
  });
});

describe('broken glass', () => {
  const annotations = { [GLASS_BROKEN]: JSON.stringify(GLASS) };
  const history = (more: Partial<HistoryEntry> = {}): HistoryEntry[] => [
    { rolloutID: 'r2', revision: 'v2', startTime: ago(90), ...more },
  ];
  const known = { user: 'anna', reason: 'a fix', time: ago(20) };
  const table: readonly (readonly [
    what: string,
    sketch: Sketch,
    noted: readonly object[] | undefined,
    events: number,
  ])[] = [
    ['is in the history', { annotations }, [known], 1],
    ['is there once', { annotations, status: { history: history({ brokenGlass: [known] }) } }, [known], 0],
    [
      'of another moment is there, too',
      { annotations, status: { history: history({ brokenGlass: [{ ...known, time: ago(30) }] }) } },
      [{ ...known, time: ago(30) }, known],
      1,
    ],
    [
      'of somebody else is there, too',
      { annotations, status: { history: history({ brokenGlass: [{ ...known, user: 'bob' }] }) } },
      [{ ...known, user: 'bob' }, known],
      1,
    ],
    [
      'for another step is not of this one',
      { annotations: { [GLASS_BROKEN]: JSON.stringify({ ...GLASS, step: 2 }) } },
      undefined,
      0,
    ],
    [
      'is not put into a release that is over',
      { annotations, status: { history: history({ endTime: ago(10) }) } },
      undefined,
      0,
    ],
    ['is nowhere where there is no history', { annotations, status: { history: [] } }, undefined, 0],
  ];
  rows(table, (sketch, noted, events) => {
    const noting = run(sketch);
    noteBrokenGlass(noting);
    assert.deepEqual(noting.draft.history[0]?.brokenGlass, noted);
    assert.equal(noting.events.length, events);
  });

  it('is told with its reason', () => {
    const noting = run({ annotations });
    noteBrokenGlass(noting);
    assert.deepEqual(told(noting), ['GlassBroken anna bypassed the policy: a fix']);
  });
});

describe('approvals', () => {
  const approval = { step: 1, rolloutID: 'r2', revision: 'v2', user: 'anna', time: ago(30) };
  it('are told with the names of those that count, each once', () => {
    const approvals = [approval, { ...approval, user: 'bob' }, approval, { ...approval, user: 'carl', step: 2 }];
    const noting = run({ status: { canary: { approvals } } });
    noteApprovals(noting);
    assert.deepEqual(told(noting), ['Approved step 1/3 approved by anna, bob']);
    assert.deepEqual(noting.draft.canary?.approvals, approvals);
  });

  it('by an edit of the pause are put on record', () => {
    const noting = run({ annotations: { [APPROVED]: JSON.stringify(approval) } });
    noteApprovals(noting);
    assert.deepEqual(noting.draft.canary?.approvals, [approval]);
    assert.deepEqual(told(noting), ['Approved step 1/3 approved by anna']);
  });

  it('of nobody are not told', () => {
    const noting = run();
    noteApprovals(noting);
    assert.deepEqual(told(noting), []);
    const other = run({ status: { canary: { approvals: [{ ...approval, step: 2 }] } } });
    noteApprovals(other);
    assert.deepEqual(told(other), []);
  });
});

describe('the labels of Pods', () => {
  const labels = (sketch: Sketch): unknown[] =>
    labelPods(run(sketch)).map((effect) => effect.kind === 'Patch' && effect.patch);
  const of = (...of: Pod[]): Stage => ({ updated: of.length, pods: of });
  const GENERATED = '0123456789abcdef';
  const old = { [ROLLOUT_ID]: 'r1', [ROLLOUT_BATCH_ID]: '7' };
  const patch = (batch: string) => [
    { metadata: { uid: 'uid-a', labels: { [ROLLOUT_ID]: 'r2', [ROLLOUT_BATCH_ID]: batch } } },
  ];
  const table: readonly (readonly [what: string, sketch: Sketch, patches: readonly unknown[]])[] = [
    ['are not written twice', {}, []],
    [
      'name the release, and the step that brought the Pod',
      { index: 2, stage: of(pod('a', { labels: { ...old, [ROLLOUT_BATCH_ID]: undefined! } })) },
      patch('2'),
    ],
    [
      'keep the step of a Pod that came in this release',
      { index: 2, stage: of(pod('a', { age: 90, labels: old })) },
      patch('7'),
    ],
    ['do not keep that of an earlier release', { index: 2, stage: of(pod('a', { age: 91, labels: old })) }, patch('2')],
    ['wait where they were refused', { stage: of(pod('a', { labels: old })), labelsAgainAt: NOW + 1 }, []],
    [
      'are none in a release without an id',
      { stage: of(pod('a', { labels: old })), status: { canary: { observedRolloutID: '' } } },
      [],
    ],
    [
      'are none in a release that nobody named',
      { stage: of(pod('a', { labels: old })), status: { canary: { observedRolloutID: GENERATED } } },
      [],
    ],
    [
      'are written then, too, if the installation asks for them',
      { stage: of(pod('a')), status: { canary: { observedRolloutID: GENERATED } }, labelsPods: true },
      [{ metadata: { uid: 'uid-a', labels: { [ROLLOUT_ID]: GENERATED, [ROLLOUT_BATCH_ID]: '1' } } }],
    ],
  ];
  rows(table, (sketch, patches) => assert.deepEqual(labels(sketch), patches));

  it('are written for fifty Pods at once', () => {
    assert.equal(
      labels({ stage: { replicas: 60, updated: 60, old: 0, pods: pods('v2', 60, { labels: old }) } }).length,
      50,
    );
  });
});
