// Garbage collection, namespaces, endpoints, disruption budgets, autoscaling.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { KubeObject } from '../../src/core/types.ts';
import type { VirtualCluster } from '../../src/virtual.ts';
import { aCluster, aDeployment, aRunningDeployment, condition, imagePatch } from './support.ts';

const DEPLOYMENT = '/apis/apps/v1/namespaces/default/deployments/web';
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const MERGE = 'application/merge-patch+json';

const remove = (cluster: VirtualCluster, path: string, propagationPolicy: string): Promise<KubeObject> =>
  cluster.client.request('DELETE', path, { body: { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy } });

/** ConfigMaps by name; an owner is named by its name. */
const createOwned = async (
  cluster: VirtualCluster,
  name: string,
  owners: readonly string[],
  block = false,
): Promise<void> => {
  const ownerReferences = await Promise.all(
    owners.map(async (owner) => {
      const { metadata } = await cluster.client.request('GET', `${CONFIG_MAPS}/${owner}`);
      return { apiVersion: 'v1', kind: 'ConfigMap', name: owner, uid: metadata.uid, blockOwnerDeletion: block };
    }),
  );
  await cluster.client.request('POST', CONFIG_MAPS, {
    body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ownerReferences } },
  });
};

const configMaps = (cluster: VirtualCluster): KubeObject[] => [...cluster.cluster.store.list('/configmaps', 'default')];
const names = (objects: readonly KubeObject[]): string[] => objects.map(({ metadata }) => metadata.name);

describe('the garbage collector', () => {
  it('Background: deletes ReplicaSets and Pods after their Deployment', async () => {
    const cluster = await aRunningDeployment({ replicas: 3 });
    await remove(cluster, DEPLOYMENT, 'Background');
    assert.equal(cluster.deployment('web'), undefined);
    await cluster.settled();
    assert.deepEqual([cluster.replicaSets().length, cluster.pods().length], [0, 0]);
  });

  it('Foreground: the Deployment goes last, after its Pods and ReplicaSets', async () => {
    const cluster = await aRunningDeployment({ replicas: 2 });
    const gone: string[] = [];
    cluster.observe(({ type, collection }) => type === 'DELETED' && gone.push(collection));
    const { metadata } = await remove(cluster, DEPLOYMENT, 'Foreground');
    assert.deepEqual(metadata.finalizers, ['foregroundDeletion']);
    await cluster.settled();
    assert.deepEqual(gone, ['/pods', '/pods', 'apps/replicasets', 'apps/deployments']);
  });

  it('Orphan: the ReplicaSet stays, without its owner', async () => {
    const cluster = await aRunningDeployment({ replicas: 2 });
    await remove(cluster, DEPLOYMENT, 'Orphan');
    await cluster.settled();
    assert.equal(cluster.deployment('web'), undefined);
    assert.equal(cluster.replicaSets()[0]!.metadata.ownerReferences, undefined);
    assert.equal(cluster.pods().length, 2);
  });

  it('deletes dependents of a deleted owner, also if a new object has its name', async () => {
    const cluster = await aCluster();
    await createOwned(cluster, 'owner', []);
    const reference = { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: 'of-an-earlier-one' };
    await cluster.client.request('POST', CONFIG_MAPS, {
      body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'late', ownerReferences: [reference] } },
    });
    await cluster.settled();
    assert.deepEqual(names(configMaps(cluster)), ['owner']);
  });

  it('keeps objects with a remaining owner, and removes the reference to the deleted one', async () => {
    const cluster = await aCluster();
    await createOwned(cluster, 'a', []);
    await createOwned(cluster, 'b', []);
    await createOwned(cluster, 'shared', ['a', 'b']);
    await remove(cluster, `${CONFIG_MAPS}/a`, 'Background');
    await cluster.settled();
    const shared = configMaps(cluster).find(({ metadata }) => metadata.name === 'shared')!;
    assert.deepEqual(
      shared.metadata.ownerReferences!.map(({ name }) => name),
      ['b'],
    );
  });

  it('Foreground waits only for dependents that block, and cascades to theirs', async () => {
    const cluster = await aCluster();
    await createOwned(cluster, 'a', []);
    await createOwned(cluster, 'child', ['a'], true);
    await createOwned(cluster, 'grandchild', ['child'], true);
    await cluster.run(1000);
    const gone: string[] = [];
    cluster.observe(({ type, object }) => type === 'DELETED' && gone.push(object.metadata.name));
    await remove(cluster, `${CONFIG_MAPS}/a`, 'Foreground');
    await cluster.settled();
    assert.deepEqual(gone, ['grandchild', 'child', 'a']);
  });

  it('finishes after a crash', async () => {
    const cluster = await aRunningDeployment({ replicas: 2 });
    await remove(cluster, DEPLOYMENT, 'Foreground');
    await cluster.run(30);
    cluster.controllers.byName.garbage.crash();
    await cluster.settled();
    assert.ok(cluster.deployment('web'));
    cluster.controllers.byName.garbage.start();
    await cluster.settled();
    assert.deepEqual([cluster.deployment('web'), cluster.pods().length], [undefined, 0]);
  });
});

