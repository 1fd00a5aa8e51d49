// The shell in which a page's commands run: one scratch folder, one home, one namespace; what a command sets is there for the next.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Client } from '../e2e/harness/client.ts';
import { run, start, temporaryFolder, type Result, type Service } from '../support/processes.ts';
import { root } from './page.ts';

/** Would the shell begin to work on this, and not ask for another line? */
export function isComplete(text: string): boolean {
  if (text.endsWith('\\')) return false;
  const { status, stderr } = spawnSync('bash', ['-n'], { input: `${text}\n`, encoding: 'utf8' });
  return status === 0 && !stderr.includes('here-document');
}

export class PageShell {
  readonly folder: string;
  readonly #state: string;
  readonly #env: NodeJS.ProcessEnv;

  private constructor(folder: string, state: string, env: NodeJS.ProcessEnv) {
    this.folder = folder;
    this.#state = state;
    this.#env = env;
  }

  /** In a folder that looks like a checkout; the context of its kubeconfig has the namespace. */
  static async open(client: Client, namespace: string, programs: string): Promise<PageShell> {
    // A path with a space, as some readers have.
    const folder = temporaryFolder('docs page');
    const home = temporaryFolder('docs-home');
    const state = temporaryFolder('docs-state');
    const node = path.dirname(process.execPath);
    for (const entry of readdirSync(root).filter((name) => !/^(\.|dist$)/.test(name)))
      symlinkSync(path.join(root, entry), path.join(folder, entry));
    // As `make build` would write them.
    for (const [file, source] of [
      ['dist/main.js', 'src/main.ts'],
      ['dist/plugin.js', 'src/plugin.ts'],
    ] as const) {
      mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
      writeFileSync(path.join(folder, file), `import ${JSON.stringify(path.join(root, source))};\n`);
    }
    const config = JSON.parse(
      await client.kubectl(['config', 'view', '--raw', '--minify', '--flatten', '-o', 'json']),
    ) as { contexts: { context: { namespace?: string } }[] };
    config.contexts[0]!.context.namespace = namespace;
    mkdirSync(path.join(home, '.kube'));
    writeFileSync(path.join(home, '.kube', 'config'), JSON.stringify(config), { mode: 0o600 });
    // Half of what the plugin takes to start is reading its own source.
    const NODE_COMPILE_CACHE = path.join(programs, 'cache');
    const own = {
      HOME: home,
      PATH: `${programs}:${node}:${process.env.PATH}`,
      KUBECONFIG: undefined,
      NO_COLOR: '1',
      NODE_COMPILE_CACHE,
    };
    const env: NodeJS.ProcessEnv = { ...client.environment(), ...own };
    writeFileSync(path.join(state, 'env'), '');
    writeFileSync(path.join(state, 'cwd'), folder);
    return new PageShell(folder, state, env);
  }

  write(name: string, text: string): void {
    const file = path.join(this.folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, `${text}\n`);
  }

  /** Runs a command to its end; stdout holds both outputs, as a terminal does. */
  run(command: string, timeoutSeconds = 90): Promise<Result> {
    const script = this.#script(
      `${command}\ncode=$?\nexport -p > '${this.#state}/env'\npwd > '${this.#state}/cwd'\nexit $code`,
    );
    return run('bash', [script], { env: this.#env, timeoutSeconds });
  }

  /** Starts a command that goes on while the page does. */
  background(command: string, ready: (output: string) => boolean): Promise<Service> {
    return start(command, 'bash', [this.#script(`exec ${command}`)], { env: this.#env, ready });
  }

  #scripts = 0;

  #script(body: string): string {
    const file = path.join(this.#state, `${++this.#scripts}.sh`);
    const cwd = readFileSync(path.join(this.#state, 'cwd'), 'utf8').trimEnd();
    // What a page sets, it may use in the next command, as in a shell: so everything is exported.
    writeFileSync(file, `exec 2>&1\n. '${this.#state}/env'\ncd '${cwd}'\nset -a -o pipefail\n${body}\n`);
    return file;
  }
}
