// Starts the measured program and the load as separate processes, each on its own core if there are two.
import { existsSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { start, type Service } from '../../test/support/processes.ts';

export interface Child<Said> {
  readonly service: Service;
  readonly pid: number;
  /** Data of its `ready` line. */
  readonly said: Said;
}

export interface ChildOptions {
  /** The core to pin the process to (Linux). Undefined = not pinned. */
  readonly core?: number | undefined;
  readonly nodeFlags?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly readySeconds?: number;
}

export const TASKSET = '/usr/bin/taskset';
const READY = 'ready ';

/** Pinning requires Linux and a second core. */
export const canPin = (): boolean => existsSync(TASKSET) && os.availableParallelism() > 1;

/** The command line for a script, pinned if possible. */
export function command(script: URL, args: readonly string[], { core, nodeFlags = [] }: ChildOptions = {}): string[] {
  const pin = core !== undefined && canPin() ? [TASKSET, '-c', String(core)] : [];
  return [...pin, process.execPath, ...nodeFlags, fileURLToPath(script), ...args];
}

/** Starts a script that calls `sayReady`. */
export async function startChild<Said>(
  name: string,
  script: URL,
  args: readonly string[],
  options: ChildOptions = {},
): Promise<Child<Said>> {
  const [program, ...rest] = command(script, args, options);
  const { env, readySeconds = 60 } = options;
  const service = await start(name, program!, rest, {
    ready: (output) => lineOf(output) !== undefined,
    readySeconds,
    ...(env && { env: { ...process.env, ...env } }),
  });
  return { service, pid: service.pid, said: JSON.parse(lineOf(service.output())!) as Said };
}

const lineOf = (output: string): string | undefined =>
  output
    .split('\n')
    .slice(0, -1)
    .find((line) => line.startsWith(READY))
    ?.slice(READY.length);

/** In the child: prints one line with data for the parent, such as a port. */
export const sayReady = (said: object): void => void process.stdout.write(`${READY}${JSON.stringify(said)}\n`);
