// kubectl and helm as a user has them: the real programs, one kubeconfig, and caches in a folder of ours.
import path from 'node:path';
import type { Resource } from '../../../src/api/resources.ts';
import { pathOf } from '../../../src/kube/path.ts';
import { run, start, type Result, type RunOptions, type Service } from '../../support/processes.ts';
import { findTool, type Tool } from '../../support/tools.ts';

/** A command that should have worked did not. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly result: Result;

  constructor(command: string, result: Result) {
    super(`${command}\nexit code ${result.code}\n${result.stderr}${result.stdout}`.trimEnd());
    this.result = result;
  }
}

/** For programs in Go that run for a moment: a fifth less work, most of it for collecting garbage and for waking threads. */
const SHORT_LIVED = { GOGC: '1000', GOMAXPROCS: '1' };

/** For our programs, which run from source. */
export const LIBRARY = new URL('../../support/client-library.ts', import.meta.url).href;

export class Client {
  readonly kubeconfig: string;
  readonly #home: string;
  #proxy: Promise<Service> | undefined;
  #proxyUrl = '';

  constructor(kubeconfig: string, home: string) {
    this.kubeconfig = kubeconfig;
    this.#home = home;
  }

  /** Runs kubectl; returns what it printed on stdout. Throws CommandError when it fails. */
  async kubectl(args: readonly string[], options?: RunOptions): Promise<string> {
    return this.#must('kubectl', args, options);
  }

  async helm(args: readonly string[], options?: RunOptions): Promise<string> {
    return this.#must('helm', args, options);
  }

  /** An answer of kubectl as JSON. */
  async json<T>(args: readonly string[]): Promise<T> {
    return JSON.parse(await this.kubectl([...args, '-o', 'json'])) as T;
  }

  /**
   * Starts kubectl's proxy: a look through it costs a request, and not a process. For what is looked at again and again; what is tested
   * goes through kubectl itself.
   */
  startProxy(): Promise<Service> {
    this.#proxy ??= this.#startProxy();
    return this.#proxy;
  }

  async #startProxy(): Promise<Service> {
    let output = '';
    const proxy = await start('kubectl proxy', await findTool('kubectl'), ['proxy', '--port=0'], {
      env: this.environment(),
      ready: (text) => (output = text).includes('\n'),
    });
    this.#proxyUrl = `http://${/127\.0\.0\.1:\d+/.exec(output)![0]}`;
    return proxy;
  }

  /** An object or a list, by its path. Undefined: there is none. */
  async look<T>(at: string): Promise<T | undefined> {
    await this.startProxy();
    const response = await fetch(this.#proxyUrl + at);
    if (response.status === 404) return undefined;
    const text = await response.text();
    if (!response.ok) throw new Error(`GET ${at}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }

  /** A server-side apply of an object, with the options of the path's query. */
  async apply(at: string, object: object): Promise<{ ok: boolean; text: string }> {
    await this.startProxy();
    const headers = { 'content-type': 'application/apply-patch+yaml' };
    const response = await fetch(this.#proxyUrl + at, { method: 'PATCH', headers, body: JSON.stringify(object) });
    return { ok: response.ok, text: await response.text() };
  }

  /** A look at an object that is there, or at a list of all that there are. */
  async get<T>(resource: Resource, namespace: string, name?: string): Promise<T> {
    const at = pathOf(resource, { namespace, ...(name !== undefined && { name }) });
    const found = await this.look<T>(at);
    if (found === undefined) throw new Error(`there is no ${at}`);
    return found;
  }

  /** Runs a tool whose failure may be what is expected. */
  async attempt(tool: Tool, args: readonly string[], options: RunOptions = {}): Promise<Result> {
    return run(await findTool(tool), args, { ...options, env: { ...this.environment(), ...options.env } });
  }

  /** Nothing of the user's own kubectl and helm settings, and nothing of theirs left in the user's home. */
  environment(): NodeJS.ProcessEnv {
    const helm = path.join(this.#home, 'helm');
    return {
      PATH: process.env.PATH,
      HOME: this.#home,
      KUBECONFIG: this.kubeconfig,
      KUBECACHEDIR: path.join(this.#home, 'kube-cache'),
      HELM_CACHE_HOME: helm,
      HELM_CONFIG_HOME: helm,
      HELM_DATA_HOME: helm,
      ...SHORT_LIVED,
      NODE_OPTIONS: `--import="${LIBRARY}"`,
    };
  }

  async #must(tool: Tool, args: readonly string[], options?: RunOptions): Promise<string> {
    const result = await this.attempt(tool, args, options);
    if (result.code !== 0) throw new CommandError(asTyped(tool, args, options?.input), result);
    return result.stdout;
  }
}

/** A command as a person would type it into a shell. */
export function asTyped(program: string, args: readonly string[], input?: string): string {
  const line = [program, ...args].map(quote).join(' ');
  return input === undefined ? line : `${line} <<EOF\n${input.trimEnd()}\nEOF`;
}

export const quote = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
