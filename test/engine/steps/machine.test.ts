// The step machine, state by state: a release from v1 to v2 of ten Pods in steps of 20%, 50% and 100%, and what is done about it.
import assert from 'node:assert/strict';
import {
  CHANGED_BY,
  GLASS_BROKEN,
  ON_RESTART,
  TRIM,
  RESTARTED_AT,
  ROLLOUT_BATCH_ID,
  ROLLOUT_ID,
} from '../../../src/api/keys.ts';
import type { Approval, CanaryStatus, Rollout, StepState } from '../../../src/api/types.ts';
import { decide } from '../../../src/engine/decide.ts';
import type { Decision } from '../../../src/engine/decision.ts';
import { openGate, type Gate } from '../../../src/engine/policy/gate.ts';
import { planDigest } from '../../../src/engine/policy/plan.ts';
import type { Snapshot } from '../../../src/engine/snapshot.ts';
import { proceed } from '../../../src/engine/steps/machine.ts';
import {
  GLASS,
  ago,
  atStep,
  brief,
  condition,
  held,
  mergePatchOf,
  NOW,
  pod,
  pods,
  progressOf,
  replicaSet,
  rollout,
  rows,
  sha256,
  snapshot,
  stage,
  template,
  USER,
  type RolloutSketch,
  type Stage,
  type StatusSketch,
} from '../build.ts';
import { policy } from '../policy/support.ts';

interface Sketch {
  readonly index?: number;
  readonly status?: StatusSketch;
  readonly rollout?: RolloutSketch;
  readonly stage?: Stage;
  readonly facts?: Partial<Snapshot>;
  readonly approvedBy?: readonly string[];
}

const rolloutAt = (state: StepState | '', { index = 1, status, rollout: sketch, approvedBy = [] }: Sketch): Rollout => {
  const plain = rollout({ ...sketch, status: atStep(index, state as StepState, status) });
  if (approvedBy.length === 0) return plain;
  const canary = plain.status!.canaryStatus!;
  const approvals = approvedBy.map((user): Approval => ({
    step: index,
    rolloutID: 'r2',
    revision: 'v2',
    user,
    time: ago(30),
    plan: planDigest(plain, canary, sha256),
  }));
  return { ...plain, status: { ...plain.status!, canaryStatus: { ...canary, approvals } } };
};

function decided(state: StepState | '', sketch: Sketch): Decision {
  const shot = snapshot({ rollout: rolloutAt(state, sketch), ...stage(sketch.stage), ...sketch.facts });
  const progress = progressOf(shot);
  return proceed(shot, progress, progress.held ?? held(), shot.rollout.status!.canaryStatus!);
}

type Row = readonly [what: string, sketch: Sketch, decision: string, message?: string];
const inState =
  (state: StepState | '') =>
  (sketch: Sketch, decision: string, message?: string): void => {
    const made = decided(state, sketch);
    assert.equal(brief(made), decision);
    if (message !== undefined) assert.equal(made.status?.message, message);
  };
const canaryAfter = (state: StepState | '', sketch: Sketch): CanaryStatus => {
  const canary = decided(state, sketch).status?.canaryStatus;
  assert.ok(canary);
  return canary;
};

const GOES_ON = 'Progressing=InRolling';
const two: Stage = { updated: 2 };
const five: Stage = { updated: 5 };
const all: Stage = { updated: 10, old: { v1: 0 } };
const steps = (pause: { duration?: number } | undefined) =>
  ['20%', '50%', '100%'].map((replicas) => ({ replicas, ...(pause && { pause }) }));
const timed: RolloutSketch = { steps: steps({ duration: 100 }) };
const closed: Gate = {
  ...openGate,
  blocked: { reason: 'WindowClosed', message: 'policy nights is closed', opensAt: NOW + 60_000 },
};
const people: Gate = { ...openGate, approval: [policy('people', { approval: { required: 2 } })] };
const granted: StatusSketch = { canary: { grantedReplicas: '20%' } };
const undo = '; to roll back: kubectl tranche undo web-rollout -n shop';

