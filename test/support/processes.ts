// Processes and temporary folders that tests and the demo start: each is known here, so that all of them end when we do.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string | undefined;
  /** The process is ended after this time, and run rejects. */
  readonly timeoutSeconds?: number;
  /** Called for each piece of stdout as it comes. */
  readonly onOutput?: (text: string) => void;
  /** Ends the process early; run then resolves with what it printed. */
  readonly signal?: AbortSignal;
}

// Each in a process group of its own (detached): a Ctrl-C in the terminal reaches only us, and we end them in order.
const children = new Set<ChildProcess>();
const folders = new Set<string>();

const track = (child: ChildProcess): ChildProcess => {
  children.add(child);
  child.once('close', () => children.delete(child));
  return child;
};

const ended = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

/** An environment of its own has no other place for temporary files than ours, and Node compiles nothing twice. */
const withOurs = (env: NodeJS.ProcessEnv | undefined): NodeJS.ProcessEnv | undefined =>
  env && { TMPDIR: process.env.TMPDIR, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE, ...env };

/** Runs a program to its end. Rejects when it cannot be started or takes too long, not when its exit code is not 0. */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = track(
      spawn(program, args, { cwd: options.cwd, env: withOurs(options.env), stdio: 'pipe', detached: true }),
    );
    const out: string[] = [];
    const err: string[] = [];
    const shown = `${path.basename(program)} ${args.join(' ')}`;
    const seconds = options.timeoutSeconds ?? 60;
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${shown} took longer than ${seconds} s; so far it printed: ${out.join('')}${err.join('')}`));
    }, seconds * 1000);
    options.signal?.addEventListener('abort', () => child.kill('SIGTERM'), { once: true });
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      out.push(text);
      options.onOutput?.(text);
    });
    child.stderr!.setEncoding('utf8').on('data', (text: string) => err.push(text));
    child.stdin!.on('error', () => undefined); // A program may end without reading its input.
    child.stdin!.end(options.input ?? '');
    child.once('error', (error) => {
      clearTimeout(timer);
      children.delete(child);
      reject(error);
    });
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? -1, stdout: out.join(''), stderr: err.join('') });
    });
  });
}

/** A program that runs until it is told to stop. */
export interface Service {
  readonly name: string;
  readonly pid: number;
  /** The last lines that it printed, for a failure's report. */
  output(): string;
  /** To the process itself, e.g. SIGKILL. */
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL when it does not end within some seconds. */
  stop(): Promise<void>;
}

export interface ServiceOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Has the program said that it is ready? Asked with everything it has printed so far. */
  readonly ready: (output: string) => boolean;
  /** Has it as soon as it runs, ready or not. */
  readonly onStart?: (service: Service) => void;
  readonly readySeconds?: number;
}

/** The program ended before it was ready, or never said that it was. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  /** Its exit code; undefined when it had to be ended. */
  readonly code: number | undefined;

  constructor(message: string, code: number | undefined) {
    super(message);
    this.code = code;
  }
}

const KEPT_CHARACTERS = 64_000;

/** Starts a program and waits until it says that it is ready. */
export async function start(name: string, program: string, args: readonly string[], options: ServiceOptions) {
  const child = track(
    spawn(program, args, { env: withOurs(options.env), stdio: ['ignore', 'pipe', 'pipe'], detached: true }),
  );
  let output = '';
  const service: Service = {
    name,
    pid: child.pid ?? 0, // 0 when it could not be started; then nobody gets the service.
    output: () => output,
    kill: (signal) => void child.kill(signal),
    stop: () => end(child),
  };
  options.onStart?.(service);
  await new Promise<void>((resolve, reject) => {
    const seconds = options.readySeconds ?? 60;
    const fail = (message: string, code?: number) => {
      clearTimeout(timer);
      reject(new ServiceError(message, code));
    };
    const timer = setTimeout(() => {
      void end(child);
      fail(`${name} was not ready within ${seconds} s; it printed:\n${output}`);
    }, seconds * 1000);
    let isReady = false;
    const hear = (text: string) => {
      output += text;
      if (output.length > 2 * KEPT_CHARACTERS) output = output.slice(-KEPT_CHARACTERS);
      if (isReady || !options.ready(output)) return;
      isReady = true;
      clearTimeout(timer);
      resolve();
    };
    child.stdout!.setEncoding('utf8').on('data', hear);
    child.stderr!.setEncoding('utf8').on('data', hear);
    child.once('error', (error) => {
      children.delete(child);
      fail(`${name} could not be started: ${error.message}`);
    });
    child.once('close', (code) => fail(output.trim() || `${name} ended without a word`, code ?? undefined));
  });
  return service;
}

const GRACE_SECONDS = 10;

function end(child: ChildProcess): Promise<void> {
  if (ended(child)) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_SECONDS * 1000);
    child.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill('SIGTERM');
  });
}

/** A fresh folder that goes when we do. */
export function temporaryFolder(name: string, parent: string = tmpdir()): string {
  const folder = mkdtempSync(path.join(parent, `tranche-${name}-`));
  folders.add(folder);
  return folder;
}

const farewells: (() => Promise<unknown>)[] = [];

/** Something to put in order before everything ends, while what was started still runs. The last one given is the first done. */
export const beforeEnd = (farewell: () => Promise<unknown>): number => farewells.push(farewell);

let ending: Promise<void> | undefined;

/** Puts in order what there is, ends every process that is still running (the youngest first), and removes the temporary folders. */
export function endAll(): Promise<void> {
  ending ??= endAllOnce().finally(() => (ending = undefined));
  return ending;
}

async function endAllOnce(): Promise<void> {
  try {
    for (let farewell = farewells.pop(); farewell; farewell = farewells.pop()) await farewell();
  } finally {
    for (const child of [...children].reverse()) await end(child);
    removeFolders();
  }
}

function removeFolders(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  folders.clear();
}

// Whatever way we go: no await is possible here, so without grace.
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  removeFolders();
});

let interrupted = false;

/** After a signal, what fails fails because of it, and is not worth a word. */
export const wasInterrupted = (): boolean => interrupted;

/** On Ctrl-C (and its kin) ends everything before we go. */
export function endAllOnSignals(): void {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.on(signal, () => {
      if (interrupted) return;
      interrupted = true;
      endAll()
        .catch((error: unknown) => process.stderr.write(`${String(error)}\n`))
        .finally(() => process.exit(code));
    });
  }
}
