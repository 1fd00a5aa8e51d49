// Another number of steps in a release: at which of them it goes on.
import assert from 'node:assert/strict';
import type { CanaryStatus, IntOrString, StepState } from '../../../src/api/types.ts';
import { replan, replanned } from '../../../src/engine/steps/replan.ts';

const NOW = Date.parse('2026-11-23T12:00:00Z');
const BEFORE = '2026-11-23T11:00:00Z';

const at = (
  plan: readonly IntOrString[] | undefined,
  currentStepIndex: number,
  currentStepState: StepState | '',
  more: Partial<CanaryStatus> = {},
): CanaryStatus => ({
  podTemplateHash: 'abc',
  canaryReplicas: 0,
  canaryReadyReplicas: 0,
  finalisingStep: '',
  lastUpdateTime: BEFORE,
  ...(plan && { plan }),
  currentStepIndex,
  currentStepState,
  nextStepIndex: currentStepIndex + 1,
  ...more,
});
const to = (
  status: CanaryStatus,
  plan: readonly IntOrString[],
  sizes: { replicas?: number; updated: number },
): CanaryStatus =>
  replan(
    status,
    plan.map((replicas) => ({ replicas })),
    { replicas: 10, ...sizes },
    NOW,
  );
/** What matters of it: `step 2 -> 3 StepPaused, planChanged, kept`. */
const inShort = (status: CanaryStatus): string =>
  [
    `step ${status.currentStepIndex} -> ${status.nextStepIndex} ${status.currentStepState}`,
    ...(status.planChanged === true ? ['changed'] : []),
    ...(status.notBegun === true ? ['not begun'] : []),
    ...(status.keepsReplicas === true ? ['kept'] : []),
  ].join(', ');

const OLD = [1, '50%', '100%'];