describe('BeforeStepUpgrade', () => {
  const table: readonly Row[] = [
    [
      'the step begins',
      {},
      `- | Progressing 1 StepUpgrade ${GOES_ON} | StepStarted | children`,
      'step 1/3: 0 of 2 Pods updated, waiting for the Deployment controller',
    ],
    [
      'a policy does not let it begin: it waits until that opens',
      { facts: { gate: closed } },
      `- | Progressing 1 BeforeStepUpgrade ${GOES_ON} PolicyBlocked=WindowClosed | PolicyBlocked | children, again in 60 s`,
      'step 1/3 waits: policy nights is closed',
    ],
    [
      'the same policy still does not: it is told once',
      { facts: { gate: closed }, status: { conditions: [condition('PolicyBlocked', 'True', 'WindowClosed')] } },
      `- | Progressing 1 BeforeStepUpgrade ${GOES_ON} PolicyBlocked=WindowClosed | - | children, again in 60 s`,
    ],
    [
      'another one does not: that is told',
      { facts: { gate: closed }, status: { conditions: [condition('PolicyBlocked', 'True', 'TooManyReleases')] } },
      `- | Progressing 1 BeforeStepUpgrade ${GOES_ON} PolicyBlocked=WindowClosed | PolicyBlocked | children, again in 60 s`,
    ],
    [
      'the policy has opened',
      { status: { conditions: [condition('PolicyBlocked', 'True', 'WindowClosed')] } },
      `- | Progressing 1 StepUpgrade ${GOES_ON} | StepStarted | children`,
    ],
    [
      'nothing is released while there are 0 replicas',
      { stage: { replicas: 0, old: 0 } },
      `- | Progressing 1 BeforeStepUpgrade ${GOES_ON} | - | children`,
      'the Deployment has 0 replicas: nothing to release; the release completes when the Deployment is scaled up and its Pods are available',
    ],
  ];
  rows(table, inState('BeforeStepUpgrade'));
  rows(
    [
      ['the empty state is the same', {}, `- | Progressing 1 StepUpgrade ${GOES_ON} | StepStarted | children`],
    ] satisfies Row[],
    inState(''),
  );

  it('grants what the step asks for only where nobody has to approve it', () => {
    assert.equal(canaryAfter('BeforeStepUpgrade', {}).grantedReplicas, undefined);
    assert.equal(canaryAfter('BeforeStepUpgrade', { facts: { gate: people } }).grantedReplicas, '20%');
    const whole = { rollout: { steps: ['100%'] }, status: { canary: { plan: ['100%'] } }, facts: { gate: people } };
    assert.equal(canaryAfter('BeforeStepUpgrade', whole).grantedReplicas, 0);
  });

  it('notes from how many Pods the step began', () => {
    const { stepReplicas, lastUpdateTime, nextStepIndex, keepsReplicas } = canaryAfter('BeforeStepUpgrade', {
      stage: { replicas: 4 },
    });
    assert.deepEqual(
      { stepReplicas, lastUpdateTime, nextStepIndex, keepsReplicas },
      { stepReplicas: 4, lastUpdateTime: ago(0), nextStepIndex: 2, keepsReplicas: false },
    );
  });
});

