// Access reviews, rules reviews, and self reviews.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { KubeObject, User } from '../../src/core/types.ts';
import { aUser, aWorld, refusal, type World } from './support.ts';

const eve = aUser('eve', 'dev');
const ask = ({ auth }: World, resource: string, spec: object, user: User = eve, namespace = ''): KubeObject =>
  auth.reviews[resource]!(
    { apiVersion: 'authorization.k8s.io/v1', kind: 'Review', metadata: { name: '' }, spec },
    { user, namespace, name: '' },
  );

const prepared = (): World => {
  const world = aWorld();
  world.role('r', [{ verbs: ['get', 'create'], apiGroups: [''], resources: ['configmaps'] }], 'shop');
  world.bind('rb', 'Role/r', [{ kind: 'Group', name: 'dev' }], 'shop');
  return world;
};

describe('Access reviews', () => {
  const create = { resourceAttributes: { verb: 'create', namespace: 'shop', resource: 'configmaps' } };
  const remove = { resourceAttributes: { verb: 'delete', namespace: 'shop', resource: 'configmaps' } };
  const allowed = { allowed: true, reason: 'RBAC: allowed by RoleBinding "rb/shop" of Role "r" to Group "dev"' };

  it('answer for other users and for oneself', () => {
    const world = prepared();
    assert.deepEqual(
      ask(world, 'subjectaccessreviews', { user: 'x', groups: ['dev'], ...create }, aUser('op')).status,
      allowed,
    );
    assert.deepEqual(ask(world, 'subjectaccessreviews', { user: 'x', ...create }, aUser('op')).status, {
      allowed: false,
    });
    assert.deepEqual(ask(world, 'selfsubjectaccessreviews', create).status, allowed);
    assert.deepEqual(ask(world, 'selfsubjectaccessreviews', remove).status, { allowed: false });
  });

  it('answer about paths', () => {
    const spec = { nonResourceAttributes: { path: '/metrics', verb: 'get' } };
    assert.deepEqual(ask(prepared(), 'selfsubjectaccessreviews', spec).status, { allowed: false });
    assert.deepEqual(ask(prepared(), 'selfsubjectaccessreviews', spec, aUser('a', 'system:masters')).status, {
      allowed: true,
    });
  });

  it('refuse a question without a subject, or without exactly one object', () => {
    const world = prepared();
    assert.match(
      refusal(() => ask(world, 'subjectaccessreviews', create)).message!,
      /spec\.user: Invalid value: "": at least one of user or group must be specified$/,
    );
    assert.match(
      refusal(() => ask(world, 'selfsubjectaccessreviews', {})).message!,
      /exactly one of nonResourceAttributes or resourceAttributes must be specified$/,
    );
    assert.match(
      refusal(() => ask(world, 'selfsubjectaccessreviews', { ...create, nonResourceAttributes: { path: '/' } }))
        .message!,
      /cannot be specified in combination with resourceAttributes$/,
    );
  });

  it('in a namespace ask about that namespace only', () => {
    const world = prepared();
    const spec = { user: 'x', groups: ['dev'], ...create };
    assert.deepEqual(ask(world, 'localsubjectaccessreviews', spec, eve, 'shop').status, allowed);
    assert.match(
      refusal(() => ask(world, 'localsubjectaccessreviews', spec, eve, 'other')).message!,
      /spec\.resourceAttributes\.namespace: Invalid value: "shop": must match metadata\.namespace$/,
    );
  });

  it('list the rules of the user in a namespace', () => {
    const status = ask(prepared(), 'selfsubjectrulesreviews', { namespace: 'shop' }).status;
    assert.deepEqual(status, {
      resourceRules: [{ verbs: ['get', 'create'], apiGroups: [''], resources: ['configmaps'] }],
      nonResourceRules: [],
      incomplete: false,
    });
    assert.deepEqual(ask(prepared(), 'selfsubjectrulesreviews', { namespace: 'other' }).status.resourceRules, []);
  });

  it('return the user', () => {
    assert.deepEqual(ask(prepared(), 'selfsubjectreviews', {}).status, { userInfo: eve });
  });

  it('return the user of a token', () => {
    const world = prepared();
    world.put('/serviceaccounts', { metadata: { name: 'robot', namespace: 'shop', uid: 'u' } });
    const asked = { apiVersion: '', kind: 'TokenRequest', metadata: { name: '' }, spec: {} };
    const { token } = world.auth.reviews['serviceaccounts/token']!(asked, {
      user: eve,
      namespace: 'shop',
      name: 'robot',
    }).status;
    assert.equal(ask(world, 'tokenreviews', { token }).status.user.username, 'system:serviceaccount:shop:robot');
    assert.equal(ask(world, 'tokenreviews', { token: 'x' }).status.authenticated, undefined);
  });
});
