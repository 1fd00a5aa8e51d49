// Finds a real Prometheus, or takes the one of Debian's packages into .cache/; and starts it over samples that a test wrote, or over a cluster.
import { renameSync, writeFileSync } from 'node:fs';
import { access, constants, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { PODS } from '../../src/api/resources.ts';
import type { KubeObject } from '../../src/api/types.ts';
import { createApi } from '../../src/kube/client.ts';
import { realClock } from '../../src/kube/clock.ts';
import { connect } from '../../src/kube/connection.ts';
import { pathOf } from '../../src/kube/path.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { freePort } from './ports.ts';
import { run, start, temporaryFolder, type Service } from './processes.ts';

const PROGRAMS = ['prometheus', 'promtool'] as const;
export type Programs = Readonly<Record<(typeof PROGRAMS)[number], string>>;

const cache = fileURLToPath(new URL('../../.cache/prometheus', import.meta.url));

/** The programs, or why there are none on this machine. */
export async function findPrometheus(): Promise<Programs | { readonly missing: string }> {
  for (const folder of (process.env['PATH'] ?? '').split(path.delimiter).filter(path.isAbsolute)) {
    const found = await programsIn(folder);
    if (found) return found;
  }
  const cached = await programsIn(cache);
  if (cached) return cached;
  const problem = await fetchPackage();
  return (await programsIn(cache)) ?? { missing: problem ?? 'the package prometheus has no programs' };
}

async function programsIn(folder: string): Promise<Programs | undefined> {
  const [prometheus, promtool] = PROGRAMS.map((program) => path.join(folder, program)) as [string, string];
  return (await isExecutable(prometheus)) && (await isExecutable(promtool)) ? { prometheus, promtool } : undefined;
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
    // Two suites may fetch it at the same time. The second rename fails, and the first copy is used.
    if (!(await programsIn(cache))) await rm(cache, { recursive: true, force: true });
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
  const service = await launch(prometheus, folder, url);
  return {
    url,
    async stop() {
      await service.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const launch = (prometheus: string, folder: string, url: URL): Promise<Service> =>
  start(
    'prometheus',
    prometheus,
    [
      `--config.file=${path.join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${path.join(folder, 'data')}`,
      `--web.listen-address=${url.host}`,
      '--storage.tsdb.retention.time=10y',
    ],
    { ready: (output) => output.includes('Server is ready to receive web requests') },
  );

export interface ScrapingPrometheus extends RunningPrometheus {
  /** SIGKILL. Its address refuses connections from then on. */
  kill(): Promise<void>;
  /** Starts again at the same address, with the samples that it had. */
  restart(): Promise<void>;
}

/** Starts a Prometheus that scrapes all Pods of a cluster with a port, and gives each sample the labels `namespace` and `pod`. */
export async function startScraping(
  { prometheus, promtool }: Programs,
  { kubeconfig, everySeconds = 1 }: { readonly kubeconfig: string; readonly everySeconds?: number },
): Promise<ScrapingPrometheus> {
  const folder = temporaryFolder('prometheus');
  const config = path.join(folder, 'prometheus.yml');
  // JSON is YAML.
  const write = (discovery: object): Promise<void> =>
    writeFile(config, JSON.stringify(scrapePods(discovery, everySeconds)));
  await write({ kubernetes_sd_configs: [{ role: 'pod', kubeconfig_file: path.resolve(kubeconfig) }] });
  let stopListing = (): Promise<void> => Promise.resolve();
  if ((await run(promtool, ['check', 'config', '--syntax-only', config])).code !== 0) {
    // Debian builds it without the discovery of Kubernetes.
    const targets = path.join(folder, 'targets.json');
    await write({ file_sd_configs: [{ files: [targets] }] });
    stopListing = await listTargets(kubeconfig, targets);
  }
  const url = new URL(`http://127.0.0.1:${await freePort()}`);
  let service = await launch(prometheus, folder, url);
  return {
    url,
    async kill() {
      service.kill('SIGKILL');
      await service.stop();
    },
    async restart() {
      service = await launch(prometheus, folder, url);
    },
    async stop() {
      await stopListing();
      await service.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function scrapePods(discovery: object, everySeconds: number): object {
  const meta = (name: string): string[] => [`__meta_kubernetes_${name}`];
  return {
    global: { scrape_interval: `${everySeconds}s`, scrape_timeout: `${everySeconds}s` },
    scrape_configs: [
      {
        job_name: 'pods',
        ...discovery,
        relabel_configs: [
          { source_labels: meta('pod_container_port_number'), action: 'keep', regex: '.+' },
          { source_labels: meta('namespace'), target_label: 'namespace' },
          { source_labels: meta('pod_name'), target_label: 'pod' },
          // The embedded cluster on a machine with one loopback address (sandbox/README.md).
          {
            source_labels: meta('pod_annotation_sandbox_tranche_dev_listens'),
            regex: '[0-9]+=(127[.]0[.]0[.]1:[0-9]+)',
            target_label: '__address__',
          },
        ],
      },
    ],
  };
}

const LISTENS = 'sandbox.tranche.dev/listens';

interface ServingPod extends KubeObject {
  readonly spec?: {
    readonly containers: readonly { readonly ports?: readonly { readonly containerPort: number }[] }[];
  };
  readonly status?: { readonly podIP?: string };
}

/** Does what the discovery of Kubernetes does for role pod: writes the ports of all Pods, with the same labels, whenever they change. */
async function listTargets(kubeconfig: string, file: string): Promise<() => Promise<void>> {
  const connection = await connect({ type: 'kubeconfig', files: [kubeconfig] });
  const api = createApi({ connection, userAgent: 'test', fieldManager: 'test' });
  const pods = new Reflector<ServingPod>({ api, clock: realClock, path: pathOf(PODS) });
  const write = (): void => {
    const groups = [...pods.store.entries()].flatMap(([, pod]) => targetsOf(pod));
    writeFileSync(`${file}.new`, JSON.stringify(groups));
    renameSync(`${file}.new`, file);
  };
  pods.on(write);
  pods.start();
  await pods.whenSynced();
  write();
  return async () => {
    await pods.stop();
    api.close();
  };
}

function targetsOf({ metadata: { name, namespace, annotations }, spec, status }: ServingPod): object[] {
  const ports = spec?.containers.flatMap((container) => container.ports ?? []) ?? [];
  if (!status?.podIP) return [];
  const listens = annotations?.[LISTENS];
  return ports.map(({ containerPort }) => ({
    targets: [`${status.podIP}:${containerPort}`],
    labels: {
      __meta_kubernetes_namespace: namespace,
      __meta_kubernetes_pod_name: name,
      __meta_kubernetes_pod_container_port_number: String(containerPort),
      ...(listens ? { __meta_kubernetes_pod_annotation_sandbox_tranche_dev_listens: listens } : {}),
    },
  }));
}
