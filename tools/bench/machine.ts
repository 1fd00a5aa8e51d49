// Describes the machine and the software of a run.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly os: string;
  readonly node: string;
  readonly openssl: string;
  /** Versions of dependencies, by name. */
  readonly packages: Readonly<Record<string, string>>;
  /** The commit of this repository, and whether there are uncommitted changes. */
  readonly commit: string;
  /** Load average over one minute before the bench. More than a few tenths means that other processes were active. */
  readonly loadAverage: number;
}

const root = new URL('../../', import.meta.url);

export function readMachine(): Machine {
  const cpus = os.cpus();
  return {
    cpu: cpus[0]?.model.trim() ?? 'unknown',
    cores: cpus.length,
    memoryMiB: Math.round(os.totalmem() / 2 ** 20),
    os: `${distribution()}, ${os.type()} ${os.release()}, ${os.arch()}`,
    node: process.versions.node,
    openssl: process.versions.openssl,
    packages: Object.fromEntries(['express', 'prom-client'].map((name) => [name, versionOf(name)])),
    commit: commit(),
    loadAverage: Number(os.loadavg()[0]!.toFixed(2)),
  };
}

const versionOf = (name: string): string =>
  (JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, root), 'utf8')) as { version: string }).version;

function distribution(): string {
  try {
    return /^PRETTY_NAME="?(.*?)"?$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? os.type();
  } catch {
    return os.type();
  }
}

function commit(): string {
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
  try {
    const changed = git('status', '--porcelain', '--', 'src', 'package-lock.json') !== '';
    return `${git('rev-parse', '--short=10', 'HEAD')}${changed ? ' and changes' : ''}`;
  } catch {
    return 'unknown';
  }
}
