// A StatefulSet in a whole small world: steps, rollbacks, broken Pods, scaling, and the end of its Rollout.
import assert from 'node:assert/strict';
import { EVERY as ALL } from '../../src/engine/workload/partition/shape.ts';
import { statefulSetKind } from '../../src/engine/workload/statefulset/kind.ts';
import type { StatefulSet } from '../../src/api/types.ts';
import { NAME, versionOf, World, type WorldOptions } from './world.ts';

const STEPS = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }];

async function begin(
  options: WorldOptions & { partition?: number; policy?: string; replicas?: number; ordinals?: object } = {},
): Promise<World> {
  const { partition, policy, replicas = 6, ordinals, ...more } = options;
  const world = await new World({ ...more, kind: statefulSetKind }).start();
  await world.createDeployment({
    replicas,
    spec: {
      serviceName: NAME,
      ...(policy && { podManagementPolicy: policy }),
      ...(ordinals && { ordinals }),
      ...(partition !== undefined && { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition } } }),
    },
  });
  await world.until('all Pods run', () => world.readyPods === replicas);
  await world.createRollout(STEPS);
  await world.untilHealthy();
  await world.run(1_000);
  return world;
}

const partitionOf = ({ deployment }: World): number | undefined =>
  (deployment as StatefulSet).spec.updateStrategy?.rollingUpdate?.partition;
/** Versions by ordinal. */
const order = ({ pods }: World): string =>
  pods
    .toSorted((a, b) => a.metadata.name.localeCompare(b.metadata.name, 'en', { numeric: true }))
    .map(versionOf)
    .join(' ');
const ended = (world: World) => () =>
  world.history[0]?.endTime !== undefined && world.rollout.status?.phase === 'Healthy';

