// Compiles scripts and the program to JavaScript in .cache/bench, so that measured processes do not contain a compiler.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { run } from '../../test/support/processes.ts';

export { imageEnv, imageFlags } from '../../test/support/image.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Compiles a script that imports only packages and `node:` modules. */
export function plain(script: URL): URL {
  const source = fileURLToPath(script);
  const file = path.join(root, '.cache/bench', `${path.basename(source, '.ts')}.mjs`);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, stripTypeScriptTypes(readFileSync(source, 'utf8')));
  return pathToFileURL(file);
}

const built = new Map<string, Promise<URL>>();

/** Returns dist/main.js, the program as in the image, of this checkout or another one. Compiles it once per run. */
export function builtProgram(checkout = root): Promise<URL> {
  const known = built.get(checkout) ?? build(checkout);
  built.set(checkout, known);
  return known;
}

async function build(checkout: string): Promise<URL> {
  const { code, stdout, stderr } = await run('npm', ['run', '--silent', 'build'], {
    cwd: checkout,
    timeoutSeconds: 300,
  });
  if (code !== 0) throw new Error(`the program does not compile:\n${stdout}${stderr}`);
  return pathToFileURL(path.join(checkout, 'dist/main.js'));
}
