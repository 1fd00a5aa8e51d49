// The cluster for measurements of the operator: the sandbox in a separate process, which counts and times its requests.
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { startSandbox, type Sandbox } from '@tranche/sandbox';
import type { Change } from '@tranche/sandbox/store';
import { newUid } from '@tranche/sandbox/names';
import type { ApiRequest, KubeObject } from '@tranche/sandbox/types';
import type { AnalysisCheck } from '../../../src/api/analysis.ts';
import { render } from '../../../test/charts/render.ts';
import { ACCOUNT, JOB_ACCOUNT, runJob, TLS_SECRET, withToken } from '../../../test/support/certificates.ts';
import { copier, deployment, newVersion, placeOf, PER_NAMESPACE, rollout, SEED, withLastApplied } from './objects.ts';
import { summarize } from '../stats.ts';
import { Observer, workloadOf } from './observer.ts';
import { serve } from './rpc.ts';
import type { PodTold } from './source.ts';

const NAMESPACE = 'tranche-system';
const CLIENTS = 50;
const DEPLOYMENTS = 'apps/deployments';
const ROLLOUTS = 'rollouts.kruise.io/rollouts';
const PATHS: Readonly<Record<string, string>> = {
  Service: `/api/v1/namespaces/${NAMESPACE}/services`,
  ServiceAccount: `/api/v1/namespaces/${NAMESPACE}/serviceaccounts`,
  CustomResourceDefinition: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
  MutatingWebhookConfiguration: '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations',
  ValidatingWebhookConfiguration: '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations',
  ClusterRole: '/apis/rbac.authorization.k8s.io/v1/clusterroles',
  ClusterRoleBinding: '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
  Role: `/apis/rbac.authorization.k8s.io/v1/namespaces/${NAMESPACE}/roles`,
  RoleBinding: `/apis/rbac.authorization.k8s.io/v1/namespaces/${NAMESPACE}/rolebindings`,
};

let sandbox: Sandbox;
let webhookPort = 0;
let seedMs = 60_000;
let seed: KubeObject[] = [];
let observer: Observer | undefined;
/** For the source of metrics: Pods that were created or deleted since the last call. Undefined without a source. */
let podsToTell: PodTold[] | undefined;
const calls = new Map<string, number>();
const requestMs: number[] = [];
let openWatches = 0;
let mostWatches = 0;

const uid = (): string => newUid(Math.random);
const api = (method: string, path: string, body?: object): Promise<KubeObject> =>
  sandbox.cluster.client().request(method, path, {
    ...(body && { body }),
    ...(method === 'PATCH' ? { type: 'application/strategic-merge-patch+json' } : {}),
  });

async function tokenOf(account: string): Promise<string> {
  const asked = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 7200 } };
  const { status } = await api('POST', `${PATHS['ServiceAccount']}/${account}/token`, asked);
  return status.token as string;
}

/** Counts and times the requests of the operator. */
function measure(): void {
  const { cluster } = sandbox;
  const handle = cluster.handle.bind(cluster);
  cluster.handle = async (request: ApiRequest) => {
    if (!request.headers['user-agent']?.startsWith('tranche/')) return handle(request);
    const started = performance.now();
    const response = await handle(request);
    requestMs.push(performance.now() - started);
    const call = `${verbOf(request)} ${resourceOf(request.path)}`;
    calls.set(call, (calls.get(call) ?? 0) + 1);
    const { watch } = response;
    if (!watch) return response;
    mostWatches = Math.max(mostWatches, ++openWatches);
    const event = `event of ${resourceOf(request.path)}`;
    const counted: typeof watch = {
      start: (send, end) =>
        watch.start((told) => {
          calls.set(event, (calls.get(event) ?? 0) + 1);
          send(told);
        }, end),
      stop: () => {
        openWatches -= 1;
        watch.stop();
      },
    };
    return { ...response, watch: counted };
  };
}

