// The setup of the admission bench: the program with full caches, a bare express handler, and runs of load on both.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Deployment } from '../../../src/api/types.ts';
import type { Api } from '../../../src/kube/api.ts';
import { issueCa, issueLeaf } from '../../../src/tls/issue.ts';
import { until } from '../../../test/main/cluster.ts';
import { run, temporaryFolder } from '../../../test/support/processes.ts';
import { command, startChild } from '../child.ts';
import { plain } from '../plain.ts';
import { freePort } from '../../../test/support/ports.ts';
import { startClusterProcess, startProgramProcess, type ProgramProcess } from '../program.ts';
import { coresBetween, sample } from '../watch.ts';
import { bodiesOf, bodyOfSize, KINDS, rolloutFor, type Body } from './bodies.ts';
import type { FloodPlan, FloodResult } from './flood.ts';
import type { LoadPlan, LoadResult } from './load.ts';

/** The server and the load have separate cores. The cluster, which is idle, shares the core of the load. */
const SERVER_CORE = 0;
const LOAD_CORE = 1;
/** Number of connections that Go's client keeps open to one host. */
export const CONNECTIONS = 25;

export const BARE = 'bare express';
/** Time until two loads have started and connected. */
const START_MS = 2_000;

export interface Server {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  readonly ca: string;
}

export interface Setting {
  readonly bare: Server;
  readonly tranche: Server;
  readonly program: ProgramProcess;
  /** Creates or deletes the policies. */
  policies(on: boolean): Promise<void>;
  /** Creates Rollouts up to this number. */
  rollouts(count: number): Promise<void>;
}

export const ROLLOUTS = 1_000;
export const POLICIES = 20;

/** Creates all Deployments of the reviews, including those of these sizes. `main` = path of another version of the program. */
export async function startSetting(rollouts: number, sizes: readonly number[] = [], main?: URL): Promise<Setting> {
  const port = await freePort();
  const cluster = await startClusterProcess(port, 50, { core: LOAD_CORE });
  const { api } = cluster;
  const program = await startProgramProcess(cluster, port, { core: SERVER_CORE, main });
  const edited = [...bodiesOf(...KINDS), ...sizes.map(bodyOfSize)];
  await makeDeployments(api, edited);
  const names = edited.map(({ deployment }) => deployment.metadata.name);
  let made = 0;
  const grow = async (count: number): Promise<void> => {
    await makeRollouts(api, made, count, names);
    made = count;
    await untilQuiet(program.pid);
  };
  await grow(rollouts);
  const configurations = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';
  interface Configuration {
    readonly webhooks: readonly { readonly clientConfig: { readonly caBundle?: string } }[];
  }
  const { webhooks } = (await api.request({ method: 'GET', path: `${configurations}/tranche` })) as Configuration;
  const ca = Buffer.from(webhooks[0]!.clientConfig.caBundle!, 'base64').toString();
  const tranche = { name: 'tranche', pid: program.pid, port, ca };
  let has = false;
  const policies = async (on: boolean): Promise<void> => {
    if (on !== has) await makePolicies(api, on);
    if (on !== has) await untilQuiet(program.pid);
    has = on;
  };
  return { bare: await startBare(), tranche, program, policies, rollouts: grow };
}

async function startBare(): Promise<Server> {
  const ca = await issueCa(Date.now(), 1);
  const pair = await issueLeaf(ca, ['127.0.0.1'], Date.now(), 1);
  const file = path.join(temporaryFolder('bare'), 'pair.json');
  writeFileSync(file, JSON.stringify(pair), { mode: 0o600 });
  const script = plain(new URL('./bare.ts', import.meta.url));
  const options = { core: SERVER_CORE, env: { NODE_ENV: 'production' } };
  const { pid, said } = await startChild<{ port: number }>('bare express', script, [file], options);
  return { name: BARE, pid, port: said.port, ca: ca.cert };
}

/** Creates Deployments without Pods. Throws if a stored template differs from that of the review. */
async function makeDeployments(api: Api, bodies: readonly Body[]): Promise<void> {
  for (const { deployment } of bodies) {
    const { name } = deployment.metadata;
    const body = { ...deployment, metadata: { name, namespace: 'default' }, spec: { ...deployment.spec, replicas: 0 } };
    const made = (await api.request({
      method: 'POST',
      path: '/apis/apps/v1/namespaces/default/deployments',
      body,
    })) as Deployment;
    if (JSON.stringify(made.spec.template) !== JSON.stringify(deployment.spec.template))
      throw new Error(`${name}: the cluster has another template than the review`);
  }
}

/** The first names are those of the reviews. */
async function makeRollouts(api: Api, from: number, to: number, first: readonly string[]): Promise<void> {
  const names = Array.from({ length: to - from }, (_, i) => first[from + i] ?? `web-${from + i}`);
  const path_ = '/apis/rollouts.kruise.io/v1beta1/namespaces/default/rollouts';
  for (let i = 0; i < names.length; i += 20) {
    const some = names.slice(i, i + 20);
    await Promise.all(
      some.map((name) => api.request({ method: 'POST', path: path_, body: rolloutFor(name, 'default') })),
    );
  }
}

