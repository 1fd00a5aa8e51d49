// Reads flags and environment variables into one validated, frozen Config. No other file reads them.
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { readTracing, type TracingConfig } from './config-tracing.ts';
import { ConnectionError, findSource, type Source } from '../kube/connection.ts';
import { LOG_LEVELS, type LogLevel } from '../telemetry/logger.ts';

/** The commands other than `run`, which is the default. */
const COMMANDS = ['drain', 'certificates'] as const;
export type Command = 'run' | (typeof COMMANDS)[number];

export interface Config {
  /** `run` runs until a signal. `drain` gives all workloads back and exits. `certificates` renews certificates and exits. */
  readonly command: Command;
  /** What a drain does with releases in progress, like the annotation tranche.dev/on-delete. */
  readonly held: 'Finish' | 'Rollback';
  /** Timeout of the commands `drain` and `certificates`. */
  readonly timeoutSeconds: number;
  readonly cluster: Source;
  /** Namespace of the Lease, Secret and Service. Undefined = the namespace of the Pod or kubeconfig, otherwise `tranche-system`. */
  readonly namespace: string | undefined;
  /** Namespaces whose Rollouts and workloads are handled. Empty = all. */
  readonly watchNamespaces: readonly string[];
  /** URL of the webhooks if the program runs outside the cluster. Undefined = the API server uses the Service. */
  readonly webhookUrl: URL | undefined;
  readonly webhookService: string;
  readonly webhookPort: number;
  readonly webhookConfiguration: string;
  /** File with the CA of the API servers' client certificates. Undefined = callers are not authenticated. */
  readonly webhookClientCa: string | undefined;
  /** Accepted common names of client certificates. Empty = all certificates that the CA has signed. */
  readonly webhookClientNames: readonly string[];
  /** 0 = a free port chosen by the system. */
  readonly metricsPort: number;
  /** Directory with tls.crt, tls.key and ca.crt from another issuer. Undefined = the program issues its own certificates. */
  readonly tlsDir: string | undefined;
  readonly tlsSecret: string;
  /** `true`: set the CA in the webhook configurations and the CRD. `check`: only report if it is missing. */
  readonly injectCa: 'true' | 'check' | 'false';
  readonly leaderElect: boolean;
  readonly lease: string;
  /** Unique for each process. */
  readonly identity: string;
  readonly logLevel: LogLevel;
  /** Return admission warnings to users. */
  readonly warnings: boolean;
  /** An approval requires the verb `approve` on Rollouts, not only the right to write their status. */
  readonly approveVerb: boolean;
  /** Pods that block the release of a StatefulSet may be evicted (docs/statefulsets.md). */
  readonly evictsStuckPods: boolean;
  /** Pods of every release get the labels of the release and the step, not only those of a release whose id the user set. */
  readonly labelsPods: boolean;
  /** Pods of DaemonSets may be evicted for a step (docs/daemonsets.md). */
  readonly evictsDaemonSetPods: boolean;
  /** Workloads of OpenKruise are released, where their CRDs exist (docs/openkruise-workloads.md). */
  readonly openkruise: boolean;
  /** Requests are routed by HTTPRoutes and GRPCRoutes (docs/traffic.md). */
  readonly gatewayApi: boolean;
  readonly workers: number;
  /** Export of traces. Undefined = off. */
  readonly tracing: TracingConfig | undefined;
}

/** Namespace of the Lease, Secret and Service if none is configured. */
export const DEFAULT_NAMESPACE = 'tranche-system';

/** A flag or variable is invalid. The message contains its name, its value, and what to write. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** Prefix of a drain's identity. If such an identity holds the Lease, the webhooks intercept nothing. */
export const DRAIN_IDENTITY = 'drain_';

type Env = Readonly<Record<string, string | undefined>>;

