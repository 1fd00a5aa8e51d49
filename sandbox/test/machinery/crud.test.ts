// Create, get, update, patch: names, versions, dry runs, generations, error texts.
import assert from 'node:assert/strict';
import { CONFIG_MAPS, configMap, deployment, DEPLOYMENTS, podSpec, TestCluster } from './support.ts';

describe('Creating', () => {
  it('fills in metadata and answers with what is stored', async () => {
    const api = new TestCluster();
    const { status, body } = await api.post(CONFIG_MAPS, configMap('a', { labels: { x: 'y' } }));
    assert.equal(status, 201);
    const { uid, resourceVersion, creationTimestamp, ...rest } = body.metadata;
    assert.match(uid!, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(creationTimestamp, '2026-01-01T00:00:00Z');
    assert.equal(resourceVersion, String(api.cluster.store.revision));
    assert.deepEqual(rest, { name: 'a', namespace: 'default', labels: { x: 'y' } });
    assert.deepEqual((await api.get(`${CONFIG_MAPS}/a`)).body, body);
  });

  it('generates names from generateName, in the safe alphabet and with at most 63 characters', async () => {
    const api = new TestCluster();
    const base = 'x'.repeat(70);
    const first = await api.post(CONFIG_MAPS, { metadata: { generateName: `${base}-` } });
    const second = await api.post(CONFIG_MAPS, { metadata: { generateName: 'short-' } });
    assert.match(first.body.metadata.name, /^x{58}[bcdfghjklmnpqrstvwxz2456789]{5}$/);
    assert.match(second.body.metadata.name, /^short-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  });

  const refusals: [what: string, path: string, body: unknown, code: number, message: RegExp][] = [
    [
      'without a name',
      CONFIG_MAPS,
      {},
      422,
      /^ConfigMap "" is invalid: metadata\.name: Required value: name or generateName is required$/,
    ],
    [
      'with a name in capitals',
      CONFIG_MAPS,
      configMap('Abc'),
      422,
      /^ConfigMap "Abc" is invalid: metadata\.name: Invalid value: "Abc": a lowercase RFC 1123 subdomain/,
    ],
    [
      'with a bad label',
      CONFIG_MAPS,
      configMap('a', { labels: { 'a b': '-' } }),
      422,
      /metadata\.labels: Invalid value: "a b": name part must consist of.*metadata\.labels: Invalid value: "-": a valid label must be/s,
    ],
    [
      'with a finalizer without a domain',
      CONFIG_MAPS,
      configMap('a', { finalizers: ['mine'] }),
      422,
      /metadata\.finalizers\[0\]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified/,
    ],
    [
      'for another namespace',
      CONFIG_MAPS,
      configMap('a', { namespace: 'other' }),
      400,
      /^the namespace of the provided object does not match the namespace sent on the request$/,
    ],
    [
      'where there is no namespace',
      '/api/v1/namespaces/nowhere/configmaps',
      configMap('a'),
      404,
      /^namespaces "nowhere" not found$/,
    ],
    [
      'with a resourceVersion',
      CONFIG_MAPS,
      configMap('a', { resourceVersion: '5' }),
      500,
      /^resourceVersion should not be set on objects to be created$/,
    ],
    [
      'of another kind',
      CONFIG_MAPS,
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a' } },
      400,
      /Secret in version "v1" cannot be handled as a ConfigMap/,
    ],
    [
      'with an unknown dryRun',
      `${CONFIG_MAPS}?dryRun=Some`,
      configMap('a'),
      422,
      /^CreateOptions\.meta\.k8s\.io "" is invalid: dryRun: Unsupported value: \["Some"\]: supported values: "All"$/,
    ],
  ];
  for (const [what, path, body, code, message] of refusals) {
    it(`${what} is refused with ${code}`, async () => {
      const answer = await new TestCluster().post(path, body);
      assert.equal(answer.status, code, JSON.stringify(answer.body));
      assert.match(answer.body.message, message);
    });
  }

  it('the same name twice is a conflict', async () => {
    const api = new TestCluster();
    await api.post(CONFIG_MAPS, configMap('a'));
    const { status, body } = await api.post(CONFIG_MAPS, configMap('a'));
    assert.equal(status, 409);
    assert.equal(body.reason, 'AlreadyExists');
    assert.deepEqual(body.details, { name: 'a', kind: 'configmaps' });
  });

  it('as a dry run checks everything and leaves nothing', async () => {
    const api = new TestCluster();
    const before = api.cluster.store.revision;
    const { status, body } = await api.post(`${CONFIG_MAPS}?dryRun=All`, configMap('a'));
    assert.equal(status, 201);
    assert.equal(body.metadata.resourceVersion, undefined);
    assert.equal((await api.get(`${CONFIG_MAPS}/a`)).status, 404);
    assert.equal(api.cluster.store.revision, before);
    await api.post(CONFIG_MAPS, configMap('a'));
    assert.equal((await api.post(`${CONFIG_MAPS}?dryRun=All`, configMap('a'))).status, 409);
  });

  it('in a terminating namespace is refused', async () => {
    const api = new TestCluster();
    await api.post('/api/v1/namespaces', { metadata: { name: 'old' } });
    await api.delete('/api/v1/namespaces/old');
    const { status, body } = await api.post('/api/v1/namespaces/old/configmaps', configMap('a'));
    assert.equal(status, 403);
    assert.equal(
      body.message,
      'configmaps is forbidden: unable to create new content in namespace old because it is being terminated'.replace(
        'configmaps',
        'configmaps',
      ),
    );
    assert.equal(body.details.causes[0].reason, 'NamespaceTerminating');
  });
});

describe('Updating', () => {
  it('replaces everything except the fields of the server', async () => {
    const api = new TestCluster();
    const { body: created } = await api.post(CONFIG_MAPS, configMap('a', { labels: { x: 'y' } }));
    const { status, body } = await api.put(`${CONFIG_MAPS}/a`, { ...configMap('a'), data: { other: '1' } });
    assert.equal(status, 200);
    assert.deepEqual(body.data, { other: '1' });
    assert.equal(body.metadata.labels, undefined);
    assert.equal(body.metadata.uid, created.metadata.uid);
    assert.equal(body.metadata.creationTimestamp, created.metadata.creationTimestamp);
    assert.notEqual(body.metadata.resourceVersion, created.metadata.resourceVersion);
  });

  it('without a change keeps the resourceVersion and sends no event', async () => {
    const api = new TestCluster();
    const { body: created } = await api.post(CONFIG_MAPS, configMap('a'));
    const { events } = await api.watch(`${CONFIG_MAPS}?watch=1&resourceVersion=${created.metadata.resourceVersion}`);
    const { body } = await api.put(`${CONFIG_MAPS}/a`, created);
    assert.deepEqual(body, created);
    assert.deepEqual((await api.merge(`${CONFIG_MAPS}/a`, { data: { k: 'v' } })).body, created);
    assert.deepEqual(events, []);
  });

  it('from an outdated read is a conflict, by PUT and by patch alike', async () => {
    const api = new TestCluster();
    const { body: created } = await api.post(CONFIG_MAPS, configMap('a'));
    await api.merge(`${CONFIG_MAPS}/a`, { data: { k: '2' } });
    const put = await api.put(`${CONFIG_MAPS}/a`, created);
    const { resourceVersion } = created.metadata;
    const patch = await api.merge(`${CONFIG_MAPS}/a`, { metadata: { resourceVersion }, data: { k: '3' } });
    for (const { status, body } of [put, patch]) {
      assert.equal(status, 409);
      assert.equal(
        body.message,
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
      );
    }
  });

  it('an object that was deleted and created again under its uid is a conflict', async () => {
    const api = new TestCluster();
    await api.post(CONFIG_MAPS, configMap('a'));
    const { status, body } = await api.put(`${CONFIG_MAPS}/a`, configMap('a', { uid: 'another' }));
    assert.equal(status, 409);
    assert.match(body.message, /Precondition failed: UID in precondition: another, UID in object meta: /);
  });

  it('under another name or of a missing object is refused', async () => {
    const api = new TestCluster();
    await api.post(CONFIG_MAPS, configMap('a'));
    const other = await api.put(`${CONFIG_MAPS}/a`, configMap('b'));
    assert.equal(other.status, 400);
    assert.equal(other.body.message, 'the name of the object (b) does not match the name on the URL (a)');
    const renamed = await api.merge(`${CONFIG_MAPS}/a`, { metadata: { name: 'b' } });
    assert.equal(renamed.body.message, other.body.message);
    assert.equal((await api.put(`${CONFIG_MAPS}/zzz`, configMap('zzz'))).status, 404);
    assert.equal((await api.merge(`${CONFIG_MAPS}/zzz`, {})).status, 404);
  });

  it('a Lease wants its resourceVersion, and a missing one is created by PUT', async () => {
    const api = new TestCluster();
    const path = '/apis/coordination.k8s.io/v1/namespaces/default/leases/l';
    const lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'l' },
      spec: { holderIdentity: 'a' },
    };
    assert.equal((await api.put(path, lease)).status, 201);
    const { status, body } = await api.put(path, lease);
    assert.equal(status, 422);
    assert.equal(
      body.message,
      'leases.coordination.k8s.io "l" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update',
    );
  });

  it('metadata that cannot change is refused', async () => {
    const api = new TestCluster();
    await api.post(CONFIG_MAPS, configMap('a', { finalizers: ['example.com/hold'] }));
    await api.delete(`${CONFIG_MAPS}/a`);
    const { status, body } = await api.merge(`${CONFIG_MAPS}/a`, {
      metadata: { finalizers: ['example.com/hold', 'example.com/new'] },
    });
    assert.equal(status, 422);
    assert.match(
      body.message,
      /no new finalizers can be added if the object is being deleted, found new finalizers \[\]string\{"example\.com\/new"\}/,
    );
    const uid = await api.merge(`${CONFIG_MAPS}/a`, { metadata: { uid: 'x' } });
    assert.match(uid.body.message, /metadata\.uid: Invalid value: "x": field is immutable/);
  });

  it('warns about duplicate owner references', async () => {
    const owner = { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'u' };
    const { headers, body } = await new TestCluster().post(
      CONFIG_MAPS,
      configMap('a', { ownerReferences: [owner, owner] }),
    );
    assert.equal(body.metadata.ownerReferences!.length, 1);
    assert.match(
      headers.warning!,
      /^299 - "\.metadata\.ownerReferences contains duplicate entries.*duplicate UID\(s\) observed: u"$/,
    );
  });
});

