// Flags and environment become one validated, frozen Config. Nothing else reads either of them.
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { readTracing, type TracingConfig } from './config-tracing.ts';
import { ConnectionError, findSource, type Source } from '../kube/connection.ts';
import { LOG_LEVELS, type LogLevel } from '../telemetry/logger.ts';

/** Besides running, which needs no word. */
const COMMANDS = ['drain', 'certificates'] as const;
export type Command = 'run' | (typeof COMMANDS)[number];

export interface Config {
  /** Run until told to stop; or give every Deployment back, or see to the certificates, and end. */
  readonly command: Command;
  /** What a drain does with releases in the middle, as the annotation tranche.dev/on-delete. */
  readonly held: 'Finish' | 'Rollback';
  /** How long a drain, or seeing to the certificates, may take. */
  readonly timeoutSeconds: number;
  readonly cluster: Source;
  /** Where our Lease, Secret and Service live; undefined = the kubeconfig's own, else `tranche-system`. */
  readonly namespace: string | undefined;
  /** The namespaces whose Rollouts and Deployments we look at; empty = all. */
  readonly watchNamespaces: readonly string[];
  /** Outside the cluster: the URL at which the API server reaches us. Undefined = through our Service. */
  readonly webhookUrl: URL | undefined;
  readonly webhookService: string;
  readonly webhookPort: number;
  readonly webhookConfiguration: string;
  /** File with the CA that signs the client certificates of API servers; undefined = whoever reaches the port may ask. */
  readonly webhookClientCa: string | undefined;
  /** Common names of client certificates that count; empty = all that are signed. */
  readonly webhookClientNames: readonly string[];
  /** 0 = any free port. */
  readonly metricsPort: number;
  /** Folder with tls.crt, tls.key and ca.crt that somebody else keeps up to date; undefined = we issue our own. */
  readonly tlsDir: string | undefined;
  readonly tlsSecret: string;
  /** Put our CA into the webhook configurations and the CRD; or only say when it is not there. */
  readonly injectCa: 'true' | 'check' | 'false';
  readonly leaderElect: boolean;
  readonly lease: string;
  /** Unique among all processes. */
  readonly identity: string;
  readonly logLevel: LogLevel;
  /** Admission warnings for the user. */
  readonly warnings: boolean;
  /** To approve needs the verb `approve` on Rollouts, and not only the right to write their status. */
  readonly approveVerb: boolean;
  readonly workers: number;
  /** Where releases are told as traces; undefined = nowhere. */
  readonly tracing: TracingConfig | undefined;
}

/** What was given cannot be used; the message names the flag, the value, and what to write. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** A lease that is held by such a one means: intercept nothing more. */
export const DRAIN_IDENTITY = 'drain_';

type Env = Readonly<Record<string, string | undefined>>;

const FLAGS = {
  kubeconfig: ['FILE', 'the cluster; else $KUBECONFIG, else the service account of the Pod, else ~/.kube/config'],
  namespace: ['NAME', 'where the Lease, the Secret and the Service are (the namespace of the Pod or the kubeconfig)'],
  'watch-namespaces': ['NAMES', 'the only namespaces to work in, separated by commas (all)'],
  'webhook-url': ['URL', 'https://HOST:PORT at which the API server reaches this program outside the cluster'],
  'webhook-service': ['NAME', 'the Service at which it reaches it inside (tranche-webhook)'],
  'webhook-port': ['PORT', 'port to listen on (that of --webhook-url, else 9443)'],
  'webhook-configuration': ['NAME', 'of the webhook configurations that the chart has installed (tranche)'],
  'webhook-client-ca': ['FILE', 'CA of the client certificates of API servers: only they are answered (no check)'],
  'webhook-client-names': ['NAMES', 'the only common names of those certificates, separated by commas (all)'],
  'metrics-port': ['PORT', 'port of /healthz, /readyz and /metrics; 0 = any (8080)'],
  'tls-dir': ['FOLDER', 'use tls.crt, tls.key and ca.crt from there instead of issuing certificates'],
  'tls-secret': ['NAME', 'Secret with the certificates that we issue inside a cluster (tranche-tls)'],
  'inject-ca': [
    'true|check|false',
    'put the CA into the webhook configurations and the CRD, or look whether it is there (true)',
  ],
  'leader-elect': ['true|false', 'only one of several replicas moves releases (true)'],
  lease: ['NAME', 'Lease with which they agree on it (tranche)'],
  'log-level': [LOG_LEVELS.join('|'), 'least important lines to write (info)'],
  warnings: ['true|false', 'tell users in admission warnings what will happen (true)'],
  'approve-verb': ['true|false', 'who approves needs the verb approve on Rollouts (true)'],
  workers: ['NUMBER', 'Rollouts worked on at the same time (4)'],
  held: ['finish|rollback', 'drain only: where releases in the middle are to end (finish)'],
  timeout: ['SECONDS', 'drain and certificates only: give up after this time (240)'],
} as const satisfies Readonly<Record<string, readonly [value: string, meaning: string]>>;

type Flag = keyof typeof FLAGS;

export const usage = (): string => {
  const lines = Object.entries(FLAGS).map(
    ([flag, [value, meaning]]) => `  ${`--${flag} ${value}`.padEnd(36)}${meaning}`,
  );
  const commands = [
    'Usage: tranche [flags]         run until a signal says stop',
    '       tranche certificates [flags]  renew the certificates that are due, and tell the API server the CA',
    '       tranche drain [flags]   before the program is taken out of a cluster: give every Deployment back',
    '       tranche COMMAND ...     what kubectl tranche does, without kubectl: see tranche help',
  ];
  return [...commands, '', ...lines, `  ${'--help'.padEnd(36)}show this`, ''].join('\n');
};

