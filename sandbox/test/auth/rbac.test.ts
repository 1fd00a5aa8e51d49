// RBAC: what roles and bindings allow, error texts, and privilege escalation.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { AdmissionRequest, KubeObject, User } from '../../src/core/types.ts';
import { asks, asksPath, aUser, aWorld, refusal } from './support.ts';

const user = (name: string): object => ({ kind: 'User', name, apiGroup: 'rbac.authorization.k8s.io' });
const group = (name: string): object => ({ kind: 'Group', name, apiGroup: 'rbac.authorization.k8s.io' });
const rule = (verbs: string, apiGroups: string, resources: string, more: object = {}): object => ({
  verbs: verbs.split(' '),
  apiGroups: apiGroups.split(','),
  resources: resources.split(' '),
  ...more,
});

describe('RBAC', () => {
  const eve = aUser('eve', 'dev');

  it('allows nothing by itself, and everything to system:masters', () => {
    const { auth } = aWorld();
    assert.deepEqual(auth.authorize(asks(eve, 'get', 'pods')), { allowed: false, reason: '' });
    assert.equal(auth.authorize(asks(aUser('root', 'system:masters'), 'delete', 'nodes', 'n', '')).allowed, true);
  });

  it('allows what a RoleBinding gives in its namespace only, and says why', () => {
    const { auth, role, bind } = aWorld();
    role('editor', [rule('get list create', '', 'configmaps')], 'shop');
    bind('editors', 'Role/editor', [group('dev')], 'shop');
    assert.deepEqual(auth.authorize(asks(eve, 'create', 'configmaps')), {
      allowed: true,
      reason: 'RBAC: allowed by RoleBinding "editors/shop" of Role "editor" to Group "dev"',
    });
    assert.equal(auth.authorize(asks(eve, 'delete', 'configmaps')).allowed, false);
    assert.equal(auth.authorize(asks(eve, 'create', 'secrets')).allowed, false);
    assert.equal(auth.authorize(asks(eve, 'create', 'configmaps', '', 'other')).allowed, false);
    assert.equal(auth.authorize(asks(aUser('bob'), 'create', 'configmaps')).allowed, false);
  });

  it('gives a ClusterRole everywhere through a ClusterRoleBinding, in one namespace through a RoleBinding', () => {
    const { auth, role, bind } = aWorld();
    role('reader', [rule('get', '', 'pods')]);
    bind('readers', 'reader', [user('eve')]);
    bind('some', 'reader', [user('bob')], 'shop');
    assert.equal(
      auth.authorize(asks(eve, 'get', 'pods', '', '')).reason,
      'RBAC: allowed by ClusterRoleBinding "readers" of ClusterRole "reader" to User "eve"',
    );
    assert.equal(auth.authorize(asks(aUser('bob'), 'get', 'pods')).allowed, true);
    assert.equal(auth.authorize(asks(aUser('bob'), 'get', 'pods', '', '')).allowed, false);
  });

  it('keeps subresources apart from their resource', () => {
    const { auth, role, bind } = aWorld();
    role('scaler', [rule('patch', 'apps', 'deployments/scale'), rule('get', '*', '*/status')]);
    bind('scalers', 'scaler', [user('eve')]);
    assert.equal(auth.authorize(asks(eve, 'patch', 'apps/deployments/scale', 'web')).allowed, true);
    assert.equal(auth.authorize(asks(eve, 'patch', 'apps/deployments', 'web')).allowed, false);
    assert.equal(auth.authorize(asks(eve, 'get', 'pods/status', 'p')).allowed, true);
    assert.equal(auth.authorize(asks(eve, 'get', 'pods', 'p')).allowed, false);
  });

  it('limits to resourceNames, which create and list requests do not have', () => {
    const { auth, role, bind } = aWorld();
    role('one', [rule('get create list', '', 'configmaps', { resourceNames: ['a'] })]);
    bind('ones', 'one', [user('eve')]);
    assert.equal(auth.authorize(asks(eve, 'get', 'configmaps', 'a')).allowed, true);
    assert.equal(auth.authorize(asks(eve, 'get', 'configmaps', 'b')).allowed, false);
    assert.equal(auth.authorize(asks(eve, 'create', 'configmaps')).allowed, false);
  });

  it('matches non-resource paths, also with a star at the end', () => {
    const { auth, role, bind } = aWorld();
    role('paths', [{ verbs: ['get'], nonResourceURLs: ['/metrics', '/api/*'] }]);
    bind('paths', 'paths', [group('system:authenticated')]);
    for (const [path, allowed] of [
      ['/metrics', true],
      ['/api/v1', true],
      ['/metrics/x', false],
      ['/apis', false],
    ] as const) {
      assert.equal(auth.authorize(asksPath(eve, 'get', path)).allowed, allowed, path);
    }
  });

  it("binds service accounts, by default those of the binding's own namespace", () => {
    const { auth, role, bind } = aWorld();
    role('r', [rule('*', '*', '*')]);
    bind('b', 'r', [{ kind: 'ServiceAccount', name: 'robot', namespace: 'tools' }], 'shop');
    const robot = aUser('system:serviceaccount:tools:robot');
    assert.equal(
      auth.authorize(asks(robot, 'get', 'pods')).reason,
      'RBAC: allowed by RoleBinding "b/shop" of ClusterRole "r" to ServiceAccount "robot/tools"',
    );
  });

  it('applies a change at once', () => {
    const { auth, role, bind, remove } = aWorld();
    bind('b', 'r', [user('eve')]);
    assert.equal(
      auth.authorize(asks(eve, 'get', 'pods')).reason,
      'RBAC: clusterrole.rbac.authorization.k8s.io "r" not found',
    );
    role('r', [rule('get', '', 'pods')]);
    assert.equal(auth.authorize(asks(eve, 'get', 'pods')).allowed, true);
    remove('rbac.authorization.k8s.io/clusterrolebindings', '', 'b');
    assert.equal(auth.authorize(asks(eve, 'get', 'pods')).allowed, false);
  });

  it("refuses in the API server's words", () => {
    const { auth } = aWorld();
    const cases = [
      [
        asks(eve, 'list', 'apps/deployments'),
        'deployments.apps is forbidden: User "eve" cannot list resource "deployments" in API group "apps" in the namespace "shop"',
      ],
      [
        asks(eve, 'delete', 'configmaps', 'x'),
        'configmaps "x" is forbidden: User "eve" cannot delete resource "configmaps" in API group "" in the namespace "shop"',
      ],
      [
        asks(eve, 'patch', 'apps/deployments/scale', 'web'),
        'deployments.apps "web" is forbidden: User "eve" cannot patch resource "deployments/scale" in API group "apps" in the namespace "shop"',
      ],
      [
        asks(eve, 'list', 'nodes', '', ''),
        'nodes is forbidden: User "eve" cannot list resource "nodes" in API group "" at the cluster scope',
      ],
      [asksPath(eve, 'get', '/metrics'), 'forbidden: User "eve" cannot get path "/metrics"'],
    ] as const;
    for (const [attributes, message] of cases) {
      const status = refusal(() => auth.check(attributes));
      assert.equal(status.message, message);
      assert.equal(status.code, 403);
      assert.equal(status.reason, 'Forbidden');
    }
    assert.deepEqual(refusal(() => auth.check(cases[2][0])).details, {
      name: 'web',
      group: 'apps',
      kind: 'deployments',
    });
  });
});