describe('StepUpgrade', () => {
  const moving: Stage = { ...two, state: 'moving', budget: [0, 2] };
  const HELD_FIRST = `hold | Progressing 1 StepUpgrade ${GOES_ON} | - | children`;
  const unlabelled = pods('v2', 2, { labels: { [ROLLOUT_ID]: 'r1' } });
  const table: readonly Row[] = [
    [
      'the budget of the step is given',
      {},
      `move | Progressing 1 StepUpgrade ${GOES_ON} | - | children`,
      'step 1/3: 0 of 2 Pods updated, waiting for the next Pods',
    ],
    [
      'its Pods are waited for',
      {
        status: { canary: { lastUpdateTime: ago(10) } },
        stage: {
          updated: 2,
          available: 1,
          state: 'moving',
          budget: [0, 2],
          pods: [pod('v2-1'), pod('v2-2', { ready: null, age: 1, waits: 'ContainerCreating' })],
        },
      },
      `- | Progressing 1 StepUpgrade ${GOES_ON} | - | children, again in 4 s`,
      'step 1/3: 1 of 2 Pods updated, waiting for v2-2 (ContainerCreating)',
    ],
    [
      'they are there: it is held',
      { stage: { ...two, state: 'moving', budget: [0, 2] } },
      `hold | Progressing 1 StepUpgrade ${GOES_ON} | - | children`,
    ],
    [
      'it is held: the step is done, and waits for approval',
      { stage: two },
      `- | Progressing 1 StepPaused ${GOES_ON} | StepCompleted | children`,
      `step 1/3 done: waiting for approval (0 of 1)${undo}`,
    ],
    [
      'it is held, and Pods lack the label of the release',
      { stage: { ...two, pods: unlabelled } },
      `label v2-1, label v2-2 | Progressing 1 StepUpgrade ${GOES_ON} | - | children`,
    ],
    [
      'the labels were refused: nothing waits for them',
      { stage: { ...two, pods: unlabelled }, facts: { labelsAgainAt: NOW + 300_000 } },
      `- | Progressing 1 StepPaused ${GOES_ON} | StepCompleted | children, again in 300 s`,
    ],
    [
      'a step with a pause of some seconds waits for them',
      { stage: two, rollout: timed },
      `- | Progressing 1 StepPaused ${GOES_ON} | StepCompleted | children, again in 100 s`,
      'step 1/3 done: continuing at 2026-01-01T12:01:40Z (pause of 100 s)',
    ],
    [
      'a step with a pause of 0 goes on at once',
      { stage: two, rollout: { steps: steps({ duration: 0 }) } },
      `- | Progressing 2 StepUpgrade ${GOES_ON} | StepStarted | children`,
      'step 2/3: 2 of 5 Pods updated, waiting for the Deployment controller',
    ],
    [
      'it goes on so without a hold in between',
      { stage: moving, rollout: { steps: steps({ duration: 0 }) } },
      `- | Progressing 2 StepUpgrade ${GOES_ON} | StepStarted | children`,
    ],
    ['but is held where it waits for some seconds', { stage: moving, rollout: timed }, HELD_FIRST],
    [
      'where it waits for checks',
      {
        stage: moving,
        rollout: { steps: [{ replicas: '20%', analysis: { seconds: 60 } }, ...steps({ duration: 0 }).slice(1)] },
      },
      HELD_FIRST,
    ],
    [
      'where a policy is closed',
      { stage: moving, rollout: { steps: steps({ duration: 0 }) }, facts: { gate: closed } },
      HELD_FIRST,
    ],
    [
      'where the steps have changed',
      {
        stage: moving,
        rollout: { steps: steps({ duration: 0 }) },
        status: { canary: { planChanged: true } },
      },
      HELD_FIRST,
    ],
    [
      'where a policy asks for approvals, which count from then on',
      { stage: moving, status: granted, facts: { gate: people }, approvedBy: ['anna', 'ben'] },
      HELD_FIRST,
    ],
    [
      'the last step is done: the release finishes',
      { index: 3, stage: all },
      '- | Progressing 3 Completed Progressing=Finalising | - | children',
      'finishing natively: 10 of 10 Pods updated',
    ],
    [
      'the last step, while it moves, is not held any more',
      { index: 3, stage: { ...all, state: 'moving', budget: [0, 10] } },
      '- | Progressing 3 Completed Progressing=Finalising | - | children',
    ],
    [
      'a Pod that fails stalls it',
      {
        stage: {
          updated: 2,
          available: 1,
          pods: [pod('v2-1'), pod('v2-2', { ready: null, waits: 'CrashLoopBackOff' })],
        },
      },
      `- | Progressing 1 StepUpgrade ${GOES_ON} Stalled=PodsFailing | Stalled | children, again in 540 s`,
      `step 1/3 stalled: v2-2 (CrashLoopBackOff); no further Pod is replaced until they are available${undo}`,
    ],
    [
      'a Pod that fails does not, where so many may',
      {
        rollout: { canary: { failureThreshold: 1 } },
        stage: {
          updated: 2,
          available: 1,
          pods: [pod('v2-1'), pod('v2-2', { ready: null, waits: 'CrashLoopBackOff' })],
        },
      },
      `- | Progressing 1 StepPaused ${GOES_ON} | StepCompleted | children`,
    ],
    [
      'the Rollout is paused: it is held in the middle',
      { rollout: { paused: true }, stage: { updated: 1, state: 'moving', budget: [1, 1], old: 9 } },
      'freeze | Progressing 1 StepUpgrade Progressing=Paused | ReleasePaused | children',
      'step 1/3 paused until spec.strategy.paused is removed from the Rollout',
    ],
    [
      'the Deployment was paused by its user',
      { stage: { record: { user: { ...USER, paused: true } } } },
      '- | Progressing 1 StepUpgrade Progressing=Paused | ReleasePaused | children',
      'step 1/3 paused until spec.paused is removed from the Deployment',
    ],
    [
      'what slipped past the webhook is told until the end',
      { stage: { record: { bypassed: 'nobody saw it' } } },
      `move | Progressing 1 StepUpgrade ${GOES_ON} Bypassed=NotSeenByWebhook | - | children`,
    ],
  ];
  rows(table, inState('StepUpgrade'));

  it('says in the history what slipped past the webhook', () => {
    const facts = stage({ record: { bypassed: 'nobody saw it' } });
    const shot = snapshot({ rollout: rollout({ status: atStep(1, 'StepUpgrade') }), ...facts });
    assert.equal(decide(shot).status?.history?.[0]?.bypassed, 'nobody saw it');
  });

  it('is done with no more Pods than were granted, whatever the plan says since', () => {
    const more = { rollout: { steps: ['80%', '90%', '100%'] }, status: granted, stage: two };
    assert.equal(canaryAfter('StepUpgrade', { ...more, facts: { gate: people } }).currentStepState, 'StepPaused');
    assert.equal(canaryAfter('StepUpgrade', more).currentStepState, 'StepUpgrade', 'without the policy');
  });

  it('waits later than any approval of an earlier visit', () => {
    const approvals = [{ step: 1, rolloutID: 'r2', revision: 'v2', user: 'anna', time: ago(0) }];
    assert.equal(canaryAfter('StepUpgrade', { stage: two, status: { canary: { approvals } } }).lastUpdateTime, ago(-1));
  });

  it('lingers before it holds in the middle of a step only while the step is young', () => {
    const late = pods('v2', 2, { ready: null, age: 2 });
    const stageOf: Stage = { ...two, available: 0, state: 'moving', budget: [0, 2], pods: late };
    const sketch = (seconds: number): Sketch => ({
      stage: stageOf,
      status: { canary: { lastUpdateTime: ago(seconds) } },
    });
    assert.equal(brief(decided('StepUpgrade', sketch(29))).split(' | ')[0], '-');
    assert.equal(brief(decided('StepUpgrade', sketch(30))).split(' | ')[0], 'hold');
  });
});

describe('a step that leaves nothing, before the last', () => {
  const whole: Sketch = {
    index: 2,
    rollout: { steps: ['20%', '100%', '100%'] },
    status: { canary: { plan: ['20%', '100%', '100%'] } },
    stage: all,
  };
  it('waits like any other', () => {
    const waits = `- | Progressing 2 StepPaused ${GOES_ON} | StepCompleted | children`;
    assert.equal(brief(decided('StepUpgrade', whole)), waits);
  });

  it('is the end when it is the last, whatever follows in the status', () => {
    const last = { ...whole, rollout: { steps: ['20%', '100%'] }, status: { canary: { plan: ['20%', '100%'] } } };
    const ends = '- | Progressing 2 Completed Progressing=Finalising | - | children';
    assert.equal(brief(decided('StepUpgrade', last)), ends);
  });

  it('is not the end when it has not begun', () => {
    const canary = { plan: ['100%'], planChanged: true, notBegun: true, nextStepIndex: 1, keepsReplicas: true };
    const before = { rollout: { steps: ['100%'] }, status: { canary }, stage: all };
    assert.equal(canaryAfter('StepPaused', before).currentStepState, 'StepPaused');
  });
});

