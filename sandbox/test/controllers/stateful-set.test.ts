// StatefulSets, beyond what the recordings of a real cluster show: claims, escapes, and any order of events.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ADMIN } from '../../src/cluster.ts';
import { createStatefulSetController } from '../../src/controllers/statefulset/controller.ts';
import { VirtualClock } from '../../src/core/clock.ts';
import type { VirtualCluster } from '../../src/virtual.ts';
import { create, deletePod, find, images, patch, revisions } from './sets.ts';
import { aCluster, imagePatch, isAvailable } from './support.ts';

const SETS = 'statefulsets';
const HISTORIES = Number(process.env.ROLLING_HISTORIES ?? 60);

describe('a StatefulSet', () => {
  it('has the revision names of a real cluster, also with characters that Go escapes', async () => {
    const cluster = await aCluster();
    const spec = {
      replicas: 0,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' }, annotations: { note: '<a> & "b" é \u2028 \u0001 😀' } },
        spec: {
          containers: [
            {
              name: 'web',
              image: 'web:1',
              env: [{ name: 'A', value: '1>2' }],
              resources: { requests: { cpu: '0.5' } },
              livenessProbe: { httpGet: { port: 80 } },
            },
          ],
          nodeSelector: {},
        },
      },
    };
    // Over HTTPS: objects of the same process are not decoded.
    await cluster.cluster.handle({
      method: 'POST',
      path: '/apis/apps/v1/namespaces/default/statefulsets',
      query: new URLSearchParams(),
      headers: { 'content-type': 'application/json' },
      user: ADMIN,
      body: Buffer.from(
        JSON.stringify({ apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'web' }, spec }),
      ),
    });
    await cluster.settled();
    assert.equal(find(cluster, SETS).status.updateRevision, 'web-57fb76986');
  });

  const claim = {
    metadata: { name: 'data', labels: { tier: 'db' } },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  };

  it('creates no Pod while its claim is being deleted', async () => {
    const cluster = await aCluster();
    await create(cluster, SETS, { replicas: 1, volumeClaimTemplates: [claim] });
    await cluster.settled();
    const path = '/api/v1/namespaces/default/persistentvolumeclaims/data-web-0';
    const hold = (finalizers: string[] | null): Promise<unknown> =>
      cluster.client.request('PATCH', path, {
        type: 'application/merge-patch+json',
        body: { metadata: { finalizers } },
      });
    await hold(['example.com/hold']);
    await cluster.client.request('DELETE', path);
    await deletePod(cluster, 'web-0');
    await cluster.run(10_000);
    assert.deepEqual(images(cluster), []);
    await hold(null);
    await cluster.run(60_000);
    assert.deepEqual(images(cluster), ['web-0 web:1']);
  });

  it('creates claims for its Pods and keeps them', async () => {
    const cluster = await aCluster();
    await create(cluster, SETS, { replicas: 2, volumeClaimTemplates: [claim] });
    await cluster.settled();
    await patch(cluster, SETS, { replicas: 1 });
    await cluster.settled();
    const claims = cluster.cluster.store.list('/persistentvolumeclaims', 'default');
    assert.deepEqual(
      claims.map(({ metadata }) => [metadata.name, metadata.labels]),
      [
        ['data-web-0', { tier: 'db', app: 'web' }],
        ['data-web-1', { tier: 'db', app: 'web' }],
      ],
    );
    const [pod] = cluster.pods();
    assert.deepEqual(pod!.spec.volumes, [{ name: 'data', persistentVolumeClaim: { claimName: 'data-web-0' } }]);
  });

  it('replaces a Pod that has ended', async () => {
    const cluster = await aCluster();
    await create(cluster, SETS, { replicas: 2 });
    await cluster.settled();
    const before = cluster.pods()[1]!.metadata.uid;
    await cluster.client.request('PATCH', '/api/v1/namespaces/default/pods/web-1/status', {
      type: 'application/merge-patch+json',
      body: { status: { phase: 'Failed' } },
    });
    await cluster.settled();
    assert.notEqual(cluster.pods()[1]!.metadata.uid, before);
    assert.equal(find(cluster, SETS).status.readyReplicas, 2);
  });

  it('has host names in its Service', async () => {
    const cluster = await aCluster();
    await cluster.client.request('POST', '/api/v1/namespaces/default/services', {
      body: {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web' },
        spec: { clusterIP: 'None', selector: { app: 'web' } },
      },
    });
    await create(cluster, SETS, { serviceName: 'web', replicas: 2 });
    await cluster.settled();
    const [slice] = cluster.cluster.store.list('discovery.k8s.io/endpointslices', 'default');
    assert.deepEqual(
      slice!.endpoints.map(({ hostname }: { hostname: string }) => hostname),
      ['web-0', 'web-1'],
    );
    const [subset] = cluster.cluster.store.get('/endpoints', 'default', 'web')!.subsets;
    assert.equal(subset.addresses[1].hostname, 'web-1');
  });

  it('leaves nothing behind when it is deleted', async () => {
    const cluster = await aCluster();
    await create(cluster, SETS, { replicas: 2 });
    await cluster.settled();
    await cluster.client.request('DELETE', '/apis/apps/v1/namespaces/default/statefulsets/web');
    await cluster.settled();
    assert.deepEqual([images(cluster), revisions(cluster)], [[], []]);
  });

  it('costs one watch where there is none', () => {
    const watched: string[] = [];
    const controller = createStatefulSetController({
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
    assert.deepEqual(watched, ['statefulsets']);
  });
});

