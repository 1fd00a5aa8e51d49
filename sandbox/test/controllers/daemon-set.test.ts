// DaemonSets, beyond what the recordings of a real cluster show: collisions, failed Pods, placement, and any order of events.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { createDaemonSetController } from '../../src/controllers/daemonset/controller.ts';
import { VirtualClock } from '../../src/core/clock.ts';
import type { KubeObject } from '../../src/core/types.ts';
import type { VirtualCluster } from '../../src/virtual.ts';
import { create, deletePod, find, patch, revisions } from './sets.ts';
import { aCluster, imagePatch, template } from './support.ts';

const DAEMONS = 'daemonsets';
const HISTORIES = Number(process.env.ROLLING_HISTORIES ?? 60);
const MERGE = 'application/merge-patch+json';

const onNodes = (cluster: VirtualCluster): string[] =>
  cluster
    .pods()
    .map(({ spec }) => `${spec.nodeName} ${spec.containers[0].image}`)
    .sort();

const node = (cluster: VirtualCluster, name: string, body: object): Promise<KubeObject> =>
  cluster.client.request('PATCH', `/api/v1/nodes/${name}`, { type: MERGE, body });

describe('a DaemonSet', () => {
  it('runs where its node affinity and its tolerations allow it', async () => {
    const cluster = await aCluster({ nodes: 4 });
    await node(cluster, 'n1', { metadata: { labels: { disk: 'ssd' } } });
    await node(cluster, 'n2', {
      metadata: { labels: { disk: 'ssd' } },
      spec: { taints: [{ key: 'gpu', effect: 'NoSchedule' }] },
    });
    await node(cluster, 'n3', {
      metadata: { labels: { disk: 'ssd' } },
      spec: { taints: [{ key: 'db', value: 'x', effect: 'NoExecute' }] },
    });
    const pods = template('web:1') as { spec: object };
    const matchExpressions = [{ key: 'disk', operator: 'In', values: ['ssd'] }];
    const required = { nodeSelectorTerms: [{ matchExpressions }] };
    const spec = {
      ...pods.spec,
      affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required } },
      tolerations: [{ key: 'db', operator: 'Equal', value: 'x', effect: 'NoExecute' }],
    };
    await create(cluster, DAEMONS, { template: { ...pods, spec } });
    await cluster.settled();
    assert.deepEqual(onNodes(cluster), ['n1 web:1', 'n3 web:1']);
  });

  it('replaces failed Pods, less and less often', async () => {
    const cluster = await aCluster();
    await create(cluster, DAEMONS);
    await cluster.settled();
    const replacedAfterMs: number[] = [];
    for (let i = 0; i < 3; i++) {
      const [{ metadata }] = cluster.pods() as [KubeObject];
      await cluster.client.request('PATCH', `/api/v1/namespaces/default/pods/${metadata.name}/status`, {
        type: MERGE,
        body: { status: { phase: 'Failed' } },
      });
      const since = cluster.clock.now();
      const isReplaced = (): boolean => cluster.pods().some((pod) => pod.metadata.name !== metadata.name);
      assert.ok(await cluster.until(isReplaced));
      replacedAfterMs.push(cluster.clock.now() - since);
      await cluster.until(() => find(cluster, DAEMONS).status.numberReady === 1);
    }
    const [first, , third] = replacedAfterMs as [number, number, number];
    assert.ok(first < 1000 && third > 1000, String(replacedAfterMs));
  });

  it('gives a revision another name if its name is taken', async () => {
    const cluster = await aCluster();
    await create(cluster, DAEMONS);
    await cluster.settled();
    const [{ metadata }] = revisions(cluster) as [KubeObject];
    await cluster.client.request('DELETE', '/apis/apps/v1/namespaces/default/daemonsets/web');
    await cluster.settled();
    await cluster.client.request('POST', '/apis/apps/v1/namespaces/default/controllerrevisions', {
      body: {
        apiVersion: 'apps/v1',
        kind: 'ControllerRevision',
        metadata: { name: metadata.name },
        data: { spec: { template: {} } },
        revision: 1,
      },
    });
    await create(cluster, DAEMONS);
    await cluster.settled();
    const { status } = find(cluster, DAEMONS);
    assert.deepEqual([status.collisionCount, status.numberReady, revisions(cluster).length], [1, 1, 2]);
  });

  it('leaves nothing behind when it is deleted', async () => {
    const cluster = await aCluster();
    await create(cluster, DAEMONS);
    await cluster.settled();
    await cluster.client.request('DELETE', '/apis/apps/v1/namespaces/default/daemonsets/web');
    await cluster.settled();
    assert.deepEqual([cluster.pods(), revisions(cluster)], [[], []]);
  });

  it('costs one watch where there is none', () => {
    const watched: string[] = [];
    const controller = createDaemonSetController({
      client: {
        request: () => Promise.reject(new Error('no requests')),
        watch: ({ resource }) => {
          watched.push(resource);
          return () => undefined;
        },
      },
      clock: new VirtualClock(1),
      lagMs: [0, 0],
      requestMs: [0, 0],
      events: true,
    });
    controller.start();
    assert.deepEqual(watched, ['daemonsets']);
  });
});

/** One random change. */
const change = async (cluster: VirtualCluster): Promise<void> => {
  const dice = cluster.clock.random();
  const n = Math.floor(cluster.clock.random() * 4);
  if (dice < 0.4) await patch(cluster, DAEMONS, imagePatch(n === 3 ? 'web:broken' : `web:${n}`));
  else if (dice < 0.5) {
    const rollingUpdate = n % 2 ? { maxUnavailable: 0, maxSurge: 1 + n } : { maxUnavailable: 1 + n, maxSurge: 0 };
    await patch(cluster, DAEMONS, { updateStrategy: { rollingUpdate } });
  } else if (dice < 0.7) {
    const taints = cluster.clock.random() < 0.5 ? null : [{ key: 'out', effect: n % 2 ? 'NoExecute' : 'NoSchedule' }];
    await node(cluster, `n${n}`, { spec: { taints } });
  } else if (dice < 0.9) {
    const pod = cluster.pods()[n];
    if (pod) await deletePod(cluster, pod.metadata.name).catch(() => undefined);
  } else {
    cluster.controllers.byName.daemonset.crash();
    await cluster.run(200);
    cluster.controllers.byName.daemonset.start();
  }
};

describe(`DaemonSets, over ${HISTORIES} histories each`, () => {
  it('end with one updated Pod on each node after any changes, crashes and deletions', async function () {
    this.timeout(30_000 + HISTORIES * 1000);
    for (let seed = 1; seed <= HISTORIES; seed++) {
      const cluster = await aCluster({ seed, nodes: 4 });
      await create(cluster, DAEMONS);
      for (let i = 0; i < 8; i++) {
        await change(cluster);
        await cluster.run(cluster.clock.random() * 1500);
      }
      for (const name of ['n0', 'n1', 'n2', 'n3']) await node(cluster, name, { spec: { taints: null } });
      await patch(cluster, DAEMONS, imagePatch('web:9'));
      await cluster.settled();
      assert.deepEqual(onNodes(cluster), ['n0 web:9', 'n1 web:9', 'n2 web:9', 'n3 web:9'], `seed ${seed}`);
      const { status } = find(cluster, DAEMONS);
      assert.deepEqual([status.numberAvailable, status.updatedNumberScheduled], [4, 4], `seed ${seed}`);
      assert.deepEqual(
        cluster.errors.map(({ error }) => (error as Error).message),
        [],
        `seed ${seed}`,
      );
      cluster.stop();
    }
  });
});