const FLAGS = {
  kubeconfig: ['FILE', 'the kubeconfig ($KUBECONFIG, or the service account of the Pod, or ~/.kube/config)'],
  namespace: ['NAME', 'namespace of the Lease, Secret and Service (that of the Pod or the kubeconfig)'],
  'watch-namespaces': ['NAMES', 'comma-separated list of the namespaces to handle (all)'],
  'webhook-url': ['URL', 'https://HOST:PORT of the webhooks, for a program outside the cluster'],
  'webhook-service': ['NAME', 'Service of the webhooks, for a program inside the cluster (tranche-webhook)'],
  'webhook-port': ['PORT', 'port of the webhooks (the port of --webhook-url, or 9443)'],
  'webhook-configuration': ['NAME', 'name of the webhook configurations of the chart (tranche)'],
  'webhook-client-ca': ['FILE', 'require client certificates from this CA on the webhook port (not required)'],
  'webhook-client-names': ['NAMES', 'comma-separated list of accepted common names of client certificates (all)'],
  'metrics-port': ['PORT', 'port of /healthz, /readyz and /metrics; 0 = any free port (8080)'],
  'tls-dir': ['FOLDER', 'use tls.crt, tls.key and ca.crt in this directory instead of issuing certificates'],
  'tls-secret': ['NAME', 'Secret for the certificates that the program issues (tranche-tls)'],
  'inject-ca': ['true|check|false', 'set the CA in the webhook configurations and the CRD, or only check it (true)'],
  'leader-elect': ['true|false', 'elect a leader, so that only one replica advances releases (true)'],
  lease: ['NAME', 'name of the Lease for the leader election (tranche)'],
  'log-level': [LOG_LEVELS.join('|'), 'lowest level of log lines to write (info)'],
  warnings: ['true|false', 'return admission warnings that tell users what will happen (true)'],
  'approve-verb': ['true|false', 'require the verb approve on Rollouts for approvals (true)'],
  'label-pods': ['true|false', 'label the Pods of every release, not only if its rollout-id was set (false)'],
  'evict-stuck-pods': ['true|false', 'evict broken Pods that block the release of a StatefulSet (false)'],
  'evict-daemonset-pods': ['true|false', 'evict Pods of DaemonSets, to release them in steps (false)'],
  'openkruise-workloads': ['true|false', 'release workloads of apps.kruise.io where their CRDs exist (false)'],
  'gateway-api': ['true|false', 'route requests with HTTPRoutes and GRPCRoutes of the Gateway API (false)'],
  workers: ['NUMBER', 'number of Rollouts to process at the same time (4)'],
  held: ['finish|rollback', 'drain only: how to end releases in progress (finish)'],
  timeout: ['SECONDS', 'drain and certificates only: timeout (240)'],
} as const satisfies Readonly<Record<string, readonly [value: string, meaning: string]>>;

type Flag = keyof typeof FLAGS;

export const usage = (): string => {
  const lines = Object.entries(FLAGS).map(
    ([flag, [value, meaning]]) => `  ${`--${flag} ${value}`.padEnd(36)}${meaning}`,
  );
  const commands = [
    'Usage: tranche [flags]               run the operator and the webhooks until a signal',
    '       tranche certificates [flags]  renew the certificates if needed, and set their CA in the webhook configurations',
    '       tranche drain [flags]         restore the settings of all held workloads before Tranche is uninstalled',
    '       tranche COMMAND ...           run a command of kubectl tranche: see tranche help',
  ];
  return [...commands, '', ...lines, `  ${'--help'.padEnd(36)}show this help`, ''].join('\n');
};

/** Returns 'help' for --help. Throws ConfigError. */
export function readConfig(args: readonly string[], env: Env): Config | 'help' {
  const command = COMMANDS.find((one) => one === args[0]) ?? 'run';
  const { values, help } = parse(command === 'run' ? args : args.slice(1));
  if (help) return 'help';
  const text = (flag: Flag): string | undefined => {
    const value = values[flag];
    if (value === '')
      throw new ConfigError(`--${flag}: Required value: write --${flag} ${FLAGS[flag][0]}, or remove the flag`);
    return value;
  };
  const name = (flag: Flag, fallback: string): string => {
    const value = text(flag) ?? fallback;
    if (!/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(value)) {
      throw refuse(flag, value, 'must consist of lower-case letters, digits, "-" and "."');
    }
    return value;
  };
  const port = (flag: Flag, fallback: number): number => {
    const value = text(flag) ?? String(fallback);
    if (!/^\d{1,5}$/.test(value) || Number(value) > 65_535) throw refuse(flag, value, 'must be a port from 0 to 65535');
    return Number(value);
  };
  const yes = (flag: Flag, fallback: 'true' | 'false' = 'true'): boolean => {
    const value = text(flag) ?? fallback;
    if (value !== 'true' && value !== 'false') throw refuse(flag, value, 'must be true or false');
    return value === 'true';
  };

  const webhookUrl = readWebhookUrl(text('webhook-url'));
  const logLevel = text('log-level') ?? 'info';
  if (!isLogLevel(logLevel)) throw refuse('log-level', logLevel, `must be one of ${LOG_LEVELS.join(', ')}`);
  const injectCa = text('inject-ca') ?? 'true';
  if (injectCa !== 'true' && injectCa !== 'check' && injectCa !== 'false') {
    throw refuse('inject-ca', injectCa, 'must be true, check or false');
  }
  const workers = text('workers') ?? '4';
  if (!/^\d{1,3}$/.test(workers) || Number(workers) === 0) {
    throw refuse('workers', workers, 'must be a number from 1 to 999');
  }
  const held = text('held') ?? 'finish';
  if (held !== 'finish' && held !== 'rollback') throw refuse('held', held, 'must be finish or rollback');
  const timeout = text('timeout') ?? '240';
  if (!/^\d{1,5}$/.test(timeout) || Number(timeout) === 0) {
    throw refuse('timeout', timeout, 'must be a number of seconds from 1 to 99999');
  }
  const namespace = text('namespace') === undefined ? undefined : name('namespace', '');
  const cluster = readSource(text('kubeconfig'), env);
  if (!webhookUrl && cluster.type === 'kubeconfig' && command === 'run') {
    throw new ConfigError(
      '--webhook-url: Required value: outside a cluster, write --webhook-url https://HOST:PORT with an address of this machine ' +
        'that the API server can reach; use the same URL as webhook.url of the chart',
    );
  }
  return Object.freeze({
    command,
    held: held === 'rollback' ? 'Rollback' : 'Finish',
    timeoutSeconds: Number(timeout),
    cluster,
    namespace,
    watchNamespaces: readNamespaces(text('watch-namespaces')),
    webhookUrl,
    webhookService: name('webhook-service', 'tranche-webhook'),
    webhookPort: port('webhook-port', webhookUrl ? Number(webhookUrl.port || 443) : 9443),
    webhookConfiguration: name('webhook-configuration', 'tranche'),
    webhookClientCa: text('webhook-client-ca'),
    webhookClientNames: readClientNames(text('webhook-client-names'), text('webhook-client-ca')),
    metricsPort: port('metrics-port', 8080),
    tlsDir: text('tls-dir'),
    tlsSecret: name('tls-secret', 'tranche-tls'),
    injectCa,
    leaderElect: yes('leader-elect'),
    lease: name('lease', 'tranche'),
    identity: identityOf(command, env),
    logLevel,
    warnings: yes('warnings'),
    approveVerb: yes('approve-verb'),
    evictsStuckPods: yes('evict-stuck-pods', 'false'),
    labelsPods: yes('label-pods', 'false'),
    evictsDaemonSetPods: yes('evict-daemonset-pods', 'false'),
    openkruise: yes('openkruise-workloads', 'false'),
    gatewayApi: yes('gateway-api', 'false'),
    workers: Number(workers),
    tracing: command === 'run' ? readTracing(env, refuseVariable) : undefined,
  });
}