describe('Escalation through roles and bindings', () => {
  const write = (who: User, resource: string, object: object, old?: object, namespace = 'shop'): AdmissionRequest =>
    ({
      attributes: asks(who, old ? 'update' : 'create', `rbac.authorization.k8s.io/${resource}`, '', namespace),
      operation: old ? 'UPDATE' : 'CREATE',
      object: { metadata: { name: 'new', namespace }, ...object } as KubeObject,
      oldObject: old ? ({ metadata: { name: 'new', namespace }, ...old } as KubeObject) : null,
    }) as AdmissionRequest;
  const eve = aUser('eve');
  const prepared = (): ReturnType<typeof aWorld> => {
    const world = aWorld();
    world.role('manager', [
      rule('*', 'rbac.authorization.k8s.io', 'roles rolebindings'),
      rule('get list', '', 'pods'),
      rule('*', 'apps', 'deployments', { resourceNames: ['web'] }),
    ]);
    // Everything in the group, and so `bind` and `escalate` too, would make the check pointless.
    world.role('plain', [rule('get list', '', 'pods'), rule('get', 'apps', 'deployments', { resourceNames: ['web'] })]);
    world.bind('plain', 'plain', [user('eve')], 'shop');
    return world;
  };

  it('is refused with the missing rules, merged and sorted', () => {
    const { auth } = prepared();
    const status = refusal(() =>
      auth.checkEscalation(
        write(eve, 'roles', {
          rules: [rule('get list delete create', '', 'pods secrets'), rule('get', 'apps', 'deployments')],
        }),
      ),
    );
    assert.equal(
      status.message,
      'roles.rbac.authorization.k8s.io "new" is forbidden: user "eve" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n' +
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete" "create"]}\n' +
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list" "delete" "create"]}\n' +
        '{APIGroups:["apps"], Resources:["deployments"], Verbs:["get"]}',
    );
  });

  it('does not apply to rules that the user has', () => {
    const { auth } = prepared();
    auth.checkEscalation(
      write(eve, 'roles', {
        rules: [rule('get', '', 'pods'), rule('get', 'apps', 'deployments', { resourceNames: ['web'] })],
      }),
    );
  });

  it('is allowed for system:masters and with the verb escalate', () => {
    const { auth, bind } = prepared();
    const request = write(eve, 'roles', { rules: [rule('*', '*', '*')] });
    auth.checkEscalation(write(aUser('root', 'system:masters'), 'roles', { rules: [rule('*', '*', '*')] }));
    assert.equal(refusal(() => auth.checkEscalation(request)).code, 403);
    bind('managers', 'manager', [user('eve')], 'shop');
    auth.checkEscalation(request);
  });

  it('is refused for bindings, too, unless the verb bind is allowed', () => {
    const { auth, role, bind } = prepared();
    role('admin', [rule('*', '*', '*')]);
    const request = write(eve, 'rolebindings', {
      roleRef: { kind: 'ClusterRole', name: 'admin' },
      subjects: [user('eve')],
    });
    assert.match(
      refusal(() => auth.checkEscalation(request)).message!,
      /^rolebindings\.rbac\.authorization\.k8s\.io "new" is forbidden: user "eve".*\n\{APIGroups:\["\*"\]/,
    );
    role('binder', [rule('bind', 'rbac.authorization.k8s.io', 'clusterroles', { resourceNames: ['admin'] })]);
    bind('binders', 'binder', [user('eve')], 'shop');
    auth.checkEscalation(request);
  });

  it('does not affect the garbage collector, which removes finalizers and owners', () => {
    const { auth } = prepared();
    const rules = [rule('*', '*', '*')];
    const old = { metadata: { name: 'new', namespace: 'shop', finalizers: ['a/b'] }, rules };
    auth.checkEscalation(write(eve, 'roles', { metadata: { name: 'new', namespace: 'shop' }, rules }, old));
    assert.equal(refusal(() => auth.checkEscalation(write(eve, 'roles', { rules }, { rules: [] }))).code, 403);
  });
});
