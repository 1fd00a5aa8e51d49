// Scaling during a release, held and moving: the share holds, and nobody fights.
import assert from 'node:assert/strict';
import type { CanaryStep } from '../../src/api/types.ts';
import { World } from './world.ts';

describe('scaling during a release', () => {
  let world: World;

  const begin = async (steps: readonly CanaryStep[], spec: object = {}): Promise<void> => {
    world = await new World({ seed: 21 }).start();
    await world.createDeployment({ spec });
    await world.createRollout(steps);
    await world.untilHealthy();
    await world.virtual.settled();
    await world.release('v2');
    await world.untilPaused(1);
  };
  afterEach(() => world.stop());

  const share = (updated: number, replicas: number) => (): boolean =>
    (world.sizes['v2'] ?? 0) === updated && (world.sizes['v1'] ?? 0) === replicas - updated;

  it('an absolute step keeps its number: what native scaling adds is taken back', async () => {
    await begin([{ replicas: 1 }, { replicas: '100%' }]);
    await world.scale(20);
    await world.until('1 of 20', share(1, 20), 120_000);
    await world.scale(10);
    await world.until('1 of 10', share(1, 10), 120_000);
    assert.equal(world.canary.currentStepState, 'StepPaused');
  });

  it('drift of native rounding is corrected both ways', async () => {
    await begin([{ replicas: '50%' }, { replicas: '100%' }]);
    for (const replicas of [5, 10, 5, 10, 7, 10]) {
      await world.scale(replicas);
      await world.virtual.settled();
    }
    await world.until('5 of 10', share(5, 10), 120_000);
  });

  it('while a batch moves, it ends with the share of the new size', async () => {
    await begin([{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }]);
    await world.approve();
    await world.until('it moves', () => (world.sizes['v2'] ?? 0) > 1);
    await world.scale(16);
    await world.untilPaused(2, 180_000);
    await world.until('8 of 16', share(8, 16), 180_000);
  });

  it('scales without the operator, in proportion, and keeps both versions', async () => {
    await begin([{ replicas: '50%' }, { replicas: '100%' }]);
    world.crash();
    await world.scale(20);
    await world.virtual.settled();
    assert.deepEqual(world.sizes, { v1: 10, v2: 10 });
    assert.equal(world.readyPods, 20);
  });

  it('an autoscaler that oscillates for an hour leaves the share right, with few writes of ours', async () => {
    await begin([{ replicas: '30%' }, { replicas: '100%' }]);
    const before = world.calls.filter(({ method }) => method === 'PATCH').length;
    for (let minute = 0; minute < 60; minute++) {
      await world.scale(minute % 2 === 0 ? 14 : 9);
      await world.run(60_000);
      assert.equal((world.sizes['v1'] ?? 0) + (world.sizes['v2'] ?? 0), minute % 2 === 0 ? 14 : 9, `minute ${minute}`);
    }
    await world.virtual.settled();
    assert.ok(share(3, 9)(), JSON.stringify(world.sizes));
    const written = world.calls.filter(({ method }) => method === 'PATCH').length - before;
    assert.ok(written <= 60 * 8, `${written} writes in 60 scalings`);
    assert.equal(world.canary.currentStepState, 'StepPaused');
    assert.ok(!world.events.some(({ reason }) => reason === 'TrimRefused'));
  });

  it('from all Pods updated at one replica back to the share, when it grows', async () => {
    world = await new World({ seed: 22 }).start();
    await world.createDeployment({ replicas: 1 });
    await world.createRollout([{ replicas: '20%' }, { replicas: '100%' }]);
    await world.untilHealthy();
    await world.virtual.settled();
    await world.release('v2');
    await world.untilPaused(1);
    assert.deepEqual(world.sizes, { v2: 1 });
    await world.scale(10);
    await world.until('2 of 10', share(2, 10), 300_000);
    assert.equal(world.canary.currentStepState, 'StepPaused');
  });

  const LIMITS = [
    { maxSurge: '25%', maxUnavailable: '25%' },
    { maxSurge: 1, maxUnavailable: 0 },
    { maxSurge: 0, maxUnavailable: 1 },
  ];
  for (const rollingUpdate of LIMITS)
    describe(`down in a pause, with ${rollingUpdate.maxSurge} and ${rollingUpdate.maxUnavailable}`, () => {
      const strategy = { rollingUpdate };

      it('brings no Pod to the new version, and back it has what was approved', async () => {
        await begin([{ replicas: 3 }, { replicas: '50%' }, { replicas: '100%' }], { strategy });
        let most = 0;
        const end = world.virtual.observe(() => void (most = Math.max(most, world.sizes['v2'] ?? 0)));
        await world.scale(3);
        await world.run(60_000);
        assert.ok((world.sizes['v2'] ?? 0) <= 1, JSON.stringify(world.sizes));
        assert.equal(world.canary.currentStepState, 'StepPaused');
        assert.ok(most <= 3);
        await world.scale(10);
        await world.until('3 of 10', share(3, 10), 120_000);
        assert.equal(world.canary.currentStepState, 'StepPaused');
        end();
      });

      it('a last step of a number waits on, although that is all Pods now', async () => {
        await begin([{ replicas: 5 }], { strategy });
        await world.scale(4);
        await world.run(60_000);
        assert.equal(world.canary.currentStepState, 'StepPaused');
        assert.ok((world.sizes['v1'] ?? 0) >= 1, JSON.stringify(world.sizes));
      });

      for (const [from, to] of [
        [10, 1],
        [10, 2],
        [2, 1],
      ] as const)
        it(`from ${from} to ${to} Pods, the stable version comes back first`, async () => {
          world = await new World({ seed: 23 }).start();
          await world.createDeployment({ replicas: from, spec: { strategy } });
          await world.createRollout([{ replicas: '50%' }, { replicas: '90%' }, { replicas: '100%' }]);
          await world.untilHealthy();
          await world.virtual.settled();
          await world.release('v2');
          await world.untilPaused(1);
          await world.approve();
          await world.untilPaused(2);
          await world.scale(to);
          await world.run(60_000);
          assert.ok((world.sizes['v1'] ?? 0) >= 1, JSON.stringify(world.sizes));
          assert.equal((world.sizes['v1'] ?? 0) + (world.sizes['v2'] ?? 0), to, JSON.stringify(world.sizes));
          assert.equal(world.canary.currentStepState, 'StepPaused');
          assert.equal(world.canary.currentStepIndex, 2);
          assert.equal(world.deployment.spec.strategy?.rollingUpdate?.maxSurge, 0);
          await world.scale(from);
          await world.run(60_000);
          await world.approve();
          await world.untilCompleted(300_000);
        });
    });

  it('where no Pod of the new version is available, those of the stable version that come back all stay', async () => {
    world = await new World({ seed: 25 }).start();
    const strategy = { rollingUpdate: { maxSurge: '25%', maxUnavailable: 2 } };
    await world.createDeployment({ replicas: 1, spec: { strategy } });
    await world.createRollout([{ replicas: 1 }, { replicas: '100%' }]);
    await world.untilHealthy();
    await world.virtual.settled();
    await world.release('v2:broken');
    await world.until('it is replaced', () => world.sizes['v2:broken'] === 1);
    await world.run(1_000);
    await world.scale(12);
    let [most, lost] = [0, 0];
    const end = world.virtual.observe(() => {
      const stable = world.sizes['v1'] ?? 0;
      lost = Math.max(lost, most - stable);
      most = Math.max(most, stable);
    });
    await world.run(60_000);
    end();
    assert.ok(most > 0, JSON.stringify(world.sizes));
    assert.equal(lost, 0, JSON.stringify(world.sizes));
  });

  it('to one Pod, while a surge Pod of an abandoned version is there: the step asks for no Pod, and waits', async () => {
    world = await new World({ seed: 26 }).start();
    const strategy = { rollingUpdate: { maxSurge: 2, maxUnavailable: 0 } };
    await world.createDeployment({ replicas: 3, spec: { strategy, minReadySeconds: 30 } });
    await world.createRollout([{ replicas: '30%' }, { replicas: '100%' }]);
    await world.untilHealthy();
    await world.run(60_000);
    await world.release('v2');
    await world.until('it is Ready', () => world.readyPods === 4);
    await world.release('v3');
    await world.run(1_000);
    await world.scale(1);
    await world.untilPaused(1);
    assert.equal(world.sizes['v3'], undefined, JSON.stringify(world.sizes));
    await world.approve();
    await world.untilCompleted(120_000);
    assert.deepEqual(world.sizes, { v3: 1 });
  });

  it('a number is never all Pods while a later step waits', async () => {
    world = await new World({ seed: 24 }).start();
    await world.createDeployment({ replicas: 3 });
    await world.createRollout([{ replicas: 3 }, { replicas: 3 }]);
    await world.untilHealthy();
    await world.virtual.settled();
    await world.release('v2');
    await world.untilPaused(1);
    assert.deepEqual(world.sizes, { v1: 1, v2: 2 });
    await world.approve();
    await world.untilCompleted();
    assert.deepEqual(world.sizes, { v2: 3 });
  });
});
