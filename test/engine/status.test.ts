// The next status: what of a draft is worth a write, and when.
import assert from 'node:assert/strict';
import type { CheckStatus } from '../../src/api/analysis.ts';
import type { Approval, CanaryStatus, HistoryEntry, RolloutStatus } from '../../src/api/types.ts';
import {
  closeHistory,
  conditionOf,
  dropConditions,
  draftOf,
  isTrue,
  openHistory,
  progressingReason,
  report,
  setCondition,
  settle,
  type Draft,
} from '../../src/engine/status.ts';
import { rollbackId } from '../../src/engine/release/release-id.ts';
import { ago, atStep, brief, condition, healthy, NOW, rollout, rows, snapshot } from './build.ts';

/** The status as the operator would write it for this draft. */
const written = (status: RolloutStatus): RolloutStatus =>
  settle(rollout({ status: healthy() }), draftOf(rollout({ status })), NOW, undefined).status!;
const moving = written(atStep(1, 'StepUpgrade', { canary: { lastUpdateTime: ago(2) } }));
const waiting = written(atStep(1, 'StepPaused'));

describe('a status is written', () => {
  const check = (verdict: CheckStatus['verdict'], total: number): CheckStatus => ({
    name: 'errors',
    verdict,
    since: ago(60),
    total,
    bad: 0,
  });
  const [watched, unwatched] = [100, 0].map((total) =>
    written(atStep(1, 'StepMetricsAnalysis', { canary: { analysis: [check('Open', total)] } })),
  ) as [RolloutStatus, RolloutStatus];
  const checkedPause = written(atStep(1, 'StepPaused', { canary: { analysis: [check('Open', 1)] } }));
  type Change = (draft: Draft) => void;
  const canary =
    (more: Partial<CanaryStatus>): Change =>
    (draft) =>
      (draft.canary = { ...draft.canary!, ...more });
  const said: Change = (draft) => (draft.message = 'something else');
  type Row = readonly [
    what: string,
    status: RolloutStatus,
    change: Change,
    reportedAgo: number | undefined,
    outcome: 'written' | 'as it is' | number,
  ];
  const table: readonly Row[] = [
    ['not when nothing differs', moving, () => undefined, 1, 'as it is'],
    ['not even long after', moving, () => undefined, undefined, 'as it is'],
    ['at once when another step began', moving, canary({ currentStepIndex: 2 }), 1, 'written'],
    ['at once when its state changed', moving, canary({ currentStepState: 'StepPaused' }), 1, 'written'],
    ['at once when its phase changed', moving, (draft) => (draft.phase = 'Healthy'), 1, 'written'],
    [
      'at once when a condition changed',
      moving,
      (draft) => setCondition(draft, NOW, 'Stalled', 'True', 'PodsFailing', 'x'),
      1,
      'written',
    ],
    [
      'later when only what a condition says did',
      moving,
      (draft) => setCondition(draft, NOW, 'Progressing', 'True', 'InRolling', 'x'),
      1,
      9,
    ],
    ['later when only the message did', moving, said, 1, 9],
    ['later when only Pods are Ready', moving, canary({ canaryReadyReplicas: 1 }), 1, 9],
    ['later when only Pods were made', moving, canary({ canaryReplicas: 5 }), 1, 9],
    ['later when only the version was made', moving, canary({ canaryRevision: 'x', podTemplateHash: 'x' }), 1, 9],
    ['later when only the generation was seen', moving, canary({ observedWorkloadGeneration: 6 }), 1, 9],
    ['ten seconds after the last write', moving, said, 10, 'written'],
    ['at once by a process that has written none', moving, said, undefined, 'written'],
    [
      'forty seconds into a step at the earliest, once it was ten seconds in',
      written(atStep(1, 'StepUpgrade', { canary: { lastUpdateTime: ago(20) } })),
      said,
      10,
      20,
    ],
    [
      'every minute in the end',
      written(atStep(1, 'StepUpgrade', { canary: { lastUpdateTime: ago(1_000) } })),
      said,
      10,
      50,
    ],
    ['once a minute when only numbers of checks changed', watched, canary({ analysis: [check('Open', 200)] }), 1, 59],
    ['ten seconds later when a verdict flipped', watched, canary({ analysis: [check('Unknown', 100)] }), 1, 9],
    ['at once when a check is Worse', watched, canary({ analysis: [check('Worse', 100)] }), 1, 'written'],
    ['at once with the first requests', unwatched, canary({ analysis: [check('Open', 1)] }), 1, 'written'],
    ['at once when a step waits for something else, such as one approval less', waiting, said, 1, 'written'],
    [
      'later when Pods of a waiting step fail in another way',
      written(atStep(1, 'StepPaused', { conditions: [condition('Stalled', 'True', 'PodsFailing')] })),
      said,
      1,
      9,
    ],
    ['later when checks of a waiting step say something else', checkedPause, said, 1, 59],
    ['at once when it is scaled while a step waits', waiting, canary({ canaryReplicas: 5 }), 1, 'written'],
    ['later when Pods are Ready while a step waits', waiting, canary({ canaryReadyReplicas: 5 }), 1, 9],
  ];
  rows(table, (status, change, reportedAgo, outcome) => {
    const of = rollout({ status });
    const draft = draftOf(of);
    change(draft);
    const reportedAt = reportedAgo === undefined ? undefined : NOW - reportedAgo * 1000;
    const settled = settle(of, draft, NOW, reportedAt);
    if (outcome === 'written')
      assert.deepEqual([settled.status?.message, settled.againAfterMs], [draft.message, undefined]);
    else assert.deepEqual(settled, outcome === 'as it is' ? {} : { againAfterMs: outcome * 1000 });
  });

  it('at once when there is none', () => {
    const { status } = settle(rollout(), draftOf(rollout()), NOW, NOW);
    assert.deepEqual(status, {
      observedGeneration: 2,
      phase: '',
      message: '',
      currentStepIndex: 0,
      currentStepState: '',
      conditions: [],
    });
  });

  it('with the message in both places, and the step at the top', () => {
    assert.deepEqual([moving.canaryStatus?.message, moving.message], ['as it was', 'as it was']);
    assert.deepEqual([moving.currentStepIndex, moving.currentStepState], [1, 'StepUpgrade']);
  });

  it('at once when the Rollout itself changed', () => {
    const of = rollout({ status: moving, metadata: { generation: 3 } });
    assert.equal(settle(of, draftOf(of), NOW, NOW).status?.observedGeneration, 3);
  });

  it('by a decision that only tells', () => {
    const shot = snapshot({ rollout: rollout({ status: moving }), reportedAt: NOW - 1_000 });
    const draft = draftOf(shot.rollout);
    assert.equal(brief(report(shot, draft, [])), '- | - | - | -');
    said(draft);
    assert.equal(brief(report(shot, draft, [{ reason: 'Stalled', message: 'x' }])), '- | - | Stalled | again in 9 s');
    assert.equal(
      brief(report({ ...shot, reportedAt: undefined }, draft, [])),
      '- | Progressing 1 StepUpgrade Progressing=InRolling | - | -',
    );
  });
});

