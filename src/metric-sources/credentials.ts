// How a source authenticates: a token from a file, a Secret in the namespace of Tranche, and headers. No error contains any of it.
import { readFile } from 'node:fs/promises';
import type { Endpoint } from '../api/analysis.ts';
import { TOKEN_FOLDER } from '../api/keys.ts';
import { SECRETS } from '../api/resources.ts';
import type { KubeObject } from '../api/types.ts';
import type { Api, Clock } from '../kube/api.ts';
import { isForbidden } from '../kube/errors.ts';
import { findObject } from '../kube/get.ts';
import type { Credentials } from './http.ts';
import type { Unknown } from './source.ts';

export interface CredentialsDeps {
  readonly api: Api;
  readonly clock: Clock;
  /** Namespace of Tranche, where the Secrets are. */
  readonly namespace: string;
  /** For tests. Default {@link TOKEN_FOLDER}. */
  readonly tokenFolder?: string;
}

interface Secret extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

const SECRET_MS = 60_000;
/** After a failure, so that a Secret that was forgotten is found soon. */
const RETRY_MS = 10_000;
/** A header cannot have other characters, and Node would put them into its error. */
const TOKEN = /^[\x21-\x7e]{1,16384}$/;
const FILE = /^[A-Za-z0-9][-._A-Za-z0-9]*$/;

/** Returns the credentials for a query of the namespace. They never reject. */
export function createCredentials(
  { headers = {}, secretName, bearerTokenFile }: Pick<Endpoint, 'headers' | 'secretName' | 'bearerTokenFile'>,
  deps: CredentialsDeps,
): (namespace: string) => Promise<Credentials | Unknown> {
  const secret = secretName === undefined ? undefined : secretReader(secretName, deps);
  return async (namespace) => {
    const written = Object.entries(headers).map(
      ([name, value]) => [name.toLowerCase(), value.replaceAll('{{namespace}}', namespace)] as const,
    );
    const found = (await secret?.()) ?? {};
    if ('unknown' in found) return found;
    const token = bearerTokenFile === undefined ? {} : await readToken(bearerTokenFile, deps.tokenFolder);
    if ('unknown' in token) return token;
    if (token.headers && found.headers)
      return { unknown: `Secret ${secretName} and bearerTokenFile both authenticate: keep one` };
    return { ...found, headers: { ...Object.fromEntries(written), ...found.headers, ...token.headers } };
  };
}

async function readToken(file: string, folder = TOKEN_FOLDER): Promise<Credentials | Unknown> {
  const name = file.startsWith(TOKEN_FOLDER) ? file.slice(TOKEN_FOLDER.length) : '';
  if (!FILE.test(name)) return { unknown: `bearerTokenFile must be a file in ${TOKEN_FOLDER}` };
  try {
    return bearer((await readFile(`${folder}${name}`, 'utf8')).trim(), 'bearerTokenFile');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { unknown: `bearerTokenFile cannot be read: ${code === 'ENOENT' ? 'file not found' : 'permission denied'}` };
  }
}

/** Reads the Secret when it is needed, once for all who ask at the same time, and again after a minute. */
function secretReader(name: string, { api, clock, namespace }: CredentialsDeps): () => Promise<Credentials | Unknown> {
  let current: Promise<Credentials | Unknown> | undefined;
  let until = -Infinity;
  const read = async (): Promise<Credentials | Unknown> => {
    try {
      const secret = await findObject<Secret>(api, SECRETS, { namespace, name });
      return secret ? readSecret(secret) : { unknown: `there is no Secret ${name} in namespace ${namespace}` };
    } catch (error) {
      return {
        unknown: isForbidden(error)
          ? `forbidden: Tranche may not read Secret ${name}; add it to the value analysis.secrets of the chart`
          : `Secret ${name} cannot be read`,
      };
    }
  };
  return () => {
    if (current && clock.now() < until) return current;
    until = Infinity;
    return (current = read().then((found) => {
      until = clock.now() + ('unknown' in found ? RETRY_MS : SECRET_MS);
      return found;
    }));
  };
}

function readSecret({ metadata: { name }, data = {} }: Secret): Credentials | Unknown {
  const text = (key: string): string | undefined =>
    Object.hasOwn(data, key) ? Buffer.from(String(data[key]), 'base64').toString('utf8') : undefined;
  const [token, username, password] = [text('token')?.trim(), text('username'), text('password')];
  const [cert, key, ca] = [text('tls.crt'), text('tls.key'), text('ca.crt')];
  const wrong = (why: string): Unknown => ({ unknown: `Secret ${name} ${why}` });
  if (token !== undefined && username !== undefined) return wrong('has token and username: keep one');
  if ((username === undefined) !== (password === undefined)) return wrong('needs both username and password');
  if ((cert === undefined) !== (key === undefined)) return wrong('needs both tls.crt and tls.key');
  if ([token, username, cert, ca].every((part) => part === undefined))
    return wrong('has none of token, username and password, tls.crt and tls.key, ca.crt');
  const tls = { ...(cert !== undefined && { cert, key: key! }), ...(ca !== undefined && { ca }) };
  if (username !== undefined) {
    if (username.includes(':')) return wrong('has a username with a colon, which is not possible');
    const basic = Buffer.from(`${username}:${password}`).toString('base64');
    return { headers: { authorization: `Basic ${basic}` }, tls };
  }
  if (token === undefined) return { tls };
  const found = bearer(token, `token in Secret ${name}`);
  return 'unknown' in found ? found : { ...found, tls };
}

const bearer = (token: string, where: string): Credentials | Unknown =>
  TOKEN.test(token)
    ? { headers: { authorization: `Bearer ${token}` } }
    : { unknown: `the ${where} is empty, or has characters that a header cannot have` };
