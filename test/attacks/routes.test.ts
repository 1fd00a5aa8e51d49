// The whole program with traffic routing: nobody gets through a Rollout what they may not do themselves, and edits of a route in a release are kept.
import assert from 'node:assert/strict';
import type { Route } from '../../src/api/traffic.ts';
import * as keys from '../../src/api/keys.ts';
import { createApi, type ApiClient } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connection.ts';
import { httpRoutes } from '../../src/engine/traffic/httproute.ts';
import { engaged } from '../../src/engine/traffic/route.ts';
import { isRefusal } from '../../src/engine/traffic/rules.ts';
import { makeUser } from '../cli/support.ts';
import { startCluster, startProgram, type TestCluster, type TestProgram } from '../main/cluster.ts';
import { freePort } from '../support/ports.ts';
import { HTTP_ROUTES } from './http-routes.ts';

const NAMESPACE = 'default';
const ROLLOUTS = `/apis/rollouts.kruise.io/v1beta1/namespaces/${NAMESPACE}/rollouts`;
const ROUTES = `/apis/gateway.networking.k8s.io/v1/namespaces/${NAMESPACE}/httproutes`;
const ROLES = `/apis/rbac.authorization.k8s.io/v1/namespaces/${NAMESPACE}/roles`;
const MERGE = 'application/merge-patch+json';
const GATEWAY = 'gateway.networking.k8s.io';

const rollout = (name: string, httpRouteName: string, service = name): object => ({
  apiVersion: 'rollouts.kruise.io/v1beta1',
  kind: 'Rollout',
  metadata: { name },
  spec: {
    workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
    strategy: {
      canary: {
        trafficRoutings: [{ service, gateway: { httpRouteName } }],
        steps: [{ replicas: 1, traffic: '5%' }, { replicas: '100%' }],
      },
    },
  },
});
const RULES = [
  { matches: [{ path: { type: 'PathPrefix', value: '/' } }], backendRefs: [{ name: 'web', port: 80, weight: 1 }] },
];

