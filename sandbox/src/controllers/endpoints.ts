// Writes an EndpointSlice and an Endpoints object for each Service with a selector.
import type { GroupResource, KubeObject } from '../core/types.ts';
import type { Cache, CacheEvent } from './framework/cache.ts';
import {
  createController,
  isAlreadyExists,
  isNamespaceTerminating,
  isNotFound,
  type Controller,
  type ControllerOptions,
  type Session,
} from './framework/controller.ts';
import {
  controllerReference,
  keyOf,
  pathOf,
  pathOfObject,
  PODS,
  sameJson,
  selects,
  SERVICES,
  splitKey,
} from './framework/meta.ts';
import type { WorkQueue } from './framework/queue.ts';
import { isReady, isTerminating } from './replicaset/pods.ts';

const SLICES = { group: 'discovery.k8s.io', resource: 'endpointslices' };
const SERVICE_NAME = 'kubernetes.io/service-name';
const ENDPOINTS = { group: '', resource: 'endpoints' };

/** The objects with the addresses of a Service. */
interface Form {
  type: GroupResource;
  find(session: Session, namespace: string, service: string): Promise<KubeObject | undefined>;
  of(service: KubeObject, pods: readonly KubeObject[]): KubeObject;
}

export const createEndpointsController = (options: ControllerOptions): Controller =>
  createController('endpoint-controller', options, (session) => new EndpointsController(session, endpoints));

export const createEndpointSliceController = (options: ControllerOptions): Controller =>
  createController('endpointslice-controller', options, (session) => new EndpointsController(session, slices));

interface ServicePort {
  name?: string;
  port: number;
  protocol?: string;
  targetPort?: number | string;
}

class EndpointsController {
  private readonly session: Session;
  private readonly form: Form;
  private readonly services: Cache;
  private readonly queue: WorkQueue;
  /** Created only if a Service exists. Clusters without Services do not need to watch Pods here. */
  private pods: Cache | undefined;

  constructor(session: Session, form: Form) {
    this.session = session;
    this.form = form;
    this.queue = session.queue((key) => this.sync(key));
    this.services = session.cache(SERVICES, ({ object }) => this.queue.add(keyOf(object)));
  }

  private onPod({ object }: CacheEvent): void {
    for (const service of this.services.inNamespace(object.metadata.namespace!)) {
      if (service.spec.selector && selects({ matchLabels: service.spec.selector }, object.metadata.labels)) {
        this.queue.add(keyOf(service));
      }
    }
  }

  private async sync(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const service = this.services.get(namespace, name);
    if (!service) return this.drop(namespace, name);
    this.pods ??= this.session.cache(PODS, (event) => this.onPod(event));
    if (!service.spec.selector || service.spec.type === 'ExternalName') return;
    const pods = [...this.pods.inNamespace(namespace)]
      .filter((pod) => selects({ matchLabels: service.spec.selector }, pod.metadata.labels) && pod.status?.podIP)
      .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    await this.put(await this.form.find(this.session, namespace, name), this.form.of(service, pods));
  }

  private async put(current: KubeObject | undefined, wanted: KubeObject): Promise<void> {
    const { type } = this.form;
    if (!current) {
      const collection = pathOf(type, wanted.metadata.namespace);
      await this.session
        .request('POST', collection, { body: wanted })
        .catch(ignore((error) => isAlreadyExists(error) || isNamespaceTerminating(error)));
      return;
    }
    const next: KubeObject = { ...current, ...wanted, metadata: { ...current.metadata } };
    if (wanted.metadata.labels) next.metadata.labels = wanted.metadata.labels;
    else delete next.metadata.labels;
    if (!wanted.subsets) delete next.subsets;
    if (!sameJson(next, current)) await this.session.request('PUT', pathOfObject(type, current), { body: next });
  }

  /** Deletes the objects of a deleted Service. */
  private async drop(namespace: string, name: string): Promise<void> {
    const left = await this.form.find(this.session, namespace, name);
    if (left) await this.session.request('DELETE', pathOfObject(this.form.type, left)).catch(ignore(isNotFound));
  }
}