/** The random part is needed because Pod names can repeat, e.g. in a StatefulSet. */
export const identityOf = (command: Command, env: Env): string =>
  `${command === 'drain' ? DRAIN_IDENTITY : ''}${env['POD_NAME'] ?? hostname()}_${randomBytes(4).toString('hex')}`;

function parse(args: readonly string[]): { values: Partial<Record<Flag, string>>; help: boolean } {
  const options = Object.fromEntries(Object.keys(FLAGS).map((flag) => [flag, { type: 'string' as const }]));
  try {
    const { values } = parseArgs({ args: [...args], options: { ...options, help: { type: 'boolean', short: 'h' } } });
    const { help, ...rest } = values as Partial<Record<Flag, string>> & { help?: boolean };
    return { values: rest, help: help === true };
  } catch (error) {
    // Keeps the first sentence of Node's message, which names the flag. The advice about `--` does not apply.
    const words = (error instanceof Error ? error.message : String(error)).split(/\. |\n/, 1)[0]!;
    throw new ConfigError(`${words}: see --help`, { cause: error });
  }
}

function readNamespaces(value: string | undefined): readonly string[] {
  const names = value?.split(',') ?? [];
  if (names.every((name) => /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name))) return [...new Set(names)];
  throw refuse('watch-namespaces', value!, 'must be a comma-separated list of namespaces without spaces, such as a,b');
}

function readClientNames(value: string | undefined, ca: string | undefined): readonly string[] {
  const names = value?.split(',').map((name) => name.trim()) ?? [];
  if (names.includes(''))
    throw refuse('webhook-client-names', value!, 'must be a comma-separated list of names, such as a,b');
  if (names.length > 0 && ca === undefined) {
    throw refuse(
      'webhook-client-names',
      value!,
      'requires --webhook-client-ca: write --webhook-client-ca FILE too, or remove the flag',
    );
  }
  return [...new Set(names)];
}

function readWebhookUrl(value: string | undefined): URL | undefined {
  if (value === undefined) return undefined;
  const remedy = 'write https://HOST:PORT';
  if (!URL.canParse(value)) throw refuse('webhook-url', value, `must be a URL: ${remedy}`);
  const url = new URL(value);
  if (url.protocol !== 'https:') throw refuse('webhook-url', value, `must use https: ${remedy}`);
  if (url.pathname !== '/' || url.search || url.hash || url.username) {
    throw refuse('webhook-url', value, `must not have a user, path, query or fragment: ${remedy}`);
  }
  return url;
}

function readSource(kubeconfig: string | undefined, env: Env): Source {
  try {
    return findSource(kubeconfig, env);
  } catch (error) {
    if (error instanceof ConnectionError) throw new ConfigError(error.message, { cause: error });
    throw error;
  }
}

const isLogLevel = (value: string): value is LogLevel => LOG_LEVELS.some((level) => level === value);

const refuseVariable = (variable: string, value: string | undefined, remedy: string): ConfigError =>
  new ConfigError(`$${variable}: Invalid value${value === undefined ? '' : `: "${value}"`}: ${remedy}`);

const refuse = (flag: Flag, value: string, reason: string): ConfigError =>
  new ConfigError(`--${flag}: Invalid value: "${value}": ${reason}`);