describe('traffic routing of the whole program', () => {
  let cluster: TestCluster;
  let program: TestProgram;
  const users: ApiClient[] = [];

  before(async () => {
    const url = `https://127.0.0.1:${await freePort()}`;
    cluster = await startCluster(url, {}, ['traffic.gatewayAPI.enabled=true']);
    await post('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', HTTP_ROUTES);
    program = startProgram(cluster.kubeconfig, '--webhook-url', url, '--gateway-api', 'true');
    await program.ready();
  });
  after(async () => {
    for (const user of users) user.close();
    await program.stop();
    await cluster.close();
  });
  const post = (path: string, body: object): Promise<unknown> => cluster.api.request({ method: 'POST', path, body });
  const user = async (name: string, ...more: object[]): Promise<ApiClient> => {
    const rules = [{ apiGroups: ['rollouts.kruise.io'], resources: ['rollouts'], verbs: ['*'] }, ...more];
    await post(ROLES, { metadata: { name, namespace: NAMESPACE }, rules });
    const file = await makeUser(cluster, NAMESPACE, name, { kind: 'Role', name });
    const connection = await connect({ type: 'kubeconfig', files: [file] });
    const client = createApi({ connection, userAgent: 'test', fieldManager: 'kubectl-edit' });
    users.push(client);
    return client;
  };
  const SERVICES = { apiGroups: [''], resources: ['services'], verbs: ['create'] };
  const patchRoute = (name: string): object => ({
    apiGroups: [GATEWAY],
    resources: ['httproutes'],
    resourceNames: [name],
    verbs: ['patch'],
  });

  it('an author needs the rights on the route and on Services that the Rollout uses', async () => {
    const create = (by: ApiClient, body: object): Promise<unknown> =>
      by.request({ method: 'POST', path: ROLLOUTS, body });
    const plain = await user('plain');
    await assert.rejects(
      create(plain, rollout('a', 'secret-route')),
      /httpRouteName: Forbidden: user .*plain.* does not have the verb patch on httproutes\.gateway\.networking\.k8s\.io in namespace default[\s\S]*service: Forbidden: .* verb create on services/,
    );
    const other = await user('other', SERVICES, patchRoute('theirs'));
    await assert.rejects(create(other, rollout('a', 'secret-route')), /2 errors|verb patch on httproutes/);
    const owner = await user('owner', SERVICES, patchRoute('a'));
    await create(owner, rollout('a', 'a'));
    const moved = {
      spec: { strategy: { canary: { trafficRoutings: [{ service: 'a', gateway: { httpRouteName: 'b' } }] } } },
    };
    const path = `${ROLLOUTS}/a`;
    await assert.rejects(
      owner.request({ method: 'PATCH', path, contentType: MERGE, body: moved }),
      /verb patch on httproutes/,
    );
    const paused = { spec: { strategy: { paused: true } } };
    await plain.request({ method: 'PATCH', path, contentType: MERGE, body: paused });
  });

  it('no second Rollout routes the same route', async () => {
    await assert.rejects(post(ROLLOUTS, rollout('second', 'a')), /already routed by Rollout a/);
  });

  it('a Rollout whose route sends its requests elsewhere is refused', async () => {
    const rules = [{ backendRefs: [{ name: 'other', port: 80 }] }];
    await post(ROUTES, {
      apiVersion: `${GATEWAY}/v1`,
      kind: 'HTTPRoute',
      metadata: { name: 'elsewhere' },
      spec: { rules },
    });
    await assert.rejects(post(ROLLOUTS, rollout('c', 'elsewhere')), /sends no requests to Service c/);
  });

  it('an edit of a route with a release is kept, and the weights stay', async () => {
    const split = { mode: 'Apart', base: 'web', stable: 'web-stable', canary: 'web-canary', weight: 50 } as const;
    const made = engaged(httpRoutes, RULES, { rollout: 'web', split }, NAMESPACE);
    assert.ok(!isRefusal(made));
    const body = { apiVersion: `${GATEWAY}/v1`, kind: 'HTTPRoute', metadata: { name: 'web' }, spec: { rules: RULES } };
    await post(ROUTES, body);
    const path = `${ROUTES}/web`;
    const edit = (patch: object, query = {}): Promise<unknown> =>
      cluster.api.request({ method: 'PATCH', path, query, contentType: MERGE, body: patch });
    const marks = { labels: { [keys.TRAFFIC]: made.label }, annotations: { [keys.HELD]: made.record } };
    // As the operator writes it: the webhook takes the label from others, so the program is not asked here.
    const admin = cluster.sandbox.cluster.client({
      username: 'system:serviceaccount:tranche-system:tranche',
      groups: ['system:masters'],
    });
    await admin.request('PATCH', path, { type: MERGE, body: { metadata: marks, spec: { rules: made.rules } } });
    const changed = [{ ...RULES[0], timeouts: { request: '5s' } }];
    const expected = [{ ...made.rules[0], timeouts: { request: '5s' } }];
    const dry = (await edit({ spec: { rules: changed } }, { dryRun: 'All' })) as Route;
    assert.deepEqual(dry.spec.rules, expected);
    const stored = (await edit({ spec: { rules: changed } })) as Route;
    assert.deepEqual(stored.spec.rules, expected);
    assert.equal(stored.metadata.labels?.[keys.TRAFFIC], 'web');
    const same = (await edit({ spec: { rules: changed } })) as Route;
    assert.equal(
      same.metadata.resourceVersion,
      stored.metadata.resourceVersion,
      'the same manifest again changes nothing',
    );
  });

  it('the label is not taken from a user', async () => {
    const body = { metadata: { labels: { [keys.TRAFFIC]: 'web' } } };
    const route = (await cluster.api.request({
      method: 'PATCH',
      path: `${ROUTES}/elsewhere`,
      contentType: MERGE,
      body,
    })) as Route;
    assert.equal(route.metadata.labels?.[keys.TRAFFIC], undefined);
  });
});
