// metrics.k8s.io: served only if it is switched on, with numbers that follow the tag of the image.
import assert from 'node:assert/strict';
import { ApiError, type KubeObject } from '../../src/core/types.ts';
import { ServingCluster } from './support.ts';

const METRICS = '/apis/metrics.k8s.io/v1beta1/namespaces/default/pods';

interface PodMetrics extends KubeObject {
  readonly containers: readonly { readonly name: string; readonly usage: { cpu: string; memory: string } }[];
}

const memoryOf = (metrics: KubeObject): number =>
  Number(/^(\d+)Ki$/.exec((metrics as PodMetrics).containers[0]!.usage.memory)![1]);

describe('metrics.k8s.io', () => {
  let cluster: ServingCluster;
  before(async () => {
    cluster = await ServingCluster.start({ serve: false, metricsApi: true });
    await cluster.create('usual', 'web:v1');
    await cluster.create('hungry', 'web:v2-hungry-3');
    await cluster.create('broken', 'web:broken');
    for (const name of ['usual', 'hungry']) await cluster.ready(name);
  });
  after(() => cluster.close());

  const get = (path: string, labelSelector?: string): Promise<KubeObject> =>
    cluster.client.request('GET', path, labelSelector ? { query: { labelSelector } } : {});
  const refusal = async (method: string, path: string): Promise<object> => {
    const error = await cluster.client.request(method, path).then(
      () => assert.fail('was answered'),
      (each: unknown) => each,
    );
    assert.ok(error instanceof ApiError);
    const { code, reason, message } = error.status;
    return { code, reason, message };
  };

  it('has the Pods that run, with their labels and the usage of each container', async () => {
    const list = await get(METRICS);
    const names = (list.items as KubeObject[]).map(({ metadata }) => metadata.name);
    assert.deepEqual(names.sort(), ['hungry', 'usual']);
    const one = (await get(`${METRICS}/usual`)) as PodMetrics;
    assert.equal(one.kind, 'PodMetrics');
    assert.deepEqual(one.metadata.labels, { app: 'web' });
    assert.match(one.containers[0]!.usage.cpu, /^\d+n$/);
    assert.ok(memoryOf(await get(`${METRICS}/hungry`)) > 2 * memoryOf(one));
  });

  it('selects by label, in one namespace or in all', async () => {
    for (const path of [METRICS, '/apis/metrics.k8s.io/v1beta1/pods']) {
      assert.equal(((await get(path, 'app=web')).items as unknown[]).length, 2);
      assert.equal(((await get(path, 'app=other')).items as unknown[]).length, 0);
    }
  });

  it('answers as metrics-server does where there is nothing, and takes no writes', async () => {
    for (const name of ['broken', 'nobody'])
      assert.deepEqual(await refusal('GET', `${METRICS}/${name}`), {
        code: 404,
        reason: 'NotFound',
        message: `podmetrics.metrics.k8s.io "default/${name}" not found`,
      });
    assert.equal(((await refusal('DELETE', `${METRICS}/usual`)) as { code: number }).code, 405);
  });

  it('is in discovery, and who may view may read it', async () => {
    const { body } = await cluster.sandbox.cluster.handle({
      method: 'GET',
      path: '/apis/metrics.k8s.io/v1beta1',
      query: new URLSearchParams(),
      headers: {},
      user: { username: 'admin', groups: ['system:masters'] },
    });
    assert.deepEqual((body as { resources: unknown }).resources, [
      { name: 'pods', singularName: '', namespaced: true, kind: 'PodMetrics', verbs: ['get', 'list'] },
    ]);
    const view = await get('/apis/rbac.authorization.k8s.io/v1/clusterroles/view');
    const groups = (view.rules as { apiGroups: string[] }[]).flatMap(({ apiGroups }) => apiGroups);
    assert.ok(groups.includes('metrics.k8s.io'));
  });

  it('is not served unless it is switched on', async () => {
    const without = await ServingCluster.start({ serve: false });
    try {
      await assert.rejects(without.client.request('GET', METRICS), /could not find the requested resource/);
    } finally {
      await without.close();
    }
  });
});
