// What stops a step: a pause, Pods that fail, Pods that nobody makes; and the way back where the Rollout asks for it.
import assert from 'node:assert/strict';
import type { Condition, Held, HistoryEntry } from '../../../src/api/types.ts';
import { changedBack } from '../../../src/engine/messages.ts';
import { frozenBy, healthOf, judge, remind, resume, stayFrozen } from '../../../src/engine/steps/health.ts';
import type { Checks } from '../../../src/engine/steps/analysis.ts';
import type { Health } from '../../../src/engine/steps/pod-health.ts';
import type { Run } from '../../../src/engine/steps/run.ts';
import {
  ago,
  atStep,
  condition,
  mergePatchOf,
  NOW,
  pod,
  rollout,
  rows,
  runOf,
  stage,
  USER,
  written,
  type RolloutSketch,
  type Stage,
  type StatusSketch,
} from '../build.ts';
import { conditionOf } from '../../../src/engine/status.ts';
import type { StepState } from '../../../src/api/types.ts';
import { HELD } from '../../../src/api/keys.ts';

const NO_CHECKS: Checks = { all: [], failed: undefined, blind: undefined, blindForLong: undefined };

interface Sketch {
  readonly status?: StatusSketch;
  readonly rollout?: RolloutSketch;
  readonly stage?: Stage;
  readonly state?: StepState;
  readonly tolerated?: number;
}
const run = ({ status, state = 'StepUpgrade', tolerated = 0, ...sketch }: Sketch = {}): Run => {
  const made = runOf({
    rollout: rollout({ ...sketch.rollout, status: atStep(1, state, status) }),
    ...stage(sketch.stage),
  });
  return { ...made, goal: { ...made.goal, tolerated } };
};
const told = ({ events }: Run): string[] => events.map(({ reason }) => reason);
const paused = (user: boolean | null): Partial<Held> => ({ user: { ...USER, paused: user } });

describe('a release is frozen', () => {
  const table: readonly (readonly [what: string, sketch: Sketch, by: string | undefined])[] = [
    ['by nothing', {}, undefined],
    ['by the Rollout’s pause', { rollout: { paused: true } }, 'spec.strategy.paused is removed from the Rollout'],
    ['not by one that is false', { rollout: { paused: false } }, undefined],
    [
      'by the Deployment’s own pause',
      { stage: { record: paused(true) } },
      'spec.paused is removed from the Deployment',
    ],
    ['not by ours', { stage: { record: paused(false) } }, undefined],
  ];
  rows(table, (sketch, by) => assert.equal(frozenBy(run(sketch)), by));

  it('and says so once', () => {
    const first = run({ stage: { updated: 1, state: 'moving', budget: [1, 1], old: 9 } });
    assert.deepEqual(stayFrozen(first, 'noon').effects?.map(written), ['freeze']);
    assert.equal(first.draft.message, 'step 1/3 paused until noon');
    assert.deepEqual(
      [told(first), conditionOf(first.draft.conditions, 'Progressing')?.reason],
      [['ReleasePaused'], 'Paused'],
    );
    const second = run({ status: { reason: 'Paused' }, stage: { updated: 2 } });
    assert.deepEqual(stayFrozen(second, 'noon').effects, []);
    assert.deepEqual(told(second), []);
  });

  it('and goes on where it was: its timers have stood still', () => {
    const resumed = run({ status: { reason: 'Paused', canary: { lastUpdateTime: ago(700) } } });
    resume(resumed);
    assert.equal(resumed.draft.canary?.lastUpdateTime, ago(100), '700 s ago, paused for 600');
    assert.deepEqual(
      [told(resumed), conditionOf(resumed.draft.conditions, 'Progressing')?.reason],
      [['ReleaseResumed'], 'InRolling'],
    );
    const short = run({ status: { reason: 'Paused', canary: { lastUpdateTime: ago(60) } } });
    resume(short);
    assert.equal(short.draft.canary?.lastUpdateTime, ago(0), 'never a time to come');
    const going = run();
    resume(going);
    assert.deepEqual([told(going), going.draft.canary?.lastUpdateTime], [[], ago(60)]);
  });
});

