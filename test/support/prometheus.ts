// Finds a real Prometheus, or takes the one of Debian's packages into .cache/; and starts it over samples that a test wrote.
import { access, constants, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './ports.ts';
import { run, start, temporaryFolder } from './processes.ts';

const PROGRAMS = ['prometheus', 'promtool'] as const;
export type Programs = Readonly<Record<(typeof PROGRAMS)[number], string>>;

const cache = fileURLToPath(new URL('../../.cache/prometheus', import.meta.url));

/** The programs, or why there are none on this machine. */
export async function findPrometheus(): Promise<Programs | { readonly missing: string }> {
  const folders = [...(process.env['PATH'] ?? '').split(path.delimiter).filter(path.isAbsolute), cache];
  for (const folder of folders) {
    const [prometheus, promtool] = PROGRAMS.map((program) => path.join(folder, program));
    if ((await isExecutable(prometheus!)) && (await isExecutable(promtool!)))
      return { prometheus: prometheus!, promtool: promtool! };
  }
  const problem = await fetchPackage();
  if (problem !== undefined) return { missing: problem };
  return { prometheus: path.join(cache, 'prometheus'), promtool: path.join(cache, 'promtool') };
}

const isExecutable = (file: string): Promise<boolean> =>
  access(file, constants.X_OK).then(
    () => true,
    () => false,
  );

/** Takes the programs out of Debian's package, without installing it. Returns why that is not possible. */
async function fetchPackage(): Promise<string | undefined> {
  const advice = 'install Prometheus and promtool, and put them on PATH';
  await mkdir(path.dirname(cache), { recursive: true });
  const work = temporaryFolder('prometheus', path.dirname(cache));
  try {
    process.stderr.write('... fetching Prometheus into .cache/ (once, 19 MB)\n');
    const download = () => run('apt-get', ['download', 'prometheus'], { cwd: work, timeoutSeconds: 120 });
    let fetched = await download();
    // A fresh machine has no lists of packages.
    if (fetched.code !== 0 && (await run('apt-get', ['update'], { timeoutSeconds: 120 })).code === 0)
      fetched = await download();
    const archive = (await readdir(work)).find((file) => file.endsWith('.deb'));
    if (fetched.code !== 0 || !archive) return `apt-get cannot download the package prometheus; ${advice}`;
    const unpacked = await run('dpkg', ['-x', archive, 'root'], { cwd: work });
    if (unpacked.code !== 0) return `the package prometheus cannot be unpacked; ${advice}`;
    await rm(cache, { recursive: true, force: true });
    await rename(path.join(work, 'root', 'usr', 'bin'), cache);
    return undefined;
  } catch {
    return `there is no Prometheus on PATH, and this machine does not have Debian's tools; ${advice}`;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

export interface RunningPrometheus {
  readonly url: URL;
  stop(): Promise<void>;
}

/** Starts a Prometheus whose past is this text in the OpenMetrics format, with times in seconds. */
export async function startPrometheus(
  { prometheus, promtool }: Programs,
  openMetrics: string,
): Promise<RunningPrometheus> {
  const folder = temporaryFolder('prometheus');
  const [samples, data, config] = ['samples.txt', 'data', 'prometheus.yml'].map((name) => path.join(folder, name));
  await writeFile(samples!, openMetrics);
  await writeFile(config!, 'global: {}\n');
  const made = await run(promtool, ['tsdb', 'create-blocks-from', 'openmetrics', '--quiet', samples!, data!]);
  if (made.code !== 0) throw new Error(`promtool: ${made.stderr}`);
  const url = new URL(`http://127.0.0.1:${await freePort()}`);
  const service = await start(
    'prometheus',
    prometheus,
    [
      `--config.file=${config!}`,
      `--storage.tsdb.path=${data!}`,
      `--web.listen-address=${url.host}`,
      '--storage.tsdb.retention.time=10y',
    ],
    { ready: (output) => output.includes('Server is ready to receive web requests') },
  );
  return {
    url,
    async stop() {
      await service.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
