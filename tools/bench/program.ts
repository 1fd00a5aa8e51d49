// Starts the program and a cluster for it as separate processes.
import { connect } from '../../src/kube/connection.ts';
import { createApi, type ApiClient } from '../../src/kube/client.ts';
import { NAMESPACE, until } from '../../test/main/cluster.ts';
import { startChild, type ChildOptions } from './child.ts';
import { builtProgram, imageEnv, imageFlags, plain } from './plain.ts';

export interface ClusterProcess {
  readonly kubeconfig: string;
  readonly pid: number;
  /** With the rights of cluster-admin. */
  readonly api: ApiClient;
}

/** Starts the embedded cluster with the chart, for a program at this port. */
export async function startClusterProcess(
  webhookPort: number,
  readyMs: number,
  options: ChildOptions = {},
): Promise<ClusterProcess> {
  const args = [`https://127.0.0.1:${webhookPort}`, String(readyMs)];
  const script = new URL('./sandbox.ts', import.meta.url);
  const { said, pid } = await startChild<{ kubeconfig: string }>('cluster', script, args, options);
  const connection = await connect({ type: 'kubeconfig', files: [said.kubeconfig] });
  const api = createApi({ connection, userAgent: 'bench', fieldManager: 'bench' });
  return { ...said, pid, api };
}

export interface Memory {
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
  readonly arrayBuffers: number;
  /** Active timers, sockets and requests of the event loop. */
  readonly resources: number;
}

export interface ProgramProcess {
  readonly pid: number;
  readonly webhookPort: number;
  readonly metricsPort: number;
  /** After a garbage collection. */
  memory(): Promise<Memory>;
  /** V8's CPU profile of this period. */
  profile(meanwhile: () => Promise<unknown>): Promise<unknown>;
  /** Leaks 1 MB. */
  leak(): Promise<unknown>;
  stop(): Promise<void>;
}

export interface ProgramOptions extends ChildOptions {
  readonly main?: URL | undefined;
  /** Further flags of the program. */
  readonly flags?: readonly string[];
}

/** Starts the compiled program as in the image, or another dist/ to compare two versions. Resolves when it is ready. */
export async function startProgramProcess(
  { kubeconfig }: Pick<ClusterProcess, 'kubeconfig'>,
  webhookPort: number,
  { nodeFlags = [], main, flags = [], ...options }: ProgramOptions = {},
): Promise<ProgramProcess> {
  const own = ['--kubeconfig', kubeconfig, '--webhook-url', `https://127.0.0.1:${webhookPort}`];
  const args = [...flags, ...own, '--namespace', NAMESPACE, '--metrics-port', '0'];
  const inside = ['--expose-gc', '--import', plain(new URL('./inside.ts', import.meta.url)).href];
  const child = await startChild<{ controlPort: number }>('program', main ?? (await builtProgram()), args, {
    ...options,
    nodeFlags: [...imageFlags(), ...inside, ...nodeFlags],
    env: { ...imageEnv(), ...options.env },
  });
  const { service, pid, said } = child;
  const ready = (): Record<string, unknown> | undefined =>
    service
      .output()
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .find(({ message }) => message === 'ready');
  await until(() => ready() !== undefined, service.output, options.readySeconds ?? 120);
  const ask = async (path: string): Promise<unknown> =>
    (await fetch(`http://127.0.0.1:${said.controlPort}${path}`)).json();
  return {
    pid,
    webhookPort,
    metricsPort: ready()!['metricsPort'] as number,
    memory: () => ask('/memory') as Promise<Memory>,
    async profile(meanwhile) {
      await ask('/profile/start');
      await meanwhile();
      return ask('/profile/stop');
    },
    leak: () => ask('/leak'),
    stop: () => service.stop(),
  };
}
