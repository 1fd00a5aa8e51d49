// The spans that end with a change of a Rollout's status.
import assert from 'node:assert/strict';
import type { Condition, HistoryEntry, Rollout } from '../../../src/api/types.ts';
import { parseTime } from '../../../src/engine/lib/time.ts';
import { endedSpans, spansOfDeleted, type Span } from '../../../src/engine/trace/spans.ts';
import { ago, atStep, condition, healthy, NOW, rollout, rows, sha256, type StatusSketch } from '../build.ts';

const all = { ratio: 1, parentBased: true };
const none = { ratio: 0, parentBased: true };
const entry = (more: Partial<HistoryEntry> = {}): HistoryEntry => ({
  rolloutID: 'r2',
  revision: 'v2',
  startTime: ago(90),
  ...more,
});
const traced = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, admitted: '2026-01-01T11:58:20.000Z' };
type Status = Rollout['status'];
const at = (...args: Parameters<typeof atStep>): Status => atStep(...args);
const spans = (before: Status, after: Status, sampling = all): Span[] =>
  endedSpans(rollout(before && { status: before }), rollout(after && { status: after }), NOW, sampling, sha256);

/** `name from..to`, in seconds before now. */
const inShort = ({ name, startMs, endMs }: Span): string =>
  `${name} ${(NOW - startMs) / 1000}..${(NOW - endMs) / 1000}`;
const since = (seconds: number, more: StatusSketch = {}): StatusSketch => ({
  ...more,
  canary: { lastUpdateTime: ago(seconds), ...more.canary },
});