describe('what a step leaves alone', () => {
  const four: Stage = { updated: 4, old: 6, budget: [0, 2] };
  it('is more Pods than it asks for, where it found them or nobody held them', () => {
    const does = (sketch: Sketch): string => brief(decided('StepPaused', sketch)).split(' | ')[0]!;
    assert.equal(does({ stage: four }), 'trim web-v2');
    assert.equal(does({ stage: four, status: { canary: { keepsReplicas: true } } }), '-');
    assert.equal(
      does({ stage: { ...four, record: { bypassed: 'nobody saw it', budget: { maxSurge: 0, maxUnavailable: 2 } } } }),
      '-',
    );
  });

  it('is the sizes, where a correction did not last', () => {
    const made = decided('StepPaused', refused);
    assert.deepEqual(
      [made.events.map(({ reason }) => reason), made.status?.canaryStatus?.keepsReplicas],
      [['TrimRefused'], true],
    );
    const upgrading = decided('StepUpgrade', refused);
    assert.deepEqual(
      upgrading.events.map(({ reason }) => reason),
      ['TrimRefused'],
    );
  });
  const plain = stage(four);
  const sets = plain.children.replicaSets.map((set) => ({
    ...set,
    metadata: { ...set.metadata, annotations: { [TRIM]: '5/2' } },
  }));
  const refused: Sketch = { facts: { workload: plain.workload, children: { ...plain.children, replicaSets: sets } } };
});

describe('a Deployment that became smaller while a step waited', () => {
  const does = (state: StepState, sketch: Sketch): string => brief(decided(state, sketch)).split(' | ')[0]!;
  const smaller: Stage = { replicas: 1, updated: 1, old: { v1: 0 } };
  it('is not all new because of that: a step that was to leave something still does', () => {
    assert.equal(does('StepPaused', { stage: smaller }), 'mark');
    assert.equal(does('StepReady', { stage: smaller, facts: { gate: closed } }), 'mark');
    assert.equal(
      does('StepPaused', { stage: smaller, status: { canary: { stepReplicas: 1 } } }),
      '-',
      'it was as small',
    );
  });

  it('gets no Pod of the new version while it waits, but while the step goes on', () => {
    const few: Stage = { replicas: 8, updated: 1, old: 7 };
    assert.equal(does('StepPaused', { stage: few }), '-');
    assert.equal(does('StepReady', { stage: few, facts: { gate: closed } }), '-');
    assert.equal(does('StepUpgrade', { stage: few }), 'mark');
  });
});

describe('a ReplicaSet that is not made', () => {
  it('is asked for again, and looked at then', () => {
    const status: StatusSketch = { canary: { lastUpdateTime: ago(500) } };
    const none = (moved: number): Sketch => ({
      status,
      stage: { state: 'moving', budget: [0, 2], record: { moved: ago(moved) } },
    });
    assert.equal(
      brief(decided('StepUpgrade', none(300))),
      `remind | Progressing 1 StepUpgrade ${GOES_ON} | - | children, again in 300 s`,
    );
    assert.equal(
      brief(decided('StepUpgrade', none(200))),
      `- | Progressing 1 StepUpgrade ${GOES_ON} | - | children, again in 100 s`,
    );
  });
});

describe('broken glass', () => {
  it('is noted in the history of the release', () => {
    const made = decided('StepPaused', {
      stage: two,
      rollout: { annotations: { [GLASS_BROKEN]: JSON.stringify(GLASS) } },
    });
    assert.deepEqual(
      made.events.map(({ reason }) => reason),
      ['GlassBroken'],
    );
    assert.equal(made.status?.history?.[0]?.brokenGlass?.length, 1);
  });
});

describe('StepTrafficRouting and StepMetricsAnalysis', () => {
  const table: readonly Row[] = [
    ['are left for the pause', { stage: two }, `- | Progressing 1 StepPaused ${GOES_ON} | StepCompleted | children`],
  ];
  rows(table, inState('StepTrafficRouting'));
  rows(table, inState('StepMetricsAnalysis'));
});

