// Starts the cluster and the program as separate processes, each on its own core if the machine has two.
import { spawn, type ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { MountedSecret, tlsFlags } from '../../../test/support/certificates.ts';
import { temporaryFolder } from '../../../test/support/processes.ts';
import { canPin, TASKSET } from '../child.ts';
import { imageEnv, imageFlags } from '../plain.ts';
import { caller } from './rpc.ts';

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));
const MAIN = here('../../../dist/main.js');
/** The last output of the processes, for error messages. */
const KEPT_CHARACTERS = 4_000;
const READY_SECONDS = 120;

export interface Usage {
  readonly cpuMs: number;
  readonly rss: number;
  readonly heapUsed: number;
  readonly heapTotal: number;
  readonly arrayBuffers: number;
  readonly external: number;
  readonly peakRss: number;
  readonly utilization: number;
  readonly handles: number;
  readonly delayMs: Delay;
}

export interface Delay {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

type Call = (method: string, ...args: unknown[]) => Promise<unknown>;

export interface ClusterProcess {
  readonly call: Call;
  /** The address of the cluster, for the program's flags and environment. */
  readonly account: { readonly port: string; readonly folder: string; readonly tls: string };
  stop(): Promise<void>;
}

export interface ProgramProcess {
  /** From the start of the process to its log line "ready". */
  readonly readyMs: number;
  /** `collect`: after a garbage collection. `watchDelay`: from now on, the delay of the event loop is measured, which takes CPU time. */
  readonly usage: (how?: 'collect' | 'watchDelay') => Promise<Usage>;
  stop(): Promise<void>;
}

const pinned = (core: number | undefined, args: readonly string[]): [string, string[]] =>
  core !== undefined && canPin()
    ? [TASKSET, ['-c', String(core), process.execPath, ...args]]
    : [process.execPath, [...args]];

function follow(child: ChildProcess): { output: () => string } {
  let output = '';
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-KEPT_CHARACTERS)));
  }
  return { output: () => output };
}

const ended = (child: ChildProcess): Promise<void> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once('exit', () => resolve()));

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

function launch(core: number | undefined, args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  const [program, rest] = pinned(core, args);
  const child = spawn(program, rest, { env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** Measurements of the cluster process. */
interface Started {
  readonly port: string;
  readonly token: string;
  readonly ca: string;
  readonly secret: Readonly<Record<string, string>>;
}

export async function startClusterProcess(readyMs: number, jitter: readonly [number, number]): Promise<ClusterProcess> {
  const child = launch(0, ['--max-old-space-size=12288', here('cluster.ts')], process.env);
  const { output } = follow(child);
  const ask = caller(child);
  const call: Call = async (...asked) => {
    try {
      return await ask(...asked);
    } catch (error) {
      throw new Error(`the cluster: ${(error as Error).message}\n${output()}`, { cause: error });
    }
  };
  const { port, token, ca, secret } = (await call('start', readyMs, jitter)) as Started;
  const mounted = new MountedSecret();
  await mounted.show(secret);
  const folder = temporaryFolder('bench-account');
  for (const [file, text] of Object.entries({ token, 'ca.crt': ca, namespace: 'tranche-system' })) {
    writeFileSync(path.join(folder, file), text, { mode: 0o600 });
  }
  return {
    call,
    account: { port, folder, tls: mounted.folder },
    async stop() {
      child.kill('SIGKILL');
      await ended(child);
    },
  };
}

export interface SourceProcess {
  readonly call: Call;
  readonly url: string;
  stop(): Promise<void>;
}

/** The source of metrics. It is not pinned, because it has little to do. */
export async function startSourceProcess(): Promise<SourceProcess> {
  const child = launch(undefined, [here('source.ts')], process.env);
  const call = caller(child);
  return {
    call,
    url: (await call('start')) as string,
    async stop() {
      child.kill('SIGKILL');
      await ended(child);
    },
  };
}

let inside: Promise<string> | undefined;

/** Compiled to JavaScript, because a compiler in the program's process would be measured too. */
const insideFile = (): Promise<string> => (inside ??= makeInside());

async function makeInside(): Promise<string> {
  const file = path.join(temporaryFolder('bench-inside'), 'inside.mjs');
  writeFileSync(file, stripTypeScriptTypes(await readFile(here('inside.ts'), 'utf8')));
  return file;
}

/** How the program is started: as in a Pod of its image, with a service account. */
export interface ProgramOptions {
  /** Port of the API server, and the directory that is mounted as the service account. */
  readonly account: { readonly port: string; readonly folder: string };
  readonly main: string;
  readonly nodeFlags: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly args: readonly string[];
  readonly core?: number;
}

export interface LaunchedProgram extends ProgramProcess {
  readonly pid: number;
  readonly webhookPort: number;
}

/** Resolves when the program is ready. */
export async function launchProgram(options: ProgramOptions): Promise<LaunchedProgram> {
  const { account, main, nodeFlags, core } = options;
  const env = {
    PATH: process.env['PATH'],
    ...options.env,
    KUBERNETES_SERVICE_HOST: '127.0.0.1',
    KUBERNETES_SERVICE_PORT: account.port,
    BENCH_SERVICE_ACCOUNT: account.folder,
  };
  const args = [
    ...nodeFlags,
    // For profiling, e.g. BENCH_NODE_FLAGS='--cpu-prof --cpu-prof-dir=/tmp/profile'.
    ...(process.env['BENCH_NODE_FLAGS'] ?? '').split(' ').filter((flag) => flag !== ''),
    '--expose-gc',
    '--import',
    await insideFile(),
    main,
    ...options.args,
  ];
  const started = performance.now();
  const child = launch(core, args, env);
  const { output } = follow(child);
  const call = caller(child);
  const readyMs = await new Promise<number>((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`the program ${why}:\n${output()}`));
    const timer = setTimeout(() => fail(`was not ready within ${READY_SECONDS} s`), READY_SECONDS * 1000);
    child.once('exit', () => fail('ended'));
    child.stdout!.on('data', () => {
      const line = /.*"message":"ready".*/.exec(output())?.[0];
      if (line === undefined) return;
      clearTimeout(timer);
      resolve(performance.now() - started);
    });
  });
  return {
    readyMs,
    pid: child.pid!,
    webhookPort: Number(/"webhookPort":(\d+)/.exec(output())![1]),
    usage: async (how) => (await call(how ?? 'usage')) as Usage,
    async stop() {
      child.kill('SIGTERM');
      await ended(child);
    },
  };
}

/** Starts the compiled program for the embedded cluster. */
export async function startProgramProcess(cluster: ClusterProcess, ...flags: string[]): Promise<ProgramProcess> {
  const { account, call } = cluster;
  const args = ['--webhook-port', '0', '--metrics-port', '0', ...tlsFlags(account.tls), ...flags];
  const options = { account, main: MAIN, nodeFlags: imageFlags(), env: imageEnv(), args, core: 1 };
  const program = await launchProgram(options);
  await call('webhookAt', program.webhookPort);
  return program;
}