const ignore =
  (expected: (error: unknown) => boolean) =>
  (error: unknown): undefined => {
    if (!expected(error)) throw error;
    return undefined;
  };

const headless = (service: KubeObject): Record<string, string> =>
  service.spec.clusterIP === 'None' ? { 'service.kubernetes.io/headless': '' } : {};

const targetOf = ({ metadata: { name, namespace, uid } }: KubeObject): object => ({
  kind: 'Pod',
  name,
  namespace,
  uid,
});

/** Finds a named targetPort in the first Pod that has it. */
const portsOf = (service: KubeObject, pods: readonly KubeObject[]): object[] =>
  ((service.spec.ports ?? []) as ServicePort[]).flatMap(({ name, port, protocol = 'TCP', targetPort }) => {
    const number = typeof targetPort === 'string' ? namedPort(pods, targetPort) : (targetPort ?? port);
    return number === undefined ? [] : [{ ...(name ? { name } : {}), port: number, protocol }];
  });

const namedPort = (pods: readonly KubeObject[], name: string): number | undefined =>
  pods
    .flatMap((pod) => pod.spec.containers as { ports?: { name?: string; containerPort: number }[] }[])
    .flatMap(({ ports }) => ports ?? [])
    .find((port) => port.name === name)?.containerPort;

const sliceOf = (service: KubeObject, pods: readonly KubeObject[]): KubeObject => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: {
    name: '',
    generateName: `${service.metadata.name}-`,
    namespace: service.metadata.namespace!,
    labels: {
      ...service.metadata.labels,
      [SERVICE_NAME]: service.metadata.name,
      ...headless(service),
      'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    },
    ownerReferences: [controllerReference(service)],
  },
  addressType: 'IPv4',
  endpoints: pods.map((pod) => ({
    addresses: [pod.status.podIP as string],
    conditions: {
      ready: isReady(pod) && !isTerminating(pod),
      serving: isReady(pod),
      terminating: isTerminating(pod),
    },
    nodeName: pod.spec.nodeName,
    targetRef: targetOf(pod),
  })),
  // If a Service has only one port without a name, the port of the slice has no name either.
  ports: portsOf(service, pods).map((port) => ({ name: '', ...port })),
});

const endpointsOf = (service: KubeObject, pods: readonly KubeObject[]): KubeObject => {
  const alive = pods.filter((pod) => !isTerminating(pod));
  const addressesOf = (chosen: readonly KubeObject[]): object[] =>
    chosen.map((pod) => ({ ip: pod.status.podIP, nodeName: pod.spec.nodeName, targetRef: targetOf(pod) }));
  const addresses = addressesOf(alive.filter(isReady));
  const notReadyAddresses = addressesOf(alive.filter((pod) => !isReady(pod)));
  const ports = portsOf(service, pods);
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      name: service.metadata.name,
      namespace: service.metadata.namespace!,
      labels: {
        ...service.metadata.labels,
        'endpoints.kubernetes.io/managed-by': 'endpoint-controller',
        ...headless(service),
      },
    },
    ...(alive.length > 0
      ? {
          subsets: [
            {
              ...(addresses.length > 0 ? { addresses } : {}),
              ...(notReadyAddresses.length > 0 ? { notReadyAddresses } : {}),
              ...(ports.length > 0 ? { ports } : {}),
            },
          ],
        }
      : {}),
  };
};

const slices: Form = {
  type: SLICES,
  of: sliceOf,
  async find(session, namespace, service) {
    const query = { labelSelector: `${SERVICE_NAME}=${service}` };
    const { items } = await session.request('GET', pathOf(SLICES, namespace), { query });
    return (items as readonly KubeObject[])[0];
  },
};

const endpoints: Form = {
  type: ENDPOINTS,
  of: endpointsOf,
  find: (session, namespace, service) =>
    session.request('GET', pathOf(ENDPOINTS, namespace, service)).catch(ignore(isNotFound)),
};
