// The one word for where a Rollout stands, for every combination that has its own.
import assert from 'node:assert/strict';
import type { Deployment, Rollout, RolloutStatus } from '../../src/api/types.ts';
import { rollbackId } from '../../src/engine/release/release-id.ts';
import { messageOf, outcomeOf, sinceOf, stateOf, stepsOf, waitsForApproval, type State } from '../../src/view/state.ts';
import { ago, deployment, progressing, rollout } from './support.ts';

const condition = (type: string, status: 'True' | 'False', reason = ''): Partial<RolloutStatus> => ({
  conditions: [{ type, status, reason, message: '', lastUpdateTime: ago(5), lastTransitionTime: ago(5) }],
});
const because = (reason: string): Rollout => rollout(progressing({}, condition('Progressing', 'True', reason)));
const healthy = (more: Partial<RolloutStatus> = {}): Partial<RolloutStatus> => ({
  phase: 'Healthy',
  message: 'released',
  canaryStatus: progressing().canaryStatus!,
  ...more,
});
const AT = deployment();
const HELD = deployment('v2', { annotations: { 'tranche.dev/held': '{}' } });
const NEWER = deployment('v2', { labels: { 'rollouts.kruise.io/rollout-id': 'r2' } });

type Outcome = ReturnType<typeof outcomeOf>;
const TABLE: readonly (readonly [string, Rollout, Deployment | undefined, State, Outcome])[] = [
  ['nobody has looked at it', rollout(), AT, 'Pending', 'underWay'],
  ['nothing is released', rollout(healthy()), AT, 'Idle', 'succeeded'],
  ['the last release failed', rollout(healthy(condition('Succeeded', 'False'))), AT, 'Idle', 'failed'],
  ['a release began that no status tells of', rollout(healthy()), NEWER, 'Starting', 'underWay'],
  ['a change is held that no status tells of', rollout(healthy()), HELD, 'Starting', 'underWay'],
  ['a step waits', rollout(progressing()), AT, 'Waiting', 'underWay'],
  ['Pods of a step are replaced', rollout(progressing({ currentStepState: 'StepUpgrade' })), AT, 'Moving', 'underWay'],
  [
    'checks watch a step',
    rollout(progressing({ currentStepState: 'StepMetricsAnalysis' })),
    AT,
    'Watching',
    'underWay',
  ],
  ['there is no Deployment', rollout(progressing()), undefined, 'Waiting', 'underWay'],
  ['it is frozen', because('Paused'), AT, 'Paused', 'underWay'],
  ['the native controller has the rest', because('Finalising'), AT, 'Finishing', 'underWay'],
  ['it goes back', because('Cancelling'), AT, 'RollingBack', 'underWay'],
  ['it stalls', rollout(progressing({}, condition('Stalled', 'True'))), AT, 'Stalled', 'failed'],
  ['it cannot work', rollout({ phase: 'Initial', ...condition('Stalled', 'True') }), undefined, 'Stalled', 'failed'],
  ['a policy keeps it back', rollout(progressing({}, condition('PolicyBlocked', 'True'))), AT, 'Blocked', 'underWay'],
  ['it is disabled', rollout(progressing(), { disabled: true }), AT, 'Disabled', 'failed'],
  ['it is being deleted', rollout(progressing(), {}, { deletionTimestamp: ago(1) }), AT, 'Deleting', 'failed'],
];

describe('a step that waits', () => {
  const steps = [
    { replicas: 1, pause: { duration: 60 } },
    { replicas: '50%', analysis: { seconds: 9 } },
    { replicas: '100%' },
  ];
  const waits = (canary: object, message = ''): boolean =>
    waitsForApproval(rollout(progressing(canary, { message }), { strategy: { canary: { steps } } }));

  it('waits for approval by its pause, after a change of the plan, or because its message says so', () => {
    assert.equal(waits({}), false);
    assert.equal(waits({ currentStepIndex: 2 }), false, 'the checks decide');
    assert.equal(waits({ currentStepIndex: 3 }), true);
    assert.equal(waits({ planChanged: true }), true);
    assert.equal(waits({ notBegun: true }), true);
    assert.equal(waits({}, 'step 1/3 done: waiting for approval (0 of 1), and until 2026-01-01T01:00:10Z'), true);
    assert.equal(
      waits({ currentStepIndex: 2 }, 'step 2/3 done: waiting for approval (0 of 1); too few requests'),
      true,
    );
  });
});

describe('the state of a Rollout', () => {
  for (const [when, of, workload, state, outcome] of TABLE)
    it(`is ${state} when ${when}: ${outcome}`, () => {
      assert.equal(stateOf(of, workload), state);
      assert.equal(outcomeOf(of, workload), outcome);
    });

  it('is not Starting in a rollback that the status knows under the id of its release', () => {
    assert.equal(stateOf(rollout(progressing({ observedRolloutID: rollbackId('r1') })), AT), 'Waiting');
  });

  it('is as it is since its step changed, or since its last release ended', () => {
    assert.equal(sinceOf(rollout(progressing())), ago(60));
    assert.equal(sinceOf(rollout(healthy(condition('Progressing', 'False')))), ago(5));
    assert.equal(sinceOf(rollout()), undefined);
  });

  it('comes with the words of the operator, but for a Rollout that is only being deleted', () => {
    assert.equal(messageOf(rollout(progressing())), 'step 1/3 done');
    assert.equal(messageOf(rollout()), undefined);
    const deleted = { deletionTimestamp: ago(1) };
    assert.equal(messageOf(rollout(healthy(), {}, deleted)), 'the Rollout is being deleted');
    assert.equal(messageOf(rollout(progressing(), {}, deleted)), 'step 1/3 done');
  });

  it('counts the steps that are written', () => {
    assert.equal(stepsOf(rollout()), 3);
    assert.equal(stepsOf(rollout({}, { strategy: {} })), 0);
  });
});