describe('Generations', () => {
  it('grow with the spec and, of a Deployment, with its annotations; not with labels, status or a dry run', async () => {
    const api = new TestCluster();
    await api.post(DEPLOYMENTS, deployment('web'));
    const web = `${DEPLOYMENTS}/web`;
    const generation = async (): Promise<number> => (await api.get(web)).body.metadata.generation as number;
    assert.equal(await generation(), 1);
    await api.merge(web, { metadata: { labels: { a: 'b' } } });
    await api.merge(`${web}/status`, { status: { replicas: 3 } });
    await api.merge(`${web}?dryRun=All`, { spec: { replicas: 9 } });
    await api.merge(web, { metadata: { generation: 77 } });
    assert.equal(await generation(), 1);
    await api.merge(web, { spec: { replicas: 2 } });
    assert.equal(await generation(), 2);
    await api.merge(web, { metadata: { annotations: { a: 'b' } } });
    assert.equal(await generation(), 3);
    await api.merge(`${web}/scale`, { spec: { replicas: 5 } });
    assert.equal(await generation(), 4);
  });

  it('of a ReplicaSet do not grow with annotations; a ConfigMap has none', async () => {
    const api = new TestCluster();
    const sets = '/apis/apps/v1/namespaces/default/replicasets';
    await api.post(sets, { ...deployment('web'), kind: 'ReplicaSet' });
    const { body } = await api.merge(`${sets}/web`, { metadata: { annotations: { a: 'b' } } });
    assert.equal(body.metadata.generation, 1);
    assert.equal((await api.post(CONFIG_MAPS, configMap('a'))).body.metadata.generation, undefined);
  });
});

