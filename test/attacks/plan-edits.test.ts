// Whoever edits the steps in the middle of a release gets no Pod out that nobody approved; and an old id names no new release.
import assert from 'node:assert/strict';
import type { CanaryStatus, IntOrString, StepState } from '../../src/api/types.ts';
import { stepTarget } from '../../src/engine/lib/replicas.ts';
import { planOf, replan, usualNext } from '../../src/engine/steps/replan.ts';
import { World } from '../operator/world.ts';

/** Numbers that are the same in each run. */
function numbersFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe('attack: another number of steps in a release', () => {
  it('whatever plan comes after whatever plan, nothing is granted beyond what was', () => {
    const below = numbersFrom(7);
    const states: readonly StepState[] = ['StepPaused', 'StepReady', 'StepUpgrade'];
    const value = (): IntOrString => (below(2) === 0 ? 1 + below(12) : `${1 + below(100)}%`);
    const plan = (): IntOrString[] => Array.from({ length: 1 + below(6) }, value);
    for (let round = 0; round < 20_000; round++) {
      const [replicas, before] = [1 + below(12), plan()];
      const index = 1 + below(before.length);
      const granted = stepTarget(before[index - 1], replicas);
      const updated = below(granted + 1);
      const state = index === 1 ? states[below(2)]! : states[below(3)]!;
      const status: CanaryStatus = {
        podTemplateHash: '',
        canaryReplicas: updated,
        canaryReadyReplicas: updated,
        finalisingStep: '',
        currentStepIndex: index,
        nextStepIndex: usualNext({}, index, before.length),
        currentStepState: state,
        plan: before,
      };
      let after = plan();
      while (after.length === before.length) after = plan();
      const steps = after.map((one) => ({ replicas: one }));
      const next = replan(status, steps, { replicas, updated }, 0);
      const what = `${JSON.stringify({ replicas, before, index, state, updated, after })}\n${JSON.stringify(next)}`;
      const target = stepTarget(after[next.currentStepIndex - 1], replicas);
      assert.ok(next.notBegun === true || target <= granted, `more is granted than was: ${what}`);
      assert.equal(next.planChanged, true, `the next step comes without approval: ${what}`);
      assert.notEqual(next.currentStepState, 'StepReady', `an approval of other steps counts: ${what}`);
      if (next.notBegun === true) assert.equal(next.nextStepIndex, next.currentStepIndex, what);
      assert.deepEqual(next.plan, planOf(steps));
    }
  });

  it('a release that waits for approval brings no Pod, whatever steps are written into it', async () => {
    const world = await new World({ seed: 3 }).start();
    try {
      await world.createDeployment();
      await world.createRollout([{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }]);
      await world.untilHealthy();
      await world.virtual.settled();
      await world.release('v2');
      await world.untilPaused(1);
      const now = { duration: 0 };
      let before = 3;
      for (const steps of [
        [{ replicas: '100%', pause: now }],
        [
          { replicas: 1, pause: now },
          { replicas: '100%', pause: now },
        ],
        [
          { replicas: 1, pause: now },
          { replicas: 1, pause: now },
          { replicas: '100%', pause: now },
        ],
        [
          { replicas: '20%', pause: now },
          { replicas: '100%', pause: now },
        ],
        [{ replicas: 1, pause: now }],
      ]) {
        assert.notEqual(steps.length, before);
        before = steps.length;
        await world.patchRollout({ spec: { strategy: { canary: { steps } } } });
        await world.run(20_000);
        assert.deepEqual(world.sizes, { v1: 9, v2: 1 }, JSON.stringify(steps));
        assert.equal(world.canary.currentStepState, 'StepPaused', JSON.stringify(steps));
      }
    } finally {
      await world.stop();
    }
  });

  it('an approval for the old steps is none for the new ones, also while a policy is closed', async () => {
    const world = await new World({ seed: 3, policies: true }).start();
    try {
      await world.createDeployment();
      await world.createRollout([{ replicas: 1 }, { replicas: 2 }, { replicas: '100%' }]);
      await world.untilHealthy();
      await world.release('v2');
      await world.untilPaused(1);
      await world.createPolicy('closed', { windows: { deny: [{ schedule: '* * * * *', durationSeconds: 120 }] } });
      await world.run(1_000);
      await world.approve();
      await world.until('it is blocked', () => world.condition('PolicyBlocked')?.status === 'True');
      await world.patchRollout({ spec: { strategy: { canary: { steps: [{ replicas: 1 }, { replicas: '100%' }] } } } });
      await world.until('the plan is seen', () => world.canary.planChanged === true);
      await world.deletePolicy('closed');
      await world.run(60_000);
      assert.deepEqual(world.sizes, { v1: 9, v2: 1 });
      assert.equal(world.canary.currentStepState, 'StepPaused');
    } finally {
      await world.stop();
    }
  });
});