describe('StepPaused', () => {
  const restarted = template('v1', { [RESTARTED_AT]: 'now' });
  const restart: Sketch['facts'] = {
    workload: stage({ updated: 2, deployment: { template: restarted } }).workload,
    children: {
      replicaSets: [replicaSet('v1', { size: 8 }), replicaSet('v2', { size: 2, template: restarted })],
      pods: pods('v2', 2),
    },
  };
  const batches: RolloutSketch = { annotations: { [ON_RESTART]: 'Batches' } };
  const table: readonly Row[] = [
    [
      'it waits for approval',
      { stage: two },
      `- | Progressing 1 StepPaused ${GOES_ON} | - | children`,
      `step 1/3 done: waiting for approval (0 of 1)${undo}`,
    ],
    [
      'some have approved, of those whom a policy asks for',
      { stage: two, approvedBy: ['anna'], facts: { gate: { ...openGate, required: 3 } } },
      `- | Progressing 1 StepPaused ${GOES_ON} | - | children`,
      `step 1/3 done: waiting for approval (1 of 3)${undo}`,
    ],
    [
      'the time of a pause is not over',
      { stage: two, rollout: timed },
      `- | Progressing 1 StepPaused ${GOES_ON} | - | children, again in 40 s`,
    ],
    [
      'it is over',
      { stage: two, rollout: timed, status: { canary: { lastUpdateTime: ago(100) } } },
      `- | Progressing 2 StepUpgrade ${GOES_ON} | StepStarted | children`,
    ],
    [
      'the steps have changed: time leads no further',
      { stage: two, rollout: timed, status: { canary: { planChanged: true, lastUpdateTime: ago(100) } } },
      `- | Progressing 1 StepPaused ${GOES_ON} | - | children`,
      `step 1/3 done: waiting for approval (0 of 1), because the number of steps changed${undo}`,
    ],
    [
      'a pause of null is none',
      { stage: two, rollout: { steps: steps({ duration: null! }) } },
      `- | Progressing 1 StepPaused ${GOES_ON} | - | children`,
    ],
    [
      'a restart that goes through the steps waits for nobody',
      { rollout: batches, facts: restart },
      `- | Progressing 2 StepUpgrade ${GOES_ON} | StepStarted | children`,
    ],
    [
      'a restart waits like any change where that is not asked for',
      { facts: restart },
      `- | Progressing 1 StepPaused ${GOES_ON} | - | children`,
    ],
    [
      'a Pod is not available any more',
      { stage: { ...two, available: 1 } },
      `- | Progressing 1 StepPaused ${GOES_ON} | - | children, again in 540 s`,
    ],
    [
      'scaled up, it follows with Pods',
      { stage: { replicas: 20, updated: 2, old: 18 } },
      `mark | Progressing 1 StepPaused ${GOES_ON} | - | children`,
    ],
    [
      'scaled down, it brings none',
      { stage: { replicas: 5, updated: 0, old: 5 } },
      `- | Progressing 1 StepPaused ${GOES_ON} | - | children`,
    ],
    [
      'scaled down, more Pods than the step’s go back',
      { stage: { replicas: 5, updated: 2, old: 3 } },
      `trim web-v2 | Progressing 1 StepPaused ${GOES_ON} | Trimmed | children`,
    ],
    [
      'a last step that left nothing is the end',
      { index: 3, stage: all },
      '- | Progressing 3 Completed Progressing=Finalising | - | children',
    ],
    [
      'a last step is not the end while a Pod is missing',
      { index: 3, stage: { ...all, available: 9 } },
      `- | Progressing 3 StepPaused ${GOES_ON} | - | children, again in 540 s`,
    ],
    [
      'a last step of a number is not the end because there are so many replicas now',
      {
        index: 2,
        rollout: { steps: ['20%', 5] },
        status: { canary: { plan: ['20%', 5], nextStepIndex: -1 } },
        stage: { replicas: 5, updated: 4, old: 1 },
      },
      `- | Progressing 2 StepPaused ${GOES_ON} | - | children`,
      `step 2/2 done: waiting for approval (0 of 1)${undo}`,
    ],
    [
      'the release is before a step that asks for more: it waits to begin it',
      {
        index: 1,
        rollout: { steps: ['50%', '80%', '100%'] },
        status: {
          canary: {
            plan: ['50%', '80%', '100%'],
            planChanged: true,
            notBegun: true,
            nextStepIndex: 1,
            keepsReplicas: true,
          },
        },
        stage: two,
      },
      `- | Progressing 1 StepPaused ${GOES_ON} | - | children`,
      `step 1/3 not started: waiting for approval (0 of 1), because the number of steps changed${undo}`,
    ],
    [
      'another step was chosen than the one that follows: it goes there',
      { stage: two, status: { canary: { nextStepIndex: 3 } } },
      `- | Progressing 3 StepUpgrade ${GOES_ON} | StepStarted | children`,
    ],
    [
      'a step that there is not is no step: it waits',
      { stage: two, status: { canary: { nextStepIndex: 4 } } },
      `- | Progressing 1 StepPaused ${GOES_ON} | - | children`,
      `step 1/3 done: waiting for approval (0 of 1); continues with step 4${undo}`,
    ],
    [
      'neither is step 0',
      { stage: two, status: { canary: { nextStepIndex: 0 } } },
      `- | Progressing 1 StepPaused ${GOES_ON} | - | children`,
    ],
    [
      'it jumps back',
      { index: 2, stage: five, status: { canary: { nextStepIndex: 1 } } },
      `- | Progressing 1 StepUpgrade ${GOES_ON} | StepStarted | children`,
    ],
    [
      'it does not jump while a policy blocks',
      { stage: two, status: { canary: { nextStepIndex: 3 } }, facts: { gate: closed } },
      `- | Progressing 1 StepPaused ${GOES_ON} PolicyBlocked=WindowClosed | PolicyBlocked | children, again in 60 s`,
    ],
    [
      'the Rollout was paused, and is no longer: its time goes on where it was',
      { stage: two, rollout: timed, status: { reason: 'Paused', canary: { lastUpdateTime: ago(620) } } },
      `- | Progressing 1 StepPaused ${GOES_ON} | ReleaseResumed | children, again in 80 s`,
    ],
  ];
  rows(table, inState('StepPaused'));

  it('keeps what was granted before a jump back and has not come yet', () => {
    const jump = { canary: { nextStepIndex: 1 } };
    assert.equal(canaryAfter('StepUpgrade', { index: 2, stage: two, status: jump }).keepsReplicas, true);
    assert.equal(
      canaryAfter('StepUpgrade', { index: 1, stage: two, status: { canary: { nextStepIndex: 3 } } }).keepsReplicas,
      false,
    );
    const done = { index: 2, stage: all, rollout: { steps: ['20%', '50%', '50%', '100%'] } };
    const on = { canary: { plan: ['20%', '50%', '50%', '100%'], nextStepIndex: 3 } };
    const approved = canaryAfter('StepReady', { ...done, status: on });
    assert.equal(approved.keepsReplicas, false, 'no Pod of another version is left: scaling did that');
    assert.equal(canaryAfter('StepReady', { ...done, stage: { updated: 6 }, status: on }).keepsReplicas, true);
    assert.equal(canaryAfter('StepReady', { ...done, stage: { updated: 5 }, status: on }).keepsReplicas, false);
  });

  it('grants a step that is entered what it asks for, where somebody has to approve it', () => {
    const approved = { stage: two, status: granted, facts: { gate: people }, approvedBy: ['anna', 'bob'] };
    assert.equal(canaryAfter('StepPaused', approved).grantedReplicas, '50%');
    assert.equal('grantedReplicas' in canaryAfter('StepReady', { stage: two }), false);
  });

  it('goes on at once after a pause of less than nothing, or of nothing, whenever it began', () => {
    for (const duration of [0, -5])
      for (const seconds of [60, -60]) {
        const sketch = {
          stage: two,
          rollout: { steps: steps({ duration }) },
          status: { canary: { lastUpdateTime: ago(seconds) } },
        };
        assert.equal(canaryAfter('StepPaused', sketch).currentStepIndex, 2, `${duration}, ${seconds}`);
      }
  });

  it('goes on at the very moment at which a pause is over', () => {
    const sketch = (seconds: number): Sketch => ({
      stage: two,
      rollout: timed,
      status: { canary: { lastUpdateTime: ago(seconds) } },
    });
    assert.deepEqual(
      [canaryAfter('StepPaused', sketch(99)).currentStepIndex, canaryAfter('StepPaused', sketch(100)).currentStepIndex],
      [1, 2],
    );
    const approved = (seconds: number): Sketch => ({
      ...sketch(seconds),
      status: { canary: { lastUpdateTime: ago(seconds), grantedReplicas: '20%' } },
      facts: { gate: people },
      approvedBy: ['anna', 'bob'],
    });
    assert.deepEqual(
      [
        canaryAfter('StepReady', approved(99)).currentStepIndex,
        canaryAfter('StepReady', approved(100)).currentStepIndex,
      ],
      [1, 2],
    );
  });

  it('keeps what a jump back finds', () => {
    const back = canaryAfter('StepPaused', { index: 2, stage: five, status: { canary: { nextStepIndex: 1 } } });
    assert.deepEqual([back.keepsReplicas, back.nextStepIndex, back.currentStepIndex], [true, 2, 1]);
    const on = canaryAfter('StepPaused', { stage: two, status: { canary: { nextStepIndex: 3 } } });
    assert.deepEqual([on.keepsReplicas, on.nextStepIndex], [false, -1]);
  });

  it('notes when the Rollout was resumed, and never a time to come', () => {
    assert.equal(canaryAfter('StepPaused', { stage: two, status: { reason: 'Paused' } }).lastUpdateTime, ago(0));
  });
});

