// The address of the API server and the credentials for it: from the Pod's service account in a cluster, otherwise from a kubeconfig.
import { readFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import type { Cluster } from '@kubernetes/client-node';
import { ExecPlugin, type ClusterInfo, type ExecConfig } from './exec-plugin.ts';
import { loadKubeconfig, type Loaded, type Overrides } from './kubeconfig.ts';
import { proxyFor, proxySettings, readProxyUrl, type ProxySettings } from './proxy.ts';

export type Source = (
  | { readonly type: 'kubeconfig'; readonly files: readonly string[] }
  | { readonly type: 'inCluster'; readonly host: string; readonly port: string }
) & {
  /** From the environment. A `proxy-url` in the kubeconfig takes precedence. */
  readonly proxies?: ProxySettings;
};

/** Headers and TLS options that authenticate a request. They are read before each request, because tokens and client certificates are renewed. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly tls: Readonly<
    Pick<RequestOptions, 'ca' | 'cert' | 'key' | 'pfx' | 'passphrase' | 'servername' | 'rejectUnauthorized'>
  >;
}

export interface Connection {
  readonly server: URL;
  /** Proxy for all requests. */
  readonly proxy?: URL | undefined;
  /** Namespace of the kubeconfig's context, or of the Pod. */
  readonly namespace: string | undefined;
  /** Name of the kubeconfig's context. Absent in a Pod. */
  readonly context?: string | undefined;
  credentials(): Promise<Credentials>;
  /** Call it after a 401 answer: it drops cached credentials, so that the next request gets new ones. */
  renew?(): void;
}

/** The kubeconfig or the Pod's service account is missing or invalid. The message says what to do. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
}

/** Chooses like kubectl: the flag, then KUBECONFIG, then the Pod's service account, then ~/.kube/config. */
export function findSource(flag: string | undefined, env: Readonly<Record<string, string | undefined>>): Source {
  const proxies = proxySettings(env);
  const common = proxies && { proxies };
  if (flag) return { type: 'kubeconfig', files: [flag], ...common };
  const files = (env['KUBECONFIG'] ?? '').split(':').filter((file) => file !== '');
  if (files.length > 0) return { type: 'kubeconfig', files, ...common };
  const host = env['KUBERNETES_SERVICE_HOST'];
  if (host) return { type: 'inCluster', host, port: env['KUBERNETES_SERVICE_PORT'] ?? '443', ...common };
  if (env['HOME']) return { type: 'kubeconfig', files: [`${env['HOME']}/.kube/config`], ...common };
  throw new ConnectionError('no cluster is configured: pass --kubeconfig FILE, or set KUBECONFIG');
}