describe('a condition', () => {
  const draft = (): Draft =>
    draftOf(
      rollout({
        status: healthy('v1', {
          conditions: [condition('Other', 'True'), condition('Stalled', 'True', 'PodsFailing', 77)],
        }),
      }),
    );
  const after = (status: 'True' | 'False', reason: 'PodsFailing' | 'StepDeadlineExceeded', message: string) => {
    const changed = draft();
    setCondition(changed, NOW, 'Stalled', status, reason, message);
    const { lastUpdateTime, lastTransitionTime } = conditionOf(changed.conditions, 'Stalled')!;
    return [changed.conditions.map(({ type }) => type).join(' '), lastUpdateTime, lastTransitionTime];
  };
  it('keeps its times and its place when nothing changes, and since when it is True when its reason does', () => {
    assert.deepEqual(after('True', 'PodsFailing', 'as it was'), ['Other Stalled', ago(77), ago(77)]);
    assert.deepEqual(after('True', 'PodsFailing', 'other words'), ['Other Stalled', ago(0), ago(77)]);
    assert.deepEqual(after('True', 'StepDeadlineExceeded', 'as it was'), ['Other Stalled', ago(0), ago(77)]);
    assert.deepEqual(after('False', 'PodsFailing', 'as it was'), ['Other Stalled', ago(0), ago(0)]);
  });

  it('that is new comes last', () => {
    const changed = draft();
    setCondition(changed, NOW, 'Bypassed', 'True', 'NotSeenByWebhook', 'x');
    assert.deepEqual(changed.conditions.at(-1), {
      type: 'Bypassed',
      status: 'True',
      reason: 'NotSeenByWebhook',
      message: 'x',
      lastUpdateTime: ago(0),
      lastTransitionTime: ago(0),
    });
  });

  it('that never said since when says now', () => {
    const changed = draftOf(rollout({ status: healthy('v1', { conditions: [{ type: 'Stalled', status: 'True' }] }) }));
    setCondition(changed, NOW, 'Stalled', 'True', 'PodsFailing', 'x');
    assert.equal(changed.conditions[0]?.lastTransitionTime, ago(0));
  });

  it('is dropped with others', () => {
    const changed = draft();
    dropConditions(changed, 'Stalled', 'Bypassed');
    assert.deepEqual(
      changed.conditions.map(({ type }) => type),
      ['Other'],
    );
  });

  it('is True, and says where a release stands', () => {
    const of = rollout({
      status: atStep(1, 'StepUpgrade', { reason: 'Paused', conditions: [condition('Stalled', 'False')] }),
    });
    assert.deepEqual([isTrue(of, 'Progressing'), isTrue(of, 'Stalled'), isTrue(of, 'Bypassed')], [true, false, false]);
    assert.equal(progressingReason(of), 'Paused');
    assert.equal(progressingReason(rollout()), undefined);
    assert.equal(conditionOf(undefined, 'Stalled'), undefined);
  });
});

