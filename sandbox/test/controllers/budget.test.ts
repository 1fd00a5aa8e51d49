// The native behaviour that the release protocol uses, as measured on a real control plane: budgets, holds, marks, trims.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { KubeObject } from '../../src/core/types.ts';
import type { VirtualCluster } from '../../src/virtual.ts';
import { aRunningDeployment, condition, imagePatch, isAvailable, sizes, type DeploymentShape } from './support.ts';

const MARK = { minReadySeconds: 2147483646, progressDeadlineSeconds: 2147483647 };
const UNMARK = { minReadySeconds: 0, progressDeadlineSeconds: 600 };
const STRATEGIC = 'application/strategic-merge-patch+json';

const budget = (maxSurge: number, maxUnavailable: number): object => ({
  paused: false,
  ...MARK,
  strategy: { rollingUpdate: { maxSurge, maxUnavailable } },
});

const hold = async (cluster: VirtualCluster, image: string): Promise<void> => {
  const strategy = { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } };
  await cluster.patchDeployment('web', { spec: { paused: true, strategy, ...imagePatch(image) } }, STRATEGIC);
  await cluster.settled();
};

const patch = async (cluster: VirtualCluster, spec: object): Promise<KubeObject> => {
  await cluster.patchDeployment('web', { spec });
  await cluster.settled();
  return cluster.deployment('web')!;
};

const scale = async (cluster: VirtualCluster, replicas: number): Promise<Record<string, number>> => {
  await cluster.scale('web', replicas);
  await cluster.settled();
  return sizes(cluster);
};

const resize = async (cluster: VirtualCluster, image: string, spec: object): Promise<void> => {
  const replicaSet = cluster.replicaSets().find((each) => each.spec.template.spec.containers[0].image === image)!;
  await cluster.client.request('PATCH', `/apis/apps/v1/namespaces/default/replicasets/${replicaSet.metadata.name}`, {
    type: 'application/merge-patch+json',
    body: { spec },
  });
  await cluster.settled();
};

/** A Deployment held with `updated` of its Pods in version 2. */
const heldAt = async (updated: number, shape: DeploymentShape = {}): Promise<VirtualCluster> => {
  const cluster = await aRunningDeployment(shape);
  await hold(cluster, 'web:2');
  await patch(cluster, budget(0, updated));
  await patch(cluster, { paused: true, ...UNMARK, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } } });
  return cluster;
};

const availablePods = (cluster: VirtualCluster): number => cluster.pods().filter(isAvailable).length;

