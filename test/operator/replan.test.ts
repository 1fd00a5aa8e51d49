// One apply, two objects: a new template and other steps, or both back, in either order.
import assert from 'node:assert/strict';
import type { CanaryStep } from '../../src/api/types.ts';
import { advise } from '../../src/engine/validate/advice.ts';
import { World } from './world.ts';

const OLD: readonly CanaryStep[] = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }];
const FEWER: readonly CanaryStep[] = [{ replicas: '30%' }, { replicas: '100%' }];
const MORE: readonly CanaryStep[] = [
  { replicas: 2 },
  { replicas: '30%' },
  { replicas: '50%' },
  { replicas: '75%' },
  { replicas: '100%' },
];

const WAY_BACK = '; to roll back: kubectl tranche undo demo-rollout';

describe('one apply with another number of steps', () => {
  let world: World;
  const plan = (steps: readonly CanaryStep[]): Promise<unknown> =>
    world.patchRollout({ spec: { strategy: { canary: { steps } } } });

  beforeEach(async () => {
    world = await new World({ seed: 17 }).start();
    await world.createDeployment();
    await world.createRollout(OLD);
    await world.untilHealthy();
    await world.virtual.settled();
  });
  afterEach(() => world.stop());

  const first = { [FEWER.length]: { v1: 7, v2: 3 }, [MORE.length]: { v1: 8, v2: 2 } };
  for (const steps of [FEWER, MORE]) {
    for (const order of ['the template first', 'the steps first']) {
      it(`${steps.length} instead of 3, ${order}: the release begins with the new steps`, async () => {
        const both = [() => world.release('v2'), () => plan(steps)];
        for (const one of order === 'the template first' ? both : both.toReversed()) await one();
        await world.untilPaused(1);
        assert.deepEqual(world.sizes, first[steps.length]);
        assert.equal(
          world.rollout.status?.message,
          `step 1/${steps.length} done: waiting for approval (0 of 1)${WAY_BACK}`,
        );
        for (let step = 2; step < steps.length; step++) {
          await world.approve();
          await world.untilPaused(step);
        }
        await world.approve();
        await world.untilCompleted();
        assert.deepEqual(world.sizes, { v2: 10 });
      });
    }
  }

  it('the steps a moment later, while Pods of step 1 start: the same', async () => {
    await world.release('v2:slow');
    await world.until('step 1 has begun', () => world.canary.currentStepState === 'StepUpgrade');
    await world.until('a Pod of it is there', () => (world.sizes['v2:slow'] ?? 0) > 0);
    await plan(FEWER);
    await world.untilPaused(1, 300_000);
    assert.deepEqual(world.sizes, { v1: 7, 'v2:slow': 3 });
    assert.equal(world.canary.nextStepIndex, 2);
  });

  for (const order of ['the template first', 'the steps first']) {
    it(`both back, ${order}: everything is as it was`, async () => {
      await plan(MORE);
      await world.release('v2');
      await world.untilPaused(1);
      await world.approve();
      await world.untilPaused(2);
      const both = [() => world.release('v1'), () => plan(OLD)];
      for (const one of order === 'the template first' ? both : both.toReversed()) await one();
      await world.untilHealthy();
      assert.deepEqual(world.sizes, { v1: 10 });
      assert.equal(world.condition('Succeeded')?.status, 'False');
      await world.run(20_000);
      assert.ok((world.canary.currentStepIndex ?? 0) <= OLD.length, `step ${world.canary.currentStepIndex} of 3`);
      assert.equal(world.canary.plan, undefined);
      await world.release('v3');
      await world.untilPaused(1);
      assert.deepEqual(world.sizes, { v1: 9, v3: 1 });
    });
  }

  it('later: the release stays where it was, and says what it waits for', async () => {
    await world.release('v2');
    await world.untilPaused(1);
    await world.approve();
    await world.untilPaused(2);
    await plan(MORE);
    await world.until('it is at the step that fits', () => world.canary.currentStepIndex === 3);
    await world.run(60_000);
    assert.deepEqual(world.sizes, { v1: 5, v2: 5 });
    const message = `step 3/5 done: waiting for approval (0 of 1), because the number of steps changed${WAY_BACK}`;
    assert.equal(world.rollout.status?.message, message);
    const told = world.events.filter(({ reason }) => reason === 'PlanChanged').map((event) => event.message);
    assert.deepEqual(
      [...new Set(told)],
      ['the number of steps changed from 3 to 5: the release is at step 3 of 5, and waits for approval after it'],
    );
    await world.approve();
    await world.untilPaused(4);
    assert.deepEqual(world.sizes, { v1: 2, v2: 8 });
    assert.equal(world.canary.planChanged, undefined, 'that is over with the step');
  });

  it('where every new step asks for more it waits before the first, also when that has a timer', async () => {
    await world.release('v2');
    await world.untilPaused(1);
    await plan([{ replicas: '50%', pause: { duration: 1 } }, { replicas: '100%' }]);
    await world.until('it waits', () => world.canary.notBegun === true);
    await world.run(120_000);
    assert.deepEqual(world.sizes, { v1: 9, v2: 1 });
    assert.equal(
      world.rollout.status?.message,
      `step 1/2 not started: waiting for approval (0 of 1), because the number of steps changed${WAY_BACK}`,
    );
    await world.scale(20);
    await world.run(60_000);
    assert.deepEqual(world.sizes, { v1: 18, v2: 2 }, 'scaling goes on, and brings nothing that was not approved');
    await world.approve();
    await world.until('the step is taken', () => world.sizes['v2'] === 10);
    await world.untilCompleted();
  });

  it('a single step of everything does not go out without approval', async () => {
    await world.release('v2');
    await world.untilPaused(1);
    await plan([{ replicas: '100%' }]);
    await world.until('it waits', () => world.canary.notBegun === true);
    await world.run(60_000);
    assert.deepEqual(world.sizes, { v1: 9, v2: 1 });
    await world.approve();
    await world.untilCompleted();
  });

  it('survives a crash of the operator before it has seen the new steps', async () => {
    await world.release('v2');
    await world.untilPaused(1);
    world.crash();
    await plan([{ replicas: '100%' }]);
    world.startOperator();
    await world.until('it waits', () => world.canary.notBegun === true);
    await world.run(60_000);
    assert.deepEqual(world.sizes, { v1: 9, v2: 1 });
  });

  it('the warning says what then happens', async () => {
    await world.release('v2');
    await world.untilPaused(1);
    const old = world.rollout;
    const next = (steps: readonly CanaryStep[]) => ({
      ...old,
      spec: { ...old.spec, strategy: { canary: { steps } } },
    });
    const warn = (steps: readonly CanaryStep[]): string[] =>
      advise({ rollout: next(steps), old, deployment: world.deployment });
    const begins =
      'tranche: Rollout demo-rollout has a release in progress, and the number of its steps changes from 3 to';
    assert.deepEqual(warn(FEWER), [
      `${begins} 2: the release waits for approval before step 1 of 2; no more Pods are updated before that`,
    ]);
    assert.deepEqual(warn([{ replicas: 1 }, { replicas: '100%' }]), [
      `${begins} 2: the release is at step 1 of 2, and waits for approval after it; no more Pods are updated before that`,
    ]);
    assert.deepEqual(warn([{ replicas: 1 }, { replicas: '40%' }, { replicas: '100%' }]), [], 'as many');
    await world.release('v1');
    assert.deepEqual(advise({ rollout: next(FEWER), old, deployment: world.deployment }), [], 'it goes back');
  });

  it('rolloutHash follows an edit of the plan', async () => {
    await world.release('v2');
    await world.untilPaused(1);
    const before = world.canary.rolloutHash;
    await plan([{ replicas: 1 }, { replicas: '60%' }, { replicas: '100%' }]);
    await world.until('the status has the digest of the new plan', () => {
      const { metadata } = world.rollout;
      const hash = metadata.annotations?.['rollouts.kruise.io/hash'];
      return hash !== before && world.canary.rolloutHash === hash;
    });
  });
});
