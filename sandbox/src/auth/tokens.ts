// Service account tokens: signed JWTs like those of a real API server, bound to the account and optionally to a Pod.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';
import { newUid } from '../core/names.ts';
import type { Store } from '../core/store.ts';
import type { Clock, KubeObject, User } from '../core/types.ts';

export const ISSUER = 'https://kubernetes.default.svc.cluster.local';

export interface BoundObject {
  kind: string;
  name: string;
  uid: string;
  /** The node of the Pod. */
  node?: { name: string; uid?: string | undefined };
}

const MAX_REMEMBERED = 1_000;

interface Claims {
  aud: string[];
  exp: number;
  iat: number;
  iss: string;
  jti: string;
  'kubernetes.io': {
    namespace: string;
    node?: { name: string; uid?: string | undefined };
    pod?: { name: string; uid: string };
    secret?: { name: string; uid: string };
    serviceaccount: { name: string; uid: string };
  };
  nbf: number;
  sub: string;
}

export class Tokens {
  private readonly objects: Pick<Store, 'get'>;
  private readonly clock: Clock;
  private keys: { privateKey: KeyObject; publicKey: KeyObject; id: string } | undefined;
  /** Verified tokens. Clients send the same token with each request. */
  private readonly genuine = new Map<string, Claims>();

  /** `key`: PEM. Absent: a new key. */
  constructor(objects: Pick<Store, 'get'>, clock: Clock, signingKey?: string) {
    this.objects = objects;
    this.clock = clock;
    if (signingKey) this.keys = withId(createPrivateKey(signingKey));
  }

  issue(account: KubeObject, audiences: string[], expirationSeconds: number, bound?: BoundObject): string {
    const { metadata } = account;
    const now = Math.floor(this.clock.now() / 1000);
    const claims: Claims = {
      aud: audiences,
      exp: now + expirationSeconds,
      iat: now,
      iss: ISSUER,
      jti: newUid(() => this.clock.random()),
      'kubernetes.io': {
        namespace: metadata.namespace!,
        ...(bound?.node ? { node: bound.node } : {}),
        ...(bound ? { [bound.kind.toLowerCase()]: { name: bound.name, uid: bound.uid } } : {}),
        serviceaccount: { name: metadata.name, uid: metadata.uid! },
      },
      nbf: now,
      sub: `system:serviceaccount:${metadata.namespace}:${metadata.name}`,
    };
    const { privateKey, id } = this.key();
    const head = `${encode({ alg: 'ES256', kid: id })}.${encode(claims)}`;
    return `${head}.${sign('sha256', Buffer.from(head), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
  }

  /** The user of a token. Undefined if it is forged, expired, for another audience, or if its account or Pod does not exist. */
  verify(token: string, audiences: readonly string[]): User | undefined {
    const claims = this.read(token);
    if (!claims || !claims.aud.some((audience) => audiences.includes(audience))) return undefined;
    const now = this.clock.now() / 1000;
    if (now >= claims.exp || now < claims.nbf) return undefined;
    const about = claims['kubernetes.io'];
    const alive = (collection: string, object: { name: string; uid: string } | undefined): boolean =>
      !object || this.objects.get(collection, about.namespace, object.name)?.metadata.uid === object.uid;
    if (
      !alive('/serviceaccounts', about.serviceaccount) ||
      !alive('/pods', about.pod) ||
      !alive('/secrets', about.secret)
    ) {
      return undefined;
    }
    return {
      ...serviceAccountUser(about.namespace, about.serviceaccount.name, about.serviceaccount.uid),
      extra: {
        'authentication.kubernetes.io/credential-id': [`JTI=${claims.jti}`],
        ...(about.node ? { 'authentication.kubernetes.io/node-name': [about.node.name] } : {}),
        ...(about.node?.uid ? { 'authentication.kubernetes.io/node-uid': [about.node.uid] } : {}),
        ...(about.pod
          ? {
              'authentication.kubernetes.io/pod-name': [about.pod.name],
              'authentication.kubernetes.io/pod-uid': [about.pod.uid],
            }
          : {}),
      },
    };
  }

  private read(token: string): Claims | undefined {
    const known = this.genuine.get(token);
    if (known) return known;
    const [header, payload, signature, ...more] = token.split('.');
    if (!header || !payload || !signature || more.length > 0 || !this.keys) return undefined;
    try {
      if ((decode(header) as { alg?: string }).alg !== 'ES256') return undefined;
      const valid = verify(
        'sha256',
        Buffer.from(`${header}.${payload}`),
        { key: this.keys.publicKey, dsaEncoding: 'ieee-p1363' },
        Buffer.from(signature, 'base64url'),
      );
      if (!valid) return undefined;
      const claims = decode(payload) as Claims;
      if (this.genuine.size >= MAX_REMEMBERED) this.genuine.clear();
      this.genuine.set(token, claims);
      return claims;
    } catch {
      return undefined;
    }
  }

  private key(): { privateKey: KeyObject; publicKey: KeyObject; id: string } {
    this.keys ??= withId(newSigningKey());
    return this.keys;
  }
}

const newSigningKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

/** The key as PEM, for the next start. */
export const signingKeyText = (): string => newSigningKey().export({ type: 'pkcs8', format: 'pem' }) as string;

function withId(privateKey: KeyObject): { privateKey: KeyObject; publicKey: KeyObject; id: string } {
  const publicKey = createPublicKey(privateKey);
  const id = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url');
  return { privateKey, publicKey, id };
}

/** The user info of a service account. */
export const serviceAccountUser = (namespace: string, name: string, uid?: string): User => ({
  username: `system:serviceaccount:${namespace}:${name}`,
  ...(uid ? { uid } : {}),
  groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
});

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const decode = (text: string): unknown => JSON.parse(Buffer.from(text, 'base64url').toString());