describe('Status and scale', () => {
  it('are written separately', async () => {
    const api = new TestCluster();
    const { body: created } = await api.post(DEPLOYMENTS, { ...deployment('web'), status: { replicas: 9 } });
    assert.deepEqual(created.status, {});
    const web = `${DEPLOYMENTS}/web`;
    const status = await api.merge(`${web}/status`, {
      spec: { replicas: 7 },
      metadata: { labels: { x: 'y' } },
      status: { replicas: 1 },
    });
    assert.equal(status.body.spec.replicas, 1);
    assert.equal(status.body.status.replicas, 1);
    assert.equal(status.body.metadata.labels, undefined);
    const main = await api.merge(web, { spec: { replicas: 7 }, status: { replicas: 5 } });
    assert.equal(main.body.status.replicas, 1);
    assert.equal(main.body.spec.replicas, 7);
  });

  it('of a missing object or a kind without them are not found', async () => {
    const api = new TestCluster();
    assert.equal((await api.get(`${DEPLOYMENTS}/web/status`)).status, 404);
    assert.equal((await api.get(`${DEPLOYMENTS}/web/scale`)).body.message, 'deployments.apps "web" not found');
    await api.post(CONFIG_MAPS, configMap('a'));
    const { body } = await api.get(`${CONFIG_MAPS}/a/status`);
    assert.equal(body.reason, 'NotFound');
    assert.equal(body.message, 'the server could not find the requested resource');
  });

  it('Scale shows replicas and selector, and refuses invalid values', async () => {
    const api = new TestCluster();
    await api.post(DEPLOYMENTS, deployment('web', { replicas: 3 }));
    const path = `${DEPLOYMENTS}/web/scale`;
    const { body } = await api.get(path);
    assert.equal(body.apiVersion, 'autoscaling/v1');
    assert.deepEqual([body.spec, body.status], [{ replicas: 3 }, { replicas: 0, selector: 'app=web' }]);
    const negative = await api.merge(path, { spec: { replicas: -1 } });
    assert.equal(negative.status, 422);
    assert.equal(
      negative.body.message,
      'Scale.autoscaling "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
    );
    const stale = await api.put(path, {
      ...body,
      metadata: { ...body.metadata, resourceVersion: '1' },
      spec: { replicas: 4 },
    });
    assert.equal(stale.status, 409);
    const put = await api.put(path, { ...body, spec: { replicas: 0 } });
    assert.deepEqual(put.body.spec, {});
    assert.equal((await api.get(`${DEPLOYMENTS}/web`)).body.spec.replicas, 0);
  });
});