describe('a namespace', () => {
  const SHOP = '/api/v1/namespaces/shop';
  const withShop = async (options: Parameters<typeof aCluster>[0] = {}): Promise<VirtualCluster> => {
    const cluster = await aCluster(options);
    const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } };
    await cluster.client.request('POST', '/api/v1/namespaces', { body });
    await cluster.run(1000);
    return cluster;
  };
  const createIn = (cluster: VirtualCluster, body: KubeObject): Promise<KubeObject> => {
    const { namespace: _, ...metadata } = body.metadata;
    return cluster.client.request('POST', '/apis/apps/v1/namespaces/shop/deployments', { body: { ...body, metadata } });
  };
  const find = (cluster: VirtualCluster): KubeObject | undefined =>
    cluster.cluster.store.get('/namespaces', '', 'shop');

  it('gets a ServiceAccount and the cluster’s CA, and again after their deletion', async () => {
    const cluster = await withShop({ caBundle: 'PEM' });
    const { store } = cluster.cluster;
    const there = (): unknown[] => [
      store.get('/serviceaccounts', 'shop', 'default')?.metadata.name,
      store.get('/configmaps', 'shop', 'kube-root-ca.crt')?.data['ca.crt'],
    ];
    assert.deepEqual(there(), ['default', 'PEM']);
    await cluster.client.request('DELETE', `${SHOP}/serviceaccounts/default`);
    await cluster.client.request('DELETE', `${SHOP}/configmaps/kube-root-ca.crt`);
    await cluster.run(1000);
    assert.deepEqual(there(), ['default', 'PEM']);
  });

  it('is emptied before its removal', async () => {
    const cluster = await withShop({ caBundle: 'PEM' });
    await createIn(cluster, aDeployment({ replicas: 2 }));
    await cluster.settled();
    await cluster.client.request('DELETE', SHOP);
    await cluster.settled();
    assert.equal(find(cluster), undefined);
    assert.deepEqual(names(cluster.pods('shop')), []);
    assert.deepEqual(names(cluster.replicaSets('shop')), []);
  });

  it('waits for objects with finalizers, and lists them', async () => {
    const cluster = await withShop();
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'held', finalizers: ['example.com/hold'] } };
    await cluster.client.request('POST', `${SHOP}/configmaps`, { body });
    await cluster.client.request('DELETE', SHOP);
    await cluster.run(3000);
    assert.equal(find(cluster)!.status.phase, 'Terminating');
    assert.deepEqual(
      ['NamespaceContentRemaining', 'NamespaceFinalizersRemaining'].map(
        (type) => condition(find(cluster), type)?.message,
      ),
      [
        'Some resources are remaining: configmaps. has 1 resource instances',
        'Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances',
      ],
    );
    await cluster.client.request('PATCH', `${SHOP}/configmaps/held`, {
      type: MERGE,
      body: { metadata: { finalizers: null } },
    });
    await cluster.run(3000);
    assert.equal(find(cluster), undefined);
  });
});

