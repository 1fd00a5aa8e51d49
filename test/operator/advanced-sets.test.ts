// Advanced StatefulSets and DaemonSets in a whole small world, with stand-ins for their controllers.
import assert from 'node:assert/strict';
import { advancedDaemonSetKind } from '../../src/engine/workload/advanced-daemonset/kind.ts';
import { advancedStatefulSetKind } from '../../src/engine/workload/advanced-statefulset/kind.ts';
import { EVERY } from '../../src/engine/workload/partition/shape.ts';
import type { WorkloadKind } from '../../src/engine/workload/kind.ts';
import type { Kruise } from '../support/kruise/common.ts';

import { versionOf, World } from './world.ts';

const STEPS = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }];
const PODS = 6;

async function begin(kind: WorkloadKind, rollingUpdate: object, spec: object = {}): Promise<World> {
  const world = await new World({ kind, nodes: PODS }).start();
  const updateStrategy = { type: 'RollingUpdate', rollingUpdate };
  await world.createDeployment({ replicas: PODS, spec: { updateStrategy, ...spec } });
  await world.until('all Pods run', () => world.readyPods === PODS);
  await world.createRollout(STEPS);
  await world.untilHealthy();
  await world.run(1_000);
  return world;
}

const fieldsOf = ({ deployment }: World): unknown[] => {
  const { partition, paused } = (deployment as Kruise).spec.updateStrategy?.rollingUpdate ?? {};
  return [partition, paused];
};
const order = ({ pods }: World): string =>
  pods
    .toSorted((a, b) => a.metadata.name.localeCompare(b.metadata.name, 'en', { numeric: true }))
    .map(versionOf)
    .join(' ');
const ended = (world: World) => () =>
  world.history[0]?.endTime !== undefined && world.rollout.status?.phase === 'Healthy';
const uids = ({ pods }: World): string =>
  pods
    .map(({ metadata }) => metadata.uid)
    .toSorted()
    .join(' ');

const CASES: readonly (readonly [what: string, kind: WorkloadKind, rollingUpdate: object, spec?: object])[] = [
  ['an Advanced StatefulSet', advancedStatefulSetKind, {}],
  ['an Advanced StatefulSet with its own partition', advancedStatefulSetKind, { partition: 2, paused: false }],
  [
    'an Advanced StatefulSet with Parallel and maxUnavailable',
    advancedStatefulSetKind,
    { maxUnavailable: 2 },
    { podManagementPolicy: 'Parallel' },
  ],
  ['an Advanced StatefulSet with reserved ordinals', advancedStatefulSetKind, {}, { reserveOrdinals: [1, 4] }],
  [
    'an Advanced StatefulSet with unorderedUpdate',
    advancedStatefulSetKind,
    { unorderedUpdate: {}, partition: 1 },
    { podManagementPolicy: 'Parallel' },
  ],
  ['an Advanced DaemonSet', advancedDaemonSetKind, {}],
  ['an Advanced DaemonSet with its own partition', advancedDaemonSetKind, { partition: '50%', maxUnavailable: 2 }],
  ['an Advanced DaemonSet with surge', advancedDaemonSetKind, { maxSurge: 1, maxUnavailable: 0 }],
];

describe('workloads of OpenKruise in a world', () => {
  for (const [what, kind, rollingUpdate, spec] of CASES) {
    it(`${what} goes through its steps, and has its user’s fields after them`, async () => {
      const world = await begin(kind, rollingUpdate, spec);
      const before = fieldsOf(world);
      await world.release('v2');
      assert.deepEqual(fieldsOf(world), [EVERY, before[1]], 'held in the answer of the webhook');
      await world.untilPaused(1);
      // With surge, an old Pod may still be on its way out.
      await world.run(30_000);
      assert.deepEqual(world.sizes, { v1: 5, v2: 1 });
      await world.approve();
      await world.untilPaused(2);
      await world.run(2_000);
      assert.deepEqual(world.sizes, { v1: 3, v2: 3 });
      await world.approve();
      await world.untilCompleted();
      assert.deepEqual([world.sizes, fieldsOf(world), world.held], [{ v2: 6 }, before, false]);
      await world.run(20_000);
      assert.deepEqual([world.rollout.status?.phase, world.sizes], ['Healthy', { v2: 6 }]);
      await world.stop();
    });

    it(`${what} rolls back, and has its user’s fields again`, async () => {
      const world = await begin(kind, rollingUpdate, spec);
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

  it('an Advanced StatefulSet is updated from the highest ordinal that has a Pod', async () => {
    const world = await begin(advancedStatefulSetKind, {}, { reserveOrdinals: [2, 5, 6] });
    await world.release('v2');
    await world.untilPaused(1);
    await world.approve();
    await world.untilPaused(2);
    assert.equal(order(world), 'v1 v1 v1 v2 v2 v2');
    await world.stop();
  });

  for (const [kind, rollingUpdate] of [
    [advancedStatefulSetKind, { podUpdatePolicy: 'InPlaceIfPossible' }],
    [advancedDaemonSetKind, { rollingUpdateType: 'InPlaceIfPossible' }],
  ] as const)
    it(`an Advanced ${kind.resource.kind} is updated in place`, async () => {
      const world = await begin(kind, rollingUpdate);
      const before = uids(world);
      await world.release('v2');
      for (const step of [1, 2]) {
        await world.untilPaused(step);
        await world.approve();
      }
      await world.untilCompleted();
      assert.deepEqual([world.sizes, uids(world)], [{ v2: 6 }, before]);
      await world.stop();
    });

  it('an Advanced DaemonSet says that Pods which are created again start with the new version', async () => {
    const world = await begin(advancedDaemonSetKind, {});
    await world.release('v2');
    await world.untilPaused(1);
    const old = world.pods.find((pod) => versionOf(pod) === 'v1')!;
    await world.virtual.client.request('DELETE', `/api/v1/namespaces/default/pods/${old.metadata.name}`);
    await world.until('its Pod is new', () => world.sizes['v2'] === 2);
    await world.until('it is told', () =>
      /1 Pod beyond the step has the new version, because Pods on new nodes/.test(world.rollout.status?.message ?? ''),
    );
    await world.stop();
  });

  it('an Advanced DaemonSet for some nodes is refused in words', async () => {
    const world = await begin(advancedDaemonSetKind, {});
    await world.patch({ spec: { updateStrategy: { rollingUpdate: { selector: { matchLabels: { a: 'b' } } } } } });
    await world.until('it is told', () => world.condition('Stalled')?.reason === 'UnsupportedStrategy');
    assert.match(world.rollout.status?.message ?? '', /remove spec.updateStrategy.rollingUpdate.selector$/);
    await world.stop();
  });
});
