// The whole program with a TrafficRouting, as users write it: kubectl's paths, real webhooks, the chart's rights and policies.
import assert from 'node:assert/strict';
import { TRAFFIC_ROUTING } from '../../src/api/keys.ts';
import { DEPLOYMENTS, HTTP_ROUTES as ROUTE, ROLLOUTS, SERVICES, TRAFFIC_ROUTINGS } from '../../src/api/resources.ts';
import type { Resource } from '../../src/api/resources.ts';
import type { Route, TrafficRoutingObject } from '../../src/api/traffic.ts';
import type { Rollout } from '../../src/api/types.ts';
import type { ApiClient } from '../../src/kube/client.ts';
import { findObject, getObject } from '../../src/kube/get.ts';
import { pathOf } from '../../src/kube/path.ts';
import { HTTP_ROUTES } from '../attacks/http-routes.ts';
import { makeUser } from '../cli/support.ts';
import { createApi } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connection.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/until.ts';
import { startCluster, startProgram, type TestCluster, type TestProgram } from './cluster.ts';

const namespace = 'default';
const MERGE = 'application/merge-patch+json';
const RULES = [
  { matches: [{ path: { type: 'PathPrefix', value: '/' } }], backendRefs: [{ name: 'web', port: 80, weight: 1 }] },
];
const strategy = {
  matches: [{ headers: [{ name: 'x-user', value: 'me' }] }],
  requestHeaderModifier: { set: [{ name: 'x-lane', value: 'gray' }] },
};
const lane = (name: string, more: object = {}): object => ({
  metadata: { name },
  spec: { objectRef: [{ service: 'web', gateway: { httpRouteName: 'web' } }], strategy, ...more },
});

