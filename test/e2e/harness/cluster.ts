// A cluster with Tranche on it: the embedded one or the user's own, the chart, and the program with its service account's token.
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEnd, start, temporaryFolder, type Service } from '../../support/processes.ts';
import { Client, LIBRARY } from './client.ts';
import { clusterObjects } from './leftovers.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
export const RELEASE = 'tranche';
export const RELEASE_NAMESPACE = 'tranche-system';
const PROGRAM = 'the program';
/** Of the chart. Policies go first, because they may protect Rollouts. TrafficRoutings have a finalizer as long as a Rollout uses them. */
const CRDS = [
  ...['metricsources.tranche.dev', 'releasepolicies.tranche.dev'],
  ...['rollouts.rollouts.kruise.io', 'trafficroutings.rollouts.kruise.io'],
];

/** What the user gave cannot be used; the message says what to give instead. */
export class InputError extends Error {
  override readonly name = 'InputError';
}

export interface Cluster {
  readonly client: Client;
  /** Is it the embedded one (and not a cluster of the user's)? */
  readonly embedded: boolean;
  /** The objects of cluster scope that were there before, on a cluster of the user's. */
  readonly before: ReadonlySet<string>;
  readonly services: readonly Service[];
  /** From one moment to the next none of our processes is there. */
  readonly killProgram: () => Promise<void>;
  /** Starts the program again after that, with further flags. Resolves when it is ready. */
  readonly startProgram: (flags?: readonly string[]) => Promise<void>;
  /** Upgrades the chart with these values, such as `daemonSets.evictPods=true`. */
  readonly upgradeChart: (values: readonly string[]) => Promise<void>;
}

export interface ClusterOptions {
  /** A cluster of the user's; the embedded one is started when there is none. */
  readonly kubeconfig?: string | undefined;
  /** Where the API server of that cluster can reach this machine. */
  readonly webhookUrl?: string | undefined;
  /** How long a Pod of the embedded cluster takes to become Ready. */
  readonly readyMs?: number;
  /** Further flags of the embedded cluster. */
  readonly sandboxFlags?: readonly string[];
  /** Done on the cluster before the chart is installed. */
  readonly prepare?: (client: Client) => Promise<unknown>;
  /** Further values of the chart, such as `daemonSets.evictPods=true`. */
  readonly chartValues?: readonly string[];
  /** Further flags of the program. */
  readonly programFlags?: readonly string[];
  /** Told what is done at the moment. */
  readonly say?: (text: string) => void;
}

/** Starts (or takes) a cluster, installs the chart and starts the program outside it. `endAll` undoes all of it. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const say = options.say ?? (() => undefined);
  const home = temporaryFolder('e2e');
  const kubeconfig = options.kubeconfig || path.join(home, 'kubeconfig');
  const client = new Client(kubeconfig, home);
  const embedded = !options.kubeconfig;
  const services: Service[] = [];
  let before: ReadonlySet<string> = new Set();
  if (embedded) {
    say('starting the embedded cluster');
    services.push(await startSandbox(kubeconfig, options.readyMs, options.sandboxFlags));
  } else {
    await checkReachable(client);
    await untilStarted(client);
    await refuseIfInstalled(client);
    before = await clusterObjects(client);
    const namespaceWasThere = before.has(`namespace/${RELEASE_NAMESPACE}`);
    say(await plan(client, namespaceWasThere));
    beforeEnd(() => uninstallChart(client, namespaceWasThere));
  }
  services.push(await client.startProxy());
  await options.prepare?.(client);
  const webhookUrl = options.webhookUrl || `https://127.0.0.1:${await freePort()}`;
  const { chartValues = [], programFlags = [] } = options;
  say('installing the chart');
  await installChart(client, webhookUrl, RELEASE_NAMESPACE, chartValues);
  say("starting the program with its service account's token");
  const own = await operatorKubeconfig(client, home);
  services.push(await startProgram(own, webhookUrl, programFlags));
  return {
    client,
    embedded,
    before,
    services,
    async killProgram() {
      if (services.at(-1)?.name !== PROGRAM) return;
      const program = services.pop();
      program?.kill('SIGKILL');
      await program?.stop();
    },
    // Among the services as soon as it runs, so that it can also be killed while it starts.
    startProgram: async (flags = []) =>
      void (await startProgram(own, webhookUrl, [...programFlags, ...flags], (program) => services.push(program))),
    upgradeChart: async (more) => void (await installChart(client, webhookUrl, RELEASE_NAMESPACE, more)),
  };
}

/** The embedded cluster as a process of its own. */
export function startSandbox(kubeconfig: string, readyMs = 300, flags: readonly string[] = []): Promise<Service> {
  const main = fileURLToPath(import.meta.resolve('@tranche/sandbox/main'));
  const args = ['--port', '0', '--kubeconfig', kubeconfig, '--ready-ms', String(readyMs), ...flags];
  return start('the embedded cluster', process.execPath, [main, ...args], {
    ready: (output) => output.includes('\n') && existsSync(kubeconfig),
  });
}