describe('the history', () => {
  const entry = (more: Partial<HistoryEntry> = {}): HistoryEntry => ({
    rolloutID: 'r2',
    revision: 'v2',
    startTime: ago(90),
    ...more,
  });
  const closed = (history: readonly HistoryEntry[], canary: Partial<CanaryStatus> = {}): readonly HistoryEntry[] => {
    const draft = draftOf(rollout({ status: atStep(1, 'StepPaused', { history, canary }) }));
    closeHistory(draft, NOW, 'Completed');
    return draft.history;
  };
  it('is closed with how it ended, by whom it was approved, and the version as it is known by then', () => {
    const approval: Approval = { step: 1, rolloutID: 'r2', revision: 'v2', user: 'anna', time: ago(9) };
    const before = entry({ rolloutID: 'r1', endTime: ago(99) });
    const ended = { endTime: ago(0), outcome: 'Completed' };
    assert.deepEqual(closed([entry({ revision: '' }), before], { approvals: [approval] }), [
      { ...entry(), ...ended, approvals: [approval] },
      before,
    ]);
    assert.deepEqual(closed([entry()], { approvals: [], canaryRevision: '' }), [{ ...entry(), ...ended }]);
  });

  it('that is closed stays', () => {
    const over = [entry({ endTime: ago(9), outcome: 'Failed' })];
    assert.deepEqual(closed(over), over);
    assert.deepEqual(closed([]), []);
  });

  it('keeps the last ten, newest first', () => {
    const draft = draftOf(rollout());
    for (let i = 0; i < 12; i++) openHistory(draft, entry({ rolloutID: `${i}` }));
    assert.deepEqual(
      draft.history.map(({ rolloutID }) => rolloutID),
      ['11', '10', '9', '8', '7', '6', '5', '4', '3', '2'],
    );
  });

  it('is in the status only when there is one', () => {
    assert.equal('history' in settle(rollout(), draftOf(rollout()), NOW, undefined).status!, false);
    assert.equal(moving.history?.length, 1);
  });
});

describe('the id of a release that was rolled back', () => {
  it('is not the id of what runs', () => assert.equal(rollbackId('r2'), 'rollback-r2'));
});
