// Plays a scenario on a cluster and describes what the cluster does, in words that are the same on every cluster.
import { REVISION_LABEL } from '../../src/controllers/framework/history.ts';
import { ApiError, type KubeObject } from '../../src/core/types.ts';

/** A cluster: the embedded one in virtual time, or one behind a kubeconfig. */
export interface Target {
  request(
    method: string,
    path: string,
    options?: { type?: string; body?: object; query?: Record<string, string> },
  ): Promise<KubeObject>;
  watchPods(namespace: string, listener: (type: string, pod: KubeObject) => void): Promise<() => void>;
  /** Waits. */
  pass(ms: number): Promise<void>;
}

export interface Scenario {
  name: string;
  kind: 'StatefulSet' | 'DaemonSet' | 'Service';
  /** Pods come and go one after the other. Otherwise, the lines of `order` are sorted. */
  ordered?: boolean;
  /** A real controller picks the nodes of a DaemonSet by chance: Pods are described without theirs. */
  anyNode?: boolean;
  /** Also describes whole objects. */
  whole?: boolean;
  /** Nothing has happened for so long: the step is over. */
  quietMs?: number;
  /** The path of another object, whose status is described too. */
  beside?: string;
  /** No kubelet touches the Pods: the steps write their status. */
  withoutKubelet?: boolean;
  /** Describes only the number of endpoints in each slice, after the steps that wait until nothing happens. */
  counts?: boolean;
  /** An error that the real controller logs, too. */
  mistake?: string;
  steps: Step[];
  /** Requests at the end, for objects outside the namespace. */
  cleanUp?: Step[];
}

export interface Step {
  do: string;
  method: string;
  /** `${ns}`: the namespace of the scenario. `${pod}`: its Pod on the first node. `${slice}`: its first EndpointSlice that a controller manages. */
  path: string;
  body?: object;
  type?: string;
  /** Waits so long instead of until nothing happens. */
  afterMs?: number;
}

export interface Outcome {
  do: string;
  /** The code of the answer, and the message of an error. */
  answer: string;
  spec?: object;
  status?: object;
  pods?: string[];
  revisions?: string[];
  order?: string[];
  beside?: object;
  objects?: object;
  slices?: unknown;
  endpoints?: unknown;
}

export interface Recording {
  outcomes: Outcome[];
  /** Events of the controller, without their counts: it may delete a Pod twice before it sees the deletion. */
  events: string[];
}

const QUIET_MS = 2000;
const LOOK_MS = 250;
/** A real controller writes no more Events for one object (client-go's spam filter). */
const MOST_EVENTS = 25;
/** client-go writes one Event for many similar ones. */
const COMBINED = '(combined from similar events): ';
const OWNERS = { StatefulSet: 'statefulsets', DaemonSet: 'daemonsets', Service: 'services' };
const REPORTERS = { StatefulSet: 'statefulset-controller', DaemonSet: 'daemonset-controller', Service: '' };
const DISCOVERY = '/apis/discovery.k8s.io/v1';

export async function play(target: Target, scenario: Scenario, namespace: string): Promise<Recording> {
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } };
  await target.request('POST', '/api/v1/namespaces', { body });
  const names = new Names(namespace);
  const order: string[] = [];
  const stop = await target.watchPods(namespace, follow(scenario, order));
  const outcomes: Outcome[] = [];
  for (const step of scenario.steps) {
    const answer = await send(target, await withPod(target, step, namespace), namespace);
    if (step.afterMs) await target.pass(step.afterMs);
    else await settle(target, scenario, namespace);
    if (scenario.counts && step.afterMs) continue;
    const lines = order.splice(0);
    const state = await look(target, scenario, namespace);
    if (scenario.kind === 'DaemonSet') names.learn(state.revisions);
    outcomes.push(names.hide({ do: step.do, answer, ...describe(scenario, state, lines) }));
  }
  const events = await eventsOf(target, scenario, namespace);
  stop();
  for (const step of scenario.cleanUp ?? []) await send(target, step, namespace);
  await target.request('DELETE', `/api/v1/namespaces/${namespace}`);
  return { outcomes, events: [...new Set(names.hide(events))].sort() };
}

async function withPod(target: Target, step: Step, namespace: string): Promise<Step> {
  const text = JSON.stringify(step);
  if (text.includes('${slice}')) {
    const { items } = await target.request('GET', `${DISCOVERY}/namespaces/${namespace}/endpointslices`);
    const managed = (items as KubeObject[]).filter(isManaged).map(({ metadata }) => metadata.name);
    return JSON.parse(text.replaceAll('${slice}', managed.sort()[0] ?? '')) as Step;
  }
  if (!text.includes('${pod}')) return step;
  const pods = (await target.request('GET', `/api/v1/namespaces/${namespace}/pods`)).items as KubeObject[];
  const [first] = pods.toSorted((a, b) => (a.spec.nodeName < b.spec.nodeName ? -1 : 1));
  return JSON.parse(text.replaceAll('${pod}', first!.metadata.name)) as Step;
}