/** Waits until the operator has reconciled everything. */
async function untilQuiet(pid: number): Promise<void> {
  let before = sample(pid);
  const quiet = async (): Promise<boolean> => {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const now = sample(pid);
    const cores = coresBetween(before, now);
    before = now;
    return cores < 0.05;
  };
  await until(quiet, () => 'the program is still busy', 120);
}

/** One policy that applies to the Deployment and is satisfied. The others select namespaces that do not exist. */
async function makePolicies(api: Api, on: boolean): Promise<void> {
  const collection = '/apis/tranche.dev/v1alpha1/releasepolicies';
  for (let i = 0; i < POLICIES; i++) {
    const name = `policy-${i}`;
    if (!on) {
      await api.request({ method: 'DELETE', path: `${collection}/${name}` });
      continue;
    }
    const spec = {
      ...(i > 0 && { match: { namespaceSelector: { matchLabels: { team: name } } } }),
      enforcement: 'Deny',
      requireRollout: true,
      steps: { maxFirstStep: '10%', minSteps: 3, manual: 'First' },
      approval: { required: 1, notAuthor: true },
      windows: {
        timeZone: 'Europe/Berlin',
        deny: [{ schedule: '0 3 1 1 *', durationSeconds: 60, reason: 'the first minute of inventory' }],
      },
      maxConcurrentReleases: 100,
    };
    const body = { apiVersion: 'tranche.dev/v1alpha1', kind: 'ReleasePolicy', metadata: { name }, spec };
    await api.request({ method: 'POST', path: collection, body });
  }
  const left = async (): Promise<number> =>
    ((await api.request({ method: 'GET', path: collection })) as { items: unknown[] }).items.length;
  await until(
    async () => (await left()) === (on ? POLICIES : 0),
    () => 'policies',
  );
}

export interface Run extends LoadResult {
  /** CPU time of the server per answer. */
  readonly cpuMicros: number;
}

export type Load = Pick<LoadPlan, 'bodies' | 'rate' | 'seconds' | 'turns'>;

/** Sends load to two servers in alternating turns of a quarter of a second, so that both run under the same conditions. */
export async function loadInTurns(servers: readonly [Server, Server], what: Load): Promise<[Run, Run]> {
  const beginAtMs = Date.now() + START_MS;
  const [first, second] = servers;
  const one = (server: Server, mine: 0 | 1): Promise<Run> => load(server, { ...what, turns: { mine, beginAtMs } });
  return Promise.all([one(first, 0), one(second, 1)]);
}

/** Sends load to one server. Rejects if an answer is wrong. */
export async function load({ name, port, pid, ca }: Server, { bodies, rate, seconds, turns }: Load): Promise<Run> {
  // The bare handler does not check the reviews.
  const expected = bodies.map(({ text, answer, answerBytes }) => ({
    text,
    answer: name === BARE ? '"allowed":true' : answer,
    answerBytes,
  }));
  const plan: LoadPlan = {
    ...{ port, pid, ca, rate, seconds, bodies: expected },
    connections: CONNECTIONS,
    warmSeconds: 1,
    ...(turns && { turns }),
  };
  const file = path.join(temporaryFolder('load'), 'plan.json');
  writeFileSync(file, JSON.stringify(plan));
  const [program, ...args] = command(new URL('./load.ts', import.meta.url), [file], { core: LOAD_CORE });
  const { code, stdout, stderr } = await run(program!, args, { timeoutSeconds: 2 * seconds + 60 });
  if (code !== 0) throw new Error(`the load on ${name} failed: ${stderr}`);
  const result = JSON.parse(stdout) as LoadResult;
  if (result.wrong > 0) throw new Error(`${name}: ${result.wrong} answers were wrong`);
  return { ...result, cpuMicros: (result.serverCores / result.perSecond) * 1e6 };
}

/** Sends load to a server during an attack, from one second before it until its end, and measures the highest memory. */
export async function flooded(
  server: Server,
  attack: Pick<FloodPlan, 'kind' | 'connections' | 'bytes'>,
  what: Load,
): Promise<Run & FloodResult & { rssBytes: number }> {
  const { port, ca, pid } = server;
  const plan: FloodPlan = { port, ca, ...attack, seconds: what.seconds + 4 };
  const file = path.join(temporaryFolder('flood'), 'plan.json');
  writeFileSync(file, JSON.stringify(plan));
  const [program, ...args] = command(new URL('./flood.ts', import.meta.url), [file], { core: LOAD_CORE });
  let rssBytes = 0;
  const look = setInterval(() => (rssBytes = Math.max(rssBytes, sample(pid).rssBytes)), 50);
  try {
    const flood = run(program!, args, { timeoutSeconds: plan.seconds + 60 });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const measured = await load(server, what);
    const { code, stdout, stderr } = await flood;
    if (code !== 0) throw new Error(`the flood failed: ${stderr}`);
    return { ...measured, ...(JSON.parse(stdout) as FloodResult), rssBytes };
  } finally {
    clearInterval(look);
  }
}
