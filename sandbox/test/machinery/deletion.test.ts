// Deletion: finalizers, propagation policies, grace periods, evictions, namespaces, collections.
import assert from 'node:assert/strict';
import { CONFIG_MAPS, configMap, deployment, DEPLOYMENTS, pod, PODS, TestCluster } from './support.ts';

const running = async (api: TestCluster, name: string, labels: object = {}): Promise<void> => {
  await api.post(PODS, pod(name, { labels }));
  await api.post(`${PODS}/${name}/binding`, { target: { name: 'n1' } });
  const conditions = [{ type: 'Ready', status: 'True' }];
  await api.merge(`${PODS}/${name}/status`, { status: { phase: 'Running', conditions } });
};

describe('Deleting', () => {
  it('answers with a Status that names the object', async () => {
    const api = new TestCluster();
    const { body: created } = await api.post(DEPLOYMENTS, deployment('web'));
    const { status, body } = await api.delete(`${DEPLOYMENTS}/web`);
    assert.equal(status, 200);
    assert.deepEqual(body, {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Success',
      details: { name: 'web', group: 'apps', kind: 'deployments', uid: created.metadata.uid },
    });
    assert.equal((await api.delete(`${DEPLOYMENTS}/web`)).status, 404);
  });

  it('waits for finalizers, and happens when the last one goes', async () => {
    const api = new TestCluster();
    await api.post(CONFIG_MAPS, configMap('a', { finalizers: ['example.com/one', 'example.com/two'] }));
    const { body } = await api.delete(`${CONFIG_MAPS}/a`);
    assert.equal(body.metadata.deletionTimestamp, '2026-01-01T00:00:00Z');
    assert.equal(body.metadata.deletionGracePeriodSeconds, 0);
    const again = await api.delete(`${CONFIG_MAPS}/a`);
    assert.equal(again.body.metadata.resourceVersion, body.metadata.resourceVersion);
    await api.merge(`${CONFIG_MAPS}/a`, { metadata: { finalizers: ['example.com/two'] } });
    assert.equal((await api.get(`${CONFIG_MAPS}/a`)).status, 200);
    const last = await api.merge(`${CONFIG_MAPS}/a`, { metadata: { finalizers: null } });
    assert.equal(last.status, 200);
    assert.equal(last.body.metadata.finalizers, undefined);
    assert.equal((await api.get(`${CONFIG_MAPS}/a`)).status, 404);
  });

  const policies: [options: object, finalizers: string[] | undefined][] = [
    [{ propagationPolicy: 'Foreground' }, ['foregroundDeletion']],
    [{ propagationPolicy: 'Orphan' }, ['orphan']],
    [{ orphanDependents: true }, ['orphan']],
    [{ propagationPolicy: 'Background' }, undefined],
  ];
  for (const [options, finalizers] of policies) {
    it(`with ${JSON.stringify(options)} leaves ${finalizers?.join() ?? 'nothing'} to the garbage collector`, async () => {
      const api = new TestCluster();
      await api.post(DEPLOYMENTS, deployment('web'));
      const { body } = await api.delete(`${DEPLOYMENTS}/web`, options);
      assert.deepEqual(body.metadata.finalizers, finalizers);
      if (finalizers) assert.equal(body.metadata.generation, 2);
    });
  }

  it('by query parameters is the same as by body', async () => {
    const api = new TestCluster();
    await api.post(DEPLOYMENTS, deployment('web'));
    const { body } = await api.delete(`${DEPLOYMENTS}/web?propagationPolicy=Foreground`);
    assert.deepEqual(body.metadata.finalizers, ['foregroundDeletion']);
  });

  it('with a policy that does not exist, or two, is refused', async () => {
    const api = new TestCluster();
    await api.post(CONFIG_MAPS, configMap('a'));
    const unknown = await api.delete(`${CONFIG_MAPS}/a`, { propagationPolicy: 'Later' });
    assert.equal(unknown.status, 422);
    assert.match(unknown.body.message, /propagationPolicy: Unsupported value: "Later"/);
    const both = await api.delete(`${CONFIG_MAPS}/a`, { propagationPolicy: 'Orphan', orphanDependents: true });
    assert.match(both.body.message, /orphanDependents and deletionPropagation cannot be both set/);
  });

  it('checks preconditions', async () => {
    const api = new TestCluster();
    const { body: created } = await api.post(CONFIG_MAPS, configMap('a'));
    const uid = await api.delete(`${CONFIG_MAPS}/a`, { preconditions: { uid: 'other' } });
    assert.equal(uid.status, 409);
    assert.match(
      uid.body.message,
      /^Operation cannot be fulfilled on ConfigMap "a": the UID in the precondition \(other\) does not match/,
    );
    const version = await api.delete(`${CONFIG_MAPS}/a`, { preconditions: { resourceVersion: '1' } });
    assert.match(
      version.body.message,
      /the ResourceVersion in the precondition \(1\) does not match the ResourceVersion in record/,
    );
    const { uid: own, resourceVersion } = created.metadata;
    assert.equal((await api.delete(`${CONFIG_MAPS}/a`, { preconditions: { uid: own, resourceVersion } })).status, 200);
  });

  it('as a dry run deletes nothing', async () => {
    const api = new TestCluster();
    await api.post(CONFIG_MAPS, configMap('a'));
    assert.equal((await api.delete(`${CONFIG_MAPS}/a?dryRun=All`)).status, 200);
    assert.equal((await api.get(`${CONFIG_MAPS}/a`)).status, 200);
  });

  it('a collection deletes the objects that the selector matches', async () => {
    const api = new TestCluster();
    for (const name of ['a', 'b', 'c'])
      await api.post(CONFIG_MAPS, configMap(name, { labels: { keep: String(name === 'b') } }));
    const { body } = await api.delete(`${CONFIG_MAPS}?labelSelector=keep%3Dfalse`);
    assert.equal(body.kind, 'ConfigMapList');
    assert.equal(body.items.length, 2);
    const left = await api.get(CONFIG_MAPS);
    assert.deepEqual(left.body.items.length, 1);
    assert.equal(left.body.items[0].metadata.name, 'b');
  });
});

