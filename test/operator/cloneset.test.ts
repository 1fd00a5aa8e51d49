// A CloneSet in a whole small world, with a stand-in for its controller: steps, rollbacks, updates in place, scaling, pauses, and its own fields.
import assert from 'node:assert/strict';
import { cloneSetKind } from '../../src/engine/workload/cloneset/kind.ts';
import type { Kruise } from '../support/kruise/common.ts';

import { isReady, World, type WorldOptions } from './world.ts';

const STEPS = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }];

async function begin(options: WorldOptions & { strategy?: object; replicas?: number } = {}): Promise<World> {
  const { strategy, replicas = 6, ...more } = options;
  const world = await new World({ ...more, kind: cloneSetKind }).start();
  await world.createDeployment({ replicas, spec: { updateStrategy: { maxUnavailable: 1, ...strategy } } });
  await world.until('all Pods run', () => world.readyPods === replicas);
  await world.createRollout(STEPS);
  await world.untilHealthy();
  await world.run(1_000);
  return world;
}

const strategyOf = ({ deployment }: World) => (deployment as Kruise).spec.updateStrategy;
const fieldsOf = (world: World): unknown[] => [strategyOf(world)?.partition, strategyOf(world)?.paused];
const uids = ({ pods }: World): string =>
  pods
    .map(({ metadata }) => metadata.uid)
    .toSorted()
    .join(' ');
const ended = (world: World) => () =>
  world.history[0]?.endTime !== undefined && world.rollout.status?.phase === 'Healthy';

