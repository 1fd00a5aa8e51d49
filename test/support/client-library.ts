// For `node --import`: loads @kubernetes/client-node from one file. Its 870 files are most of what the plugin takes to start.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { createRequire, registerHooks } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type * as esbuild from 'esbuild';

const NAME = '@kubernetes/client-node';
const root = fileURLToPath(new URL('../..', import.meta.url));
const require = createRequire(import.meta.url);

const CONTENTS = `export { KubeConfig, loadYaml } from '${NAME}';`;

/** Made once for each version of the library. */
function bundle(): string {
  const { version } = require(`${NAME}/package.json`) as { version: string };
  const digest = createHash('sha256').update(CONTENTS).digest('hex').slice(0, 8);
  const file = path.join(root, '.cache', 'client-library', `${version}-${digest}.mjs`);
  if (existsSync(file)) return file;
  mkdirSync(path.dirname(file), { recursive: true });
  const { buildSync } = require('esbuild') as typeof esbuild;
  const unfinished = `${file}.${process.pid}`;
  buildSync({
    stdin: { contents: CONTENTS, resolveDir: root },
    outfile: unfinished,
    bundle: true,
    platform: 'node',
    format: 'esm',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'error',
  });
  // Others may make it at the same time.
  renameSync(unfinished, file);
  return file;
}

/** Only for what runs from source: a release has the library with it. */
const ours = new URL('../../src/', import.meta.url).href;

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === NAME && context.parentURL?.startsWith(ours)
      ? { url: pathToFileURL(bundle()).href, shortCircuit: true }
      : next(specifier, context),
});