describe('An unknown path, method or type', () => {
  it('is answered in the words of Go for paths, and as a Status for methods and types', async () => {
    const api = new TestCluster();
    const missing = await api.get('/apis/nope.example.com/v1/things');
    assert.deepEqual([missing.status, missing.body], [404, '404 page not found\n']);
    assert.equal((await api.get('/nothing')).status, 404);
    const method = await api.post(`${CONFIG_MAPS}/a`, configMap('a'));
    assert.equal(method.status, 405);
    await api.post(DEPLOYMENTS, deployment('web'));
    const type = await api.call('PATCH', `${DEPLOYMENTS}/web`, {}, { type: 'text/plain' });
    assert.deepEqual([type.status, type.body.message], [415, '415: Unsupported Media Type']);
    const accept = await api.get(`${DEPLOYMENTS}/web`, { accept: 'application/vnd.kubernetes.protobuf' });
    assert.equal(accept.status, 406);
  });

  it('an Accept header with protobuf fails, unless JSON is the second choice', async () => {
    const api = new TestCluster();
    await api.post(CONFIG_MAPS, configMap('a'));
    const { status, body } = await api.get(`${CONFIG_MAPS}/a`, {
      accept: 'application/vnd.kubernetes.protobuf,application/json',
    });
    assert.equal(status, 200);
    assert.equal(body.kind, 'ConfigMap');
  });
});

describe('A caller in the same process', () => {
  it('gets the stored objects themselves, and errors as exceptions', async () => {
    const { cluster } = new TestCluster();
    const client = cluster.client();
    const created = await client.request('POST', DEPLOYMENTS, { body: deployment('web') });
    assert.equal(await client.request('GET', `${DEPLOYMENTS}/web`), created);
    assert.equal((await client.request('GET', DEPLOYMENTS)).items[0], created);
    assert.ok(Object.isFrozen(created.spec.template.spec.containers[0]));
    await assert.rejects(client.request('GET', `${DEPLOYMENTS}/other`), {
      name: 'ApiError',
      message: 'deployments.apps "other" not found',
    });
    await assert.rejects(client.request('GET', '/apis/nope/v1/things'), /could not find the requested resource/);
  });

  it('shares with the store what it does not change', async () => {
    const { cluster } = new TestCluster();
    const client = cluster.client();
    const created = await client.request('POST', DEPLOYMENTS, { body: deployment('web') });
    const scaled = await client.request('PUT', `${DEPLOYMENTS}/web`, {
      body: { ...created, spec: { ...created.spec, replicas: 4 } },
    });
    assert.equal(scaled.spec.template, created.spec.template);
    const status = await client.request('PUT', `${DEPLOYMENTS}/web/status`, {
      body: { ...scaled, status: { replicas: 1 } },
    });
    assert.equal(status.spec, scaled.spec);
  });

  it('receives the current objects and each change', async () => {
    const { cluster } = new TestCluster();
    const client = cluster.client();
    await client.request('POST', '/api/v1/namespaces/default/pods', {
      body: { metadata: { name: 'a' }, spec: podSpec() },
    });
    const seen: string[] = [];
    const stop = client.watch({ group: '', resource: 'pods' }, ({ type, object, previous }) =>
      seen.push(`${type} ${object.metadata.name} ${previous !== undefined}`),
    );
    await client.request('DELETE', '/api/v1/namespaces/default/pods/a');
    stop();
    await client.request('POST', '/api/v1/namespaces/default/pods', {
      body: { metadata: { name: 'b' }, spec: podSpec() },
    });
    assert.deepEqual(seen, ['ADDED a false', 'DELETED a true']);
    assert.throws(() => client.watch({ group: '', resource: 'nonsense' }, () => {}), /no such resource/);
  });
});
