// A step that the next one follows without a wait: one decision has the status of the next step and its budget. In all other cases the status comes first.
import assert from 'node:assert/strict';
import type { CanaryStep, StepState } from '../../../src/api/types.ts';
import { decide } from '../../../src/engine/decide.ts';
import type { Decision } from '../../../src/engine/decision.ts';
import { openGate } from '../../../src/engine/policy/gate.ts';
import type { Snapshot } from '../../../src/engine/snapshot.ts';
import { policy } from '../policy/support.ts';
import {
  atStep,
  brief,
  NOW,
  pod,
  rollout,
  rows,
  snapshot,
  stage,
  type RolloutSketch,
  type Stage,
  type StatusSketch,
} from '../build.ts';

interface Sketch {
  readonly index?: number;
  readonly state?: StepState;
  readonly status?: StatusSketch;
  readonly rollout?: RolloutSketch;
  readonly stage?: Stage;
  readonly facts?: Partial<Snapshot>;
}

const NONE = { duration: 0 };
const at = (first: Partial<CanaryStep> = {}): readonly CanaryStep[] =>
  ['20%', '50%', '100%'].map((replicas, i) => ({ replicas, pause: NONE, ...(i === 0 ? first : {}) }));
/** Both Pods of step 1 are available, and the Deployment moves. */
const there: Stage = { updated: 2, state: 'moving', budget: [0, 2] };

const factsOf = ({ index = 1, state = 'StepUpgrade', status, rollout: sketch, stage: pods, facts }: Sketch): Snapshot =>
  snapshot({
    rollout: rollout({ steps: at(), ...sketch, status: atStep(index, state, status) }),
    ...stage(pods ?? there),
    ...facts,
  });
const decided = (sketch: Sketch): Decision => decide(factsOf(sketch));

describe('a step whose Pods are there, and that waits for nothing', () => {
  it('has the status of the next step and its budget in one decision', () => {
    const decision = decided({});
    assert.equal(decision.goesOn, true);
    assert.equal(brief(decision), 'move | Progressing 2 StepUpgrade Progressing=InRolling | StepStarted | children');
  });

  it('gives the very budget that would follow the status', () => {
    const shot = factsOf({});
    const { status, effects } = decide(shot);
    const after = decide({ ...shot, rollout: { ...shot.rollout, status: status! } });
    assert.equal(effects.length, 1);
    assert.deepEqual(effects, after.effects);
  });

  it('decides the same again while only the status is not written, and gives no second budget', () => {
    const next = decided({ stage: { ...there, budget: [3, 2] } });
    assert.equal(brief(next), '- | Progressing 2 StepUpgrade Progressing=InRolling | StepStarted | children');
  });

  it('goes on from the Pods of the next step, if the status was not written', () => {
    const some: Stage = { ...there, budget: [3, 2], updated: 5, available: 3, old: 8 };
    const decision = decided({ stage: some });
    assert.equal(decision.status?.currentStepIndex, 2);
    assert.equal(decision.status.canaryStatus?.keepsReplicas, false);
  });

  it('is one step ahead of the status at most', () => {
    const plan = ['20%', '20%', '50%', '100%'];
    const steps = plan.map((replicas) => ({ replicas, pause: NONE }));
    const decision = decided({ rollout: { steps }, status: { canary: { plan } } });
    assert.equal(brief(decision), '- | Progressing 2 StepUpgrade Progressing=InRolling | StepStarted | children');
  });
});

describe('where anything else than the plan has a say, only the status is written, or the step is held first', () => {
  const unready = pod('v2-2', { ready: null, age: 1 });
  const check = { name: 'errors', ratio: { bad: 'bad', total: 'all', limit: '5%' } } as const;
  const ROUTE = { httpRoute: { name: 'web' } };
  const table: readonly (readonly [what: string, sketch: Sketch, step: number])[] = [
    ['the first step', { state: 'BeforeStepUpgrade', stage: {} }, 1],
    ['a Pod is not available', { stage: { ...there, available: 1, pods: [pod('v2-1'), unready] } }, 1],
    ['the step is held', { stage: { updated: 2 } }, 2],
    ['its pause of 0 was waited for', { state: 'StepPaused', stage: { updated: 2 } }, 2],
    ['it was approved', { state: 'StepReady', stage: { updated: 2 }, rollout: { steps: at({ pause: {} }) } }, 2],
    ['a pause', { rollout: { steps: at({ pause: { duration: 100 } }) } }, 1],
    ['an approval', { rollout: { steps: at({ pause: {} }) } }, 1],
    [
      'a policy that asks for approvals',
      { facts: { gate: { ...openGate, approval: [policy('people', { approval: { required: 2 } })] } } },
      1,
    ],
    [
      'a policy that is closed',
      { facts: { gate: { ...openGate, blocked: { reason: 'WindowClosed', message: 'closed', opensAt: NOW + 1 } } } },
      1,
    ],
    ['a policy that is open', { facts: { gate: openGate } }, 2],
    ['an analysis', { rollout: { steps: at({ analysis: { seconds: 60 } }) } }, 1],
    ['a check', { rollout: { canary: { analysis: [check] } } }, 1],
    ['a route', { rollout: { canary: { trafficRoutings: [ROUTE] } as never } }, 1],
    ['a jump', { status: { canary: { nextStepIndex: 3 } } }, 3],
    ['a plan that has changed', { status: { canary: { planChanged: true } } }, 1],
    ['a number of steps that changes now', { status: { canary: { plan: ['20%', '100%'] } } }, 2],
    ['a pause of the Rollout', { rollout: { paused: true } }, 1],
    [
      'a stall',
      {
        stage: { ...there, available: 1, pods: [pod('v2-1'), pod('v2-2', { ready: null, waits: 'CrashLoopBackOff' })] },
      },
      1,
    ],
    ['the last step', { index: 3, stage: { updated: 10, old: 0, state: 'moving', budget: [0, 10] } }, 3],
    ['a release that OpenKruise began', { status: { canary: { templateDigest: undefined } } }, 2],
  ];
  rows(table, (sketch, step) => {
    const { index = 1 } = sketch;
    const { effects, status } = decided(sketch);
    assert.equal(status?.currentStepIndex ?? index, step);
    if (step !== index) assert.deepEqual(effects, []);
    else assert.equal(effects.map(({ why }) => why).includes('move'), false);
  });
});