describe('the spans that end', () => {
  const paused = (seconds: number): StatusSketch => ({
    reason: undefined!,
    conditions: [condition('Progressing', 'True', 'Paused', seconds)],
  });
  const was = (type: string, seconds: number): StatusSketch => ({
    conditions: [condition(type, 'True', 'PodsFailing', seconds)],
  });
  const is = (type: string, seconds: number): StatusSketch => ({
    conditions: [condition(type, 'False', 'Recovered', seconds)],
  });
  const ended: StatusSketch = { history: [entry({ endTime: ago(3), outcome: 'Completed' })] };
  const timed = [{ replicas: '20%', pause: { duration: 60 } }];
  type Row = readonly [what: string, before: Status, after: Status, spans: readonly string[]];
  const table: readonly Row[] = [
    ['none when nothing is known', undefined, healthy(), []],
    ['none while a step goes on', at(1, 'StepUpgrade'), at(1, 'StepUpgrade', { message: 'x' }), []],
    [
      'the upgrade of a step, when it waits',
      at(1, 'StepUpgrade', since(60)),
      at(1, 'StepPaused', since(20)),
      ['step 1/3: upgrade 60..20'],
    ],
    [
      'the wait of a step, when the next begins',
      at(1, 'StepPaused', since(60)),
      at(2, 'StepUpgrade', since(5)),
      ['step 1/3: wait for approval 60..5'],
    ],
    ['no wait that goes on, approved or not', at(1, 'StepPaused', since(60)), at(1, 'StepReady', since(5)), []],
    [
      'the wait before a release begins',
      at(1, 'BeforeStepUpgrade', since(60)),
      at(1, 'StepUpgrade', since(5)),
      ['step 1/3: wait to begin 60..5'],
    ],
    [
      'the wait of a state that is empty',
      at(1, '' as 'StepPaused', since(60)),
      at(1, 'StepUpgrade', since(5)),
      ['step 1/3: wait to begin 60..5'],
    ],
    [
      'the time in which checks watch a step',
      at(1, 'StepMetricsAnalysis', since(60)),
      at(2, 'StepUpgrade', since(5)),
      ['step 1/3: watched by the checks 60..5'],
    ],
    [
      'the end of the steps, when the release is over',
      at(3, 'Completed', since(60)),
      healthy('v2', ended),
      ['give back 60..3', 'release 90..3'],
    ],
    [
      'a rollback',
      at(1, 'StepPaused', { reason: undefined!, conditions: [condition('Progressing', 'True', 'Cancelling', 40)] }),
      healthy('v1', ended),
      ['roll back 40..3', 'release 90..3'],
    ],
    [
      'a step, when a rollback begins',
      at(1, 'StepPaused', since(60)),
      at(1, 'StepPaused', { reason: undefined!, conditions: [condition('Progressing', 'True', 'Cancelling', 7)] }),
      ['step 1/3: wait for approval 60..7'],
    ],
    [
      'a stall, when it is over',
      at(1, 'StepUpgrade', was('Stalled', 50)),
      at(1, 'StepUpgrade', is('Stalled', 8)),
      ['stalled 50..8'],
    ],
    [
      'a stall, when its release is',
      at(1, 'StepUpgrade', since(60, was('Stalled', 50))),
      healthy('v2', { ...was('Stalled', 50), ...ended }),
      ['step 1/3: upgrade 60..3', 'stalled 50..3', 'release 90..3'],
    ],
    [
      'no stall that was over before',
      at(1, 'StepUpgrade', is('Stalled', 8)),
      at(1, 'StepUpgrade', { conditions: [] }),
      [],
    ],
    [
      'nothing that a policy blocks still',
      at(1, 'StepPaused', was('PolicyBlocked', 50)),
      at(1, 'StepPaused', was('PolicyBlocked', 50)),
      [],
    ],
    [
      'what a policy has blocked, when its release is over',
      at(3, 'Completed', since(60, was('PolicyBlocked', 50))),
      healthy('v2', { ...was('PolicyBlocked', 50), ...ended }),
      ['give back 60..3', 'blocked by a policy 50..3', 'release 90..3'],
    ],
    [
      'a pause, when its release is over',
      at(3, 'Completed', since(60, paused(50))),
      healthy('v2', { ...paused(50), ...ended }),
      ['give back 60..3', 'paused 50..3', 'release 90..3'],
    ],
    [
      'nothing before there is a status of the steps',
      { phase: 'Progressing', currentStepIndex: 0, currentStepState: '', history: [entry()] },
      at(1, 'StepUpgrade'),
      [],
    ],
    [
      'the wait of a step that is approved and could not go on',
      at(1, 'StepReady', since(60)),
      at(2, 'StepUpgrade', since(5)),
      ['step 1/3: wait for approval 60..5'],
    ],
    ['no stall that goes on', at(1, 'StepUpgrade', was('Stalled', 50)), at(1, 'StepUpgrade', was('Stalled', 50)), []],
    [
      'what a policy has blocked',
      at(1, 'StepPaused', since(60, was('PolicyBlocked', 50))),
      at(2, 'StepUpgrade', since(5)),
      ['step 1/3: wait for approval 60..5', 'blocked by a policy 50..5'],
    ],
    [
      'a pause of the Rollout',
      at(1, 'StepUpgrade', paused(50)),
      at(1, 'StepUpgrade', { reason: undefined!, conditions: [condition('Progressing', 'True', 'InRolling', 9)] }),
      ['paused 50..9'],
    ],
    ['no pause that goes on', at(1, 'StepUpgrade', paused(50)), at(1, 'StepUpgrade', paused(50)), []],
    ['nothing of a release that was over', healthy('v2', ended), healthy('v2', ended), []],
    [
      'the admission of a release, when it is taken up',
      healthy('v1', { history: [] }),
      at(1, 'StepUpgrade', { history: [entry({ trace: traced })] }),
      ['admission 100..90'],
    ],
    ['no admission of a release that no webhook saw', healthy('v1', { history: [] }), at(1, 'StepUpgrade'), []],
    ['a whole release at once', healthy('v1', { history: [] }), healthy('v2', ended), ['release 90..3']],
    [
      'the release under way when a newer one begins',
      at(1, 'StepPaused', since(60)),
      at(1, 'StepUpgrade', {
        history: [entry({ rolloutID: 'r3', startTime: ago(2) }), entry({ endTime: ago(2), outcome: 'Superseded' })],
      }),
      ['step 1/3: wait for approval 60..2', 'release 90..2'],
    ],
  ];
  rows(table, (before, after, expected) => assert.deepEqual(spans(before, after).map(inShort), expected));

  it('are named by the pause of the step', () => {
    const of = (status: Status): Rollout => rollout({ steps: timed, status: status! });
    const [ready] = endedSpans(of(at(1, 'StepReady', since(60))), of(at(2, 'StepUpgrade', since(5))), NOW, all, sha256);
    assert.equal(ready?.name, 'step 1/1: wait 60 s');
    const [span] = endedSpans(of(at(1, 'StepPaused', since(60))), of(at(2, 'StepUpgrade', since(5))), NOW, all, sha256);
    assert.equal(span?.name, 'step 1/1: wait 60 s');
  });

  it('are none where nothing is recorded', () => {
    assert.deepEqual(spans(at(1, 'StepUpgrade'), at(1, 'StepPaused'), none), []);
    const unsampled = { ...traced, traceparent: traced.traceparent.replace(/01$/, '00') };
    const history = [entry({ trace: unsampled })];
    assert.deepEqual(spans(at(1, 'StepUpgrade', { history }), at(1, 'StepPaused', { history })), []);
  });
});

