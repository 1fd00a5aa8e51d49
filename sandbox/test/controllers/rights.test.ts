// The controllers work with the rights of their Kubernetes roles.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { bootstrapObjects } from '../../src/auth/index.ts';
import { ADMIN } from '../../src/cluster.ts';
import { VirtualCluster } from '../../src/virtual.ts';
import { aDeployment, imagePatch, template } from './support.ts';

const CORE = '/api/v1/namespaces';

describe('the controllers’ rights', () => {
  it('are sufficient without system:masters', async () => {
    const cluster = new VirtualCluster({ seed: 3, masters: false, verbose: true, caBundle: 'PEM', nodes: 2 });
    const admin = cluster.cluster.client(ADMIN);
    const create = (path: string, body: object): Promise<unknown> => admin.request('POST', path, { body });
    for (const object of bootstrapObjects()) {
      await create(`/apis/rbac.authorization.k8s.io/v1/${object.kind.toLowerCase()}s`, object);
    }
    await cluster.start();
    await create(CORE, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
    await cluster.run(1000);
    const { namespace: _, ...metadata } = aDeployment().metadata;
    await create('/apis/apps/v1/namespaces/shop/deployments', { ...aDeployment({ replicas: 3 }), metadata });
    await create(`${CORE}/shop/services`, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
    });
    await create('/apis/policy/v1/namespaces/shop/poddisruptionbudgets', {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'web' },
      spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'web' } } },
    });
    await create('/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers', {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'web', annotations: { 'sandbox.tranche.dev/desired-replicas': '4' } },
      spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, maxReplicas: 8 },
    });
    const claim = {
      metadata: { name: 'data' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    };
    for (const kind of ['StatefulSet', 'DaemonSet']) {
      await create(`/apis/apps/v1/namespaces/shop/${kind.toLowerCase()}s`, {
        apiVersion: 'apps/v1',
        kind,
        metadata: { name: 'set' },
        spec: {
          revisionHistoryLimit: 0,
          selector: { matchLabels: { app: kind } },
          template: template('web:1', { app: kind }),
          ...(kind === 'StatefulSet' ? { volumeClaimTemplates: [claim] } : {}),
        },
      });
    }
    await cluster.run(20_000);
    for (const plural of ['statefulsets', 'daemonsets']) {
      await admin.request('PATCH', `/apis/apps/v1/namespaces/shop/${plural}/set`, {
        type: 'application/strategic-merge-patch+json',
        body: { spec: imagePatch('web:2') },
      });
    }
    await cluster.patchDeployment('web', { spec: imagePatch('web:2') }, undefined, 'shop');
    await cluster.run(20_000);
    const { status } = cluster.deployment('web', 'shop')!;
    assert.deepEqual([status.updatedReplicas, status.availableReplicas], [4, 4]);
    assert.equal(cluster.cluster.store.list('/endpoints', 'shop')[0]?.subsets[0].addresses.length, 4);
    assert.equal(cluster.cluster.store.list('discovery.k8s.io/endpointslices', 'shop')[0]?.endpoints.length, 4);
    assert.equal(cluster.cluster.store.list('/configmaps', 'shop')[0]?.metadata.name, 'kube-root-ca.crt');
    const { updatedReplicas } = cluster.cluster.store.get('apps/statefulsets', 'shop', 'set')!.status;
    const { numberAvailable, updatedNumberScheduled } = cluster.cluster.store.get(
      'apps/daemonsets',
      'shop',
      'set',
    )!.status;
    assert.deepEqual([updatedReplicas, numberAvailable, updatedNumberScheduled], [1, 2, 2]);
    assert.equal(cluster.cluster.store.list('apps/controllerrevisions', 'shop').length, 2);
    await admin.request('DELETE', '/api/v1/nodes/n1');
    await cluster.run(60_000);
    assert.ok(cluster.pods('shop').every(({ spec }) => spec.nodeName === 'n0'));
    await admin.request('DELETE', `${CORE}/shop`);
    await cluster.run(20_000);
    assert.equal(cluster.cluster.store.get('/namespaces', '', 'shop'), undefined);
    assert.deepEqual(
      cluster.errors.map(({ controller, error }) => `${controller}: ${(error as Error).message}`),
      [],
    );
  });

  it('are required: without roles nothing starts', async () => {
    const cluster = new VirtualCluster({ seed: 3, masters: false });
    await assert.rejects(cluster.start(), /User "system:node:n0" cannot create resource "nodes"/);
  });
});
