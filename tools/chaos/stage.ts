// The stage for faults: an API server that can be killed, replicas of the program behind a network that can be cut, and an observer.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import type { KubeObject } from '../../src/api/types.ts';
import { createApi, type ApiClient } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connection.ts';
import { render } from '../../test/charts/render.ts';
import { ACCOUNT, JOB_ACCOUNT, MountedSecret, runJob, tlsFlags, withToken } from '../../test/support/certificates.ts';
import { ServiceError, start, temporaryFolder, type Service } from '../../test/support/processes.ts';
import { Chance } from './chance.ts';
import { Observer } from './observer.ts';
import { Subject } from './subject.ts';
import { Tap } from './tap.ts';
import { accepts, DEFINITION, objectsOf, rulesOf } from './traffic/gateway.ts';
import { TrafficJudge } from './traffic/judge.ts';
import { Wire } from './wire.ts';

const SERVER = fileURLToPath(new URL('server.ts', import.meta.url));
const REPLICA = fileURLToPath(new URL('../../test/main/replica.ts', import.meta.url));
const CLOCK = fileURLToPath(new URL('clock.ts', import.meta.url));

export const NAMESPACE = 'tranche-system';
export const LEASE = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/tranche`;
export const SECRET = `/api/v1/namespaces/${NAMESPACE}/secrets/tranche-tls`;
/** Interval at which the kubelet of a replica updates the Secret, in milliseconds. A real kubelet takes 60 to 90 s. */
const KUBELET_MS = [1_000, 1_500] as const;
export const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
export const HOOKS = '/apis/admissionregistration.k8s.io/v1';

export interface StageOptions {
  readonly seed: number;
  /** Number of replicas of the program. Default 2. */
  readonly replicas?: number;
  /** True if calls of replicas can be observed, delayed and dropped. */
  readonly tapped?: boolean;
  /** True if the clocks of replicas can be shifted. */
  readonly clock?: boolean;
  /** Additional flags of the program. */
  readonly flags?: readonly string[];
  readonly readyMs?: number;
  readonly nodes?: number;
  /** True if the program may route requests, and a subject may have a route. */
  readonly routes?: boolean;
}

/** One process of the program, and its network. */
export interface Replica {
  readonly service: Service;
  readonly wire: Wire;
  readonly tap: Tap | undefined;
  readonly webhookPort: number;
  /** Kills the process with SIGKILL, and removes it from the Service. */
  kill(): void;
  readonly kubelet: Kubelet;
  /** Shifts its clock by this number of milliseconds. */
  setClock(ms: number): Promise<void>;
}

/** Mounts the certificate of a replica, and updates it. */
interface Kubelet {
  readonly folder: string;
  /** Number of updates so far. */
  looked: number;
  stop(): void;
}

/** The objects of the chart, without the program's Pods. */
const COLLECTIONS: Readonly<Record<string, string>> = {
  ServiceAccount: `/api/v1/namespaces/${NAMESPACE}/serviceaccounts`,
  Service: `/api/v1/namespaces/${NAMESPACE}/services`,
  ClusterRole: '/apis/rbac.authorization.k8s.io/v1/clusterroles',
  ClusterRoleBinding: '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
  Role: `/apis/rbac.authorization.k8s.io/v1/namespaces/${NAMESPACE}/roles`,
  RoleBinding: `/apis/rbac.authorization.k8s.io/v1/namespaces/${NAMESPACE}/rolebindings`,
  CustomResourceDefinition: CRDS,
  MutatingWebhookConfiguration: `${HOOKS}/mutatingwebhookconfigurations`,
  ValidatingWebhookConfiguration: `${HOOKS}/validatingwebhookconfigurations`,
};

/** A compile cache that all processes of the program share. */
const compiled = temporaryFolder('chaos-compiled');
const environment = { PATH: process.env.PATH, NODE_COMPILE_CACHE: compiled };

const charts = new Map<string, Promise<KubeObject[]>>();

/** The objects of the chart, without those of helm hooks. `set`: values. */
export function chartObjects(...set: string[]): Promise<KubeObject[]> {
  const key = set.join();
  const objects =
    charts.get(key) ??
    render(...set).then((all) =>
      (all as unknown as KubeObject[]).filter(
        ({ kind, metadata }) => COLLECTIONS[kind!] && metadata.annotations?.['helm.sh/hook'] === undefined,
      ),
    );
  charts.set(key, objects);
  return objects;
}

export const collectionOf = ({ kind }: KubeObject): string => COLLECTIONS[kind!]!;

/** Copies are late by less than the grace period: what this process sees is late as well. */
const PROXIES = { count: 3, lagMs: 1_000, preStopMs: 5_000 };
const ROUTING = (name: string): object => ({
  trafficRoutings: [{ service: name, gateway: { httpRouteName: name }, gracePeriodSeconds: 3 }],
});

export class Stage {
  readonly chance: Chance;
  /** The replicas behind the Service. */
  replicas: Replica[] = [];
  private readonly everyone: Replica[] = [];
  api!: ApiClient;
  observer!: Observer;
  /** The network between the API server and the webhooks. */
  readonly toWebhooks = new Wire(() => this.nextReplica()?.webhookPort);
  private readonly options: StageOptions;
  private readonly folder = temporaryFolder('chaos');
  private server: Service | undefined;
  private serverUrl!: URL;
  private serverCa!: string;
  private token = '';
  private jobKubeconfig = '';
  private turn = 0;
  private subjects = 0;
  private started = 0;

  static async start(options: StageOptions): Promise<Stage> {
    const stage = new Stage(options);
    try {
      await stage.begin();
      return stage;
    } catch (error) {
      await stage.close();
      throw error;
    }
  }

  private constructor(options: StageOptions) {
    this.options = options;
    this.chance = new Chance(options.seed);
  }

  private async begin(): Promise<void> {
    await this.toWebhooks.open();
    await this.startServer();
    const kubeconfig = await readFile(this.kubeconfig, 'utf8');
    this.api = createApi({
      connection: await connect({ type: 'kubeconfig', files: [this.kubeconfig] }),
      userAgent: 'chaos',
      fieldManager: 'chaos',
    });
    const config = parse(kubeconfig) as { clusters: { cluster: Record<string, string> }[] };
    this.serverCa = Buffer.from(config.clusters[0]!.cluster['certificate-authority-data']!, 'base64').toString();
    await this.post('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
    const { routes = false } = this.options;
    if (routes) await this.post(CRDS, DEFINITION);
    const objects = await chartObjects(...(routes ? ['traffic.gatewayAPI.enabled=true'] : []));
    for (const object of objects) await this.post(collectionOf(object), object);
    this.token = await this.tokenOf(ACCOUNT);
    this.jobKubeconfig = withToken(kubeconfig, await this.tokenOf(JOB_ACCOUNT));
    this.observer = new Observer(kubeconfig, routes);
    if (routes) this.observer.on(accepts(this.api, this.chance));
    const replicas = Array.from({ length: this.options.replicas ?? 2 }, () => this.startReplica());
    await Promise.all([this.runJob(), ...replicas]);
  }

  private async tokenOf(account: string): Promise<string> {
    const request = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: 86_400 },
    };
    const where = `${COLLECTIONS['ServiceAccount']}/${account}/token`;
    const { status } = (await this.post(where, request)) as unknown as { status: { token: string } };
    return status.token;
  }

  async close(): Promise<void> {
    await this.observer?.stop();
    for (const { service, wire, tap, kubelet } of this.everyone) {
      kubelet.stop();
      service.kill('SIGKILL');
      wire.close();
      await tap?.close();
    }
    this.server?.kill('SIGKILL');
    this.toWebhooks.close();
    this.api?.close();
  }

  // --- the API server ---

  private get kubeconfig(): string {
    return path.join(this.folder, 'kubeconfig');
  }

  /** The port is the same for all starts. */
  async startServer(): Promise<void> {
    const { readyMs = 100, nodes = 3 } = this.options;
    const args = ['--data', path.join(this.folder, 'data'), '--kubeconfig', this.kubeconfig];
    args.push('--port', this.serverUrl?.port ?? '0', '--service', String(this.toWebhooks.port));
    args.push('--ready-ms', String(readyMs), '--nodes', String(nodes));
    this.server = await start('the API server', process.execPath, [SERVER, ...args], {
      env: environment,
      ready: (output) => /ready at \S+\n/.test(output),
    });
    this.serverUrl ??= new URL(/ready at (\S+)\n/.exec(this.server.output())![1]!);
  }

  killServer(): void {
    this.server?.kill('SIGKILL');
  }

  // --- the certificates ---

  /** Runs `tranche certificates` with its own account, like the Job of the chart. */
  async runJob(): Promise<void> {
    await this.persist('the Job of the certificates', () => runJob(this.jobKubeconfig, NAMESPACE));
  }

  /** The data of the Secret, or undefined if it does not exist. */
  async secret(): Promise<Readonly<Record<string, string>> | undefined> {
    const { data } = (await this.get(SECRET).catch((error: { code?: number }) => {
      if (error.code === 404) return {};
      throw error;
    })) as { data?: Record<string, string> };
    return data;
  }

  /** Waits until the Secret can be mounted. A Pod does not start before. */
  private async mount(seed: number): Promise<Kubelet> {
    const mounted = new MountedSecret();
    await this.until('the Secret is mounted', async () => mounted.show(await this.secret()));
    const chance = new Chance(seed);
    let timer: NodeJS.Timeout | undefined;
    let stopped = false;
    const kubelet: Kubelet = {
      folder: mounted.folder,
      looked: 0,
      stop() {
        stopped = true;
        clearTimeout(timer);
      },
    };
    const look = async (): Promise<void> => {
      try {
        await mounted.show(await this.secret());
        kubelet.looked += 1;
      } catch {
        // The API server is not available: the mounted files stay.
      }
      wait();
    };
    const wait = (): void => {
      if (!stopped) timer = setTimeout(() => void look(), chance.between(...KUBELET_MS));
    };
    wait();
    return kubelet;
  }

  /** Waits until all kubelets have updated their files from the Secret. */
  async mounted(): Promise<void> {
    // An update in progress may have started before the change.
    const due = this.replicas.map(({ kubelet }) => ({ kubelet, looks: kubelet.looked + 2 }));
    await this.until('the kubelets have looked', () =>
      Promise.resolve(due.every(({ kubelet, looks }) => kubelet.looked >= looks)),
    );
  }

  // --- the program ---

  private nextReplica(): Replica | undefined {
    return this.replicas[this.turn++ % Math.max(this.replicas.length, 1)];
  }

  /** Starts a replica, and resolves when it is ready and behind the Service. `prepare` is called before the process starts. */
  async startReplica(
    prepare: (parts: { tap: Tap | undefined; kill: () => void }) => void = () => undefined,
  ): Promise<Replica> {
    const serverPort = (): number => Number(this.serverUrl.port);
    const tap = this.options.tapped ? await Tap.start({ upstream: this.serverUrl, ca: this.serverCa }) : undefined;
    const wire = new Wire(() => tap?.port ?? serverPort());
    await wire.open();
    const number = ++this.started;
    const home = path.join(this.folder, `replica-${number}`);
    const [kubeconfig, clock] = [`${home}.kubeconfig`, `${home}.clock`];
    const cluster = {
      server: `https://127.0.0.1:${wire.port}`,
      'certificate-authority-data': Buffer.from(tap?.ca ?? this.serverCa).toString('base64'),
    };
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster }],
      users: [{ name: 'u', user: { token: this.token } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    };
    await writeFile(kubeconfig, JSON.stringify(config), { mode: 0o600 });
    await writeFile(clock, '0');
    const kubelet = await this.mount(this.options.seed ^ number);
    const args = [...(this.options.clock ? ['--import', CLOCK] : []), REPLICA, kubeconfig, '--namespace', NAMESPACE];
    args.push(...tlsFlags(kubelet.folder));
    let service: Service | undefined;
    let gone = false;
    const kill = (): void => {
      gone = true;
      service?.kill('SIGKILL');
      this.replicas = this.replicas.filter((one) => one.service !== service);
      wire.close();
      kubelet.stop();
      void tap?.close();
    };
    if (this.options.routes) args.push('--gateway-api=true');
    prepare({ tap, kill });
    try {
      service = await start('a replica', process.execPath, [...args, ...(this.options.flags ?? [])], {
        env: { ...environment, CHAOS_CLOCK: clock },
        ready: (output) => /"message":"ready"/.test(output),
        onStart: (started) => {
          service = started;
          if (gone) started.kill('SIGKILL');
        },
      });
    } catch (error) {
      wire.close();
      kubelet.stop();
      await tap?.close();
      throw error;
    }
    const replica: Replica = {
      service,
      wire,
      tap,
      kubelet,
      kill,
      webhookPort: Number(/"webhookPort":(\d+)/.exec(service.output())![1]),
      async setClock(ms) {
        await writeFile(clock, String(ms));
        service!.kill('SIGUSR2');
      },
    };
    if (gone) throw new ServiceError('the process was killed', undefined);
    this.everyone.push(replica);
    this.replicas.push(replica);
    return replica;
  }

  /** Removes it from the Service. It keeps running. */
  takeOut(replica: Replica): void {
    this.replicas = this.replicas.filter((one) => one !== replica);
  }

  /** Adds it to the Service again. */
  putBack(replica: Replica): void {
    if (!this.replicas.includes(replica)) this.replicas.push(replica);
  }

  /** The holder of the lease. */
  async leader(): Promise<Replica> {
    let found: Replica | undefined;
    await this.until('there is a leader', async () => {
      const { spec } = (await this.get(LEASE)) as unknown as { spec?: { holderIdentity?: string } };
      const pid = Number(/^pod-(\d+)_/.exec(spec?.holderIdentity ?? '')?.[1]);
      found = this.replicas.find(({ service }) => service.pid === pid);
      return found !== undefined;
    });
    return found!;
  }

  // --- the cluster ---

  get = (where: string): Promise<KubeObject> => this.api.request({ method: 'GET', path: where }) as Promise<KubeObject>;
  post = (where: string, body: object): Promise<KubeObject> =>
    this.api.request({ method: 'POST', path: where, body }) as Promise<KubeObject>;
  remove = (where: string): Promise<unknown> => this.api.request({ method: 'DELETE', path: where });
  patch = (where: string, body: object): Promise<unknown> =>
    this.api.request({ method: 'PATCH', path: where, contentType: 'application/merge-patch+json', body });

  /** Creates a Deployment with a Rollout, and waits until it is enrolled. */
  async subject(replicas = 6, steps: readonly object[] = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }]) {
    const subject = new Subject(this, `s${++this.subjects}`);
    await subject.create(replicas, steps);
    await subject.remember();
    await this.until(`${subject.name} is seen`, () => Promise.resolve(this.observer.judge.knows(subject.key)));
    return subject;
  }

  /** A subject with a route, and proxies that watch it. */
  async routedSubject(replicas: number, steps: readonly object[]): Promise<Subject> {
    const subject = new Subject(this, `s${++this.subjects}`);
    const { name } = subject;
    const random = (): number => this.chance.next();
    const judge = new TrafficJudge({ name, rollout: name, random, ...PROXIES });
    this.observer.traffic.push(judge);
    subject.traffic = judge;
    for (const [where, object] of objectsOf(name)) await this.post(where, object);
    await subject.create(replicas, steps, ROUTING(name));
    await subject.remember();
    await subject.until('all Pods available', async () => subject.isReleased());
    await this.observer.caughtUp();
    judge.userRules = rulesOf(name);
    judge.start(Date.now());
    return subject;
  }

  /** Waits until the condition is true. Errors count as not true. Returns the elapsed seconds. */
  async until(what: string, condition: () => Promise<boolean>, seconds = 60): Promise<number> {
    const began = Date.now();
    for (let last = 'nothing'; ;) {
      try {
        if (await condition()) return (Date.now() - began) / 1000;
      } catch (error) {
        last = error instanceof Error ? error.message : String(error);
      }
      if (Date.now() - began > seconds * 1000)
        throw new Error(`${what}: timed out after ${seconds} s (last failure: ${last})`);
      await pause(100);
    }
  }

  /** Retries a request until it is accepted. Returns the elapsed seconds. */
  persist(what: string, action: () => Promise<unknown>, seconds = 90): Promise<number> {
    return this.until(what, () => action().then(() => true), seconds);
  }

  /** Marks the duration of a fault, in which deadlines do not apply. With `unguarded`, the webhooks are not called either. */
  async trouble<T>(work: () => Promise<T>, unguarded = false): Promise<T> {
    const { judge } = this.observer;
    judge.trouble(true, Date.now(), unguarded);
    try {
      return await work();
    } finally {
      judge.trouble(false, Date.now());
    }
  }
}
