// Which requests the server of the dashboard answers: decided from the method, the path and the headers alone.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export interface Asked {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

export interface Guard {
  /** Allowed values of the Host header: a name of the loopback interface with our port. */
  readonly hosts: readonly string[];
  readonly token: string;
}

export interface Refusal {
  readonly status: 400 | 401 | 403 | 404 | 405 | 413 | 415;
  /** In words, for the person who looks into the browser's console. */
  readonly why: string;
}

/** Paths below this one require the token. The others are files of the plugin, which contain nothing of the cluster. */
const SECRET = '/api/';

/** The names by which a browser on this machine reaches a port. */
export const hostsOf = (port: number): string[] => ['127.0.0.1', 'localhost', '[::1]'].map((name) => `${name}:${port}`);

/** Undefined: answer it. */
export function refusalOf({ method, path, headers }: Asked, { hosts, token }: Guard): Refusal | undefined {
  const { host = '', origin, authorization } = headers;
  const site = headers['sec-fetch-site'];
  // A page of another name, which an attacker points to the loopback interface, has its own name in Host.
  if (!hosts.includes(host)) return { status: 403, why: 'the Host header does not name this server' };
  const reads = method === 'GET';
  const isSecret = path.startsWith(SECRET);
  if (origin === undefined ? !reads : origin !== `http://${host}`)
    return { status: 403, why: 'the Origin header does not name this page' };
  if ((!reads || (isSecret && site !== undefined)) && site !== 'same-origin')
    return { status: 403, why: 'only this page may send this request (Sec-Fetch-Site)' };
  if (!isSecret) return undefined;
  if (!isToken(authorization, token))
    return { status: 401, why: 'the token is missing or wrong: open the address that the terminal shows' };
  const [type] = (headers['content-type'] ?? '').split(';');
  if (!reads && type!.trim() !== 'application/json')
    return { status: 415, why: 'Content-Type must be application/json' };
  return undefined;
}

/** Takes the same time for every wrong token. */
function isToken(authorization: string | undefined, token: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(authorization ?? ''), digest(`Bearer ${token}`));
}

/** For every answer. Nothing of the page may load from, send to, or be shown in another place. */
export const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    'trusted-types lit-html',
  ].join('; '),
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
};
