// The programs of a reader, in a folder for PATH: kubectl and helm as they are, and the plugin by the names by which kubectl finds it.
import { chmodSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from './processes.ts';
import { findTool } from './tools.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Options {
  /** Makes the plugin as a release does. That takes some seconds, and a start then takes less than half of the time. */
  readonly released?: boolean;
}

export async function makePrograms({ released = false }: Options = {}): Promise<string> {
  const folder = temporaryFolder('bin');
  const add = (name: string, command: string): void => {
    const program = path.join(folder, name);
    writeFileSync(program, `#!/bin/sh\nexec ${command} "$@"\n`);
    chmodSync(program, 0o755);
  };
  const fromSource = (file: string): string => `${word(process.execPath)} ${word(path.join(root, file))}`;
  for (const tool of ['kubectl', 'helm'] as const) symlinkSync(await findTool(tool), path.join(folder, tool));
  if (released) {
    const file = path.join(folder, 'plugin.cjs');
    writeFileSync(file, await bundledPlugin());
    // NODE_OPTIONS is for what runs from source.
    add('kubectl-tranche', `env -u NODE_OPTIONS ${word(process.execPath)} ${word(file)}`);
  } else add('kubectl-tranche', fromSource('src/plugin.ts'));
  add('kubectl_complete-tranche', fromSource('src/plugin-complete.ts'));
  return folder;
}

/** The bundler is loaded by those only who need it. */
async function bundledPlugin(): Promise<string> {
  const { bundlePlugin } = await import('../../tools/release/plugin.ts');
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
  return (await bundlePlugin(root, version)).text;
}

const word = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
