// The programs of a reader, in a folder for PATH: kubectl and helm as they are, and the plugin by the names by which kubectl finds it.
import { chmodSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from './processes.ts';
import { findTool } from './tools.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export async function makePrograms(): Promise<string> {
  const folder = temporaryFolder('bin');
  for (const tool of ['kubectl', 'helm'] as const) symlinkSync(await findTool(tool), path.join(folder, tool));
  for (const [name, file] of [
    ['kubectl-tranche', 'src/plugin.ts'],
    ['kubectl_complete-tranche', 'src/plugin-complete.ts'],
  ] as const) {
    const program = path.join(folder, name);
    writeFileSync(program, `#!/bin/sh\nexec ${word(process.execPath)} ${word(path.join(root, file))} "$@"\n`);
    chmodSync(program, 0o755);
  }
  return folder;
}

const word = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