describe('A Pod', () => {
  it('that runs gets a grace period, and is removed when its containers have ended', async () => {
    const api = new TestCluster();
    await running(api, 'a');
    const { body } = await api.delete(`${PODS}/a`);
    assert.equal(body.kind, 'Pod');
    assert.equal(body.metadata.deletionGracePeriodSeconds, 30);
    assert.equal(body.metadata.deletionTimestamp, '2026-01-01T00:00:30Z');
    assert.equal(body.metadata.generation, 2);
    const longer = await api.delete(`${PODS}/a`, { gracePeriodSeconds: 60 });
    assert.equal(longer.body.metadata.deletionGracePeriodSeconds, 30);
    const shorter = await api.delete(`${PODS}/a`, { gracePeriodSeconds: 5 });
    assert.equal(shorter.body.metadata.deletionTimestamp, '2026-01-01T00:00:05Z');
    assert.equal((await api.delete(`${PODS}/a`, { gracePeriodSeconds: 0 })).status, 200);
    assert.equal((await api.get(`${PODS}/a`)).status, 404);
  });

  it('without a node is removed at once', async () => {
    const api = new TestCluster();
    await api.post(PODS, pod('a'));
    await api.delete(`${PODS}/a`);
    assert.equal((await api.get(`${PODS}/a`)).status, 404);
  });

  it('is bound to a node once', async () => {
    const api = new TestCluster();
    await api.post(PODS, pod('a'));
    assert.equal((await api.post(`${PODS}/a/binding`, { target: { name: 'n1' } })).status, 201);
    const { status, body } = await api.post(`${PODS}/a/binding`, { target: { name: 'n2' } });
    assert.equal(status, 409);
    assert.match(body.message, /pod a is already assigned to node "n1"/);
    const bound = await api.get(`${PODS}/a`);
    assert.equal(bound.body.spec.nodeName, 'n1');
    assert.equal(bound.body.status.conditions[0].type, 'PodScheduled');
  });
});