async function send(target: Target, step: Step, namespace: string): Promise<string> {
  const { method, path, type, body } = JSON.parse(JSON.stringify(step).replaceAll('${ns}', namespace)) as Step;
  try {
    await target.request(method, path, { ...(type ? { type } : {}), ...(body ? { body } : {}) });
    return 'ok';
  } catch (error) {
    if (error instanceof ApiError) return `${error.status.code} ${error.status.message}`;
    throw error;
  }
}

const isManaged = ({ metadata }: KubeObject): boolean =>
  metadata.labels?.['endpointslice.kubernetes.io/managed-by'] === 'endpointslice-controller.k8s.io';

interface State {
  owner: KubeObject | undefined;
  pods: KubeObject[];
  revisions: KubeObject[];
  beside: KubeObject | undefined;
  slices?: KubeObject[];
  endpoints?: KubeObject[];
}

async function look(target: Target, { kind, beside }: Scenario, namespace: string): Promise<State> {
  const list = async (root: string, plural: string): Promise<KubeObject[]> =>
    (await target.request('GET', `${root}/namespaces/${namespace}/${plural}`)).items as KubeObject[];
  if (kind === 'Service')
    return {
      owner: (await list('/api/v1', 'services'))[0],
      pods: await list('/api/v1', 'pods'),
      revisions: [],
      beside: undefined,
      slices: await list(DISCOVERY, 'endpointslices'),
      endpoints: await list('/api/v1', 'endpoints'),
    };
  const [owner] = await list('/apis/apps/v1', OWNERS[kind]);
  const revisions = await list('/apis/apps/v1', 'controllerrevisions');
  const pods = await list('/api/v1', 'pods');
  const path = beside?.replaceAll('${ns}', namespace);
  return {
    owner,
    pods,
    revisions,
    beside: path ? await target.request('GET', path).catch(() => undefined) : undefined,
  };
}

async function settle(target: Target, scenario: Scenario, namespace: string): Promise<void> {
  let last = '';
  for (let quietMs = 0; quietMs < (scenario.quietMs ?? QUIET_MS); quietMs += LOOK_MS) {
    await target.pass(LOOK_MS);
    const now = JSON.stringify(await look(target, scenario, namespace));
    if (now !== last) quietMs = 0;
    last = now;
  }
}

const imageOf = (template: { spec: { containers: { image: string }[] } }): string => template.spec.containers[0]!.image;

const isReady = ({ status }: KubeObject): boolean =>
  ((status?.conditions ?? []) as { type: string; status: string }[]).some(
    (condition) => condition.type === 'Ready' && condition.status === 'True',
  );

/** Collects what happens to Pods. */
function follow(scenario: Scenario, order: string[]): (type: string, pod: KubeObject) => void {
  const known = new Map<string, KubeObject>();
  return (type, pod) => {
    const before = known.get(pod.metadata.uid!);
    known.set(pod.metadata.uid!, pod);
    const name = lineName(pod, scenario);
    if (!before) order.push(`${name} created ${imageOf(pod as never)}`);
    if (pod.metadata.deletionTimestamp && !before?.metadata.deletionTimestamp) order.push(`${name} deleted`);
    if (type === 'DELETED') order.push(`${name} gone`);
    else if (isReady(pod) && !(before && isReady(before))) order.push(`${name} ready`);
  };
}

/** Pods of DaemonSets have random names: their node says which one it is. */
const lineName = (pod: KubeObject, { anyNode }: Scenario): string => {
  const node: string | undefined =
    pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms?.[0]
      ?.matchFields?.[0]?.values?.[0];
  return node ? (anyNode ? 'a Pod' : `Pod on ${node}`) : pod.metadata.name;
};

function describe(scenario: Scenario, state: State, order: string[]): Partial<Outcome> {
  const { owner, pods, revisions, beside } = state;
  const { whole, ordered } = scenario;
  if (scenario.kind === 'Service') return describeService(scenario, state);
  const { replicas, updateStrategy } = owner?.spec ?? {};
  return {
    ...(owner
      ? { spec: { generation: owner.metadata.generation, replicas, updateStrategy }, status: owner.status }
      : {}),
    pods: pods.map((pod) => podLine(pod, scenario)).sort(),
    revisions: revisions
      .toSorted((a, b) => a.revision - b.revision)
      .map(({ metadata, revision, data }) => `${revision} ${metadata.name} ${imageOf(data.spec.template)}`),
    order: ordered ? order : order.sort(),
    ...(beside ? { beside: beside.status as object } : {}),
    ...(whole ? { objects: wholeObjects({ owner, pods, revisions }) } : {}),
  };
}

