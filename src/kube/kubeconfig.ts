// Merges kubeconfig files and kubectl's flags into one configuration, by kubectl's rules.
import './older-node.ts';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Cluster, KubeConfig, User } from '@kubernetes/client-node';
import type { ExecConfig } from './exec-plugin.ts';

/** Values from the command line that replace those of the kubeconfig. Named like kubectl's flags. */
export interface Overrides {
  readonly context?: string;
  readonly cluster?: string;
  readonly user?: string;
  readonly server?: string;
  readonly token?: string;
  readonly as?: string;
  readonly asGroup?: readonly string[];
  readonly asUid?: string;
  readonly certificateAuthority?: string;
  readonly clientCertificate?: string;
  readonly clientKey?: string;
  readonly insecureSkipTlsVerify?: boolean;
  readonly tlsServerName?: string;
}

export interface Loaded {
  readonly config: KubeConfig;
  /** The `config` that a credential plugin receives for a cluster, from an extension of the cluster. */
  readonly execConfig: (cluster: string) => unknown;
}

/** Name of the cluster extension for credential plugins. */
const EXEC_EXTENSION = 'client.authentication.k8s.io/exec';

/** If several files have the same entry, the first one wins. A missing file is skipped if another file exists. Throws the errors of reading. */
export async function loadKubeconfig(files: readonly string[], overrides: Overrides): Promise<Loaded> {
  const { KubeConfig: Loader, loadYaml } = await import('@kubernetes/client-node');
  const config = new Loader();
  config.loadFromOptions({ clusters: [], users: [], contexts: [], currentContext: '' });
  const extensions = new Map<string, unknown>();
  let missing: unknown;
  let found = 0;
  for (const file of files) {
    const one = new Loader();
    try {
      const text = readFileSync(file, 'utf8');
      if (files.length > 1 && text.trim() === '') continue;
      one.loadFromString(text);
      one.makePathsAbsolute(path.dirname(file));
      const raw = loadYaml(text) as RawKubeconfig | null | undefined;
      const tokenFiles = tokenFilesOf(raw);
      one.users = one.users.map((user) => withPaths(user, tokenFiles.get(user.name), path.dirname(file)));
      for (const [name, extension] of extensionsOf(raw)) {
        if (!extensions.has(name)) extensions.set(name, extension);
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      missing ??= error;
      continue;
    }
    found += 1;
    config.clusters = joined(config.clusters, one.clusters);
    config.users = joined(config.users, one.users);
    config.contexts = joined(config.contexts, one.contexts);
    if (!config.currentContext && one.currentContext) config.setCurrentContext(one.currentContext);
  }
  if (found === 0 && missing !== undefined && overrides.server === undefined) throw missing as Error;
  apply(config, overrides);
  config.users = config.users.map((user) => (user.name === config.getCurrentUser()?.name ? withToken(user) : user));
  return { config, execConfig: (cluster) => extensions.get(cluster) };
}

/** A field that the client library does not read. */
type FoundUser = User & { readonly tokenFile?: string };

/** Paths are relative to the kubeconfig. A command without a slash is searched for in PATH. */
function withPaths(user: User, tokenFile: string | undefined, folder: string): FoundUser {
  const exec = user.exec as ExecConfig | undefined | null;
  return {
    ...user,
    ...(exec?.command?.includes('/') ? { exec: { ...exec, command: path.resolve(folder, exec.command) } } : {}),
    ...(tokenFile === undefined ? {} : { tokenFile: path.resolve(folder, tokenFile) }),
  };
}

/** The token of the file takes precedence over the token beside it. It is read again with the kubeconfig, after a 401 answer. */
function withToken({ tokenFile, ...user }: FoundUser): User {
  if (tokenFile === undefined) return user;
  try {
    return { ...user, token: readFileSync(tokenFile, 'utf8').trim() };
  } catch (error) {
    throw new Error(`tokenFile of user "${user.name}": ${(error as Error).message}`, { cause: error });
  }
}

interface RawKubeconfig {
  readonly users?: readonly { readonly name?: string; readonly user?: { readonly tokenFile?: string } | null }[];
  readonly clusters?: readonly {
    readonly name?: string;
    readonly cluster?: { readonly extensions?: readonly { readonly name?: string; readonly extension?: unknown }[] };
  }[];
}

const tokenFilesOf = (raw: RawKubeconfig | null | undefined): Map<string | undefined, string> =>
  new Map(
    (Array.isArray(raw?.users) ? (raw.users as NonNullable<RawKubeconfig['users']>) : []).flatMap(({ name, user }) =>
      user?.tokenFile ? [[name, user.tokenFile] as const] : [],
    ),
  );

/** The client library does not read extensions. */
function extensionsOf(raw: RawKubeconfig | null | undefined): [cluster: string, extension: unknown][] {
  if (!Array.isArray(raw?.clusters)) return [];
  return (raw.clusters as NonNullable<RawKubeconfig['clusters']>).flatMap(({ name, cluster }) => {
    const found = cluster?.extensions?.find((extension) => extension.name === EXEC_EXTENSION);
    return name === undefined || found === undefined ? [] : [[name, found.extension] as [string, unknown]];
  });
}

const joined = <T extends { readonly name: string }>(first: readonly T[], second: readonly T[]): T[] => [
  ...first,
  ...second.filter(({ name }) => !first.some((one) => one.name === name)),
];

/** Replaces the current context by one with the values of the flags. */
function apply(config: KubeConfig, flags: Overrides): void {
  if (flags.context !== undefined) config.setCurrentContext(flags.context);
  const given = Object.entries(flags).some(([name, value]) => name !== 'context' && value !== undefined);
  if (!given) return;
  const current = config.getContextObject(config.getCurrentContext());
  if (!current && (flags.context !== undefined || (flags.cluster === undefined && flags.server === undefined))) return;
  const wanted = { cluster: flags.cluster ?? current?.cluster ?? '', user: flags.user ?? current?.user ?? '' };
  for (const kind of ['cluster', 'user'] as const) {
    const there = config[`${kind}s`].some(({ name }) => name === wanted[kind]);
    if (flags[kind] !== undefined && !there) throw new Error(`${kind} "${flags[kind]}" does not exist`);
  }
  const name = config.getCurrentContext() || 'flags';
  const cluster = clusterOf(
    config.clusters.find((one) => one.name === wanted.cluster),
    flags,
  );
  const user = userOf(
    config.users.find((one) => one.name === wanted.user),
    flags,
  );
  const { namespace } = current ?? {};
  config.clusters = cluster ? [cluster] : [];
  config.users = [user];
  config.contexts = [
    {
      name,
      cluster: cluster?.name ?? wanted.cluster,
      user: user.name,
      ...(namespace === undefined ? {} : { namespace }),
    },
  ];
  config.setCurrentContext(name);
}

function clusterOf(found: Cluster | undefined, flags: Overrides): Cluster | undefined {
  const server = flags.server ?? found?.server;
  if (server === undefined) return undefined;
  const { caData, caFile, ...rest } = found ?? { name: 'flags', skipTLSVerify: false };
  const authority =
    flags.certificateAuthority !== undefined
      ? { caFile: flags.certificateAuthority }
      : { ...(caData === undefined ? {} : { caData }), ...(caFile === undefined ? {} : { caFile }) };
  return {
    ...rest,
    ...authority,
    server,
    ...(flags.insecureSkipTlsVerify === undefined ? {} : { skipTLSVerify: flags.insecureSkipTlsVerify }),
    ...(flags.tlsServerName === undefined ? {} : { tlsServerName: flags.tlsServerName }),
  };
}

/** A token or a certificate from the flags replaces all credentials of the kubeconfig's user. */
function userOf(found: User | undefined, flags: Overrides): User {
  const { token, clientCertificate: certFile, clientKey: keyFile } = flags;
  const name = found?.name ?? 'flags';
  const own =
    token !== undefined
      ? { name, token }
      : certFile !== undefined || keyFile !== undefined
        ? { name, ...(certFile === undefined ? {} : { certFile }), ...(keyFile === undefined ? {} : { keyFile }) }
        : (found ?? { name });
  return flags.as === undefined ? own : { ...own, impersonateUser: flags.as };
}