describe('StepUpgrade, with another step chosen', () => {
  const chosen: StatusSketch = { canary: { nextStepIndex: 3 } };
  const table: readonly Row[] = [
    ['it goes there at once', { status: chosen }, `- | Progressing 3 StepUpgrade ${GOES_ON} | StepStarted | children`],
    [
      'it goes on to its end first while a policy blocks',
      { status: chosen, facts: { gate: closed } },
      `move | Progressing 1 StepUpgrade ${GOES_ON} | - | children`,
    ],
    [
      'with a policy that lets it, it goes there',
      { status: chosen, facts: { gate: openGate } },
      `- | Progressing 3 StepUpgrade ${GOES_ON} | StepStarted | children`,
    ],
    [
      'it goes on to its end first where each step needs approval',
      { status: { canary: { nextStepIndex: 3, grantedReplicas: '20%' } }, facts: { gate: people } },
      `move | Progressing 1 StepUpgrade ${GOES_ON} | - | children`,
    ],
  ];
  rows(table, inState('StepUpgrade'));
});

describe('StepPaused, under a policy that requires two approvals', () => {
  const gate = people;
  const wait = `- | Progressing 1 StepPaused ${GOES_ON} | - | children`;
  const facts = { gate };
  const table: readonly Row[] = [
    [
      'nobody has approved',
      { stage: two, status: granted, facts },
      wait,
      `step 1/3 done: waiting for approval (0 of 2)${undo}`,
    ],
    [
      'one has',
      { stage: two, status: granted, facts, approvedBy: ['anna'] },
      wait,
      `step 1/3 done: waiting for approval (1 of 2)${undo}`,
    ],
    [
      'one has twice',
      { stage: two, status: granted, facts, approvedBy: ['anna', 'anna'] },
      wait,
      `step 1/3 done: waiting for approval (1 of 2)${undo}`,
    ],
    [
      'two have: the next step begins',
      { stage: two, status: granted, facts, approvedBy: ['anna', 'bob'] },
      `- | Progressing 2 StepUpgrade ${GOES_ON} | Approved, StepStarted | children`,
    ],
    [
      'two have, of a step that begins only then: it begins',
      {
        stage: { updated: 0 },
        rollout: { steps: ['100%'] },
        status: { canary: { plan: ['100%'], grantedReplicas: 0, nextStepIndex: -1 } },
        facts,
        approvedBy: ['anna', 'bob'],
      },
      `- | Progressing 1 StepUpgrade ${GOES_ON} | Approved, StepStarted | children`,
    ],
    [
      'a step that begins only then waits',
      {
        stage: { updated: 0 },
        rollout: { steps: ['100%'] },
        status: { canary: { plan: ['100%'], grantedReplicas: 0, nextStepIndex: -1 } },
        facts,
      },
      wait,
      `step 1/1 updates all Pods: waiting for approval (0 of 2) before it starts${undo}`,
    ],
    [
      'time alone leads no further',
      { stage: two, rollout: timed, status: { canary: { grantedReplicas: '20%', lastUpdateTime: ago(100) } }, facts },
      wait,
    ],
    [
      'time and approvals are waited for',
      { stage: two, rollout: timed, status: granted, facts, approvedBy: ['anna'] },
      `${wait}, again in 40 s`,
      'step 1/3 done: waiting for approval (1 of 2), and until 2026-01-01T12:00:40Z',
    ],
    [
      'time is waited for when they are there',
      { stage: two, rollout: timed, status: granted, facts, approvedBy: ['anna', 'bob'] },
      `${wait}, again in 40 s`,
      'step 1/3 done: continuing at 2026-01-01T12:00:40Z (pause of 100 s)',
    ],
    [
      'another step was chosen: that is what they approve',
      { stage: two, status: { canary: { grantedReplicas: '20%', nextStepIndex: 3 } }, facts, approvedBy: ['anna'] },
      wait,
      `step 1/3 done: waiting for approval (1 of 2) to jump to step 3${undo}`,
    ],
    [
      'they have',
      {
        stage: two,
        status: { canary: { grantedReplicas: '20%', nextStepIndex: 3 } },
        facts,
        approvedBy: ['anna', 'bob'],
      },
      `- | Progressing 3 StepUpgrade ${GOES_ON} | Approved, StepStarted | children`,
    ],
    [
      'the author’s own does not count where it must be another person’s',
      {
        stage: { ...two, deployment: { annotations: { [CHANGED_BY]: 'anna' } } },
        status: granted,
        facts: { gate: { ...openGate, approval: [policy('people', { approval: { notAuthor: true } })] } },
        approvedBy: ['anna'],
      },
      wait,
      `step 1/3 done: waiting for approval (0 of 1)${undo}`,
    ],
  ];
  rows(table, inState('StepPaused'));
});