describe('a span', () => {
  const history = [entry({ trace: { ...traced, parent: 'c'.repeat(16) }, author: 'anna' })];
  const [child] = spans(at(1, 'StepUpgrade', since(60, { history })), at(1, 'StepPaused', since(20, { history })));
  const approval = { step: 1, rolloutID: 'r2', revision: 'v2', user: 'anna', time: ago(10) };
  const over = [
    {
      ...history[0]!,
      endTime: ago(3),
      outcome: 'Failed',
      approvals: [approval],
      brokenGlass: [{ user: 'bob', reason: 'a fix', time: ago(9) }],
    },
  ];

  it('is a child of its release, with the same ids whenever it is told', () => {
    assert.deepEqual([child?.traceId, child?.parentId], ['a'.repeat(32), 'b'.repeat(16)]);
    const [again] = spans(at(1, 'StepUpgrade', since(60, { history })), at(1, 'StepPaused', since(20, { history })));
    assert.deepEqual(again, child);
    assert.equal(child?.remoteParent, undefined);
  });

  it('says what it is about', () => {
    assert.deepEqual(child?.attributes, {
      'k8s.namespace.name': 'shop',
      'k8s.deployment.name': 'web',
      'tranche.rollout': 'web-rollout',
      'tranche.rollout_id': 'r2',
      'tranche.revision': 'v2',
      'tranche.author': 'anna',
      'tranche.step': 1,
      'tranche.pods': 2,
    });
    const [bare] = spans(
      at(1, 'StepUpgrade', { history: [entry({ revision: '' })] }),
      at(1, 'StepPaused', since(20, { history: [entry({ revision: '' })] })),
    );
    assert.deepEqual(
      ['tranche.revision', 'tranche.author'].filter((key) => key in (bare?.attributes ?? {})),
      [],
    );
  });

  it('of a whole release is a child of whoever asked for it, begins with its admission, and has what happened in it', () => {
    const whole = spans(at(1, 'StepUpgrade', { history }), healthy('v2', { history: over })).at(-1);
    assert.deepEqual(
      [whole?.name, whole?.spanId, whole?.parentId, whole?.remoteParent],
      ['release', 'b'.repeat(16), 'c'.repeat(16), true],
    );
    assert.equal(whole?.startMs, parseTime(traced.admitted));
    assert.deepEqual(
      [whole?.attributes['tranche.outcome'], whole?.error],
      ['Failed', 'Pods of the new version failed'],
    );
    assert.deepEqual(
      whole?.events.map(({ name, attributes }) => [name, attributes]),
      [
        ['approved', { user: 'anna', step: 1 }],
        ['glass broken', { user: 'bob', reason: 'a fix' }],
      ],
    );
    assert.equal(whole?.events[0]?.atMs, parseTime(ago(10)));
    const well = spans(
      at(1, 'StepUpgrade', { history }),
      healthy('v2', { history: [{ ...over[0]!, outcome: 'Completed' }] }),
    ).at(-1);
    assert.equal(well?.error, undefined);
  });

  it('of a wait has the approvals that ended it', () => {
    const approvals = [approval, { ...approval, step: 2 }, { ...approval, rolloutID: 'r1' }];
    const wait = (state: 'StepPaused' | 'StepUpgrade') =>
      spans(at(1, state, since(60)), at(2, 'StepUpgrade', since(5, { canary: { approvals } })))[0];
    assert.deepEqual(
      wait('StepPaused')?.events.map(({ attributes }) => attributes),
      [{ user: 'anna', step: 1 }],
    );
    assert.deepEqual(wait('StepUpgrade')?.events, []);
  });

  it('of a stall says why', () => {
    const stalled: Condition = {
      ...condition('Stalled', 'True', 'PodsFailing', 50),
      message: 'v2-1 (CrashLoopBackOff)',
    };
    const [span] = spans(at(1, 'StepUpgrade', { conditions: [stalled] }), at(1, 'StepUpgrade', { conditions: [] }));
    assert.deepEqual(
      [span?.attributes['tranche.reason'], span?.attributes['tranche.message']],
      ['PodsFailing', 'v2-1 (CrashLoopBackOff)'],
    );
    assert.equal(span?.endMs, NOW, 'now, where nothing says when');
  });

  it('never ends before it begins', () => {
    const [span] = spans(at(1, 'StepUpgrade', since(20)), at(1, 'StepPaused', since(60)));
    assert.deepEqual([span?.startMs, span?.endMs], [NOW - 20_000, NOW - 20_000]);
  });
});

describe('a Rollout that is deleted in the middle of a release', () => {
  it('ends what was under way', () => {
    const of = rollout({ metadata: { deletionTimestamp: ago(4) }, status: at(1, 'StepPaused', since(60))! });
    const ended = spansOfDeleted(of, NOW, all, sha256);
    assert.deepEqual(ended.map(inShort), ['step 1/3: wait for approval 60..4', 'release 90..4']);
    assert.equal(ended.at(-1)?.attributes['tranche.outcome'], 'Deleted');
    const now = spansOfDeleted(rollout({ status: at(1, 'StepPaused', since(60))! }), NOW, all, sha256);
    assert.equal(now.at(-1)?.endMs, NOW);
  });

  it('ends nothing where nothing was', () => {
    assert.deepEqual(spansOfDeleted(rollout(), NOW, all, sha256), []);
    assert.deepEqual(
      spansOfDeleted(rollout({ status: healthy('v1', { history: [entry({ endTime: ago(3) })] }) }), NOW, all, sha256),
      [],
    );
  });
});