describe('a StatefulSet in a world', () => {
  for (const policy of ['OrderedReady', 'Parallel'])
    for (const partition of [undefined, 3])
      it(`goes through its steps: ${policy}, its user’s partition ${partition}`, async () => {
        const world = await begin({ policy, ...(partition !== undefined && { partition }) });
        await world.release('v2');
        assert.equal(partitionOf(world), ALL, 'held in the answer of the webhook');
        await world.untilPaused(1);
        assert.equal(order(world), 'v1 v1 v1 v1 v1 v2');
        await world.run(30_000);
        assert.equal(order(world), 'v1 v1 v1 v1 v1 v2');
        await world.approve();
        await world.untilPaused(2);
        assert.equal(order(world), 'v1 v1 v1 v2 v2 v2');
        await world.approve();
        await world.untilCompleted();
        assert.equal(order(world), 'v2 v2 v2 v2 v2 v2');
        assert.deepEqual([partitionOf(world), world.held], [partition ?? 0, false]);
        assert.equal(world.history[0]?.outcome, 'Completed');
        await world.run(20_000);
        assert.equal(world.rollout.status?.phase, 'Healthy');
        await world.stop();
      });

  it('counts steps from ordinals.start', async () => {
    const world = await begin({ ordinals: { start: 4 } });
    await world.release('v2');
    await world.untilPaused(1);
    assert.equal(order(world), 'v1 v1 v1 v1 v1 v2');
    await world.stop();
  });

  for (const partition of [undefined, 5])
    it(`rolls back in one answer, its user’s partition ${partition}`, async () => {
      const world = await begin(partition === undefined ? {} : { partition });
      await world.release('v2');
      await world.untilPaused(1);
      await world.approve();
      await world.untilPaused(2);
      await world.release('v1');
      assert.equal(world.held, partition !== undefined, 'below its partition the native controller would leave v2');
      await world.until('it is rolled back', ended(world));
      assert.deepEqual([order(world), partitionOf(world)], ['v1 v1 v1 v1 v1 v1', partition ?? 0]);
      assert.equal(world.history[0]?.outcome, 'RolledBack');
      await world.stop();
    });

  it('names the Pod that survives its rollback, and ends when somebody deletes it', async () => {
    const world = await begin();
    await world.release('v2:broken');
    await world.until('it is there', () => order(world) === 'v1 v1 v1 v1 v1 v2:broken');
    await world.run(2_000);
    await world.release('v1');
    await world.run(20_000);
    assert.equal(order(world), 'v1 v1 v1 v1 v1 v2:broken', 'kubernetes#67250');
    assert.match(world.rollout.status?.message ?? '', /to continue: kubectl delete pod demo-5$/);
    await world.virtual.client.request('DELETE', `/api/v1/namespaces/default/pods/${NAME}-5`);
    await world.until('it is rolled back', ended(world));
    assert.equal(order(world), 'v1 v1 v1 v1 v1 v1');
    await world.stop();
  });

  it('has it evicted where that is allowed', async () => {
    const world = await begin({ evicts: true });
    await world.release('v2:broken');
    await world.until('it is there', () => order(world) === 'v1 v1 v1 v1 v1 v2:broken');
    await world.run(2_000);
    await world.release('v1');
    await world.until('it is rolled back', ended(world));
    assert.equal(order(world), 'v1 v1 v1 v1 v1 v1');
    assert.equal(world.calls.filter(({ path }) => path.endsWith('/eviction')).length, 1);
    const told = world.events
      .filter(({ reason }) => reason === 'PodEvicted')
      .map(({ about, message }) => [about.kind, message]);
    assert.deepEqual(
      told.map(([kind]) => kind),
      ['Rollout'],
    );
    assert.match(told[0]![1]!, /^Pod demo-5 of an abandoned version, which was not Ready, was evicted/);
    await world.stop();
  });

  it('with Parallel needs nobody', async () => {
    const world = await begin({ policy: 'Parallel' });
    await world.release('v2:broken');
    await world.until('it is there', () => order(world) === 'v1 v1 v1 v1 v1 v2:broken');
    await world.release('v1');
    await world.until('it is rolled back', ended(world));
    assert.equal(order(world), 'v1 v1 v1 v1 v1 v1');
    await world.stop();
  });

  it('stalls on a broken Pod, and a newer version fixes it from step 1', async () => {
    const world = await begin({ policy: 'Parallel' });
    await world.release('v2:broken');
    await world.until('it stalls', () => world.condition('Stalled')?.status === 'True', 120_000);
    assert.equal(order(world), 'v1 v1 v1 v1 v1 v2:broken');
    await world.release('v3');
    assert.equal(partitionOf(world), ALL);
    await world.untilPaused(1);
    assert.equal(order(world), 'v1 v1 v1 v1 v1 v3');
    await world.stop();
  });

  it('scaled up during a release starts Pods with the new version, and says so', async () => {
    const world = await begin();
    await world.release('v2');
    await world.untilPaused(1);
    await world.scale(8);
    await world.until('they run', () => world.readyPods === 8);
    await world.run(2_000);
    assert.equal(order(world), 'v1 v1 v1 v1 v1 v2 v2 v2');
    assert.match(world.rollout.status?.message ?? '', /2 Pods beyond the step have the new version/);
    assert.equal(partitionOf(world), 7, 'the next Pods that are created are old again');
    await world.approve();
    await world.untilPaused(2);
    assert.equal(order(world), 'v1 v1 v1 v1 v2 v2 v2 v2');
    await world.stop();
  });

  it('paused by its user’s partition waits, and goes on', async () => {
    const world = await begin();
    await world.release('v2');
    await world.untilPaused(1);
    const set = (partition: number) => world.patch({ spec: { updateStrategy: { rollingUpdate: { partition } } } });
    await set(ALL);
    await world.until('it is paused', () => world.condition('Progressing')?.reason === 'Paused');
    assert.match(
      world.rollout.status?.message ?? '',
      /paused until spec\.updateStrategy\.rollingUpdate\.partition 2147483647 is removed from the StatefulSet/,
    );
    await set(0);
    await world.until('it goes on', () => world.condition('Progressing')?.reason === 'InRolling');
    await world.approve();
    await world.untilPaused(2);
    assert.equal(order(world), 'v1 v1 v1 v2 v2 v2');
    await world.stop();
  });

  it('whose new template no webhook saw is held late, and reported', async () => {
    const world = await begin({ replicas: 10 });
    world.webhook = false;
    await world.release('v2');
    world.webhook = true;
    await world.until('it is held', () => world.held);
    await world.run(30_000);
    assert.equal(world.condition('Bypassed')?.status, 'True');
    assert.ok((world.sizes['v2'] ?? 0) < 10, order(world));
    await world.stop();
  });

  it('is given back when its Rollout is deleted or disabled', async () => {
    for (const how of ['delete', 'disable'] as const) {
      const world = await begin({ partition: 2 });
      await world.release('v2');
      await world.untilPaused(1);
      if (how === 'delete') await world.deleteRollout();
      else await world.patchRollout({ spec: { disabled: true } });
      await world.until('it is given back', () => !world.held && partitionOf(world) === 2);
      await world.run(10_000);
      assert.equal(order(world), 'v1 v1 v2 v2 v2 v2', `${how}: its user’s partition is in effect again`);
      assert.equal(world.deployment.metadata.labels?.['rollouts.kruise.io/workload-type'], undefined);
      await world.stop();
    }
  });

  it('with OnDelete is not touched, and its Rollout says what to write', async () => {
    const world = await new World({ kind: statefulSetKind }).start();
    await world.createDeployment({ replicas: 2, spec: { serviceName: NAME, updateStrategy: { type: 'OnDelete' } } });
    await world.createRollout(STEPS);
    await world.until('it is told', () => world.condition('Stalled')?.reason === 'OnDeleteStrategy');
    assert.match(world.rollout.status?.message ?? '', /^StatefulSet "demo" has update strategy OnDelete/);
    await world.release('v2');
    await world.run(5_000);
    assert.equal(world.held, false);
    await world.stop();
  });

  it('with onFailure Rollback goes back by itself', async () => {
    const world = await begin({ policy: 'Parallel' });
    await world.patchRollout({ spec: { strategy: { canary: { onFailure: 'Rollback', stepDeadlineSeconds: 30 } } } });
    await world.release('v2:broken');
    await world.until('it is rolled back', ended(world), 300_000);
    assert.deepEqual([order(world), world.history[0]?.outcome], ['v1 v1 v1 v1 v1 v1', 'Failed']);
    await world.stop();
  });
});