describe('the health of a step', () => {
  const late: Stage = { updated: 1, available: 0, pods: [pod('v2-1', { ready: null, age: 30 })] };
  it('is judged from when the step began, by the Rollout’s deadline', () => {
    assert.equal(healthOf(run({ stage: late })).changesAt, NOW + 570_000, 'made 30 s ago, 600 s allowed');
    const quick = { canary: { stepDeadlineSeconds: 20 } };
    assert.deepEqual(healthOf(run({ stage: late, rollout: quick })).late, [
      { pod: 'v2-1', why: 'not available after 20 s' },
    ]);
    assert.equal(healthOf(run({ stage: late, rollout: { canary: { stepDeadlineSeconds: 0 } } })).changesAt, undefined);
    const begun = { canary: { lastUpdateTime: ago(10) } };
    assert.equal(healthOf(run({ stage: late, status: begun })).changesAt, NOW + 590_000);
  });

  it('asks for the user’s minReadySeconds', () => {
    const record: Partial<Held> = { user: { ...USER, minReadySeconds: 90 } };
    assert.deepEqual(healthOf(run({ stage: { updated: 1, record } })).waiting, [
      { pod: 'v2-1', why: 'Ready for 60 of 90 s' },
    ]);
  });

  it('counts Pods that failed and those that nobody makes', () => {
    const evicted = pod('v2-9', { ready: null, age: 20, status: { phase: 'Failed', reason: 'OutOfcpu' } });
    const { waiting } = healthOf(run({ stage: { updated: 2, pods: [pod('v2-1'), evicted] } }));
    assert.deepEqual(
      waiting.map(({ pod: name, why }) => `${name}: ${why}`),
      ['v2-9: OutOfcpu', 'ReplicaSet web-v2: 1 Pod is not created'],
    );
  });
});

describe('a version that is not created', () => {
  const none = (record: Partial<Held>, state: Stage['state'] = 'moving'): Run =>
    run({ stage: { state, budget: [1, 1], record: { budget: { maxSurge: 1, maxUnavailable: 1 }, ...record } } });
  const table: readonly (readonly [
    what: string,
    run: Run,
    effects: readonly string[] | undefined,
    againIn: number | undefined,
  ])[] = [
    ['is waited for', none({ moved: ago(50) }), [], 250],
    [
      'is asked for again after five minutes',
      run({
        status: { canary: { lastUpdateTime: ago(900) } },
        stage: { state: 'moving', budget: [1, 1], record: { moved: ago(300) } },
      }),
      ['remind'],
      300,
    ],
    ['and again five minutes after that', none({ moved: ago(50), reminded: ago(30) }), [], 270],
    ['is not asked for while nothing moves', none({ moved: ago(50) }, 'held'), undefined, undefined],
    ['is not asked for before anything was granted', none({}), undefined, undefined],
  ];
  rows(table, (of, effects, againIn) => {
    const reminder = remind(of);
    assert.deepEqual(reminder?.effects.map(written), effects);
    assert.equal(reminder?.againAtMs, againIn === undefined ? undefined : NOW + againIn * 1000);
  });

  it('is asked for by a note in the record', () => {
    const reminder = remind(
      run({
        status: { canary: { lastUpdateTime: ago(900) } },
        stage: { state: 'moving', budget: [1, 1], record: { moved: ago(300) } },
      }),
    );
    const { annotations } = mergePatchOf(reminder!.effects).metadata as { annotations: Record<string, string> };
    assert.equal((JSON.parse(annotations[HELD]!) as Held).reminded, ago(0));
  });
});