describe('the first of the steps, under a policy that requires approvals', () => {
  it('is one to go to, when that is approved', () => {
    const status: StatusSketch = { canary: { nextStepIndex: 1, grantedReplicas: '50%' } };
    const made = decided('StepPaused', {
      index: 2,
      stage: five,
      status,
      facts: { gate: people },
      approvedBy: ['anna'],
    });
    assert.equal(made.status?.message, `step 2/3 done: waiting for approval (1 of 2) to jump to step 1${undo}`);
  });
});

describe('StepReady', () => {
  const fewer: Sketch = {
    rollout: { steps: ['20%', '50%'] },
    status: { canary: { plan: ['20%', '50%'], nextStepIndex: -1 } },
  };
  const table: readonly Row[] = [
    ['the next step begins', { stage: two }, `- | Progressing 2 StepUpgrade ${GOES_ON} | StepStarted | children`],
    [
      'it begins although a Pod fails',
      {
        stage: {
          updated: 2,
          available: 1,
          pods: [pod('v2-1'), pod('v2-2', { ready: null, waits: 'CrashLoopBackOff' })],
        },
      },
      `- | Progressing 2 StepUpgrade ${GOES_ON} | StepStarted | children`,
    ],
    [
      'the step that was chosen begins',
      { stage: two, status: { canary: { nextStepIndex: 3 } } },
      `- | Progressing 3 StepUpgrade ${GOES_ON} | StepStarted | children`,
    ],
    [
      'a step that there is not is the one that follows',
      { stage: two, status: { canary: { nextStepIndex: 9 } } },
      `- | Progressing 2 StepUpgrade ${GOES_ON} | StepStarted | children`,
    ],
    [
      'after the last step the release finishes',
      { ...fewer, index: 2, stage: five },
      '- | Progressing 2 Completed Progressing=Finalising | - | children',
    ],
    [
      'a policy does not let the next step begin',
      { stage: two, facts: { gate: closed } },
      `- | Progressing 1 StepReady ${GOES_ON} PolicyBlocked=WindowClosed | PolicyBlocked | children, again in 60 s`,
    ],
    [
      'while a policy blocks, sizes are kept up',
      { stage: { replicas: 5, updated: 2, old: 3 }, facts: { gate: closed } },
      `trim web-v2 | Progressing 1 StepReady ${GOES_ON} PolicyBlocked=WindowClosed | Trimmed, PolicyBlocked | children, again in 60 s`,
    ],
    [
      'set without the approvals that a policy requires, it is set back',
      { stage: two, status: granted, facts: { gate: people }, approvedBy: ['anna'] },
      `- | Progressing 1 StepPaused ${GOES_ON} | PolicyBlocked | children`,
      `step 1/3 done: waiting for approval (1 of 2)${undo}`,
    ],
    [
      'with them the next step begins',
      { stage: two, status: granted, facts: { gate: people }, approvedBy: ['anna', 'bob'] },
      `- | Progressing 2 StepUpgrade ${GOES_ON} | Approved, StepStarted | children`,
    ],
    [
      'with them, a timed pause is still waited for',
      { stage: two, rollout: timed, status: granted, facts: { gate: people }, approvedBy: ['anna', 'bob'] },
      `- | Progressing 1 StepReady ${GOES_ON} | - | children, again in 40 s`,
      'step 1/3 done: continuing at 2026-01-01T12:00:40Z (pause of 100 s)',
    ],
    [
      'without a policy, a timed pause is over by it',
      { stage: two, rollout: timed },
      `- | Progressing 2 StepUpgrade ${GOES_ON} | StepStarted | children`,
    ],
  ];
  rows(table, inState('StepReady'));
});

