// Writes the Endpoints object of each Service with a selector.
import type { KubeObject } from '../../core/types.ts';
import {
  createController,
  isAlreadyExists,
  isNamespaceTerminating,
  isNotFound,
  type Controller,
  type ControllerOptions,
  type Session,
} from '../framework/controller.ts';
import { keyOf, pathOf, pathOfObject, sameJson, splitKey } from '../framework/meta.ts';
import type { WorkQueue } from '../framework/queue.ts';
import { isReady, isTerminating } from '../replicaset/pods.ts';
import { hostnameOf, isSelecting, podsOf, portsOf, targetOf, type Port } from './pods.ts';
import { SelectedPods } from './services.ts';

const ENDPOINTS = { group: '', resource: 'endpoints' };

export const createEndpointsController = (options: ControllerOptions): Controller =>
  createController('endpoint-controller', options, (session) => new EndpointsController(session));

class EndpointsController {
  private readonly session: Session;
  private readonly selected: SelectedPods;
  private readonly queue: WorkQueue;

  constructor(session: Session) {
    this.session = session;
    this.queue = session.queue((key) => this.sync(key));
    this.selected = new SelectedPods(session, (service) => this.queue.add(keyOf(service)));
  }

  private async sync(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const service = this.selected.services.get(namespace, name);
    const path = pathOf(ENDPOINTS, namespace, name);
    if (!service) return void (await this.session.request('DELETE', path).catch(ignore(isNotFound)));
    if (!isSelecting(service)) return;
    const pods = podsOf(service, this.selected.inNamespace(namespace));
    const current = await this.session.request('GET', path).catch(ignore(isNotFound));
    await this.put(current, endpointsOf(service, pods));
  }

  private async put(current: KubeObject | undefined, wanted: KubeObject): Promise<void> {
    if (!current) {
      const collection = pathOf(ENDPOINTS, wanted.metadata.namespace);
      await this.session
        .request('POST', collection, { body: wanted })
        .catch(ignore((error) => isAlreadyExists(error) || isNamespaceTerminating(error)));
      return;
    }
    const { labels } = wanted.metadata;
    const next: KubeObject = {
      ...current,
      ...wanted,
      metadata: { ...current.metadata, ...(labels ? { labels } : {}) },
    };
    if (!wanted.subsets) delete next.subsets;
    if (!sameJson(next, current)) await this.session.request('PUT', pathOfObject(ENDPOINTS, current), { body: next });
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

/** Ports with the same Pods are in one subset. */
function endpointsOf(service: KubeObject, pods: readonly KubeObject[]): KubeObject {
  const unready = Boolean(service.spec.publishNotReadyAddresses);
  const alive = pods.filter((pod) => unready || !isTerminating(pod));
  const groups = Map.groupBy(podsOfPorts(service, alive), ({ pods: those }) =>
    those.map(({ metadata }) => metadata.name).join(),
  );
  const subsets = [...groups.values()].map((group) => subsetOf(service, group, unready));
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
    ...(subsets.length > 0 ? { subsets } : {}),
  };
}

interface PodsOfPort {
  /** Undefined: the Service has no ports. */
  readonly port: Port | undefined;
  readonly pods: readonly KubeObject[];
}

function podsOfPorts(service: KubeObject, pods: readonly KubeObject[]): PodsOfPort[] {
  if ((service.spec.ports ?? []).length === 0) return pods.length > 0 ? [{ port: undefined, pods }] : [];
  const pairs = pods.flatMap((pod) => portsOf(service, pod).map((port) => ({ port, pod })));
  return [...Map.groupBy(pairs, ({ port }) => JSON.stringify(port)).values()].map((group) => ({
    port: group[0]!.port,
    pods: group.map(({ pod }) => pod),
  }));
}

function subsetOf(service: KubeObject, group: readonly PodsOfPort[], unready: boolean): object {
  const { pods } = group[0]!;
  const ports = group.flatMap(({ port }) => {
    if (!port) return [];
    const { name, ...rest } = port;
    return [{ ...(name ? { name } : {}), ...rest }];
  });
  const addressesOf = (chosen: readonly KubeObject[]): object[] =>
    chosen.map((pod) => ({
      ip: pod.status.podIP as string,
      ...hostnameOf(service, pod),
      nodeName: pod.spec.nodeName as string,
      targetRef: targetOf(pod),
    }));
  const addresses = addressesOf(pods.filter((pod) => unready || isReady(pod)));
  const notReadyAddresses = addressesOf(pods.filter((pod) => !unready && !isReady(pod)));
  return {
    ...(addresses.length > 0 ? { addresses } : {}),
    ...(notReadyAddresses.length > 0 ? { notReadyAddresses } : {}),
    ...(ports.length > 0 ? { ports } : {}),
  };
}
