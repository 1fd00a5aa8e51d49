// Discovery, version and health.
import assert from 'node:assert/strict';
import { compareVersions } from '../../src/core/discovery.ts';
import type { KubeObject } from '../../src/core/types.ts';
import { TestCluster } from './support.ts';

interface Named {
  name: string;
}

/** A row of a group's list of resources. */
interface Resource extends Named {
  kind: string;
  group?: string;
  verbs: string[];
  shortNames?: string[];
}

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

const definition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'gadgets.test.example.com' },
  spec: {
    group: 'test.example.com',
    scope: 'Namespaced',
    names: { plural: 'gadgets', kind: 'Gadget', shortNames: ['gd'] },
    versions: ['v1beta1', 'v1'].map((name) => ({
      name,
      served: true,
      storage: name === 'v1',
      subresources: { status: {} },
      schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
    })),
  },
};

describe('Discovery', () => {
  it('names the groups, the preferred version of each, and their resources', async () => {
    const api = new TestCluster();
    const { body: groups } = await api.get('/apis');
    const autoscaling = groups.groups.find(({ name }: Named) => name === 'autoscaling');
    assert.deepEqual(autoscaling.preferredVersion, { groupVersion: 'autoscaling/v2', version: 'v2' });
    assert.deepEqual((await api.get('/apis/autoscaling')).body.versions, autoscaling.versions);
    const { body: apps } = await api.get('/apis/apps/v1');
    const named = new Map((apps.resources as Resource[]).map((each) => [each.name, each]));
    assert.deepEqual(named.get('deployments')?.shortNames, ['deploy']);
    assert.deepEqual(named.get('deployments/scale')?.kind, 'Scale');
    assert.deepEqual(named.get('deployments/scale')?.group, 'autoscaling');
    assert.deepEqual(named.get('deployments/status')?.verbs, ['get', 'patch', 'update']);
    const { body: core } = await api.get('/api/v1');
    assert.ok(core.resources.some(({ name, kind }: Resource) => name === 'pods/eviction' && kind === 'Eviction'));
    assert.equal((await api.get('/apis/nope')).status, 404);
    assert.deepEqual((await api.get('/api')).body.versions, ['v1']);
  });

  it('is aggregated on request', async () => {
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';
    const { headers, body } = await new TestCluster().get('/apis', { accept });
    assert.equal(body.kind, 'APIGroupDiscoveryList');
    assert.match(headers['content-type']!, /as=APIGroupDiscoveryList/);
    const apps = body.items.find((item: KubeObject) => item.metadata.name === 'apps');
    const deployments = apps.versions[0].resources.find(
      ({ resource }: { resource: string }) => resource === 'deployments',
    );
    assert.deepEqual(deployments.responseKind, { group: 'apps', version: 'v1', kind: 'Deployment' });
    assert.deepEqual(
      deployments.subresources.map(({ subresource }: { subresource: string }) => subresource),
      ['scale', 'status'],
    );
  });

  it('follows definitions as they come and go', async () => {
    const api = new TestCluster();
    assert.equal((await api.post(CRDS, definition)).status, 201);
    assert.equal((await api.get('/apis/test.example.com/v1')).status, 404);
    await api.clock.run(100);
    const { body } = await api.get('/apis/test.example.com');
    assert.deepEqual(
      body.versions.map(({ version }: { version: string }) => version),
      ['v1', 'v1beta1'],
    );
    const gadgets = '/apis/test.example.com/v1beta1/namespaces/default/gadgets';
    const created = await api.post(gadgets, {
      apiVersion: 'test.example.com/v1beta1',
      kind: 'Gadget',
      metadata: { name: 'g', finalizers: ['example.com/x'] },
    });
    assert.equal(created.status, 201, JSON.stringify(created.body));
    const other = await api.get('/apis/test.example.com/v1/namespaces/default/gadgets/g');
    assert.equal(other.body.apiVersion, 'test.example.com/v1');

    await api.delete(`${CRDS}/gadgets.test.example.com`);
    await api.clock.run(500);
    const waiting = await api.get(`${CRDS}/gadgets.test.example.com`);
    assert.deepEqual(waiting.body.metadata.finalizers, ['customresourcecleanup.apiextensions.k8s.io']);
    assert.ok((await api.get(`${gadgets}/g`)).body.metadata.deletionTimestamp);
    await api.merge(`${gadgets}/g`, { metadata: { finalizers: null } });
    await api.clock.run(500);
    assert.equal((await api.get(`${CRDS}/gadgets.test.example.com`)).status, 404);
    assert.equal((await api.get(gadgets)).body, '404 page not found\n');
  });

  it('orders versions as Kubernetes does', () => {
    const versions = ['v1alpha1', 'v2', 'foo', 'v1beta2', 'v10', 'v1', 'v1beta10'];
    assert.deepEqual(versions.sort(compareVersions), ['v10', 'v2', 'v1', 'v1beta10', 'v1beta2', 'v1alpha1', 'foo']);
  });
});

describe('The server', () => {
  it('reports its version and health', async () => {
    const api = new TestCluster();
    assert.equal((await api.get('/version')).body.gitVersion, 'v1.36.2');
    for (const path of ['/healthz', '/livez', '/readyz', '/readyz/ping'])
      assert.equal((await api.get(path)).body, 'ok');
  });

  it('allows anonymous discovery', async () => {
    const api = new TestCluster();
    const user = { username: 'system:anonymous', groups: ['system:unauthenticated'] };
    const { status, body } = await api.get('/apis', { user });
    assert.equal(status, 403);
    assert.equal(body.message, 'forbidden: User "system:anonymous" cannot get path "/apis"');
  });
});