describe('a TrafficRouting of the whole program', function () {
  this.timeout(120_000);
  let cluster: TestCluster;
  let program: TestProgram;
  const users: ApiClient[] = [];

  const post = ({ kind, apiVersion, ...resource }: Resource, body: object, by = cluster.api): Promise<unknown> =>
    by.request({
      method: 'POST',
      path: pathOf({ kind, apiVersion, ...resource }, { namespace }),
      body: { apiVersion, kind, ...body },
    });
  const patch = (resource: Resource, name: string, body: object): Promise<unknown> =>
    cluster.api.request({ method: 'PATCH', path: pathOf(resource, { namespace, name }), contentType: MERGE, body });
  const waitFor = (what: string, holds: () => Promise<boolean>): Promise<void> => until(holds, () => what, 30);
  const route = (): Promise<Route> => getObject<Route>(cluster.api, ROUTE, { namespace, name: 'web' });
  const rules = async (): Promise<number> => (await route()).spec.rules?.length ?? 0;
  const routing = (): Promise<TrafficRoutingObject | undefined> =>
    findObject<TrafficRoutingObject>(cluster.api, TRAFFIC_ROUTINGS, { namespace, name: 'lane' });
  const phase = async (): Promise<string | undefined> => (await routing())?.status?.phase;
  const inStep = async (name: string): Promise<boolean> => {
    const { status } = await getObject<Rollout>(cluster.api, ROLLOUTS, { namespace, name });
    return status?.canaryStatus?.currentStepState === 'StepPaused';
  };
  const image = (name: string, version: string): Promise<unknown> =>
    patch(DEPLOYMENTS, name, { spec: { template: { metadata: { annotations: { version } } } } });
  const finish = (name: string): Promise<unknown> =>
    cluster.api.request({
      method: 'PATCH',
      path: pathOf(ROLLOUTS, { namespace, name, subresource: 'status' }),
      contentType: MERGE,
      body: { status: { canaryStatus: { currentStepState: 'StepReady' } } },
    });

  before(async () => {
    const url = `https://127.0.0.1:${await freePort()}`;
    cluster = await startCluster(url, {}, ['traffic.gatewayAPI.enabled=true']);
    await cluster.api.request({
      method: 'POST',
      path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
      body: HTTP_ROUTES,
    });
    program = startProgram(cluster.kubeconfig, '--webhook-url', url, '--gateway-api', 'true');
    await program.ready();
    await post(SERVICES, { metadata: { name: 'web' }, spec: { selector: { app: 'a' }, ports: [{ port: 80 }] } });
    await post(ROUTE, { metadata: { name: 'web' }, spec: { parentRefs: [{ name: 'gw' }], rules: RULES } });
    for (const name of ['a', 'c']) {
      const labels = { app: name };
      const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'web' }] } };
      await post(DEPLOYMENTS, {
        metadata: { name },
        spec: { replicas: 2, selector: { matchLabels: labels }, template },
      });
    }
  });
  after(async () => {
    for (const user of users) user.close();
    await program.stop();
    await cluster.close();
  });

  it('is refused for an author who may not change the route, and with an Ingress', async () => {
    await cluster.api.request({
      method: 'POST',
      path: `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles`,
      body: {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'Role',
        metadata: { name: 'author' },
        rules: [{ apiGroups: ['rollouts.kruise.io'], resources: ['trafficroutings'], verbs: ['*'] }],
      },
    });
    const file = await makeUser(cluster, namespace, 'author', { kind: 'Role', name: 'author' });
    const connection = await connect({ type: 'kubeconfig', files: [file] });
    const author = createApi({ connection, userAgent: 'test', fieldManager: 'test' });
    users.push(author);
    await assert.rejects(post(TRAFFIC_ROUTINGS, lane('lane'), author), /does not have the verb patch on httproutes/);
    const ingress = lane('lane', { objectRef: [{ service: 'web', ingress: { name: 'web' } }] });
    await assert.rejects(post(TRAFFIC_ROUTINGS, ingress), /spec\.objectRef\[0\]\.ingress: Forbidden/);
  });

  it('is shared by two Rollouts, of both versions, and the route is the user’s own again after the last release', async () => {
    await post(TRAFFIC_ROUTINGS, lane('lane'));
    await waitFor('it is Healthy', async () => (await phase()) === 'Healthy');
    const canary = { steps: [{ replicas: 1, pause: {} }, { replicas: '100%' }] };
    const workloadRef = (name: string): object => ({ apiVersion: 'apps/v1', kind: 'Deployment', name });
    await post(ROLLOUTS, {
      metadata: { name: 'a' },
      spec: { workloadRef: workloadRef('a'), strategy: { canary: { ...canary, trafficRoutingRef: 'lane' } } },
    });
    await post(
      { ...ROLLOUTS, apiVersion: 'rollouts.kruise.io/v1alpha1' },
      {
        metadata: {
          name: 'c',
          annotations: { [TRAFFIC_ROUTING]: 'lane', 'rollouts.kruise.io/rolling-style': 'partition' },
        },
        spec: { objectRef: { workloadRef: workloadRef('c') }, strategy: { canary } },
      },
    );
    const healthy = async (): Promise<boolean> => {
      const all = await Promise.all(
        ['a', 'c'].map((name) => getObject<Rollout>(cluster.api, ROLLOUTS, { namespace, name })),
      );
      return all.every(({ status }) => status?.phase === 'Healthy');
    };
    await waitFor('both are Healthy', healthy);
    await image('a', '2');
    await waitFor('the route has its rule', async () => (await rules()) === 2);
    await image('c', '2');
    await waitFor('both wait', async () => (await inStep('a')) && (await inStep('c')));

    await assert.rejects(
      post(TRAFFIC_ROUTINGS, lane('second')),
      /already routed by TrafficRouting lane; write another HTTPRoute/,
    );
    // `kubectl apply` of the user's own manifest: the webhook keeps the rule.
    const timeouts = { request: '9s' };
    await patch(ROUTE, 'web', { spec: { rules: [{ ...RULES[0], timeouts }] } });
    const live = (await route()).spec.rules ?? [];
    assert.deepEqual([live.length, live[0]?.['timeouts'], live[1]?.['timeouts']], [2, timeouts, timeouts]);

    await finish('a');
    await waitFor('a is done', async () => (await routing())?.metadata.finalizers?.length === 2);
    assert.equal(await rules(), 2);
    await finish('c');
    await waitFor('it is Healthy again', async () => (await phase()) === 'Healthy');
    const end = await route();
    assert.deepEqual(end.spec.rules, [{ ...RULES[0], timeouts }]);
    assert.deepEqual([end.metadata.labels ?? {}, end.metadata.annotations ?? {}], [{}, {}]);
  });
});