describe('holding a Deployment', () => {
  it('starts nothing when the template changes while it is paused', async () => {
    const cluster = await aRunningDeployment();
    await hold(cluster, 'web:2');
    assert.deepEqual(sizes(cluster), { 'web:1': 10 });
    assert.equal(cluster.deployment('web')!.status.updatedReplicas, undefined);
    assert.equal(condition(cluster.deployment('web'), 'Progressing')?.reason, 'DeploymentPaused');
  });

  it('spends a budget once: 1 surge, then one more old Pod, then 2 + 3, then what is left of five', async () => {
    const cluster = await aRunningDeployment();
    await hold(cluster, 'web:2');
    await patch(cluster, budget(1, 0));
    assert.deepEqual(sizes(cluster), { 'web:1': 10, 'web:2': 1 });
    const status = (await patch(cluster, budget(0, 1))).status;
    assert.deepEqual(sizes(cluster), { 'web:1': 9, 'web:2': 1 });
    assert.deepEqual([status.availableReplicas, status.readyReplicas, status.updatedReplicas], [9, 10, 1]);
    assert.equal(condition(cluster.deployment('web'), 'Progressing'), undefined);
    await patch(cluster, budget(2, 3));
    assert.deepEqual(sizes(cluster), { 'web:1': 7, 'web:2': 5 });
    await patch(cluster, budget(0, 5));
    assert.deepEqual(sizes(cluster), { 'web:1': 5, 'web:2': 5 });
  });

  it('tells the truth about availability while it is held', async () => {
    const cluster = await heldAt(5);
    const { availableReplicas, updatedReplicas, unavailableReplicas } = cluster.deployment('web')!.status;
    assert.deepEqual([availableReplicas, updatedReplicas, unavailableReplicas], [10, 5, undefined]);
  });

  it('scales both versions in proportion while it is held, with the rounding that was measured', async () => {
    const cluster = await heldAt(5);
    assert.deepEqual(await scale(cluster, 21), { 'web:1': 10, 'web:2': 11 });
    assert.deepEqual(await scale(cluster, 7), { 'web:1': 3, 'web:2': 4 });
    assert.deepEqual(await scale(cluster, 10), { 'web:1': 4, 'web:2': 6 });
  });

  it('drifts from 5 + 5 to 6 + 4 when scaled 10 → 5 → 10 → 5 → 10', async () => {
    const cluster = await heldAt(5);
    for (const replicas of [5, 10, 5, 10]) await scale(cluster, replicas);
    assert.deepEqual(Object.values(sizes(cluster)).sort(), [4, 6]);
  });

  it('doubles one new Pod to two when R doubles', async () => {
    const cluster = await heldAt(1);
    assert.deepEqual(await scale(cluster, 20), { 'web:1': 18, 'web:2': 2 });
  });

  it('keeps both versions when one ReplicaSet is trimmed below the other: the native controller makes the other write', async () => {
    const cluster = await heldAt(5);
    await resize(cluster, 'web:2', { replicas: 3 });
    assert.deepEqual(sizes(cluster), { 'web:1': 7, 'web:2': 3 });
  });

  it('brings the new version down through the largest old one when it is the smaller of the two', async () => {
    const cluster = await heldAt(8);
    await resize(cluster, 'web:1', { replicas: 4 });
    assert.deepEqual(sizes(cluster), { 'web:1': 4, 'web:2': 6 });
  });

  it('keeps the surge of a broken batch that is held in the middle, also through scaling', async () => {
    const cluster = await aRunningDeployment();
    await hold(cluster, 'web:broken');
    await patch(cluster, budget(1, 0));
    await patch(cluster, { paused: true, ...UNMARK });
    assert.deepEqual(sizes(cluster), { 'web:1': 10, 'web:broken': 1 });
    assert.deepEqual(await scale(cluster, 20), { 'web:1': 19, 'web:broken': 2 });
    assert.equal(condition(cluster.deployment('web'), 'Available')?.status, 'False');
    assert.deepEqual(await scale(cluster, 10), { 'web:1': 10, 'web:broken': 1 });
  });

  it('takes a good old Pod and leaves the broken one when the surge is taken back in a hold', async () => {
    const cluster = await aRunningDeployment();
    await hold(cluster, 'web:broken');
    await patch(cluster, budget(1, 0));
    await patch(cluster, { paused: true, ...UNMARK, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } } });
    assert.deepEqual(sizes(cluster), { 'web:1': 9, 'web:broken': 1 });
    assert.equal(availablePods(cluster), 9);
  });

  it('replaces the broken version first when a good one comes', async () => {
    const cluster = await aRunningDeployment();
    await hold(cluster, 'web:broken');
    await patch(cluster, budget(1, 0));
    await patch(cluster, { paused: true, ...UNMARK });
    await cluster.patchDeployment('web', { spec: { paused: true, ...imagePatch('web:3') } }, STRATEGIC);
    await cluster.settled();
    await patch(cluster, budget(1, 0));
    assert.deepEqual(sizes(cluster), { 'web:1': 10, 'web:3': 1, 'web:broken': 0 });
  });

  it('takes the marked one of two old versions first', async () => {
    const cluster = await heldAt(2);
    await resize(cluster, 'web:2', MARK_REPLICA_SET);
    await cluster.patchDeployment('web', { spec: imagePatch('web:3') }, STRATEGIC);
    await cluster.settled();
    await resize(cluster, 'web:2', MARK_REPLICA_SET);
    await patch(cluster, budget(0, 2));
    assert.deepEqual(sizes(cluster), { 'web:1': 8, 'web:2': 0, 'web:3': 2 });
  });

  it('ends as a normal rolling update when the user’s settings come back', async () => {
    const cluster = await heldAt(5);
    const strategy = { rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } };
    const deployment = await patch(cluster, { paused: null, ...UNMARK, strategy });
    assert.deepEqual(sizes(cluster), { 'web:1': 0, 'web:2': 10 });
    assert.equal(condition(deployment, 'Progressing')?.reason, 'NewReplicaSetAvailable');
  });

  it('rolls back by template from the middle of a batch', async () => {
    const cluster = await aRunningDeployment();
    await hold(cluster, 'web:broken');
    await patch(cluster, budget(1, 0));
    const strategy = { rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } };
    await cluster.patchDeployment(
      'web',
      { spec: { paused: false, ...UNMARK, strategy, ...imagePatch('web:1') } },
      STRATEGIC,
    );
    await cluster.settled();
    assert.deepEqual(sizes(cluster), { 'web:1': 10, 'web:broken': 0 });
    assert.equal(cluster.deployment('web')!.metadata.annotations!['deployment.kubernetes.io/revision'], '3');
  });
});

const MARK_REPLICA_SET = { minReadySeconds: MARK.minReadySeconds };

describe('what a budget does before the native controller has seen everything', () => {
  /** Marks a release held at five of ten, waits for `seen`, gives it room for one more; the fewest Pods available meanwhile. */
  const fewest = async (seed: number, seen: (cluster: VirtualCluster) => boolean): Promise<number> => {
    const cluster = await aRunningDeployment({}, { seed });
    await hold(cluster, 'web:2');
    await patch(cluster, budget(0, 5));
    await patch(cluster, { paused: true, ...UNMARK, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } } });
    await cluster.patchDeployment('web', { spec: MARK });
    assert.ok(await cluster.until(() => newAvailable(cluster) === 0 && seen(cluster)));
    let least = Infinity;
    cluster.observe(() => (least = Math.min(least, availablePods(cluster))));
    await cluster.patchDeployment('web', { spec: budget(0, 6) });
    await cluster.settled();
    return least;
  };
  const newAvailable = (cluster: VirtualCluster): number =>
    cluster.replicaSets().find((each) => each.spec.template.spec.containers[0].image === 'web:2')!.status
      .availableReplicas ?? 0;
  const SEEDS = Array.from({ length: 12 }, (_, i) => i + 1);

  it('removes no surplus Pods if the status of the Deployment is current', async () => {
    for (const seed of SEEDS) {
      const least = await fewest(seed, (cluster) => {
        const { metadata, status } = cluster.deployment('web')!;
        const reported = cluster.replicaSets().reduce((sum, each) => sum + (each.status.availableReplicas ?? 0), 0);
        return status.observedGeneration >= metadata.generation! && (status.availableReplicas ?? 0) === reported;
      });
      assert.equal(least, 9, `seed ${seed}`);
    }
  });

  it('removes surplus good Pods if only the status of the ReplicaSets is current: its cache lags', async () => {
    const results = [];
    for (const seed of SEEDS) results.push(await fewest(seed, () => true));
    assert.ok(
      results.some((least) => least < 9),
      `the race was not found: ${results.join(' ')}`,
    );
  });
});
