// Authenticates a request by client certificate or bearer token, or as anonymous, and checks impersonation.
import { createHash } from 'node:crypto';
import { forbidden, internal } from '../core/errors.ts';
import { ApiError, type ApiRequest, type Attributes, type User } from '../core/types.ts';
import type { Decision } from './rbac.ts';
import { ISSUER, type Tokens } from './tokens.ts';

const AUTHENTICATED = 'system:authenticated';
const UNAUTHENTICATED = 'system:unauthenticated';
const ANONYMOUS: User = { username: 'system:anonymous', groups: [UNAUTHENTICATED] };
const AUTHENTICATION = 'authentication.k8s.io';
const USER = 'impersonate-user';
const UID = 'impersonate-uid';
const GROUP = 'impersonate-group';
const EXTRA = 'impersonate-extra-';

/** The content of a client certificate: its DER bytes, and common name and organizations of its subject. */
export interface ClientCertificate {
  raw: Uint8Array;
  commonName: string;
  organizations: string[];
}

export const userFromCertificate = ({ raw, commonName, organizations }: ClientCertificate): User => ({
  username: commonName,
  groups: [...organizations, AUTHENTICATED],
  extra: {
    'authentication.kubernetes.io/credential-id': [`X509SHA256=${createHash('sha256').update(raw).digest('hex')}`],
  },
});

const unauthorized = (): ApiError => new ApiError({ code: 401, reason: 'Unauthorized', message: 'Unauthorized' });

/** The user of a request before impersonation. An invalid bearer token is refused, not anonymous. */
export const authenticate = (request: ApiRequest, tokens: Tokens): User => {
  if (request.user) return request.user;
  const bearer = /^Bearer +(\S.*)$/i.exec(request.headers['authorization'] ?? '')?.[1]?.trim();
  if (bearer === undefined) return ANONYMOUS;
  const user = tokens.verify(bearer, [ISSUER]);
  if (!user) throw unauthorized();
  return user;
};

type Authorize = (attributes: Attributes) => Decision;

/** The user after impersonation. Throws 403 if impersonation is not allowed. */
export const impersonate = (request: ApiRequest, user: User, authorize: Authorize): User => {
  const { headers } = request;
  const keys = Object.keys(headers).filter((key) => key.startsWith('impersonate-') && headers[key] !== undefined);
  if (keys.length === 0) return user;
  const username = headers[USER];
  const asked = listOf(headers[GROUP]);
  const extra: Record<string, string[]> = {};
  for (const key of keys.filter((each) => each.startsWith(EXTRA))) {
    extra[unescaped(key.slice(EXTRA.length))] = listOf(headers[key]);
  }
  if (!username) {
    const wanted = JSON.stringify(keys.map((key) => `${key}=${headers[key]}`));
    throw internal(`requested ${wanted} without impersonating a user`);
  }

  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(username);
  const check = (what: Partial<Attributes>): void => confirm(user, authorize, what);
  if (account) check({ resource: 'serviceaccounts', namespace: account[1]!, name: account[2]! });
  else check({ resource: 'users', name: username });
  for (const group of asked) check({ resource: 'groups', name: group });
  for (const [key, values] of Object.entries(extra)) {
    for (const value of values) {
      check({ group: AUTHENTICATION, version: 'v1', resource: 'userextras', subresource: key, name: value });
    }
  }
  const uid = headers[UID];
  if (uid) check({ group: AUTHENTICATION, version: 'v1', resource: 'uids', name: uid });

  const groups = [...asked];
  if (account && asked.length === 0) groups.push('system:serviceaccounts', `system:serviceaccounts:${account[1]}`);
  if (!groups.includes(AUTHENTICATED) && !groups.includes(UNAUTHENTICATED)) {
    groups.push(username === ANONYMOUS.username ? UNAUTHENTICATED : AUTHENTICATED);
  }
  return {
    username,
    ...(uid ? { uid } : {}),
    groups,
    ...(Object.keys(extra).length > 0 ? { extra } : {}),
  };
};

const confirm = (user: User, authorize: Authorize, what: Partial<Attributes>): void => {
  const attributes: Attributes = {
    user,
    verb: 'impersonate',
    group: '',
    version: 'v1',
    resource: '',
    subresource: '',
    namespace: '',
    name: '',
    path: '',
    resourceRequest: true,
    ...what,
  };
  const decision = authorize(attributes);
  if (!decision.allowed) throw accessDenied(attributes, decision.reason);
};

/** The API server's 403 error. */
export const accessDenied = (attributes: Attributes, reason: string): ApiError => {
  const who = `User ${JSON.stringify(attributes.user.username)}`;
  const { verb, group, resource, subresource, namespace, name, path } = attributes;
  const why = reason ? `: ${reason}` : '';
  if (!attributes.resourceRequest) {
    return forbidden({ group: '', resource: '' }, '', `${who} cannot ${verb} path ${JSON.stringify(path)}${why}`);
  }
  const what = JSON.stringify(subresource ? `${resource}/${subresource}` : resource);
  const where = namespace ? `in the namespace ${JSON.stringify(namespace)}` : 'at the cluster scope';
  return forbidden(
    attributes,
    name,
    `${who} cannot ${verb} resource ${what} in API group ${JSON.stringify(group)} ${where}${why}`,
  );
};

/** Header names cannot contain all characters, so keys may be percent-encoded. */
const unescaped = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/** Node joins repeated headers with commas. */
const listOf = (header: string | undefined): string[] =>
  (header ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