describe('An eviction', () => {
  const BUDGETS = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
  const budget = (name: string): object => ({
    metadata: { name },
    spec: { minAvailable: 1, selector: { matchLabels: { app: 'web' } } },
  });
  const allow = (api: TestCluster, disruptionsAllowed: number): Promise<unknown> =>
    api.merge(`${BUDGETS}/web/status`, {
      status: { disruptionsAllowed, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1, observedGeneration: 1 },
    });
  const evict = (api: TestCluster, name: string): ReturnType<TestCluster['post']> =>
    api.post(`${PODS}/${name}/eviction`, { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } });

  it('without a budget over the Pod is a deletion', async () => {
    const api = new TestCluster();
    await running(api, 'a', { app: 'web' });
    assert.equal((await evict(api, 'a')).status, 201);
    assert.ok((await api.get(`${PODS}/a`)).body.metadata.deletionTimestamp);
  });

  it('writes its reason into the Pod, and requires the Pod of its preconditions before that', async () => {
    const api = new TestCluster();
    await running(api, 'a');
    const { resourceVersion } = (await api.get(`${PODS}/a`)).body.metadata;
    const evictAt = (version: string): ReturnType<TestCluster['post']> =>
      api.post(`${PODS}/a/eviction`, {
        apiVersion: 'policy/v1',
        kind: 'Eviction',
        metadata: { name: 'a' },
        deleteOptions: { preconditions: { resourceVersion: version } },
      });
    const reason = async (): Promise<string | undefined> =>
      (await api.get(`${PODS}/a`)).body.status.conditions.find(
        ({ type }: { type: string }) => type === 'DisruptionTarget',
      )?.reason;
    const refused = await evictAt('1');
    assert.equal(refused.status, 409);
    assert.match(refused.body.message, /the ResourceVersion in the precondition \(1\) does not match/);
    assert.equal(await reason(), undefined);
    assert.equal((await evictAt(resourceVersion ?? '')).status, 201);
    assert.equal(await reason(), 'EvictionByEvictionAPI');
    assert.ok((await api.get(`${PODS}/a`)).body.metadata.deletionTimestamp);
  });

  it('uses the budget, and is refused if the budget is exhausted', async () => {
    const api = new TestCluster();
    await running(api, 'a', { app: 'web' });
    await running(api, 'b', { app: 'web' });
    await api.post(BUDGETS, budget('web'));
    const early = await evict(api, 'a');
    assert.equal(early.status, 429);
    assert.match(early.body.details.causes[0].message, /is still being processed by the server/);
    await allow(api, 1);
    assert.equal((await evict(api, 'a')).status, 201);
    const { body } = await api.get(`${BUDGETS}/web`);
    assert.equal(body.status.disruptionsAllowed, 0);
    assert.ok(body.status.disruptedPods.a);
    const refused = await evict(api, 'b');
    assert.equal(refused.status, 429);
    assert.equal(refused.body.message, "Cannot evict pod as it would violate the pod's disruption budget.");
    assert.deepEqual(refused.body.details.causes, [
      { reason: 'DisruptionBudget', message: 'The disruption budget web needs 1 healthy pods and has 1 currently' },
    ]);
    assert.equal((await api.get(`${PODS}/b`)).body.metadata.deletionTimestamp, undefined);
  });

  it('with two budgets is an error', async () => {
    const api = new TestCluster();
    await running(api, 'a', { app: 'web' });
    await api.post(BUDGETS, budget('web'));
    await api.post(BUDGETS, budget('web2'));
    const { status, body } = await evict(api, 'a');
    assert.equal(status, 500);
    assert.match(body.message, /This pod has more than one PodDisruptionBudget/);
  });
});

describe('A namespace', () => {
  it('is removed in two steps: marked, then finalized', async () => {
    const api = new TestCluster();
    const path = '/api/v1/namespaces/old';
    const { body: created } = await api.post('/api/v1/namespaces', { metadata: { name: 'old' } });
    assert.deepEqual(created.spec, { finalizers: ['kubernetes'] });
    assert.equal(created.metadata.labels!['kubernetes.io/metadata.name'], 'old');
    const { body } = await api.delete(path);
    assert.equal(body.status.phase, 'Terminating');
    assert.ok(body.metadata.deletionTimestamp);
    await api.put(path, { ...body, spec: { finalizers: [] } });
    assert.equal((await api.get(path)).status, 200, 'spec.finalizers go through /finalize only');
    const finalized = await api.put(`${path}/finalize`, { ...body, spec: { finalizers: [] } });
    assert.equal(finalized.status, 200);
    assert.equal((await api.get(path)).status, 404);
  });

  it('that is protected cannot be deleted', async () => {
    const { status, body } = await new TestCluster().delete('/api/v1/namespaces/kube-system');
    assert.deepEqual(
      [status, body.message],
      [403, 'namespaces "kube-system" is forbidden: this namespace may not be deleted'],
    );
  });
});
