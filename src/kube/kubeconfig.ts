// Several kubeconfig files and the flags of kubectl become one configuration, by kubectl's rules.
import { readFileSync } from 'node:fs';
import type { Cluster, KubeConfig, User } from '@kubernetes/client-node';

/** What a command line says instead of the kubeconfig; named as kubectl's flags. */
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

/** An entry that stands in several files is the first's; a file that is not there is passed over where there are others. Throws what reading throws. */
export async function loadKubeconfig(files: readonly string[], overrides: Overrides): Promise<KubeConfig> {
  const { KubeConfig: Loader } = await import('@kubernetes/client-node');
  const config = new Loader();
  config.loadFromOptions({ clusters: [], users: [], contexts: [], currentContext: '' });
  let missing: unknown;
  let found = 0;
  for (const file of files) {
    const one = new Loader();
    try {
      if (files.length > 1 && readFileSync(file, 'utf8').trim() === '') continue;
      one.loadFromFile(file);
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
  return config;
}

const joined = <T extends { readonly name: string }>(first: readonly T[], second: readonly T[]): T[] => [
  ...first,
  ...second.filter(({ name }) => !first.some((one) => one.name === name)),
];

/** The flags as a context of their own: the one that is chosen, with what they change. */
function apply(config: KubeConfig, flags: Overrides): void {
  if (flags.context !== undefined) config.setCurrentContext(flags.context);
  const given = Object.entries(flags).some(([name, value]) => name !== 'context' && value !== undefined);
  if (!given) return;
  const current = config.getContextObject(config.getCurrentContext());
  if (!current && (flags.context !== undefined || (flags.cluster === undefined && flags.server === undefined))) return;
  const wanted = { cluster: flags.cluster ?? current?.cluster ?? '', user: flags.user ?? current?.user ?? '' };
  for (const kind of ['cluster', 'user'] as const) {
    const there = config[`${kind}s`].some(({ name }) => name === wanted[kind]);
    if (flags[kind] !== undefined && !there) throw new Error(`there is no ${kind} "${flags[kind]}"`);
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

/** A token or a certificate that is given stands for everything that the kubeconfig knows of its user. */
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