describe('a Service', () => {
  const aService = (spec: object): object => ({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' }, spec });

  it('has the addresses of its Pods, with separate lists of ready and unready ones', async () => {
    const cluster = await aRunningDeployment({ replicas: 2 });
    const ports = [{ port: 80, targetPort: 8080, protocol: 'TCP' }];
    const body = aService({ selector: { app: 'web' }, ports });
    await cluster.client.request('POST', '/api/v1/namespaces/default/services', { body });
    await cluster.settled();
    const [unready] = cluster.pods();
    const annotations = { 'sandbox.tranche.dev/ready': 'false' };
    await cluster.client.request('PATCH', `/api/v1/namespaces/default/pods/${unready!.metadata.name}`, {
      type: MERGE,
      body: { metadata: { annotations } },
    });
    await cluster.settled();
    const [slice] = cluster.cluster.store.list('discovery.k8s.io/endpointslices', 'default');
    const readiness = slice!.endpoints.map(({ conditions }: { conditions: { ready: boolean } }) => conditions.ready);
    assert.deepEqual(readiness.sort(), [false, true]);
    assert.equal(slice!.metadata.labels!['kubernetes.io/service-name'], 'web');
    const [subset] = cluster.cluster.store.get('/endpoints', 'default', 'web')!.subsets;
    assert.deepEqual([subset.addresses.length, subset.notReadyAddresses.length, subset.ports[0].port], [1, 1, 8080]);
    await cluster.client.request('DELETE', '/api/v1/namespaces/default/services/web');
    await cluster.settled();
    assert.equal(cluster.cluster.store.list('discovery.k8s.io/endpointslices').length, 0);
    assert.equal(cluster.cluster.store.get('/endpoints', 'default', 'web'), undefined);
  });
});

describe('a PodDisruptionBudget', () => {
  const withBudget = async (spec: object, replicas = 4): Promise<VirtualCluster> => {
    const cluster = await aRunningDeployment({ replicas });
    const body = {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'web' },
      spec: { selector: { matchLabels: { app: 'web' } }, ...spec },
    };
    await cluster.client.request('POST', '/apis/policy/v1/namespaces/default/poddisruptionbudgets', { body });
    await cluster.settled();
    return cluster;
  };
  const status = (cluster: VirtualCluster): Record<string, number> =>
    cluster.cluster.store.get('policy/poddisruptionbudgets', 'default', 'web')!.status;
  const evict = (cluster: VirtualCluster): Promise<KubeObject> => {
    const { name } = cluster.pods().find(({ metadata }) => !metadata.deletionTimestamp)!.metadata;
    const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } };
    return cluster.client.request('POST', `/api/v1/namespaces/default/pods/${name}/eviction`, { body });
  };

  for (const [spec, desired, allowed] of [
    [{ minAvailable: 3 }, 3, 1],
    [{ minAvailable: '60%' }, 3, 1],
    [{ maxUnavailable: 1 }, 3, 1],
    [{ maxUnavailable: '30%' }, 2, 2],
    [{ minAvailable: 5 }, 5, 0],
  ] as const) {
    it(`${JSON.stringify(spec)} of 4 allows ${allowed}`, async () => {
      const { desiredHealthy, disruptionsAllowed, currentHealthy, expectedPods } = status(await withBudget(spec));
      assert.deepEqual([desiredHealthy, disruptionsAllowed, currentHealthy, expectedPods], [desired, allowed, 4, 4]);
    });
  }

  it('lets one Pod be evicted, refuses the next, and allows it again when the Pod is replaced', async () => {
    const cluster = await withBudget({ maxUnavailable: 1 });
    await evict(cluster);
    await assert.rejects(evict(cluster), /disruption budget/);
    await cluster.settled();
    assert.equal(status(cluster).disruptionsAllowed, 1);
    await evict(cluster);
  });
});

describe('a HorizontalPodAutoscaler', () => {
  const AUTOSCALERS = '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers';
  const withAutoscaler = async (wanted: string): Promise<VirtualCluster> => {
    const cluster = await aRunningDeployment({ replicas: 4 });
    const body = {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'web', annotations: { 'sandbox.tranche.dev/desired-replicas': wanted } },
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
        minReplicas: 2,
        maxReplicas: 8,
      },
    };
    await cluster.client.request('POST', AUTOSCALERS, { body });
    await cluster.run(20_000);
    return cluster;
  };
  const find = (cluster: VirtualCluster): KubeObject =>
    cluster.cluster.store.get('autoscaling/horizontalpodautoscalers', 'default', 'web')!;

  for (const [wanted, replicas, reason] of [
    ['6', 6, 'DesiredWithinRange'],
    ['20', 8, 'TooManyReplicas'],
    ['1', 2, 'TooFewReplicas'],
  ] as const) {
    it(`whose annotation asks for ${wanted} scales to ${replicas}`, async () => {
      const cluster = await withAutoscaler(wanted);
      assert.equal(cluster.deployment('web')!.spec.replicas, replicas);
      assert.equal(condition(find(cluster), 'ScalingLimited')?.reason, reason);
    });
  }

  it('follows its annotation, also if a user scales the Deployment', async () => {
    const cluster = await withAutoscaler('6');
    await cluster.scale('web', 3);
    await cluster.run(40_000);
    assert.equal(cluster.deployment('web')!.spec.replicas, 6);
  });

  it('leaves a Deployment at zero alone', async () => {
    const cluster = await withAutoscaler('6');
    await cluster.scale('web', 0);
    await cluster.run(60_000);
    assert.equal(cluster.deployment('web')!.spec.replicas, 0);
    assert.equal(condition(find(cluster), 'ScalingActive')?.reason, 'ScalingDisabled');
  });

  it('scales a Deployment that is in the middle of a rolling update', async () => {
    const cluster = await withAutoscaler('6');
    await cluster.patchDeployment('web', { spec: imagePatch('web:broken') }, 'application/strategic-merge-patch+json');
    const type = MERGE;
    const annotations = { 'sandbox.tranche.dev/desired-replicas': '8' };
    await cluster.client.request('PATCH', `${AUTOSCALERS}/web`, { type, body: { metadata: { annotations } } });
    await cluster.run(60_000);
    assert.equal(cluster.deployment('web')!.spec.replicas, 8);
    assert.equal(cluster.deployment('web')!.status.replicas, 10);
  });
});
