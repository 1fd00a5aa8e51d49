// Where the API server is and how we prove who we are: in a cluster from the Pod's service account, elsewhere from a kubeconfig.
import { readFile } from 'node:fs/promises';
import type { Agent } from 'node:http';
import type { RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { loadKubeconfig, type Overrides } from './kubeconfig.ts';

export type Source =
  | { readonly type: 'kubeconfig'; readonly files: readonly string[] }
  | { readonly type: 'inCluster'; readonly host: string; readonly port: string };

/** What a request needs besides its own; asked for before each one, because tokens and client certificates are renewed. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly tls: Readonly<
    Pick<RequestOptions, 'ca' | 'cert' | 'key' | 'pfx' | 'passphrase' | 'servername' | 'rejectUnauthorized'>
  >;
  /** Of a proxy. */
  readonly agent?: Agent;
}

export interface Connection {
  readonly server: URL;
  /** Namespace of the context, or of the Pod. */
  readonly namespace: string | undefined;
  credentials(): Promise<Credentials>;
  /** The server did not accept the credentials: what was kept of them is forgotten, and the next request gets new ones. */
  renew?(): void;
}

/** The kubeconfig, or the Pod's service account, cannot be used. The message says what to do. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
}

/** As kubectl decides it: the flag, then KUBECONFIG, then the Pod's service account, then ~/.kube/config. */
export function findSource(flag: string | undefined, env: Readonly<Record<string, string | undefined>>): Source {
  if (flag) return { type: 'kubeconfig', files: [flag] };
  const files = (env['KUBECONFIG'] ?? '').split(':').filter((file) => file !== '');
  if (files.length > 0) return { type: 'kubeconfig', files };
  const host = env['KUBERNETES_SERVICE_HOST'];
  if (host) return { type: 'inCluster', host, port: env['KUBERNETES_SERVICE_PORT'] ?? '443' };
  if (env['HOME']) return { type: 'kubeconfig', files: [`${env['HOME']}/.kube/config`] };
  throw new ConnectionError('no cluster: pass --kubeconfig FILE, or set KUBECONFIG');
}

/** `overrides`: what a command line says instead of the kubeconfig. Throws ConnectionError. */
export async function connect(source: Source, overrides: Overrides = {}): Promise<Connection> {
  if (source.type === 'kubeconfig') return connectWith(source.files, overrides);
  const connection = await connectInCluster(source.host, source.port);
  const { token, as, asGroup: _group, asUid: _uid, ...others } = overrides;
  const [other] = Object.entries(others).find(([, value]) => value !== undefined) ?? [];
  if (other !== undefined) {
    const flag = other.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new ConnectionError(`--${flag} needs a kubeconfig: pass --kubeconfig FILE, or leave --${flag} out`);
  }
  return {
    ...connection,
    async credentials() {
      const { headers, tls } = await connection.credentials();
      const own = { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...impersonate(overrides) };
      return { headers: { ...headers, ...own, ...(as === undefined ? {} : { 'impersonate-user': as }) }, tls };
    },
  };
}

const impersonate = ({ asGroup = [], asUid }: Overrides): Record<string, string | string[]> => ({
  ...(asGroup.length > 0 ? { 'impersonate-group': [...asGroup] } : {}),
  ...(asUid === undefined ? {} : { 'impersonate-uid': asUid }),
});

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
/** The kubelet renews the token in the file long before the old one ends; client-go reads it once a minute too. */
const TOKEN_AGE_MS = 60_000;

/** By hand and not with client-node, whose generated models cost 80 MB of memory. */
export async function connectInCluster(host: string, port: string, folder = SERVICE_ACCOUNT): Promise<Connection> {
  const read = async (name: string): Promise<string> => {
    try {
      return await readFile(`${folder}/${name}`, 'utf8');
    } catch (error) {
      throw new ConnectionError(
        `cannot read the service account's ${name}: ${reasonOf(error)}; ` +
          'set automountServiceAccountToken: true on the Pod, or pass --kubeconfig FILE',
        { cause: error },
      );
    }
  };
  let token = '';
  let readAt = -Infinity;
  const credentials = async (): Promise<Credentials> => {
    if (Date.now() - readAt > TOKEN_AGE_MS) {
      token = (await read('token')).trim();
      readAt = Date.now();
    }
    return { headers: { authorization: `Bearer ${token}` }, tls };
  };
  const renew = (): void => void (readAt = -Infinity);
  const tls = { ca: await read('ca.crt') };
  await credentials();
  const namespace = (await read('namespace')).trim();
  return {
    server: new URL(`https://${host.includes(':') ? `[${host}]` : host}:${port}`),
    namespace,
    credentials,
    renew,
  };
}

async function connectWith(files: readonly string[], overrides: Overrides): Promise<Connection> {
  const name = files.join(':');
  const { context } = overrides;
  const load = async (): Promise<KubeConfig> => {
    try {
      return await loadKubeconfig(files, overrides);
    } catch (error) {
      throw new ConnectionError(
        `kubeconfig ${name}: ${reasonOf(error)}; pass --kubeconfig FILE with a file that kubectl can use`,
        { cause: error },
      );
    }
  };
  let config = await load();
  let stale = false;
  const cluster = config.getCurrentCluster();
  const wanted = config.getCurrentContext();
  if (!cluster) {
    throw new ConnectionError(
      wanted
        ? `kubeconfig ${name}: the ${context === undefined ? 'current context' : 'context'} "${wanted}" or its cluster is not in the file; ` +
            `see which there are with: kubectl config get-contexts`
        : `kubeconfig ${name}: no current-context; choose one with: kubectl config use-context NAME`,
    );
  }
  if (!URL.canParse(cluster.server ?? '')) {
    throw new ConnectionError(`kubeconfig ${name}: server: "${cluster.server}" is not a URL; write https://HOST:PORT`);
  }
  const credentials = async (): Promise<Credentials> => {
    const options: RequestOptions = {};
    // A new KubeConfig asks the plugin again, and reads what a login has written since.
    if (stale) config = await load();
    stale = false;
    try {
      await config.applyToHTTPSOptions(options);
    } catch (error) {
      throw new ConnectionError(`kubeconfig ${name}: cannot get credentials: ${reasonOf(error)}`, { cause: error });
    }
    const { ca, cert, key, pfx, passphrase, servername, rejectUnauthorized, auth } = options;
    const headers: Record<string, string | string[]> = { ...impersonate(overrides) };
    for (const [header, value] of Object.entries((options.headers as Record<string, unknown>) ?? {})) {
      headers[header.toLowerCase()] = String(value);
    }
    if (auth) headers['authorization'] ??= `Basic ${Buffer.from(auth).toString('base64')}`;
    return {
      headers,
      tls: dropUndefined({ ca, cert, key, pfx, passphrase, servername, rejectUnauthorized }),
      ...(cluster.proxyUrl && options.agent ? { agent: options.agent as Agent } : {}),
    };
  };
  // A certificate that cannot be read is better said now than at the first request.
  await credentials();
  const namespace = config.getContextObject(wanted)?.namespace;
  return { server: new URL(cluster.server), namespace, credentials, renew: () => void (stale = true) };
}

const dropUndefined = <T extends object>(object: T): T =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'no such file';
  if (code === 'EACCES') return 'no permission to read it';
  if (code === 'EISDIR') return 'is a folder';
  return (message ?? String(error)).split('\n', 1)[0]!;
}