describe('Completed', () => {
  const table: readonly Row[] = [
    [
      'the Deployment is given back in the next decision',
      { index: 3, stage: all },
      '- | Progressing 3 Completed Progressing=Finalising | - | children',
    ],
    [
      'another step is not chosen any more',
      { index: 3, stage: all, status: { canary: { nextStepIndex: 1 } } },
      '- | Progressing 3 Completed Progressing=Finalising | - | children',
    ],
  ];
  rows(table, inState('Completed'));
});

describe('a release that OpenKruise began', () => {
  const foreign: StatusSketch = {
    canary: { templateDigest: undefined!, stableDigest: undefined!, nextStepIndex: 3 },
    conditions: [condition('Stalled', 'True', 'LeftByOpenKruise')],
    history: [],
  };
  const table: readonly Row[] = [
    [
      'goes on at its step; a jump of it is nobody’s wish',
      { stage: two, status: foreign },
      `- | Progressing 1 StepPaused ${GOES_ON} | TakenOver | children`,
    ],
  ];
  rows(table, inState('StepPaused'));

  it('is in the history, and keeps what it has brought', () => {
    const status = decided('StepPaused', { stage: five, status: foreign }).status!;
    const { keepsReplicas, stableDigest, templateDigest, nextStepIndex } = status.canaryStatus!;
    assert.deepEqual(
      { keepsReplicas, stableDigest, templateDigest, nextStepIndex },
      { keepsReplicas: true, stableDigest: 'v1', templateDigest: 'v2', nextStepIndex: 2 },
    );
    assert.deepEqual(status.history, [{ rolloutID: 'r2', revision: 'v2', startTime: ago(600) }]);
    assert.equal(canaryAfter('StepPaused', { stage: two, status: foreign }).keepsReplicas, false);
  });
});

describe('a release that began without knowing the stable version', () => {
  it('keeps in its status the one that it finds later', () => {
    const status = { canary: { stableDigest: undefined! } };
    assert.equal(canaryAfter('StepPaused', { stage: two, status }).stableDigest, 'v1');
    assert.equal(canaryAfter('StepPaused', { stage: { ...two, record: { stable: 'v0' } } }).stableDigest, 'v1');
    const none: Sketch = { stage: { updated: 2, old: {}, record: { stable: '' } }, status };
    assert.equal(decided('StepPaused', none).status?.canaryStatus?.stableDigest, undefined);
  });
});

describe('a number of steps that has changed', () => {
  it('is told, and the step that fits is found', () => {
    const sketch: Sketch = { stage: two, rollout: { steps: ['10%', '20%', '50%', '100%'] } };
    assert.equal(
      brief(decided('StepPaused', sketch)),
      `- | Progressing 2 StepPaused ${GOES_ON} | PlanChanged | children`,
    );
  });

  it('to none leaves one step with everything', () => {
    const sketch: Sketch = { stage: two, rollout: { steps: [] }, status: { canary: { plan: [] } } };
    const made = decided('StepUpgrade', sketch);
    assert.equal(made.status?.message, 'step 1/1: 2 of 10 Pods updated, waiting for the next Pods');
  });
});

describe('what is written with a step', () => {
  it('tells OpenKruise’s tools how many Pods are wanted, and how many are Ready', () => {
    const { annotations } = mergePatchOf(decided('StepUpgrade', { stage: { updated: 1, old: 9 } }).effects)
      .metadata as { annotations: Record<string, string> };
    assert.equal(
      annotations['rollouts.kruise.io/deployment-extra-status'],
      '{"updatedReadyReplicas":1,"expectedUpdatedReplicas":2}',
    );
  });

  it('is Pods by the labels of the step that brought them', () => {
    const [effect] = decided('StepPaused', {
      index: 2,
      stage: {
        updated: 5,
        pods: [...pods('v2', 4), pod('v2-5', { age: 10, labels: { [ROLLOUT_ID]: 'r1', [ROLLOUT_BATCH_ID]: '9' } })],
      },
    }).effects;
    assert.deepEqual(effect?.kind === 'Patch' && effect.patch, {
      metadata: { uid: 'uid-v2-5', labels: { [ROLLOUT_ID]: 'r2', [ROLLOUT_BATCH_ID]: '9' } },
    });
  });

  it('is a status at most every ten seconds where only Pods have changed', () => {
    const late = (waits: string): Stage => {
      return { updated: 2, available: 1, pods: [pod('v2-1'), pod('v2-2', { ready: null, age: 1, waits })] };
    };
    const young: StatusSketch = { canary: { lastUpdateTime: ago(2) } };
    const { status } = decided('StepUpgrade', { stage: late('Pulling'), status: young });
    assert.ok(status);
    const again = (reportedAt: number): string => {
      const shot = snapshot({ rollout: rollout({ status }), ...stage(late('Starting')), reportedAt });
      const progress = progressOf(shot);
      return brief(proceed(shot, progress, progress.held ?? held(), status.canaryStatus!));
    };
    assert.equal(again(NOW - 1_000), '- | - | - | children, again in 9 s');
    assert.equal(again(NOW - 10_000), `- | Progressing 1 StepUpgrade ${GOES_ON} | - | children, again in 599 s`);
  });
});

describe('the stable template that a rollback needs', () => {
  it('is asked for where no ReplicaSet has it', () => {
    const failing = [pod('v2-1', { ready: null, waits: 'CrashLoopBackOff' })];
    const sketch: Sketch = {
      rollout: { canary: { onFailure: 'Rollback' } },
      stage: { updated: 1, available: 0, old: { v0: 9 }, pods: failing },
    };
    assert.equal(brief(decided('StepUpgrade', sketch)), '- | - | - | children, copy web-stable-v1');
  });
});
