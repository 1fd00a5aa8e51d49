// Certificates, tokens, anonymous users, and impersonation.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'mocha';
import { userFromCertificate } from '../../src/auth/index.ts';
import type { ApiRequest, KubeObject, User } from '../../src/core/types.ts';
import { aUser, aWorld, refusal, type World } from './support.ts';

const request = (headers: Record<string, string>, user?: User): ApiRequest => ({
  method: 'GET',
  path: '/',
  query: new URLSearchParams(),
  headers,
  ...(user ? { user } : {}),
});

const tokenFor = ({ auth, put }: World, spec: object = {}): string => {
  put('/serviceaccounts', { metadata: { name: 'robot', namespace: 'shop', uid: 'u-1' } });
  const asked = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    metadata: { name: '' },
    spec,
  } as KubeObject;
  const answer = auth.reviews['serviceaccounts/token']!(asked, {
    user: aUser('admin'),
    namespace: 'shop',
    name: 'robot',
  });
  return answer.status.token as string;
};

describe('Authentication', () => {
  it('takes user and groups from a client certificate, and names the certificate', () => {
    const raw = Buffer.from('der');
    assert.deepEqual(userFromCertificate({ raw, commonName: 'admin', organizations: ['system:masters'] }), {
      username: 'admin',
      groups: ['system:masters', 'system:authenticated'],
      extra: {
        'authentication.kubernetes.io/credential-id': [`X509SHA256=${createHash('sha256').update(raw).digest('hex')}`],
      },
    });
  });

  it('takes a request without credentials as anonymous', () => {
    assert.deepEqual(aWorld().auth.authenticate(request({})), {
      username: 'system:anonymous',
      groups: ['system:unauthenticated'],
    });
  });

  it('refuses a bearer token it does not know', () => {
    const { auth } = aWorld();
    const status = refusal(() => auth.authenticate(request({ authorization: 'Bearer nonsense' })));
    assert.deepEqual([status.code, status.reason, status.message], [401, 'Unauthorized', 'Unauthorized']);
  });

  it('accepts the token of a service account, a JWT with the claims of a real one', () => {
    const world = aWorld();
    const token = tokenFor(world);
    const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());
    assert.equal(claims.sub, 'system:serviceaccount:shop:robot');
    assert.deepEqual(claims['kubernetes.io'], { namespace: 'shop', serviceaccount: { name: 'robot', uid: 'u-1' } });
    assert.equal(claims.exp - claims.iat, 3600);
    assert.deepEqual(world.auth.authenticate(request({ authorization: `Bearer ${token}` })), {
      username: 'system:serviceaccount:shop:robot',
      uid: 'u-1',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:shop', 'system:authenticated'],
      extra: { 'authentication.kubernetes.io/credential-id': [`JTI=${claims.jti}`] },
    });
  });

  it('refuses a token that is forged, expired, for another audience, or of a recreated account', async () => {
    const world = aWorld();
    const { auth, clock, put } = world;
    const use = (token: string): unknown => auth.authenticate(request({ authorization: `Bearer ${token}` }));
    const token = tokenFor(world, { expirationSeconds: 600 });
    use(token);
    const [header, payload, signature] = token.split('.') as [string, string, string];
    const forged = JSON.parse(Buffer.from(payload, 'base64url').toString());
    forged.sub = 'system:serviceaccount:kube-system:admin';
    const changed = `${header}.${Buffer.from(JSON.stringify(forged)).toString('base64url')}.${signature}`;
    assert.equal(refusal(() => use(changed)).code, 401);
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`;
    assert.equal(refusal(() => use(unsigned)).code, 401);
    assert.equal(refusal(() => use(tokenFor(world, { audiences: ['vault'] }))).code, 401);
    await clock.run(601_000);
    assert.equal(refusal(() => use(token)).code, 401);
    const fresh = tokenFor(world);
    put('/serviceaccounts', { metadata: { name: 'robot', namespace: 'shop', uid: 'u-2' } });
    assert.equal(refusal(() => use(fresh)).code, 401);
  });

  it('binds a token to a Pod, and refuses it once the Pod is gone', () => {
    const world = aWorld();
    world.put('/pods', {
      metadata: { name: 'p', namespace: 'shop', uid: 'u-9' },
      spec: { serviceAccountName: 'robot', nodeName: 'n1' },
    });
    const token = tokenFor(world, { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'p' } });
    const { extra } = world.auth.authenticate(request({ authorization: `Bearer ${token}` }));
    assert.deepEqual(extra!['authentication.kubernetes.io/pod-name'], ['p']);
    assert.deepEqual(extra!['authentication.kubernetes.io/pod-uid'], ['u-9']);
    assert.deepEqual(extra!['authentication.kubernetes.io/node-name'], ['n1']);
    world.remove('/pods', 'shop', 'p');
    assert.equal(refusal(() => world.auth.authenticate(request({ authorization: `Bearer ${token}` }))).code, 401);
  });

  it('refuses a token of less than ten minutes, and one for an account that is not there', () => {
    const world = aWorld();
    assert.equal(
      refusal(() => tokenFor(world, { expirationSeconds: 60 })).message,
      'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes',
    );
    const context = { user: aUser('admin'), namespace: 'shop', name: 'nobody' };
    const asked = { apiVersion: '', kind: 'TokenRequest', metadata: { name: '' }, spec: {} };
    assert.equal(
      refusal(() => world.auth.reviews['serviceaccounts/token']!(asked, context)).message,
      'serviceaccounts "nobody" not found',
    );
  });
});

describe('Impersonation', () => {
  const admin: User = {
    ...aUser('admin', 'system:masters'),
    extra: { 'authentication.kubernetes.io/credential-id': ['x'] },
  };

  it('replaces the user, without the extras of the caller', () => {
    const { auth } = aWorld();
    assert.deepEqual(
      auth.authenticate(request({ 'impersonate-user': 'alice', 'impersonate-group': 'dev, ops' }, admin)),
      {
        username: 'alice',
        groups: ['dev', 'ops', 'system:authenticated'],
      },
    );
    assert.deepEqual(
      auth.authenticate(
        request({ 'impersonate-user': 'a', 'impersonate-uid': '7', 'impersonate-extra-acme.com%2fteam': 'x' }, admin),
      ),
      { username: 'a', uid: '7', groups: ['system:authenticated'], extra: { 'acme.com/team': ['x'] } },
    );
    assert.deepEqual(auth.authenticate(request({ 'impersonate-user': 'system:anonymous' }, admin)).groups, [
      'system:unauthenticated',
    ]);
  });

  it('uses a badly encoded extra key unchanged', () => {
    const { auth } = aWorld();
    const user = auth.authenticate(request({ 'impersonate-user': 'a', 'impersonate-extra-100%': 'x' }, admin));
    assert.deepEqual(user.extra, { '100%': ['x'] });
  });

  it('gives a service account its groups', () => {
    const { auth } = aWorld();
    const user = auth.authenticate(request({ 'impersonate-user': 'system:serviceaccount:shop:robot' }, admin));
    assert.deepEqual(user.groups, ['system:serviceaccounts', 'system:serviceaccounts:shop', 'system:authenticated']);
  });

  it('needs the verb impersonate on each of user, group, uid and extra', () => {
    const world = aWorld();
    const eve = aUser('eve');
    const refused = (headers: Record<string, string>): string | undefined =>
      refusal(() => world.auth.authenticate(request(headers, eve))).message;
    const alice = { 'impersonate-user': 'alice' };
    assert.equal(
      refused(alice),
      'users "alice" is forbidden: User "eve" cannot impersonate resource "users" in API group "" at the cluster scope',
    );
    assert.equal(
      refused({ 'impersonate-user': 'system:serviceaccount:shop:robot' }),
      'serviceaccounts "robot" is forbidden: User "eve" cannot impersonate resource "serviceaccounts" in API group "" in the namespace "shop"',
    );
    world.role('speaker', [
      { verbs: ['impersonate'], apiGroups: [''], resources: ['users'], resourceNames: ['alice'] },
    ]);
    world.bind('speakers', 'speaker', [{ kind: 'User', name: 'eve' }]);
    assert.equal(world.auth.authenticate(request(alice, eve)).username, 'alice');
    assert.equal(
      refused({ ...alice, 'impersonate-group': 'system:masters' }),
      'groups "system:masters" is forbidden: User "eve" cannot impersonate resource "groups" in API group "" at the cluster scope',
    );
    assert.equal(
      refused({ ...alice, 'impersonate-extra-team': 'x' }),
      'userextras.authentication.k8s.io "x" is forbidden: User "eve" cannot impersonate resource "userextras/team" in API group "authentication.k8s.io" at the cluster scope',
    );
  });

  it('refuses groups without a user', () => {
    const { auth } = aWorld();
    assert.equal(refusal(() => auth.authenticate(request({ 'impersonate-group': 'dev' }, admin))).code, 500);
  });
});