/** A bug of Kubernetes: it counts a deleted Pod of another revision as one of the current revision. */
const REFUSED = 'status.currentReplicas: Invalid value: -1';

/** One random change. Returns what the StatefulSet should have in the end. */
const change = async (cluster: VirtualCluster, replicas: number): Promise<number> => {
  const dice = cluster.clock.random();
  const size = Math.floor(cluster.clock.random() * 5);
  if (dice < 0.2) {
    await patch(cluster, SETS, { replicas: size });
    return size;
  }
  if (dice < 0.5) await patch(cluster, SETS, imagePatch(`web:${size}`));
  else if (dice < 0.6) await patch(cluster, SETS, imagePatch('web:broken'));
  else if (dice < 0.7) await patch(cluster, SETS, { updateStrategy: { rollingUpdate: { partition: size } } });
  else if (dice < 0.9) await deletePod(cluster, `web-${size}`).catch(() => undefined);
  else {
    cluster.controllers.byName.statefulset.crash();
    await cluster.run(200);
    cluster.controllers.byName.statefulset.start();
  }
  return replicas;
};

describe(`StatefulSets, over ${HISTORIES} histories each`, () => {
  it('end at the right size and version after any changes, crashes and deletions', async function () {
    this.timeout(30_000 + HISTORIES * 1000);
    for (let seed = 1; seed <= HISTORIES; seed++) {
      const cluster = await aCluster({ seed });
      const policy = seed % 2 ? 'OrderedReady' : 'Parallel';
      let replicas = 3;
      await create(cluster, SETS, { replicas, podManagementPolicy: policy });
      for (let i = 0; i < 8; i++) {
        replicas = await change(cluster, replicas);
        await cluster.run(cluster.clock.random() * 1500);
      }
      await patch(cluster, SETS, { ...imagePatch('web:9'), updateStrategy: { rollingUpdate: { partition: 0 } } });
      await cluster.settled();
      // OrderedReady does not replace a broken Pod by itself (kubernetes#67250).
      for (const pod of cluster.pods()) if (!isAvailable(pod)) await deletePod(cluster, pod.metadata.name);
      await cluster.settled();
      const expected = Array.from({ length: replicas }, (_, i) => `web-${i} web:9`);
      assert.deepEqual(images(cluster), expected, `seed ${seed}`);
      const { status } = find(cluster, SETS);
      assert.deepEqual(
        [status.replicas, status.availableReplicas, status.updatedReplicas ?? 0, status.currentRevision],
        [replicas, replicas, replicas, status.updateRevision],
        `seed ${seed}`,
      );
      const unexpected = cluster.errors
        .map(({ error }) => (error as Error).message)
        .filter((message) => !message.includes(REFUSED));
      assert.deepEqual(unexpected, [], `seed ${seed}`);
      cluster.stop();
    }
  });

  it('in order, take at most one Pod away at a time', async function () {
    this.timeout(30_000 + HISTORIES * 1000);
    for (let seed = 1; seed <= HISTORIES; seed++) {
      const cluster = await aCluster({ seed });
      await create(cluster, SETS, { replicas: 4 });
      await cluster.settled();
      let worst = 4;
      cluster.observe(({ collection }) => {
        if (collection === '/pods') worst = Math.min(worst, cluster.pods().filter(isAvailable).length);
      });
      for (const version of ['web:2', 'web:broken', 'web:3']) {
        await patch(cluster, SETS, imagePatch(version));
        await cluster.run(cluster.clock.random() * 5000);
      }
      await cluster.settled();
      assert.ok(worst >= 3, `seed ${seed}: ${worst} of 4 available`);
      cluster.stop();
    }
  });
});