/** The program as a process of its own, outside the cluster. */
export function startProgram(
  kubeconfig: string,
  webhookUrl: string,
  flags: readonly string[] = [],
  onStart?: (program: Service) => void,
): Promise<Service> {
  const args = [...flags, '--kubeconfig', kubeconfig, '--webhook-url', webhookUrl];
  args.push('--namespace', RELEASE_NAMESPACE, '--metrics-port', '0');
  return start(PROGRAM, process.execPath, ['--import', LIBRARY, path.join(root, 'src/main.ts'), ...args], {
    env: { PATH: process.env.PATH },
    ready: (output) => /"message":"ready"/.test(output),
    ...(onStart && { onStart }),
  });
}

/** What the services said last, for the report of a failure. */
export const lastWords = ({ services }: Cluster): string =>
  services
    .filter(({ name }) => name !== 'kubectl proxy')
    .map(({ name, output }) => `${name} said last:\n${output().trimEnd().split('\n').slice(-8).join('\n')}\n`)
    .join('\n');

/** Installs (or upgrades) the chart for a program that runs outside the cluster. */
export async function installChart(
  client: Client,
  webhookUrl: string,
  namespace = RELEASE_NAMESPACE,
  more: readonly string[] = [],
): Promise<string> {
  const chart = path.join(root, 'charts/tranche');
  const values = ['operator.enabled=false', `webhook.url=${webhookUrl}`, ...more].flatMap((value) => ['--set', value]);
  return client.helm(['upgrade', '--install', RELEASE, chart, '-n', namespace, '--create-namespace', ...values], {
    timeoutSeconds: 120,
  });
}

/** What a run is about to do to a cluster of the user's. */
async function plan(client: Client, keepNamespace: boolean): Promise<string> {
  const server = await client.kubectl(['config', 'view', '--minify', '-o', 'jsonpath={.clusters[0].cluster.server}']);
  return [
    `The acceptance tests run on the cluster at ${server}. They create, and remove at the end and after Ctrl-C:`,
    `  - the release ${RELEASE} of the chart in namespace ${RELEASE_NAMESPACE}${keepNamespace ? ' (the namespace stays)' : ''}: its ClusterRoles, webhooks and admission policies`,
    `  - the CRDs ${CRDS.join(' and ')}, with all their objects`,
    '  - namespaces tranche-e2e-*, with Deployments in them',
    '',
  ].join('\n');
}

async function uninstallChart(client: Client, keepNamespace: boolean): Promise<void> {
  // Rollouts first, while the program can still let go of them. helm keeps the CRDs, so that an uninstall never takes
  // users' Rollouts along; these were made by us a moment ago.
  for (const crd of CRDS) await client.kubectl(['delete', 'crd', crd, '--ignore-not-found']);
  await client.helm(['uninstall', RELEASE, '-n', RELEASE_NAMESPACE, '--ignore-not-found', '--wait']);
  if (!keepNamespace) await client.kubectl(['delete', 'namespace', RELEASE_NAMESPACE, '--ignore-not-found']);
}

