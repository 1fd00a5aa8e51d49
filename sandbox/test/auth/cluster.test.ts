// Access in the whole pipeline of a cluster.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ADMIN, Cluster } from '../../src/cluster.ts';
import { VirtualClock } from '../../src/core/clock.ts';
import type { KubeObject, User } from '../../src/core/types.ts';
import { aUser } from './support.ts';

const RBAC = '/apis/rbac.authorization.k8s.io/v1/namespaces/default';
const API_VERSION = 'rbac.authorization.k8s.io/v1';

type Send = (
  method: string,
  path: string,
  body?: object,
  who?: { user?: User; headers?: Record<string, string> },
) => Promise<{ status: number; body: KubeObject & { message?: string } }>;

const aCluster = (): Send => {
  const cluster = new Cluster({ clock: new VirtualClock(1) });
  return async (method, path, body, { user, headers } = { user: ADMIN }) => {
    const response = await cluster.handle({
      method,
      path,
      query: new URLSearchParams(),
      headers: { 'content-type': 'application/json', ...headers },
      body: body && Buffer.from(JSON.stringify(body)),
      user,
    });
    return { status: response.status, body: response.body as never };
  };
};

const role = (rules: object[], name = 'r'): object => ({
  apiVersion: API_VERSION,
  kind: 'Role',
  metadata: { name },
  rules,
});
const binding = (roleRef: object, subject: object, name = 'b'): object => ({
  apiVersion: API_VERSION,
  kind: 'RoleBinding',
  metadata: { name },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', ...roleRef },
  subjects: [subject],
});
const configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' } };
const configMaps = '/api/v1/namespaces/default/configmaps';
const eve = { user: aUser('eve') };

describe('Access in a cluster', () => {
  it('is refused for anonymous and unauthorized users', async () => {
    const send = aCluster();
    const anonymous = await send('GET', configMaps, undefined, {});
    assert.equal(anonymous.status, 403);
    assert.equal(
      anonymous.body.message,
      'configmaps is forbidden: User "system:anonymous" cannot list resource "configmaps" in API group "" in the namespace "default"',
    );
    assert.equal((await send('POST', configMaps, configMap, eve)).status, 403);
    assert.equal((await send('GET', configMaps, undefined, { headers: { authorization: 'Bearer x' } })).status, 401);
  });

  it('is granted by a role to a service account with its token', async () => {
    const send = aCluster();
    await send('POST', '/api/v1/namespaces/default/serviceaccounts', {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'robot' },
    });
    await send('POST', `${RBAC}/roles`, role([{ apiGroups: [''], resources: ['configmaps'], verbs: ['create'] }]));
    await send(
      'POST',
      `${RBAC}/rolebindings`,
      binding({ kind: 'Role', name: 'r' }, { kind: 'ServiceAccount', name: 'robot', namespace: 'default' }),
    );
    const asked = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 600 } };
    const { status, body } = await send('POST', '/api/v1/namespaces/default/serviceaccounts/robot/token', asked);
    assert.equal(status, 201, body.message);
    const robot = { headers: { authorization: `Bearer ${body.status.token}` } };
    assert.equal((await send('POST', configMaps, configMap, robot)).status, 201);
    assert.equal((await send('GET', configMaps, undefined, robot)).status, 403);
    const who = await send(
      'POST',
      '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
      { user: { ...ADMIN }, headers: {} },
    );
    assert.equal(who.body.status.userInfo.username, 'admin');
    await send('DELETE', '/api/v1/namespaces/default/serviceaccounts/robot');
    assert.equal((await send('POST', configMaps, { ...configMap, metadata: { name: 'y' } }, robot)).status, 401);
  });

  it('cannot be extended with the right to write roles and bindings', async () => {
    const send = aCluster();
    await send(
      'POST',
      `${RBAC}/roles`,
      role([
        {
          apiGroups: ['rbac.authorization.k8s.io'],
          resources: ['roles', 'rolebindings'],
          verbs: ['create', 'update', 'patch', 'get'],
        },
      ]),
    );
    await send(
      'POST',
      `${RBAC}/rolebindings`,
      binding({ kind: 'Role', name: 'r' }, { kind: 'User', name: 'eve', apiGroup: 'rbac.authorization.k8s.io' }),
    );
    const more = [{ apiGroups: [''], resources: ['secrets'], verbs: ['get'] }];
    const refused = await send('POST', `${RBAC}/roles`, role(more, 'more'), eve);
    assert.equal(refused.status, 403);
    assert.equal(
      refused.body.message,
      'roles.rbac.authorization.k8s.io "more" is forbidden: user "eve" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}',
    );
    assert.equal((await send('PUT', `${RBAC}/roles/r`, role(more), eve)).status, 403);
    await send('POST', `${RBAC}/roles`, role(more, 'secrets'));
    const bound = binding(
      { kind: 'Role', name: 'secrets' },
      { kind: 'User', name: 'eve', apiGroup: 'rbac.authorization.k8s.io' },
      'mine',
    );
    assert.equal((await send('POST', `${RBAC}/rolebindings`, bound, eve)).status, 403);
    assert.equal((await send('GET', '/api/v1/namespaces/default/secrets/x', undefined, eve)).status, 403);
  });
});