describe('another number of steps in a release', () => {
  const table: Record<string, [CanaryStatus, readonly IntOrString[], number, string]> = {
    'at its start is as if they had been there before': [
      at(OLD, 1, 'StepUpgrade'),
      ['30%', '100%'],
      1,
      'step 1 -> 2 StepUpgrade',
    ],
    'before it has begun, too': [at(OLD, 1, 'BeforeStepUpgrade'), ['100%'], 0, 'step 1 -> -1 BeforeStepUpgrade'],
    'stays at the step that fits what was granted': [
      at(OLD, 2, 'StepPaused'),
      ['10%', '20%', '50%', '100%'],
      5,
      'step 3 -> 4 StepPaused, changed, kept',
    ],
    'stays at the same step where it fits, and others ask for as much': [
      at(['10%', '20%', '100%'], 2, 'StepPaused', { plan: ['10%', '20%', '100%'] }),
      [2, '20%', '20%', '100%'],
      2,
      'step 2 -> 3 StepPaused, changed, kept',
    ],
    'takes the first of those that ask for as much, so that no wait is left out': [
      at(OLD, 2, 'StepPaused'),
      ['10%', '10%', '20%', '20%', '60%', '100%'],
      5,
      'step 3 -> 4 StepPaused, changed, kept',
    ],
    'counts what was granted, not what is left of a jump back': [
      at(OLD, 1, 'StepPaused', { keepsReplicas: true }),
      ['10%', '50%', '80%', '100%'],
      5,
      'step 1 -> 2 StepPaused, changed, kept',
    ],
    'waits before a first step that asks for more': [
      at(OLD, 1, 'StepPaused'),
      ['50%', '100%'],
      1,
      'step 1 -> 1 StepPaused, changed, not begun, kept',
    ],
    'waits before a single step of everything': [
      at(OLD, 1, 'StepPaused'),
      ['100%'],
      1,
      'step 1 -> 1 StepPaused, changed, not begun, kept',
    ],
    'does not take an approval for old steps as one for new ones': [
      at(OLD, 1, 'StepReady'),
      [1, '100%'],
      1,
      'step 1 -> 2 StepPaused, changed, kept',
    ],
    'ends what is under way': [
      at(OLD, 2, 'StepUpgrade'),
      [1, '50%', '75%', '100%'],
      3,
      'step 2 -> 3 StepUpgrade, changed',
    ],
    'stops what is under way where no step fits': [
      at(OLD, 2, 'StepUpgrade'),
      ['80%', '100%'],
      3,
      'step 1 -> 1 StepPaused, changed, not begun, kept',
    ],
    'waits when it has jumped back to step 1 with more Pods than that': [
      at(OLD, 1, 'StepUpgrade', { keepsReplicas: true }),
      ['100%'],
      5,
      'step 1 -> 1 StepPaused, changed, not begun, kept',
    ],
    'goes by the Pods where it waited before a step': [
      at(['50%', '100%'], 1, 'StepPaused', { planChanged: true, notBegun: true, keepsReplicas: true }),
      ['20%', '50%', '100%'],
      1,
      'step 1 -> 1 StepPaused, changed, not begun, kept',
    ],
    'finds the end of fewer steps, and waits there': [
      at(OLD, 3, 'StepUpgrade'),
      [1, '50%'],
      7,
      'step 2 -> -1 StepUpgrade, changed, kept',
    ],
    'of a status that knows no plan goes by the Pods': [
      at(undefined, 3, 'StepPaused'),
      [1, '100%'],
      5,
      'step 1 -> 2 StepPaused, changed, kept',
    ],
  };
  for (const [what, [status, plan, updated, expected]] of Object.entries(table)) {
    it(what, () => {
      const next = to(status, plan, { updated });
      assert.equal(inShort(next), expected);
      assert.deepEqual(next.plan, plan);
      assert.deepEqual(to(next, plan, { updated }), next, 'decided again it stays');
    });
  }

  it('resets the wait, so that approvals and timers of the old step do not count', () => {
    assert.equal(to(at(OLD, 2, 'StepPaused'), [1, '50%'], { updated: 5 }).lastUpdateTime, '2026-11-23T12:00:00Z');
    assert.equal(to(at(OLD, 2, 'StepUpgrade'), [1, '50%'], { updated: 5 }).lastUpdateTime, BEFORE);
  });

  it('is decided when there are Pods', () => {
    const status = at(OLD, 2, 'StepPaused');
    assert.equal(to(status, ['100%'], { replicas: 0, updated: 0 }), status);
  });

  it('is told in words', () => {
    const told = (status: CanaryStatus, plan: readonly IntOrString[], updated: number): string | undefined =>
      replanned(status, to(status, plan, { updated }));
    const changed = 'the number of steps changed from 3 to 2: the release';
    assert.equal(told(at(OLD, 1, 'StepUpgrade'), [1, '100%'], 0), `${changed} is at step 1 of 2`);
    assert.equal(
      told(at(OLD, 1, 'StepPaused'), [1, '100%'], 1),
      `${changed} is at step 1 of 2, and waits for approval after it`,
    );
    assert.equal(told(at(OLD, 1, 'StepPaused'), [2, '100%'], 1), `${changed} waits for approval before step 1 of 2`);
    assert.equal(told(at(OLD, 1, 'StepPaused'), [2, '50%', '100%'], 1), undefined, 'as many steps');
    assert.equal(told(at(undefined, 1, 'StepPaused'), OLD, 1), undefined, 'an older status');
  });
});

describe('as many steps as before', () => {
  it('the step stays, whatever it asks for now', () => {
    assert.equal(inShort(to(at(OLD, 2, 'StepPaused'), [1, '80%', '100%'], { updated: 5 })), 'step 2 -> 3 StepPaused');
    const chosen = at(OLD, 2, 'StepPaused', { nextStepIndex: 1 });
    assert.equal(to(chosen, [1, '80%', '100%'], { updated: 5 }).nextStepIndex, 1);
  });
});
