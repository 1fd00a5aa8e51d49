// `kubectl tranche drain`: gives all workloads back, as helm uninstall does, but from the user's machine.
import { MUTATING } from '../../api/resources.ts';
import { plural } from '../../engine/lib/text.ts';
import type { Logger } from '../../kube/log.ts';
import { defineCommand } from '../command.ts';
import type { Cluster } from '../cluster.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT, usageError } from '../exit.ts';
import { parseDuration } from '../flags.ts';
import { oneLine } from '../paint.ts';
import type { Identity, Installation } from '../drain-identity.ts';
import type { WebhookConfiguration } from '../doctor/webhooks.ts';

interface DrainFlags {
  readonly namespace?: string;
  readonly held?: string;
  readonly systemNamespace?: string;
  readonly timeout: string;
}

export const drain = defineCommand({
  description:
    'Gives all workloads back and removes the labels, annotations and finalizers of Tranche, as helm uninstall does. It runs on your machine, so it also ' +
    'works if no Pod of Tranche can start. While Tranche is installed, it acts as the ServiceAccount of Tranche if you may impersonate it. Without that ' +
    'permission it acts as you, and with --as it acts as that user: neither can give routes back, and if the webhooks do not answer, first run ' +
    'helm uninstall --no-hooks.',
  arguments: [['[namespace...]', 'Namespaces whose workloads to give back; default: all of the installation']],
  options: [
    [
      '--held <how>',
      'How releases in progress end; required. finish: update all Pods to the new version, without steps; rollback: restore the stable version',
    ],
    [
      '--system-namespace <name>',
      'Namespace of the installation; default: as in the webhook configurations, or tranche-system',
    ],
    ['--timeout <time>', 'Time to wait until all workloads are given back', { default: '4m' }],
  ],
  examples: ['kubectl tranche drain --held rollback', 'kubectl tranche drain --held finish shop pay'],
  run: drainAll,
});

async function drainAll(context: Context, flags: DrainFlags, namespaces: readonly string[]): Promise<number> {
  const { io, version } = context;
  const { held } = flags;
  if (held !== 'finish' && held !== 'rollback') {
    const given = held === undefined ? 'missing --held' : `invalid --held "${held}"`;
    throw usageError(`${given}: write finish or rollback, which says how releases in progress end`);
  }
  if (flags.namespace !== undefined) {
    throw usageError(
      '--namespace does not apply to drain: for the workloads of some namespaces only, write their names as arguments; ' +
        'for the namespace of Tranche, use --system-namespace',
    );
  }
  const timeoutMs = parseDuration(flags.timeout, '--timeout');
  const cluster = await context.cluster();
  const { overridesOf } = await import('../cluster.ts');
  const { findSource } = await import('../../kube/connection.ts');
  const installed = await findInstalled(cluster);
  const namespace = flags.systemNamespace ?? installed?.namespace ?? 'tranche-system';
  const who = installed
    ? await identityOf(context, cluster, { ...installed, namespace }, namespaces)
    : { namespaces, openkruise: true };
  try {
    const given = await io.drain({
      cluster: findSource(context.flags.kubeconfig, io.env),
      overrides: { ...overridesOf(context.flags), ...(who.as !== undefined && { as: who.as }) },
      namespace,
      lease: installed?.name ?? 'tranche',
      watchNamespaces: who.namespaces,
      openkruise: who.openkruise,
      held: held === 'finish' ? 'Finish' : 'Rollback',
      timeoutSeconds: Math.ceil(timeoutMs / 1000),
      logger: progressOn(context),
      version,
    });
    io.out(
      `${plural(given.deployments, 'workload')} given back; the finalizer removed from ${plural(given.rollouts, 'Rollout')}\n`,
    );
    return EXIT.done;
  } catch (error) {
    if (error instanceof Error && error.name === 'DrainError') {
      const remedy =
        installed && who.as === undefined
          ? '; if no Pod of Tranche runs, first run helm uninstall with --no-hooks'
          : '';
      throw new CliError(`${error.message}${remedy}`, EXIT.timedOut);
    }
    if (error instanceof Error && error.name === 'StartError') throw new CliError(error.message);
    throw error;
  }
}

interface Installed extends Omit<Installation, 'namespace'> {
  /** Undefined if the program runs outside the cluster. */
  readonly namespace: string | undefined;
}

/** The chart gives its webhook configurations and its Lease one name. The Lease keeps replicas from holding workloads again. */
async function findInstalled(cluster: Cluster): Promise<Installed | undefined> {
  const { clientConfigs, isOurs, watchedBy } = await import('../doctor/webhooks.ts');
  const ours = (await cluster.list<WebhookConfiguration>(MUTATING)).filter(isOurs);
  const [first, second] = ours;
  if (second) {
    throw new CliError(
      `there are ${ours.length} installations of Tranche (${ours.map(({ metadata }) => metadata.name).join(', ')}): uninstall them one by one with helm`,
    );
  }
  if (!first) return undefined;
  const namespace = clientConfigs(first).find(({ service }) => service)?.service?.namespace;
  return { name: first.metadata.name, namespace, watched: watchedBy(first) };
}

interface Who extends Omit<Identity, 'account'> {
  readonly as?: string;
}

async function identityOf(
  { flags, io, version }: Context,
  cluster: Cluster,
  installation: Installation,
  named: readonly string[],
): Promise<Who> {
  const [{ identityFor, usernameOf }, { connectCluster }] = await Promise.all([
    import('../drain-identity.ts'),
    import('../cluster.ts'),
  ]);
  const opened: Cluster[] = [];
  try {
    const { account, ...who } = await identityFor(cluster, {
      installation,
      named,
      chosen: [flags.as, flags.asGroup, flags.asUid].some((flag) => flag !== undefined),
      async connectAs(as) {
        const acting = await connectCluster(io, { ...flags, as }, version);
        opened.push(acting);
        return acting;
      },
    });
    if (account === undefined) return who;
    const where = named.length === 0 && who.namespaces.length > 0 ? `, in namespaces ${who.namespaces.join(', ')}` : '';
    io.err(`${oneLine(`acting as ServiceAccount ${account.name} of namespace ${account.namespace}${where}`)}\n`);
    return { ...who, as: usernameOf(account) };
  } finally {
    for (const { api } of opened) api.close();
  }
}

/** Prints what a drain reports as lines for people. */
function progressOn({ io }: Context): Logger {
  const lineOf = (message: string, { key, reason, error }: Readonly<Record<string, unknown>> = {}): string => {
    const about = [message, key, reason].filter((part) => typeof part === 'string').join(' ');
    return `${oneLine(error instanceof Error ? `${about}: ${error.message}` : about)}\n`;
  };
  const logger: Logger = {
    debug: () => undefined,
    info: (message, fields) => io.err(lineOf(message, fields)),
    warn: (message, fields) => io.err(`Warning: ${lineOf(message, fields)}`),
    error: (message, fields) => io.err(`error: ${lineOf(message, fields)}`),
    child: () => logger,
  };
  return logger;
}
