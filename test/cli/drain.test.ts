// `kubectl tranche drain` beside an operator that runs: what it asks for, what it gives back, and what it leaves alone.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import type { Deployment } from '../../src/api/types.ts';
import { createApi } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connection.ts';
import { render } from '../charts/render.ts';
import { temporaryFolder } from '../support/processes.ts';
import {
  as,
  deploymentPath,
  golden,
  makeUser,
  rolloutPath,
  Stage,
  startPlayground,
  type Playground,
} from './support.ts';

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
/** Of the chart, with its value for traffic routing: what the ServiceAccount is, and what it may do. */
const PATHS: Readonly<Record<string, string>> = {
  ServiceAccount: '/api/v1/namespaces/tranche-system/serviceaccounts',
  ClusterRole: `${RBAC}/clusterroles`,
  ClusterRoleBinding: `${RBAC}/clusterrolebindings`,
  Role: `${RBAC}/namespaces/tranche-system/roles`,
  RoleBinding: `${RBAC}/namespaces/tranche-system/rolebindings`,
};
/** All that docs/install.md says somebody needs who is no cluster administrator. */
const ALLOWED = [
  { apiGroups: ['admissionregistration.k8s.io'], resources: ['mutatingwebhookconfigurations'], verbs: ['list'] },
  {
    apiGroups: ['rbac.authorization.k8s.io'],
    resources: ['clusterrolebindings'],
    resourceNames: ['tranche-policies'],
    verbs: ['get'],
  },
  { apiGroups: [''], resources: ['serviceaccounts'], resourceNames: ['tranche'], verbs: ['impersonate'] },
];

describe('kubectl tranche drain', () => {
  let playground: Playground;

  before(async () => {
    playground = await startPlayground();
    for (const body of await render('traffic.gatewayAPI.enabled=true'))
      if (/^tranche(-policies)?$/.test(body.metadata.name) && PATHS[body.kind]) await post(PATHS[body.kind]!, body);
  });
  after(() => playground.stop());

  const post = (path: string, body: object): Promise<unknown> =>
    playground.cluster.api.request({ method: 'POST', path, body });

  /** A kubeconfig of somebody with these rights in the whole cluster, and no other. */
  async function userWith(name: string, rules: readonly object[]): Promise<string> {
    const metadata = { name };
    await post(`${RBAC}/clusterroles`, { kind: 'ClusterRole', metadata, rules });
    const role = { kind: 'ClusterRole', name } as const;
    const kubeconfig = await makeUser(playground.cluster, 'shop', name, role);
    const subjects = [{ kind: 'ServiceAccount', name, namespace: 'shop' }];
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', ...role };
    await post(`${RBAC}/clusterrolebindings`, { kind: 'ClusterRoleBinding', metadata, roleRef, subjects });
    return kubeconfig;
  }

  /** A kubeconfig that names a cluster administrator to impersonate. */
  async function administrator(name: string): Promise<string> {
    await post(`${RBAC}/clusterrolebindings`, {
      kind: 'ClusterRoleBinding',
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name }],
    });
    const config = parse(await readFile(playground.cluster.kubeconfig, 'utf8')) as {
      readonly users: readonly { readonly name: string; readonly user: object }[];
    };
    const users = config.users.map((one) => ({ ...one, user: { ...one.user, as: name } }));
    const file = path.join(temporaryFolder('drain'), 'kubeconfig');
    await writeFile(file, stringify({ ...config, users }), { mode: 0o600 });
    return file;
  }

  const deployment = (namespace: string): Promise<Deployment> =>
    playground.cluster.api.request({ method: 'GET', path: deploymentPath(namespace) }) as Promise<Deployment>;

  it('asks how releases end, and gives back the Deployments of the namespaces that were named', async () => {
    const shop = await Stage.open(playground, 'shop');
    const pay = await Stage.open(playground, 'pay');
    for (const stage of [shop, pay]) {
      await stage.release('web:v2');
      await stage.waits(1);
    }
    const viewer = await playground.viewer('shop');
    const none = await playground.tranche('drain');
    const wrong = await playground.tranche('drain', '--held', 'delete');
    const namespaced = await playground.tranche('drain', '--held', 'finish', '-n', 'shop');
    const forbidden = await playground.tranche('drain', '--held', 'finish', '--kubeconfig', viewer);
    const drainer = await userWith('drainer', ALLOWED);
    const drained = await playground.tranche('drain', '--held', 'rollback', 'shop', '--kubeconfig', drainer);
    golden(
      'drain',
      ['drain', none],
      ['drain --held delete', wrong],
      ['drain --held finish -n shop', namespaced],
      ['drain --held finish   # without permissions', forbidden],
      ['drain --held rollback shop   # may impersonate the ServiceAccount', drained],
    );
    const { spec, metadata } = await deployment('shop');
    assert.match(JSON.stringify(spec.template), /"web:v1"/);
    assert.notEqual(spec.paused, true);
    assert.equal(metadata.labels?.['rollouts.kruise.io/workload-type'], undefined);
    assert.equal((await deployment('pay')).spec.paused, true, 'not named, still held');
  });

  it('ends no release that routes requests without the ServiceAccount', async () => {
    const traffic = { mode: 'Shared', state: 'Watch', weight: 100, since: '2026-01-01T00:00:00Z', step: 1 };
    const more = { service: 'web', route: { kind: 'HTTPRoute', name: 'web' }, graceSeconds: 3 };
    // The drain above still has the Lease, so the operator does not touch it.
    const connection = await connect(
      { type: 'kubeconfig', files: [playground.cluster.kubeconfig] },
      { as: 'system:serviceaccount:tranche-system:tranche' },
    );
    const api = createApi({ connection, userAgent: 'test', fieldManager: 'test' });
    await api.request({
      method: 'PATCH',
      path: `${rolloutPath('pay')}/status`,
      contentType: 'application/merge-patch+json',
      body: { status: { canaryStatus: { traffic: { ...traffic, ...more } } } },
    });
    api.close();
    const kubeconfig = await userWith('reader', [
      { apiGroups: ['*'], resources: ['*'], verbs: ['get', 'list', 'watch'] },
    ]);
    golden(
      'drain-routed',
      [
        'drain --held finish   # may not impersonate',
        await playground.tranche('drain', '--held', 'finish', '--kubeconfig', kubeconfig),
      ],
      ['drain --held finish --as carol', await playground.tranche('drain', '--held', 'finish', ...as('carol'))],
    );
    const dana = await administrator('dana');
    for (const flag of ['--as-group', '--as-uid'])
      assert.match(
        (await playground.tranche('drain', '--held', 'finish', flag, 'staff', '--kubeconfig', dana)).err,
        /: you act as another user; remove --as, --as-group and --as-uid, or/,
      );
    assert.equal((await deployment('pay')).spec.paused, true, 'still held');
  });
});
