// Scripts of ours as plain JavaScript in .cache/bench, so that no compiler is in a process whose memory is measured; and the program, built.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { run } from '../../test/support/processes.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** For a script that imports packages and `node:` modules only. */
export function plain(script: URL): URL {
  const source = fileURLToPath(script);
  const file = path.join(root, '.cache/bench', `${path.basename(source, '.ts')}.mjs`);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, stripTypeScriptTypes(readFileSync(source, 'utf8')));
  return pathToFileURL(file);
}

let built: Promise<URL> | undefined;

/** dist/main.js, the program as it is in the image; compiled once in a run. */
export const builtProgram = (): Promise<URL> => (built ??= build());

async function build(): Promise<URL> {
  const { code, stdout, stderr } = await run('npm', ['run', '--silent', 'build'], { cwd: root, timeoutSeconds: 300 });
  if (code !== 0) throw new Error(`the program does not compile:\n${stdout}${stderr}`);
  return pathToFileURL(path.join(root, 'dist/main.js'));
}

/** What the image gives Node. */
export const imageFlags = (): string[] =>
  (JSON.parse(inDockerfile('ENTRYPOINT')) as string[]).filter((word) => word.startsWith('--'));

/** The environment that the image gives it. */
export const imageEnv = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    inDockerfile('ENV')
      .split(' ')
      .map((entry) => entry.split('=')),
  );

const inDockerfile = (instruction: string): string =>
  new RegExp(`^${instruction} (.*)$`, 'm').exec(readFileSync(path.join(root, 'Dockerfile'), 'utf8'))![1]!;
