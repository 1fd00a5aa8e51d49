// The stand-in scheduler and kubelet: Pods run, fail, restart, stop and move.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { fateOf } from '../../src/controllers/node/keys.ts';
import type { KubeObject } from '../../src/core/types.ts';
import type { VirtualCluster } from '../../src/virtual.ts';
import { aCluster, aRunningDeployment, condition, isAvailable } from './support.ts';

const PODS = '/api/v1/namespaces/default/pods';
const MERGE = 'application/merge-patch+json';

const createPod = (cluster: VirtualCluster, image: string, spec: object = {}): Promise<KubeObject> =>
  cluster.client.request('POST', PODS, {
    body: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', labels: { app: 'p' } },
      spec: { restartPolicy: 'Always', terminationGracePeriodSeconds: 30, containers: [{ name: 'c', image }], ...spec },
    },
  });

const pod = (cluster: VirtualCluster, name = 'p'): KubeObject =>
  cluster.pods().find(({ metadata }) => metadata.name === name)!;

interface ContainerStatus {
  restartCount: number;
  state: { waiting?: { reason: string }; terminated?: { exitCode: number } };
  lastState: { terminated?: { exitCode: number; reason: string } };
}

const container = (cluster: VirtualCluster): ContainerStatus =>
  pod(cluster).status.containerStatuses[0] as ContainerStatus;

const waitingFor = (cluster: VirtualCluster): string | undefined => container(cluster).state.waiting?.reason;

const annotate = (cluster: VirtualCluster, annotations: Record<string, string | null>): Promise<KubeObject> =>
  cluster.client.request('PATCH', `${PODS}/p`, { type: MERGE, body: { metadata: { annotations } } });

describe('image conventions', () => {
  for (const [image, fate] of [
    ['web:broken', 'broken'],
    ['registry:5000/web:crash', 'crash'],
    ['web:slow@sha256:0f', 'slow'],
    ['web', 'good'],
    ['broken', 'good'],
    ['web:broken-1', 'good'],
    ['registry:broken/web', 'good'],
  ] as const) {
    it(`${image} is ${fate}`, () => assert.equal(fateOf(image), fate));
  }
});

describe('the stand-in kubelet', () => {
  it('makes a Pod ready, with the conditions and statuses of a real one', async () => {
    const cluster = await aCluster({ verbose: true });
    await createPod(cluster, 'web:1');
    await cluster.settled();
    const { status, spec } = pod(cluster);
    assert.equal(spec.nodeName, 'n0');
    assert.equal(status.phase, 'Running');
    assert.deepEqual(
      status.conditions.map(({ type, status: value }: { type: string; status: string }) => `${type}=${value}`),
      ['PodScheduled=True', 'Initialized=True', 'ContainersReady=True', 'Ready=True'],
    );
    assert.deepEqual(Object.keys(container(cluster)).sort(), [
      'image',
      'imageID',
      'lastState',
      'name',
      'ready',
      'restartCount',
      'state',
    ]);
    assert.match(status.podIP, /^10\.244\./);
    assert.deepEqual(status.podIPs, [{ ip: status.podIP }]);
  });

  it('shows a container being created, if enabled', async () => {
    const cluster = await aCluster({ verbose: true, readyMs: 5000 });
    await createPod(cluster, 'web:1');
    await cluster.run(1000);
    assert.equal(waitingFor(cluster), 'ContainerCreating');
    assert.equal(pod(cluster).status.phase, 'Pending');
  });

  it(':slow takes ten times as long', async () => {
    const cluster = await aCluster({ readyMs: 1000, jitter: [1, 1], lagMs: [0, 0] });
    await createPod(cluster, 'web:slow');
    await cluster.run(9000);
    assert.ok(!isAvailable(pod(cluster)));
    await cluster.run(1500);
    assert.ok(isAvailable(pod(cluster)));
  });

  it(':broken cannot be pulled, and recovers with another image', async () => {
    const cluster = await aCluster();
    const seen = new Set<string | undefined>();
    cluster.observe(({ collection, object }) => {
      if (collection === '/pods') seen.add(object.status?.containerStatuses?.[0]?.state.waiting?.reason);
    });
    await createPod(cluster, 'web:broken');
    await cluster.settled();
    assert.ok(seen.has('ErrImagePull'));
    assert.equal(waitingFor(cluster), 'ImagePullBackOff');
    assert.equal(condition(pod(cluster), 'Ready')?.reason, 'ContainersNotReady');
    const body = { spec: { containers: [{ name: 'c', image: 'web:1' }] } };
    await cluster.client.request('PATCH', `${PODS}/p`, { type: 'application/strategic-merge-patch+json', body });
    await cluster.settled();
    assert.ok(isAvailable(pod(cluster)));
  });

  it(':crash restarts again and again, ever more slowly, and is never ready', async () => {
    const cluster = await aCluster();
    let ready = false;
    cluster.observe(() => (ready ||= cluster.pods().some(isAvailable)));
    await createPod(cluster, 'web:crash');
    await cluster.run(5000);
    assert.equal(waitingFor(cluster), 'CrashLoopBackOff');
    const status = container(cluster);
    assert.deepEqual([status.restartCount, status.lastState.terminated!.exitCode], [1, 1]);
    await cluster.run(120_000);
    const { restartCount } = container(cluster);
    assert.ok(restartCount >= 3 && restartCount <= 5, String(restartCount));
    assert.ok(!ready);
  });

  it('a Pod with restartPolicy Never ends: Succeeded, or Failed with :crash', async () => {
    for (const [image, phase, exitCode] of [
      ['web:1', 'Succeeded', 0],
      ['web:crash', 'Failed', 1],
    ] as const) {
      const cluster = await aCluster();
      await createPod(cluster, image, { restartPolicy: 'Never' });
      await cluster.settled();
      assert.equal(pod(cluster).status.phase, phase);
      const { state } = container(cluster);
      assert.equal(state.terminated!.exitCode, exitCode);
    }
  });

  it('kills containers once for every new value of the OOM annotation', async () => {
    const cluster = await aCluster();
    await createPod(cluster, 'web:1');
    await cluster.settled();
    let unready = 0;
    cluster.observe(() => (unready += isAvailable(pod(cluster)) ? 0 : 1));
    await annotate(cluster, { 'sandbox.tranche.dev/oom': 'now' });
    await cluster.settled();
    const status = container(cluster);
    assert.deepEqual([status.restartCount, status.lastState.terminated!.reason], [1, 'OOMKilled']);
    assert.ok(isAvailable(pod(cluster)) && unready > 0);
    await annotate(cluster, { other: 'x' });
    await cluster.settled();
    assert.equal(container(cluster).restartCount, 1);
    await annotate(cluster, { 'sandbox.tranche.dev/oom': 'again' });
    await cluster.settled();
    assert.equal(container(cluster).restartCount, 2);
  });

  it('makes a Pod unready while its annotation is false', async () => {
    const cluster = await aCluster();
    await createPod(cluster, 'web:1');
    await cluster.settled();
    await annotate(cluster, { 'sandbox.tranche.dev/ready': 'false' });
    await cluster.settled();
    assert.ok(!isAvailable(pod(cluster)));
    assert.equal(pod(cluster).status.phase, 'Running');
    await annotate(cluster, { 'sandbox.tranche.dev/ready': null });
    await cluster.settled();
    assert.ok(isAvailable(pod(cluster)));
  });

  it('keeps running containers after a restart of the kubelet', async () => {
    const cluster = await aCluster();
    await createPod(cluster, 'web:1');
    await cluster.settled();
    const before = pod(cluster);
    cluster.controllers.byName.kubelet.crash();
    cluster.controllers.byName.kubelet.start();
    await cluster.settled();
    assert.equal(pod(cluster), before);
  });

  it('removes a deleted Pod after its shortened grace period', async () => {
    const cluster = await aCluster({ stopMs: 2000, jitter: [1, 1], lagMs: [0, 0] });
    await createPod(cluster, 'web:1');
    await cluster.settled();
    await cluster.client.request('DELETE', `${PODS}/p`);
    await cluster.run(1500);
    assert.ok(pod(cluster).metadata.deletionTimestamp);
    await cluster.run(1000);
    assert.equal(cluster.pods().length, 0);
  });
});

