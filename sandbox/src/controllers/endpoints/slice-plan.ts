// The EndpointSlices of a Service, from its Pods and the slices that exist. Pure.
import type { KubeObject } from '../../core/types.ts';
import { controllerReference, sameJson } from '../framework/meta.ts';
import { isReady, isTerminating } from '../replicaset/pods.ts';
import { hostnameOf, portsOf, targetOf, type Port } from './pods.ts';

export const SERVICE_NAME = 'kubernetes.io/service-name';
export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
export const MANAGER = 'endpointslice-controller.k8s.io';
const HEADLESS = 'service.kubernetes.io/headless';
const RESERVED = new Set([SERVICE_NAME, MANAGED_BY, HEADLESS]);
const MOST_ENDPOINTS = 100;
const ADDRESS_TYPE = 'IPv4';

interface EndpointOf {
  addresses: string[];
  targetRef?: { namespace?: string; name?: string };
  conditions?: object;
  hostname?: string;
  nodeName?: string;
  zone?: string;
}

export interface SlicePlan {
  readonly create: readonly KubeObject[];
  readonly update: readonly KubeObject[];
  readonly remove: readonly KubeObject[];
}

/** Pods with the same ports share slices. `zones`: by node; Pods on other nodes are no endpoints. */
export function planSlices(
  service: KubeObject,
  pods: readonly KubeObject[],
  slices: readonly KubeObject[],
  zones: ReadonlyMap<string, string | undefined>,
): SlicePlan {
  const owned = slices.filter((slice) => isOwned(slice, service) && slice.addressType === ADDRESS_TYPE);
  const remove = slices.filter((slice) => !owned.includes(slice));
  const existing = Map.groupBy(owned, ({ ports }) => keyOfPorts((ports ?? []) as Port[]));
  const wanted = Map.groupBy(pods, (pod) => keyOfPorts(portsOf(service, pod)));
  const plan = { create: [] as KubeObject[], update: [] as KubeObject[], remove };
  for (const [key, group] of wanted) {
    const endpoints = group
      .filter((pod) => zones.has(pod.spec.nodeName as string) || service.spec.publishNotReadyAddresses)
      .map((pod) => endpointOf(service, pod, zones.get(pod.spec.nodeName as string)));
    const part = planGroup(service, portsOf(service, group[0]!), endpoints, existing.get(key) ?? []);
    plan.create.push(...part.create);
    plan.update.push(...part.update);
    plan.remove.push(...part.remove);
  }
  for (const [key, group] of existing) if (!wanted.has(key)) plan.remove.push(...group);
  if (slices.length === plan.remove.length && plan.create.length === 0) keepOne(service, plan);
  return reuse(service, plan);
}

/** A Service without endpoints has one slice without ports. */
function keepOne(service: KubeObject, plan: { create: KubeObject[]; remove: KubeObject[] }): void {
  const empty = newSlice(service, null, null);
  const [only, ...others] = plan.remove;
  const isThere =
    only !== undefined &&
    others.length === 0 &&
    isOwned(only, service) &&
    !(only.ports as unknown[] | null)?.length &&
    !(only.endpoints as unknown[] | null)?.length &&
    sameJson(only.metadata.labels, empty.metadata.labels);
  if (isThere) plan.remove.pop();
  else plan.create.push(empty);
}

/** New slices take the names of those that would be deleted. */
function reuse(service: KubeObject, { create, update, remove }: SlicePlan): SlicePlan {
  const added = [...create];
  const updated = [...update];
  const removed = remove.filter((old) => {
    if (old.addressType !== ADDRESS_TYPE || !isOwned(old, service)) return true;
    const next = added.pop();
    if (!next) return true;
    updated.push({ ...old, ...next, metadata: { ...old.metadata, ...changeable(next) } });
    return false;
  });
  return { create: added, update: updated, remove: removed };
}

const changeable = ({ metadata: { labels, ownerReferences } }: KubeObject): Partial<KubeObject['metadata']> => ({
  ...(labels ? { labels } : {}),
  ...(ownerReferences ? { ownerReferences } : {}),
});