const verbOf = ({ method, path, query }: ApiRequest): string =>
  method !== 'GET'
    ? method
    : query.get('watch') === 'true'
      ? 'WATCH'
      : /s(\/|$)[^/]*$/.test(path) && query.has('limit')
        ? 'LIST'
        : 'GET';

const resourceOf = (path: string): string => {
  const parts = path.split('/').slice(path.startsWith('/api/') ? 3 : 4);
  const rest = parts[0] === 'namespaces' && parts.length > 2 ? parts.slice(2) : parts;
  return rest.length > 2 ? `${rest[0]}/${rest[2]}` : rest[0]!;
};

const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();
let utilization = performance.eventLoopUtilization();
let lately = utilization;

serve({
  /** Returns the address and the credentials for the program. */
  async start(readyMs: number, jitter: [number, number]) {
    const resolveService = () => ({ host: '127.0.0.1', port: webhookPort });
    seedMs += readyMs * jitter[1];
    sandbox = await startSandbox({ readyMs, resolveService, controllers: { verbose: false, jitter } });
    measure();
    await api('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
    for (const object of await render()) {
      const path = PATHS[object.kind]?.replace(NAMESPACE, object.metadata.namespace ?? NAMESPACE);
      if (path) await api('POST', path, object);
    }
    // A node with unlimited capacity, because scheduling is not measured.
    await api('PATCH', '/api/v1/nodes/n0/status', { status: { allocatable: { pods: '1000000' } } });
    await runJob(withToken(sandbox.kubeconfig, await tokenOf(JOB_ACCOUNT)), NAMESPACE);
    const { data } = await api('GET', `/api/v1/namespaces/${NAMESPACE}/secrets/${TLS_SECRET}`);
    const token = await tokenOf(ACCOUNT);
    const { port } = new URL(sandbox.url);
    const ca = /certificate-authority-data: (\S+)/.exec(sandbox.kubeconfig)![1]!;
    return { port, token, secret: data as Record<string, string>, ca: Buffer.from(ca, 'base64').toString() };
  },
  webhookAt(port: number) {
    webhookPort = port;
  },
  /** Creates the first Deployment and its Rollout like a user, and waits until the Rollout is Healthy. */
  async makeSeed(replicas: number, analysis?: readonly AnalysisCheck[]) {
    const { namespace, name } = SEED;
    await makeNamespace(namespace);
    await api(
      'POST',
      `/apis/apps/v1/namespaces/${namespace}/deployments`,
      withLastApplied(deployment(namespace, name, replicas)),
    );
    await api(
      'POST',
      `/apis/rollouts.kruise.io/v1beta1/namespaces/${namespace}/rollouts`,
      rollout(namespace, name, replicas, analysis),
    );
    const get = (collection: string): KubeObject | undefined => sandbox.cluster.store.get(collection, namespace, name);
    await until(() => get(DEPLOYMENTS)?.status?.availableReplicas === replicas);
    await until(() => get(ROLLOUTS)?.status?.phase === 'Healthy');
    // Otherwise each copy would be written once when the program starts.
    await until(() => get(ROLLOUTS)?.status?.completedVersions !== undefined);
    const of = (collection: string): readonly KubeObject[] => sandbox.cluster.store.list(collection, namespace);
    seed = [...of(DEPLOYMENTS), ...of('apps/replicasets'), ...of('/pods'), ...of(ROLLOUTS)];

    return Object.fromEntries(
      ['Deployment', 'Rollout'].map((kind) => [kind, JSON.stringify(seed.find((one) => one.kind === kind)).length]),
    );
  },
  /** The checks of all Rollouts ask this address. */
  async useSource(url: string) {
    const [apiVersion, kind] = ['tranche.dev/v1alpha1', 'MetricSource'];
    const source = { apiVersion, kind, metadata: { name: 'default' }, spec: { prometheus: { url } } };
    await api('POST', '/apis/tranche.dev/v1alpha1/metricsources', source);
    podsToTell = [];
    sandbox.cluster.store.observe(tellPod);
  },
  podsToTell() {
    const told = podsToTell;
    podsToTell = [];
    return told;
  },
  /** Number of checks of the last release of each Rollout, by their verdict. */
  verdicts() {
    const rollouts = sandbox.cluster.store.list(ROLLOUTS).filter(({ metadata }) => metadata.name !== SEED.name);
    const all = rollouts.flatMap(({ status }) => Object.values(status?.history?.[0]?.analysis ?? {}) as string[]);
    return Object.fromEntries([...Map.groupBy(all, (verdict) => verdict)].map(([verdict, of]) => [verdict, of.length]));
  },
  /** Stops the controllers. The following Deployments need no Pods. */
  stopControllers() {
    sandbox.controllers.stop();
    seed = seed.filter(({ kind }) => kind === 'Deployment' || kind === 'Rollout');
  },
  /** Creates copies that look as if they were released long ago. */
  async copy(from: number, to: number) {
    const { store, registry } = sandbox.cluster;
    for (let index = from; index < to; index += PER_NAMESPACE) await makeNamespace(placeOf(index).namespace);
    const make = copier(seed, uid);
    for (let index = from; index < to; index++) {
      for (const object of make(index)) {
        const [group, version] = object.apiVersion.includes('/')
          ? object.apiVersion.split('/')
          : ['', object.apiVersion];
        const { plural } = registry.findKind(group!, version!, object.kind)!;
        store.commit(`${group}/${plural}`, undefined, object);
      }
      if (index % 50 === 49) await new Promise((resolve) => setImmediate(resolve));
    }
  },
  /** Resets the counters. */
  reset() {
    calls.clear();
    requestMs.length = 0;
    mostWatches = openWatches;
    delay.reset();
    utilization = performance.eventLoopUtilization();
  },
  counted() {
    return {
      calls: Object.fromEntries([...calls].toSorted()),
      openWatches,
      mostWatches,
      utilization: performance.eventLoopUtilization(utilization).utilization,
      requestMs: summarize(requestMs),
      delayMs: {
        p50: delay.percentile(50) / 1e6,
        p95: delay.percentile(95) / 1e6,
        p99: delay.percentile(99) / 1e6,
        max: delay.max / 1e6,
      },
      rss: process.memoryUsage().rss,
    };
  },
  /** Releases a new version of the first `count` Deployments, at a rate per second. 0 = as fast as possible. */
  async release(count: number, replicas: number, version: string, perSecond: number) {
    observer?.stop();
    observer = new Observer(sandbox.cluster.store, replicas, 3);
    let next = 0;
    const began = performance.now();
    // Number of concurrent clients. More would only wait for each other and for admission.
    const client = async (): Promise<void> => {
      while (next < count) {
        const index = next++;
        const { namespace, name } = placeOf(index);
        const due = perSecond > 0 ? began + (index * 1000) / perSecond : 0;
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
        observer!.begin(namespace, name);
        await api('PATCH', `/apis/apps/v1/namespaces/${namespace}/deployments/${name}`, newVersion(version));
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
  },
  /** `busy` is the share of the time since the last call. */
  progress() {
    const now = performance.eventLoopUtilization();
    const busy = performance.eventLoopUtilization(now, lately).utilization;
    lately = now;
    return { ...observer!.progress(), busy };
  },
  results: () => observer!.results(),
});

function tellPod({ collection, object, previous, type }: Change): void {
  const isDeleted = type === 'DELETED';
  if (collection !== '/pods' || (previous && !isDeleted)) return;
  const { name, creationTimestamp } = object.metadata;
  const pod = { workload: workloadOf(object), name, fromMs: Date.parse(creationTimestamp!) };
  podsToTell!.push(isDeleted ? { ...pod, toMs: Date.now() } : pod);
}

async function makeNamespace(name: string): Promise<void> {
  if (sandbox.cluster.store.get('/namespaces', '', name)) return;
  await api('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + seedMs;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('the first Deployment did not become healthy');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