/** Where a target of the Makefile works. */
export function readTarget(target: string): { kubeconfig: string; webhookUrl: string; namespace: string } {
  const { KUBECONFIG, WEBHOOK_URL, RELEASE_NAMESPACE: namespace } = process.env;
  if (!KUBECONFIG || !WEBHOOK_URL)
    throw new InputError(
      `KUBECONFIG and WEBHOOK_URL are both needed: make ${target} KUBECONFIG=FILE WEBHOOK_URL=https://127.0.0.1:9443`,
    );
  if (!/^https:\/\/[^/?#]+\/?$/.test(WEBHOOK_URL))
    throw new InputError(
      `WEBHOOK_URL is ${WEBHOOK_URL}: write https://HOST:PORT, as the API server reaches this machine.`,
    );
  return { kubeconfig: KUBECONFIG, webhookUrl: WEBHOOK_URL, namespace: namespace || RELEASE_NAMESPACE };
}

/** One clear line when there is no usable cluster behind a kubeconfig. */
export async function checkReachable(client: Client): Promise<void> {
  const file = client.kubeconfig;
  if (!existsSync(file))
    throw new InputError(`KUBECONFIG is ${file}, which does not exist: give the path of a kubeconfig file.`);
  const result = await client.attempt('kubectl', ['get', '--raw', '/version', '--request-timeout=10s']);
  if (result.code === 0) return;
  const reason = result.stderr.trim().split('\n').at(-1);
  throw new InputError(
    `No cluster answers with KUBECONFIG ${file} (${reason}): start the cluster, or give another kubeconfig.`,
  );
}

/**
 * An API server answers before it has made its own roles, and makes the Service `kubernetes` when it is ready. What appears after the tests
 * have begun would be counted as theirs.
 */
async function untilStarted(client: Client, withinSeconds = 60): Promise<void> {
  const deadline = Date.now() + withinSeconds * 1000;
  const questions = [
    ['get', '--raw', '/readyz'],
    ['get', 'service', 'kubernetes', '--namespace', 'default'],
  ];
  for (const question of questions) {
    for (;;) {
      const { code, stderr } = await client.attempt('kubectl', question);
      if (code === 0) break;
      if (Date.now() > deadline)
        throw new InputError(
          `The cluster was not ready within ${withinSeconds} s: kubectl ${question.join(' ')} says ${stderr.trim().split('\n').at(-1)}.`,
        );
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

/** Tests that remove what they made must not start on an installation that is not theirs. */
async function refuseIfInstalled(client: Client): Promise<void> {
  const found = await client.kubectl(['get', 'crd', ...CRDS, '-o', 'name', '--ignore-not-found']);
  const names = [...found.matchAll(/\/(.+)/g)].map(([, name]) => name);
  if (names.length > 0)
    throw new InputError(
      `The cluster has the CRD ${names.join(' and ')} already: the tests would remove it with all its objects. Use a cluster without Tranche or OpenKruise Rollouts.`,
    );
}

/** A kubeconfig with the token of the chart's service account: the program must do with the rights the chart gives. */
export async function operatorKubeconfig(client: Client, home: string, namespace = RELEASE_NAMESPACE): Promise<string> {
  const token = await client.kubectl(['create', 'token', RELEASE, '-n', namespace, '--duration=24h']);
  const view = await client.json<{ clusters: unknown[]; contexts: { name: string; context: { cluster: string } }[] }>([
    'config',
    'view',
    '--raw',
    '--minify',
    '--flatten',
  ]);
  const file = path.join(home, 'operator.kubeconfig');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: view.clusters,
    users: [{ name: 'operator', user: { token: token.trim() } }],
    contexts: [{ name: 'operator', context: { cluster: view.contexts[0]?.context.cluster, user: 'operator' } }],
    'current-context': 'operator',
  };
  await writeFile(file, JSON.stringify(config), { mode: 0o600 });
  return file;
}

/** A port that nothing uses at the moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