/** Keeps endpoints where they are, fills the slices that change anyway, then one that does not, then new ones. */
function planGroup(
  service: KubeObject,
  ports: readonly Port[],
  endpoints: readonly EndpointOf[],
  slices: readonly KubeObject[],
): SlicePlan {
  const left = new Map(endpoints.map((endpoint) => [keyOfEndpoint(endpoint), endpoint]));
  const update: KubeObject[] = [];
  const unchanged: KubeObject[] = [];
  const remove: KubeObject[] = [];
  for (const slice of slices) {
    const before = (slice.endpoints ?? []) as EndpointOf[];
    const kept = before.flatMap((endpoint) => left.get(keyOfEndpoint(endpoint)) ?? []);
    for (const endpoint of kept) left.delete(keyOfEndpoint(endpoint));
    const next = withEndpoints(slice, service, kept);
    if (before.length > 0 && kept.length === 0) remove.push(slice);
    else if (sameJson(next, { ...slice, endpoints: before })) unchanged.push(slice);
    else update.push(next);
  }
  const rest = [...left.values()];
  const fill = (slice: KubeObject): KubeObject => {
    const before = (slice.endpoints ?? []) as EndpointOf[];
    return { ...slice, endpoints: [...before, ...rest.splice(0, MOST_ENDPOINTS - before.length)] };
  };
  const filled = update.toSorted((a, b) => countOf(b) - countOf(a)).map(fill);
  const create: KubeObject[] = [];
  while (rest.length > 0) {
    const roomy = rest.length < MOST_ENDPOINTS ? fullest(unchanged, rest.length) : undefined;
    if (!roomy) create.push(fill(newSlice(service, [], ports)));
    else {
      unchanged.splice(unchanged.indexOf(roomy), 1);
      filled.push(fill(roomy));
    }
  }
  return { create, update: filled, remove };
}

const countOf = ({ endpoints }: KubeObject): number => ((endpoints ?? []) as unknown[]).length;

/** The slice with the least room of those that have room for so many. */
const fullest = (slices: readonly KubeObject[], count: number): KubeObject | undefined =>
  slices
    .filter((slice) => countOf(slice) + count <= MOST_ENDPOINTS && countOf(slice) + count > 0)
    .toSorted((a, b) => countOf(b) - countOf(a))[0];

const withEndpoints = (slice: KubeObject, service: KubeObject, endpoints: readonly EndpointOf[]): KubeObject => ({
  ...slice,
  metadata: { ...slice.metadata, labels: labelsOf(service) },
  endpoints,
});

const isOwned = ({ metadata }: KubeObject, service: KubeObject): boolean =>
  (metadata.ownerReferences ?? []).some(
    ({ uid, kind, apiVersion }) => uid === service.metadata.uid && kind === 'Service' && apiVersion === 'v1',
  );

const keyOfPorts = (ports: readonly Port[]): string =>
  JSON.stringify(
    ports.map(({ name, port, protocol, appProtocol }) => JSON.stringify([name, port, protocol, appProtocol])).sort(),
  );

const keyOfEndpoint = ({ addresses, targetRef }: EndpointOf): string =>
  JSON.stringify([addresses, targetRef?.namespace, targetRef?.name]);

const labelsOf = ({ metadata, spec }: KubeObject): Record<string, string> => ({
  ...Object.fromEntries(Object.entries(metadata.labels ?? {}).filter(([key]) => !RESERVED.has(key))),
  ...(spec.clusterIP === 'None' || !spec.clusterIP ? { [HEADLESS]: '' } : {}),
  [SERVICE_NAME]: metadata.name,
  [MANAGED_BY]: MANAGER,
});

/** Lists are null where kube-controller-manager writes none. */
const newSlice = (service: KubeObject, endpoints: [] | null, ports: readonly Port[] | null): KubeObject => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: {
    name: '',
    generateName: `${service.metadata.name}-`,
    namespace: service.metadata.namespace!,
    labels: labelsOf(service),
    ownerReferences: [controllerReference(service)],
  },
  addressType: ADDRESS_TYPE,
  endpoints,
  ports: ports?.length ? ports : null,
});

const endpointOf = (service: KubeObject, pod: KubeObject, zone: string | undefined): EndpointOf => ({
  addresses: [pod.status.podIP as string],
  conditions: {
    ready: Boolean(service.spec.publishNotReadyAddresses) || (isReady(pod) && !isTerminating(pod)),
    serving: isReady(pod),
    terminating: isTerminating(pod),
  },
  ...hostnameOf(service, pod),
  targetRef: targetOf(pod),
  nodeName: pod.spec.nodeName as string,
  ...(zone ? { zone } : {}),
});