describe('the stand-in scheduler', () => {
  const unschedulable = (cluster: VirtualCluster): string | undefined => {
    const scheduled = condition(cluster.pods()[0], 'PodScheduled');
    return scheduled?.status === 'False' ? scheduled.message : undefined;
  };
  const patchNode = (cluster: VirtualCluster, name: string, body: object): Promise<KubeObject> =>
    cluster.client.request('PATCH', `/api/v1/nodes/${name}`, { type: MERGE, body });

  it('keeps a Pod pending while no node accepts it, with the reason', async () => {
    const cluster = await aCluster({ nodes: 2 });
    await createPod(cluster, 'web:1', { nodeSelector: { disk: 'ssd' } });
    await cluster.settled();
    assert.match(unschedulable(cluster)!, /^0\/2 nodes are available: 2 node\(s\) didn't match/);
    assert.equal(pod(cluster).status.phase, 'Pending');
    await patchNode(cluster, 'n1', { metadata: { labels: { disk: 'ssd' } } });
    await cluster.settled();
    assert.equal(pod(cluster).spec.nodeName, 'n1');
    assert.ok(isAvailable(pod(cluster)));
  });

  it('honours cordons and the room a node has', async () => {
    const cluster = await aCluster({ nodes: 3 });
    await patchNode(cluster, 'n0', { spec: { unschedulable: true } });
    const n1 = await cluster.client.request('GET', '/api/v1/nodes/n1');
    const status = { ...n1.status, allocatable: { ...n1.status.allocatable, pods: '0' } };
    await cluster.client.request('PUT', '/api/v1/nodes/n1/status', { body: { ...n1, status } });
    await cluster.run(1000);
    await createPod(cluster, 'web:1');
    await cluster.settled();
    assert.equal(pod(cluster).spec.nodeName, 'n2');
  });

  it('keeps Pods off a tainted node unless they tolerate it', async () => {
    const cluster = await aCluster({ nodes: 2 });
    await patchNode(cluster, 'n0', { spec: { taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] } });
    await cluster.run(1000);
    await createPod(cluster, 'web:1');
    await cluster.settled();
    assert.equal(pod(cluster).spec.nodeName, 'n1');
  });

  it('moves a Deployment off a drained node: evicted Pods come back elsewhere', async () => {
    const cluster = await aRunningDeployment({ replicas: 3 }, { nodes: 2 });
    await patchNode(cluster, 'n0', { spec: { unschedulable: true } });
    await cluster.run(1000);
    for (const { metadata } of cluster.pods()) {
      const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: metadata.name } };
      await cluster.client.request('POST', `${PODS}/${metadata.name}/eviction`, { body });
    }
    await cluster.settled();
    assert.deepEqual(
      cluster.pods().map(({ spec }) => spec.nodeName),
      ['n1', 'n1', 'n1'],
    );
    assert.equal(cluster.deployment('web')!.status.availableReplicas, 3);
  });
});