type Named = { name?: string; targetRef?: { name?: string } };
const byName = (a: Named, b: Named): number =>
  (a.name ?? a.targetRef?.name ?? '') < (b.name ?? b.targetRef?.name ?? '') ? -1 : 1;
const sorted = (list: Named[] | null | undefined): Named[] | null => list?.toSorted(byName) ?? null;
const asText = (value: unknown): string => JSON.stringify(value);
const byText = (a: unknown, b: unknown): number => (asText(a) < asText(b) ? -1 : 1);

/** Written for Services without a selector, which the embedded cluster does not do. */
const isMirrored = ({ metadata }: KubeObject): boolean =>
  metadata.labels?.['endpointslice.kubernetes.io/managed-by'] === 'endpointslicemirroring-controller.k8s.io';

/** Controllers pick the order of lists by chance. Their annotation has a time. */
function describeService({ counts }: Scenario, { owner, slices = [], endpoints = [] }: State): Partial<Outcome> {
  const plain = ({ annotations: _, name: __, ...metadata }: KubeObject['metadata']): object => metadata;
  if (counts) return { slices: slices.map((slice) => (sorted(slice.endpoints as Named[]) ?? []).length).sort() };
  return {
    ...(owner ? { spec: owner.spec as object } : {}),
    slices: slices
      .filter((slice) => !isMirrored(slice))
      .map(({ metadata, addressType, endpoints: list, ports }) => ({
        metadata: plain(metadata),
        addressType,
        ports: sorted(ports as Named[] | null),
        endpoints: sorted(list as Named[] | null),
      }))
      .sort((a, b) => byText([a.ports, a.metadata], [b.ports, b.metadata])),
    endpoints: endpoints.map(({ metadata, subsets }) => ({
      metadata: plain(metadata),
      subsets: ((subsets ?? []) as Record<string, Named[]>[])
        .map((subset) => Object.fromEntries(Object.entries(subset).map(([key, list]) => [key, sorted(list)])))
        .sort(byText),
    })),
  };
}

function podLine(pod: KubeObject, scenario: Scenario): string {
  const state = pod.metadata.deletionTimestamp ? 'Deleted' : isReady(pod) ? 'Ready' : pod.status.phase;
  return `${lineName(pod, scenario)} ${imageOf(pod as never)} ${pod.metadata.labels?.[REVISION_LABEL]} ${state}`;
}

const placeOf = ({ metadata, spec }: KubeObject): string => `${spec.nodeName} ${metadata.name}`;

/** With one Pod. Its status depends on the kubelet. */
function wholeObjects({ owner, pods, revisions }: Omit<State, 'beside'>): object {
  const [pod] = pods.toSorted((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
  const parts = ({ metadata, spec, data }: KubeObject): object => ({ metadata, spec, data });
  return { owner: owner ? parts(owner) : null, pod: pod ? parts(pod) : null, revisions: revisions.map(parts) };
}

async function eventsOf(target: Target, { kind }: Scenario, namespace: string): Promise<string[]> {
  if (kind === 'Service') return [];
  const { items } = await target.request('GET', `/api/v1/namespaces/${namespace}/events`);
  const own = (items as KubeObject[]).filter(({ source }) => source?.component === REPORTERS[kind]);
  if (own.reduce((sum, { count }) => sum + (count as number), 0) >= MOST_EVENTS) return [];
  return own.map(({ type, reason, message }) => `${type} ${reason} ${message.replace(COMBINED, '')}`);
}

const VOLATILE = new Set([
  'uid',
  'resourceVersion',
  'creationTimestamp',
  'managedFields',
  'lastTransitionTime',
  'disruptedPods',
  'clusterIP',
  'clusterIPs',
]);
const RANDOM = /\b([a-z]+)-[bcdfghjklmnpqrstvwxz2456789]{5}\b/g;

/** Replaces what differs in each run. */
class Names {
  private readonly namespace: string;
  private readonly hashes: string[] = [];

  constructor(namespace: string) {
    this.namespace = namespace;
  }

  /** The hash of a DaemonSet's revision is another one in a real cluster. */
  learn(revisions: readonly KubeObject[]): void {
    for (const { metadata } of revisions) {
      const hash = metadata.labels![REVISION_LABEL]!;
      if (!this.hashes.includes(hash)) this.hashes.push(hash);
    }
  }

  hide<T>(value: T): T {
    const plain = JSON.stringify(value, (key, field: unknown) => (VOLATILE.has(key) ? undefined : field));
    let text = plain.replaceAll(this.namespace, '${ns}').replace(RANDOM, '$1-<random>');
    for (const [i, hash] of this.hashes.entries()) text = text.replaceAll(hash, `<hash ${i + 1}>`);
    return JSON.parse(text) as T;
  }
}
