// Compiles scripts and the program to JavaScript in .cache/bench, so that measured processes do not contain a compiler.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { run } from '../../test/support/processes.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Compiles a script that imports only packages and `node:` modules. */
export function plain(script: URL): URL {
  const source = fileURLToPath(script);
  const file = path.join(root, '.cache/bench', `${path.basename(source, '.ts')}.mjs`);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, stripTypeScriptTypes(readFileSync(source, 'utf8')));
  return pathToFileURL(file);
}

let built: Promise<URL> | undefined;

/** Returns dist/main.js, the program as in the image. Compiles it once per run. */
export const builtProgram = (): Promise<URL> => (built ??= build());

async function build(): Promise<URL> {
  const { code, stdout, stderr } = await run('npm', ['run', '--silent', 'build'], { cwd: root, timeoutSeconds: 300 });
  if (code !== 0) throw new Error(`the program does not compile:\n${stdout}${stderr}`);
  return pathToFileURL(path.join(root, 'dist/main.js'));
}

/** Node's flags in the image. */
export const imageFlags = (): string[] =>
  (JSON.parse(inDockerfile('ENTRYPOINT')) as string[]).filter((word) => word.startsWith('--'));

/** Environment variables of the image. */
export const imageEnv = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    inDockerfile('ENV')
      .split(' ')
      .map((entry) => entry.split('=')),
  );

const inDockerfile = (instruction: string): string =>
  new RegExp(`^${instruction} (.*)$`, 'm').exec(readFileSync(path.join(root, 'Dockerfile'), 'utf8'))![1]!;