/** 'help' when that was asked for. Throws ConfigError. */
export function readConfig(args: readonly string[], env: Env): Config | 'help' {
  const command = COMMANDS.find((one) => one === args[0]) ?? 'run';
  const { values, help } = parse(command === 'run' ? args : args.slice(1));
  if (help) return 'help';
  const text = (flag: Flag): string | undefined => {
    const value = values[flag];
    if (value === '') throw new ConfigError(`--${flag} is empty: write --${flag} ${FLAGS[flag][0]}, or leave it out`);
    return value;
  };
  const name = (flag: Flag, fallback: string): string => {
    const value = text(flag) ?? fallback;
    if (!/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(value)) {
      throw refuse(flag, value, 'write a name of lower-case letters, digits and "-"');
    }
    return value;
  };
  const port = (flag: Flag, fallback: number): number => {
    const value = text(flag) ?? String(fallback);
    if (!/^\d{1,5}$/.test(value) || Number(value) > 65_535) throw refuse(flag, value, 'write a port from 0 to 65535');
    return Number(value);
  };
  const yes = (flag: Flag): boolean => {
    const value = text(flag) ?? 'true';
    if (value !== 'true' && value !== 'false') throw refuse(flag, value, 'write true or false');
    return value === 'true';
  };

  const webhookUrl = readWebhookUrl(text('webhook-url'));
  const logLevel = text('log-level') ?? 'info';
  if (!isLogLevel(logLevel)) throw refuse('log-level', logLevel, `write one of ${LOG_LEVELS.join(', ')}`);
  const injectCa = text('inject-ca') ?? 'true';
  if (injectCa !== 'true' && injectCa !== 'check' && injectCa !== 'false') {
    throw refuse('inject-ca', injectCa, 'write true, check or false');
  }
  const workers = text('workers') ?? '4';
  if (!/^\d{1,3}$/.test(workers) || Number(workers) === 0) {
    throw refuse('workers', workers, 'write a number from 1 to 999');
  }
  const held = text('held') ?? 'finish';
  if (held !== 'finish' && held !== 'rollback') throw refuse('held', held, 'write finish or rollback');
  const timeout = text('timeout') ?? '240';
  if (!/^\d{1,5}$/.test(timeout) || Number(timeout) === 0) {
    throw refuse('timeout', timeout, 'write a number of seconds from 1 to 99999');
  }
  const namespace = text('namespace') === undefined ? undefined : name('namespace', '');
  const cluster = readSource(text('kubeconfig'), env);
  if (!webhookUrl && cluster.type === 'kubeconfig' && command === 'run') {
    throw new ConfigError(
      'outside a cluster --webhook-url is needed: write --webhook-url https://HOST:PORT with an address of this machine ' +
        'that the API server can reach, the same that the chart was installed with',
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
    // A Pod's name may come again (a StatefulSet's does); a process never.
    identity: `${command === 'drain' ? DRAIN_IDENTITY : ''}${env['POD_NAME'] ?? hostname()}_${randomBytes(4).toString('hex')}`,
    logLevel,
    warnings: yes('warnings'),
    approveVerb: yes('approve-verb'),
    workers: Number(workers),
    tracing: command === 'run' ? readTracing(env, refuseVariable) : undefined,
  });
}

function parse(args: readonly string[]): { values: Partial<Record<Flag, string>>; help: boolean } {
  const options = Object.fromEntries(Object.keys(FLAGS).map((flag) => [flag, { type: 'string' as const }]));
  try {
    const { values } = parseArgs({ args: [...args], options: { ...options, help: { type: 'boolean', short: 'h' } } });
    const { help, ...rest } = values as Partial<Record<Flag, string>> & { help?: boolean };
    return { values: rest, help: help === true };
  } catch (error) {
    // Node's words name the flag; their advice on a `--` is not for us.
    const words = (error instanceof Error ? error.message : String(error)).split(/\. |\n/, 1)[0]!;
    throw new ConfigError(`${words}: see --help`, { cause: error });
  }
}

function readNamespaces(value: string | undefined): readonly string[] {
  const names = value?.split(',') ?? [];
  if (names.every((name) => /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name))) return [...new Set(names)];
  throw refuse('watch-namespaces', value!, 'write names of namespaces, separated by commas and without spaces: a,b');
}

function readClientNames(value: string | undefined, ca: string | undefined): readonly string[] {
  const names = value?.split(',').map((name) => name.trim()) ?? [];
  if (names.includes('')) throw refuse('webhook-client-names', value!, 'write names, separated by commas: a,b');
  if (names.length > 0 && ca === undefined) {
    throw refuse('webhook-client-names', value!, 'write --webhook-client-ca FILE too, or leave it out');
  }
  return [...new Set(names)];
}

function readWebhookUrl(value: string | undefined): URL | undefined {
  if (value === undefined) return undefined;
  const remedy = 'write https://HOST:PORT';
  if (!URL.canParse(value)) throw refuse('webhook-url', value, remedy);
  const url = new URL(value);
  if (url.protocol !== 'https:') throw refuse('webhook-url', value, `the API server calls https only: ${remedy}`);
  if (url.pathname !== '/' || url.search || url.hash || url.username) {
    throw refuse('webhook-url', value, `it may have no path and nothing after it: ${remedy}`);
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
  new ConfigError(`$${variable}${value === undefined ? '' : ` "${value}"`} cannot be used: ${remedy}`);

const refuse = (flag: Flag, value: string, remedy: string): ConfigError =>
  new ConfigError(`--${flag} "${value}" cannot be used: ${remedy}`);
