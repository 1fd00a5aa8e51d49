// What the program consists of: the packages of a production install, as package-lock.json pins them.
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { run } from '../../test/support/processes.ts';

export interface Sboms {
  readonly cyclonedx: string;
  readonly spdx: string;
}

/**
 * In a folder without the workspace and without what is for development: there, npm lists all packages. (With --omit=dev
 * --workspaces=false, npm 11 leaves out packages on which the workspace depends, too.)
 */
export async function makeSboms(root: string): Promise<Sboms> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sbom-'));
  const npm = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await run('npm', args, { cwd: folder });
    if (code !== 0) throw new Error(`npm ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  try {
    const about = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as Record<string, unknown>;
    delete about['workspaces'];
    delete about['devDependencies'];
    writeFileSync(path.join(folder, 'package.json'), JSON.stringify(about));
    for (const name of ['package-lock.json', '.npmrc']) copyFileSync(path.join(root, name), path.join(folder, name));
    await npm('install', '--package-lock-only', '--offline', '--ignore-scripts');
    return {
      cyclonedx: await npm('sbom', '--package-lock-only', '--sbom-format', 'cyclonedx', '--sbom-type', 'application'),
      spdx: await npm('sbom', '--package-lock-only', '--sbom-format', 'spdx', '--sbom-type', 'application'),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