describe('a step', () => {
  const good: Health = { failing: [], late: [], waiting: [], changesAt: undefined };
  const bad: Health = { ...good, failing: [{ pod: 'v2-1', why: 'CrashLoopBackOff' }], changesAt: NOW + 500_000 };
  const late: Health = { ...good, late: [{ pod: 'v2-1', why: 'not available after 600 s' }], changesAt: NOW + 500_000 };
  const stalled = (reason: string, seconds = 600): StatusSketch => ({
    conditions: [condition('Stalled', 'True', reason, seconds)],
  });
  const rollback: RolloutSketch = { canary: { onFailure: 'Rollback' } };
  const moving: Stage = { updated: 1, available: 0, state: 'moving', budget: [1, 1], old: 9 };
  const broken = { record: { bypassed: changedBack } };
  const comeBack: readonly HistoryEntry[] = [
    { rolloutID: 'r2', revision: 'v2', startTime: ago(90) },
    { rolloutID: 'r1', revision: 'v1', startTime: ago(900), endTime: ago(90), outcome: 'Failed' },
  ];
  /** What is written, the condition, the events, and when it is looked at again; undefined = the step goes on. */
  const verdict = (sketch: Sketch, health: Health): string | undefined => {
    const judged = run(sketch);
    const answer = judge(judged, health, NO_CHECKS);
    const { status, reason } = conditionOf(judged.draft.conditions, 'Stalled') ?? {};
    const again = answer?.againAtMs === undefined ? 'event' : `${(answer.againAtMs - NOW) / 1000} s`;
    const told = judged.events.map((event) => event.reason).join(', ');
    const condition = status === undefined ? 'none' : `${status} ${reason}`;
    if (answer === undefined) return `goes on; ${condition}; ${told}`;
    if (answer.needsCopy !== undefined) return `copy ${answer.needsCopy}`;
    return `${answer.effects?.map(written).join(', ') ?? 'nothing'}; ${condition}; ${told}; ${again}`;
  };
  const table: readonly (readonly [what: string, sketch: Sketch, health: Health, verdict: string])[] = [
    ['goes on with good Pods', {}, good, 'goes on; none; '],
    [
      'stalls with a Pod that fails, and is held where it is',
      { stage: moving },
      bad,
      'freeze; True PodsFailing; Stalled; 500 s',
    ],
    ['stalls with a Pod that is late', { stage: moving }, late, 'freeze; True StepDeadlineExceeded; Stalled; 500 s'],
    [
      'says PodsFailing when Pods fail and are late',
      { stage: moving },
      { ...bad, late: late.late },
      'freeze; True PodsFailing; Stalled; 500 s',
    ],
    ['stalls once', { stage: moving, status: stalled('PodsFailing') }, bad, 'freeze; True PodsFailing; ; 500 s'],
    ['stalls at rest with a Pod that fails', { state: 'StepPaused' }, bad, '; True PodsFailing; Stalled; 500 s'],
    ['does not stall at rest with a Pod that is late', { state: 'StepPaused' }, late, 'goes on; none; '],
    ['goes on where as many may fail', { tolerated: 1 }, bad, 'goes on; none; '],
    ['goes on where as many may be late', { tolerated: 1 }, late, 'goes on; none; '],
    [
      'counts Pods that one trouble stands for',
      { stage: moving, tolerated: 1 },
      { ...bad, failing: [{ pod: 'x', why: 'y', pods: 2 }] },
      'freeze; True PodsFailing; Stalled; 500 s',
    ],
    ['recovers', { status: stalled('PodsFailing') }, good, 'goes on; False Recovered; Recovered'],
    [
      'has recovered already',
      { status: { conditions: [condition('Stalled', 'False', 'Recovered')] } },
      good,
      'goes on; False Recovered; ',
    ],
    [
      'has no other moment to be looked at',
      { stage: moving },
      { ...bad, changesAt: undefined },
      'freeze; True PodsFailing; Stalled; event',
    ],
    [
      'that lacks its ReplicaSet is reminded, and not held: held, it would never be made',
      { stage: { state: 'moving', budget: [1, 1], record: { moved: ago(50) } } },
      late,
      'nothing; True StepDeadlineExceeded; Stalled; 250 s'.replace('nothing', ''),
    ],
    [
      'says first that it has failed, before it goes back',
      { stage: moving, rollout: rollback },
      bad,
      'nothing; True PodsFailing; Stalled; 0 s',
    ],
    [
      'goes back when that is written',
      { stage: moving, rollout: rollback, status: stalled('PodsFailing', 0) },
      bad,
      'revert; True PodsFailing; FailureRollback; event',
    ],
    [
      'is late for half a minute before it goes back: after an outage everything is',
      { stage: moving, rollout: rollback },
      late,
      'nothing; True StepDeadlineExceeded; Stalled; 30 s',
    ],
    [
      'has been late for less',
      { stage: moving, rollout: rollback, status: stalled('StepDeadlineExceeded', 29) },
      late,
      'nothing; True StepDeadlineExceeded; ; 1 s',
    ],
    [
      'has been late for long enough',
      { stage: moving, rollout: rollback, status: stalled('StepDeadlineExceeded', 30) },
      late,
      'revert; True StepDeadlineExceeded; FailureRollback; event',
    ],
    [
      'is looked at before that where Pods change',
      { stage: moving, rollout: rollback },
      { ...late, changesAt: NOW + 7_000 },
      'nothing; True StepDeadlineExceeded; Stalled; 7 s',
    ],
    [
      'asks for the copy of the stable template where no ReplicaSet has it',
      { stage: { ...moving, old: { v0: 9 } }, rollout: rollback },
      bad,
      'copy web-stable-v1',
    ],
    [
      'does not go back to what the rollback of another release came back as',
      { stage: { ...moving, ...broken }, rollout: rollback, status: { history: comeBack } },
      bad,
      'freeze; True PodsFailing; Stalled; 500 s',
    ],
    [
      'goes back where that was an earlier one',
      {
        stage: { ...moving, ...broken },
        rollout: rollback,
        status: { conditions: [condition('Stalled', 'True', 'PodsFailing')] },
      },
      bad,
      'revert; True PodsFailing; FailureRollback; event',
    ],
    [
      'goes back after another kind of bypass',
      {
        stage: { ...moving, record: { bypassed: 'something else' } },
        rollout: rollback,
        status: { history: comeBack, ...stalled('PodsFailing') },
      },
      bad,
      'revert; True PodsFailing; FailureRollback; event',
    ],
  ];
  rows(table, (sketch, health, expected) => assert.equal(verdict(sketch, health), expected));

  const message = (sketch: Sketch, health: Health, copy?: null): string => {
    const judged = run(sketch);
    judge(copy === undefined ? judged : { ...judged, snapshot: { ...judged.snapshot, copy } }, health, NO_CHECKS);
    return judged.draft.message;
  };
  const why = 'step 1/3 stalled: v2-1 (CrashLoopBackOff); no further Pod is replaced until they are available';
  it('that stalls says how to go back', () => {
    assert.equal(message({ stage: moving }, bad), `${why}; to roll back: kubectl tranche undo web-rollout -n shop`);
  });
  it('that goes back by itself says so', () => {
    assert.equal(message({ stage: moving, rollout: rollback }, bad), why);
    const going = { stage: moving, rollout: rollback, status: stalled('PodsFailing') };
    assert.equal(
      message(going, bad),
      'step 1/3 failed: rolling back to the stable version because of v2-1 (CrashLoopBackOff)',
    );
    const slow = { stage: moving, rollout: rollback, status: stalled('StepDeadlineExceeded') };
    assert.match(message(slow, late), /because of v2-1 \(not available after 600 s\)$/);
  });
  it('that cannot go back says so, and stays held', () => {
    const gone = { stage: { ...moving, old: { v0: 9 } }, rollout: rollback };
    assert.match(message(gone, bad, null), /; Deployment "web" stays held: its stable template is not found/);
  });
  it('keeps since when it has been stalled', () => {
    const judged = run({ stage: moving, status: stalled('PodsFailing', 77) });
    judge(judged, bad, NO_CHECKS);
    assert.equal((conditionOf(judged.draft.conditions, 'Stalled') as Condition).lastTransitionTime, ago(77));
  });
});
