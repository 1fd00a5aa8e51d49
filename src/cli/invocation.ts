// How the user runs the plugin, for the commands that it prints.
import { existsSync } from 'node:fs';
import path from 'node:path';

const PLUGIN = 'kubectl-tranche';

/** `kubectl tranche` if kubectl finds the plugin, `tranche` in the image, otherwise `node FILE`. `script`: the path of the program. */
export function invocationOf(
  script: string,
  env: Readonly<Record<string, string | undefined>>,
  exists: (file: string) => boolean = existsSync,
): string {
  const name = path.basename(script);
  if (name === 'tranche') return name;
  const folders = (env['PATH'] ?? '').split(path.delimiter).filter((folder) => folder !== '');
  if (name === PLUGIN || folders.some((folder) => exists(path.join(folder, PLUGIN)))) return 'kubectl tranche';
  return `node ${path.relative(process.cwd(), script)}`;
}