describe('a CloneSet in a world', () => {
  for (const strategy of [{}, { partition: 2 }, { partition: '20%', paused: false }, { maxSurge: 2 }]) {
    it(`goes through its steps, and has its user’s fields after them: ${JSON.stringify(strategy)}`, async () => {
      const world = await begin({ strategy });
      const before = fieldsOf(world);
      await world.release('v2');
      assert.deepEqual(fieldsOf(world), ['100%', before[1]], 'held in the answer of the webhook');
      await world.untilPaused(1);
      assert.deepEqual(world.sizes, { v1: 5, v2: 1 });
      await world.run(30_000);
      assert.deepEqual(world.sizes, { v1: 5, v2: 1 });
      await world.approve();
      await world.untilPaused(2);
      assert.deepEqual([world.sizes, strategyOf(world)?.partition], [{ v1: 3, v2: 3 }, '50%']);
      await world.approve();
      await world.untilCompleted();
      assert.deepEqual([world.sizes, fieldsOf(world), world.held], [{ v2: 6 }, before, false]);
      assert.equal(world.history[0]?.outcome, 'Completed');
      await world.run(20_000);
      assert.deepEqual([world.rollout.status?.phase, world.sizes], ['Healthy', { v2: 6 }]);
      await world.stop();
    });

    it(`rolls back, and has its user’s fields again: ${JSON.stringify(strategy)}`, async () => {
      const world = await begin({ strategy });
      const before = fieldsOf(world);
      await world.release('v2');
      await world.untilPaused(1);
      await world.approve();
      await world.untilPaused(2);
      await world.release('v1');
      await world.until('it is rolled back', ended(world));
      assert.deepEqual([world.sizes, fieldsOf(world)], [{ v1: 6 }, before]);
      assert.equal(world.history[0]?.outcome, 'RolledBack');
      await world.stop();
    });
  }

  it('updates its Pods in place, which keep their uids', async () => {
    const world = await begin({ strategy: { type: 'InPlaceIfPossible' } });
    const before = uids(world);
    await world.release('v2');
    await world.untilPaused(1);
    assert.deepEqual([world.sizes, uids(world)], [{ v1: 5, v2: 1 }, before]);
    assert.ok(world.pods.every(isReady));
    await world.approve();
    await world.untilPaused(2);
    await world.approve();
    await world.untilCompleted();
    assert.deepEqual([world.sizes, uids(world)], [{ v2: 6 }, before]);
    await world.stop();
  });

  it('scaled during a step of a percentage keeps the percentage, without an operator too', async () => {
    const world = await begin();
    await world.release('v2');
    await world.untilPaused(1);
    await world.approve();
    await world.untilPaused(2);
    world.crash();
    await world.scale(10);
    await world.until('ten Pods run', () => world.readyPods === 10);
    assert.deepEqual(world.sizes, { v1: 5, v2: 5 });
    world.startOperator();
    await world.run(20_000);
    assert.deepEqual([world.sizes, world.canary.currentStepState], [{ v1: 5, v2: 5 }, 'StepPaused']);
    await world.stop();
  });

  it('paused by its user during a step stops there, and goes on', async () => {
    const world = await begin({ replicas: 10, readyMs: 2_000 });
    await world.release('v2');
    await world.untilPaused(1);
    await world.approve();
    await world.until('the step moves', () => (world.sizes['v2'] ?? 0) >= 2);
    await world.patch({ spec: { updateStrategy: { paused: true } } });
    await world.run(30_000);
    const stopped = world.sizes['v2'] ?? 0;
    assert.ok(stopped < 5, `${stopped} Pods were updated`);
    assert.equal(strategyOf(world)?.paused, true);
    await world.patch({ spec: { updateStrategy: { paused: false } } });
    await world.untilPaused(2);
    assert.deepEqual([world.sizes, fieldsOf(world)], [{ v1: 5, v2: 5 }, ['50%', false]]);
    await world.stop();
  });

  it('paused by its Rollout is braked with paused, and its user’s value comes back', async () => {
    const world = await begin({ replicas: 10, readyMs: 2_000 });
    await world.release('v2');
    await world.untilPaused(1);
    await world.approve();
    await world.until('the step moves', () => (world.sizes['v2'] ?? 0) >= 2);
    await world.patchRollout({ spec: { strategy: { paused: true } } });
    await world.until('it is braked', () => strategyOf(world)?.paused === true);
    await world.run(30_000);
    assert.ok((world.sizes['v2'] ?? 0) < 5);
    await world.patchRollout({ spec: { strategy: { paused: false } } });
    await world.untilPaused(2);
    assert.equal(strategyOf(world)?.paused ?? null, null);
    await world.stop();
  });

  it('stalls on a broken Pod, and a newer version fixes it from step 1', async () => {
    const world = await begin();
    await world.release('v2:broken');
    await world.until('it is there', () => world.sizes['v2:broken'] === 1);
    await world.run(20_000);
    assert.deepEqual(world.sizes, { v1: 5, 'v2:broken': 1 });
    await world.release('v3');
    await world.untilPaused(1);
    assert.deepEqual(world.sizes, { v1: 5, v3: 1 });
    await world.stop();
  });

  it('whose new template no webhook saw is held late, and reported', async () => {
    const world = await begin({ replicas: 10, readyMs: 2_000 });
    world.webhook = false;
    await world.release('v2');
    world.webhook = true;
    await world.until('it is held', () => world.held);
    await world.run(20_000);
    assert.ok((world.sizes['v2'] ?? 0) < 10);
    assert.equal(world.condition('Bypassed')?.status, 'True');
    await world.stop();
  });

  for (const [how, act] of [
    ['deleted', (world: World) => world.deleteRollout()],
    ['disabled', (world: World) => world.patchRollout({ spec: { disabled: true } })],
  ] as const)
    it(`is given back when its Rollout is ${how}`, async () => {
      const world = await begin({ strategy: { partition: 2 } });
      await world.release('v2');
      await world.untilPaused(1);
      await act(world);
      await world.until('it is given back', () => !world.held && world.sizes['v2'] === 4);
      await world.run(10_000);
      assert.deepEqual([world.sizes, fieldsOf(world)], [{ v1: 2, v2: 4 }, [2, undefined]]);
      await world.stop();
    });

  it('with OnDelete is not touched, and its Rollout says what to write', async () => {
    const world = await begin();
    await world.patch({ spec: { updateStrategy: { type: 'OnDelete' } } });
    await world.until('it is told', () => world.condition('Stalled')?.reason === 'OnDeleteStrategy');
    assert.match(world.rollout.status?.message ?? '', /set spec.updateStrategy.type to ReCreate/);
    await world.stop();
  });
});