/** `overrides`: values from the command line that replace those of the kubeconfig. Throws ConnectionError. */
export async function connect(source: Source, overrides: Overrides = {}): Promise<Connection> {
  if (source.type === 'kubeconfig') return connectWith(source.files, overrides, source.proxies);
  const found = await connectInCluster(source.host, source.port);
  const connection = { ...found, proxy: proxyFor(found.server, source.proxies) };
  const { token, as, asGroup: _group, asUid: _uid, ...others } = overrides;
  const [other] = Object.entries(others).find(([, value]) => value !== undefined) ?? [];
  if (other !== undefined) {
    const flag = other.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new ConnectionError(`--${flag} requires a kubeconfig: pass --kubeconfig FILE, or remove --${flag}`);
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
/** The kubelet renews the token long before it expires. client-go also reads the file once a minute. */
const TOKEN_AGE_MS = 60_000;

/** Does not use client-node, whose generated models take 80 MB of memory. */
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

async function connectWith(
  files: readonly string[],
  overrides: Overrides,
  proxies: ProxySettings | undefined,
): Promise<Connection> {
  const name = files.join(':');
  const { context } = overrides;
  const load = async (): Promise<User> => {
    try {
      return userOf(await loadKubeconfig(files, overrides));
    } catch (error) {
      throw new ConnectionError(
        `kubeconfig ${name}: ${reasonOf(error)}; pass --kubeconfig FILE with a file that kubectl can use`,
        { cause: error },
      );
    }
  };
  let user = await load();
  let stale = false;
  const { config, proxyUrl } = user;
  const cluster = config.getCurrentCluster();
  const wanted = config.getCurrentContext();
  if (!cluster) {
    throw new ConnectionError(
      wanted
        ? `kubeconfig ${name}: the ${context === undefined ? 'current context' : 'context'} "${wanted}" or its cluster does not exist; ` +
            `to list the contexts, run: kubectl config get-contexts`
        : `kubeconfig ${name}: current-context is not set; to set it, run: kubectl config use-context NAME`,
    );
  }
  if (!URL.canParse(cluster.server ?? '')) {
    throw new ConnectionError(
      `kubeconfig ${name}: server: Invalid value: "${cluster.server}": must be a URL; write https://HOST:PORT`,
    );
  }
  const server = new URL(cluster.server);
  let proxy: URL | undefined;
  try {
    proxy = proxyUrl ? readProxyUrl(proxyUrl) : proxyFor(server, proxies);
  } catch (error) {
    throw new ConnectionError(`kubeconfig ${name}: ${reasonOf(error)}`, { cause: error });
  }
  const credentials = async (): Promise<Credentials> => {
    const options: RequestOptions = {};
    // A new KubeConfig runs the plugin again, and reads files that a login has changed.
    if (stale) user = await load();
    stale = false;
    try {
      await user.config.applyToHTTPSOptions(options);
      const { token, cert, key } = (await user.plugin?.credential()) ?? {};
      if (token !== undefined) options.headers = { ...options.headers, authorization: `Bearer ${token}` };
      if (cert !== undefined) Object.assign(options, { cert, key });
    } catch (error) {
      if (user.plugin && error instanceof Error && error.message.startsWith('exec: '))
        throw new ConnectionError(`kubeconfig ${name}: cannot get credentials: ${error.message}`, { cause: error });
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
    };
  };
  // Reports an unreadable certificate now, not at the first request.
  await credentials();
  const namespace = config.getContextObject(wanted)?.namespace;
  return { server, proxy, namespace, context: wanted, credentials, renew: () => void (stale = true) };
}

interface User {
  /** Without the proxy and the credential plugin, which this file handles instead of the client library. */
  readonly config: Loaded['config'];
  readonly proxyUrl: string | undefined;
  readonly plugin: ExecPlugin | undefined;
}

function userOf({ config, execConfig }: Loaded): User {
  const cluster = config.getCurrentCluster();
  const exec = config.getCurrentUser()?.exec as ExecConfig | undefined | null;
  config.clusters = config.clusters.map(({ proxyUrl: _, ...rest }) => rest);
  config.users = config.users.map(({ exec: __, ...rest }) => rest);
  const info = (): Promise<ClusterInfo> => clusterInfo(cluster!, execConfig(cluster!.name));
  return { config, proxyUrl: cluster?.proxyUrl, plugin: exec && cluster ? new ExecPlugin(exec, info) : undefined };
}

/** The cluster as a credential plugin receives it, with the CA as data. */
async function clusterInfo(cluster: Cluster, config: unknown): Promise<ClusterInfo> {
  const { server, tlsServerName, skipTLSVerify, caFile, proxyUrl } = cluster;
  const caData = caFile ? (await readFile(caFile)).toString('base64') : cluster.caData;
  return {
    server,
    ...(tlsServerName && { 'tls-server-name': tlsServerName }),
    ...(skipTLSVerify && { 'insecure-skip-tls-verify': true }),
    ...(caData && { 'certificate-authority-data': caData }),
    ...(proxyUrl && { 'proxy-url': proxyUrl }),
    ...(config !== undefined && { config }),
  };
}

const dropUndefined = <T extends object>(object: T): T =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'file not found';
  if (code === 'EACCES') return 'permission denied';
  if (code === 'EISDIR') return 'is a directory';
  return (message ?? String(error)).split('\n', 1)[0]!;
}
