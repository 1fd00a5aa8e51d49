// Namespaces: creates the default objects of new ones, and deletes the content of terminating ones.
import type { GroupResource, KubeObject, ResourceType } from '../core/types.ts';
import { collectionOf, type Registry } from '../core/resources.ts';
import type { Store } from '../core/store.ts';
import type { Cache } from './framework/cache.ts';
import {
  createController,
  isAlreadyExists,
  isNamespaceTerminating,
  isNotFound,
  type Controller,
  type ControllerOptions,
  type Session,
} from './framework/controller.ts';
import { findCondition, NAMESPACES, pathOf, sameJson, timestamp, type Condition } from './framework/meta.ts';
import type { WorkQueue } from './framework/queue.ts';

const LOOK_AGAIN_MS = 100;

export interface NamespaceOptions extends ControllerOptions {
  store: Store;
  registry: Registry;
}

export const createNamespaceController = (options: NamespaceOptions): Controller =>
  createController('namespace-controller', options, (session) => new NamespaceController(session, options));

class NamespaceController {
  private readonly session: Session;
  private readonly store: Store;
  private readonly registry: Registry;
  private readonly namespaces: Cache;
  private readonly queue: WorkQueue;

  constructor(session: Session, { store, registry }: NamespaceOptions) {
    this.session = session;
    this.store = store;
    this.registry = registry;
    this.queue = session.queue((name) => this.sync(name));
    this.namespaces = session.cache(NAMESPACES, ({ type, object }) => {
      if (type !== 'DELETED' && object.metadata.deletionTimestamp) this.queue.add(object.metadata.name);
    });
  }

  private async sync(name: string): Promise<void> {
    if (!this.namespaces.get(undefined, name)?.metadata.deletionTimestamp) return;
    const namespace = await this.find(name);
    if (!namespace?.metadata.deletionTimestamp) return;
    for (const type of this.typesIn(name)) await this.empty(name, type);
    const left = this.typesIn(name).map((type) => ({ type, objects: this.store.list(collectionOf(type), name) }));
    const conditions = deletionConditions(namespace, left, timestamp(this.session.clock.now()));
    if (left.length === 0) return this.finalize(namespace);
    if (!sameJson(conditions, namespace.status?.conditions)) {
      await this.session.request('PUT', pathOf(NAMESPACES, undefined, name, 'status'), {
        body: { ...namespace, status: { ...namespace.status, conditions } },
      });
    }
    this.queue.addAfter(name, LOOK_AGAIN_MS);
  }

  private async find(name: string): Promise<KubeObject | undefined> {
    return this.session.request('GET', pathOf(NAMESPACES, undefined, name)).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
      return undefined;
    });
  }

  /** One entry for each kind with objects in the namespace. */
  private typesIn(namespace: string): ResourceType[] {
    const types = new Map<string, ResourceType>();
    for (const type of this.registry.all()) {
      const collection = collectionOf(type);
      if (!type.namespaced || !type.verbs.includes('delete') || types.has(collection)) continue;
      if (this.store.list(collection, namespace).length > 0) types.set(collection, type);
    }
    return [...types.values()];
  }

  private async empty(namespace: string, { group, version, plural }: ResourceType): Promise<void> {
    const root = group ? `/apis/${group}/${version}` : `/api/${version}`;
    await this.session.request('DELETE', `${root}/namespaces/${namespace}/${plural}`, {
      body: { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background' },
    });
  }

  private async finalize(namespace: KubeObject): Promise<void> {
    const finalizers = (namespace.spec?.finalizers ?? []).filter((each: string) => each !== 'kubernetes');
    const { finalizers: _, ...spec } = namespace.spec ?? {};
    const body = { ...namespace, spec: finalizers.length > 0 ? { ...spec, finalizers } : spec };
    await this.session.request('PUT', pathOf(NAMESPACES, undefined, namespace.metadata.name, 'finalize'), { body });
  }
}

/** The conditions of a terminating namespace, in the wording of the real controller. */
const deletionConditions = (
  namespace: KubeObject,
  left: readonly { type: ResourceType; objects: readonly KubeObject[] }[],
  now: string,
): Condition[] => {
  const remaining = left.map(
    ({ type, objects }) => `${type.plural}.${type.group} has ${objects.length} resource instances`,
  );
  const finalizers = new Map<string, number>();
  for (const { objects } of left) {
    for (const object of objects) {
      for (const name of object.metadata.finalizers ?? []) finalizers.set(name, (finalizers.get(name) ?? 0) + 1);
    }
  }
  const held = [...finalizers].sort().map(([name, count]) => `${name} in ${count} resource instances`);
  const conditions: Omit<Condition, 'lastTransitionTime'>[] = [
    {
      type: 'NamespaceDeletionDiscoveryFailure',
      status: 'False',
      reason: 'ResourcesDiscovered',
      message: 'All resources successfully discovered',
    },
    {
      type: 'NamespaceDeletionGroupVersionParsingFailure',
      status: 'False',
      reason: 'ParsedGroupVersions',
      message: 'All legacy kube types successfully parsed',
    },
    {
      type: 'NamespaceDeletionContentFailure',
      status: 'False',
      reason: 'ContentDeleted',
      message: 'All content successfully deleted, may be waiting on finalization',
    },
    {
      type: 'NamespaceContentRemaining',
      status: 'True',
      reason: 'SomeResourcesRemain',
      message: `Some resources are remaining: ${remaining.sort().join(', ')}`,
    },
    held.length > 0
      ? {
          type: 'NamespaceFinalizersRemaining',
          status: 'True',
          reason: 'SomeFinalizersRemain',
          message: `Some content in the namespace has finalizers remaining: ${held.join(', ')}`,
        }
      : {
          type: 'NamespaceFinalizersRemaining',
          status: 'False',
          reason: 'ContentHasNoFinalizers',
          message: 'All content-preserving finalizers finished',
        },
  ];
  return conditions.map((condition) => {
    const before = findCondition(namespace.status?.conditions, condition.type);
    const lastTransitionTime = before?.status === condition.status ? before.lastTransitionTime! : now;
    return { ...condition, lastTransitionTime };
  });
};

/** An object that each namespace has: created with the namespace, and again after its deletion. */
export const createInEveryNamespace = (
  name: string,
  options: ControllerOptions,
  type: GroupResource,
  object: KubeObject | undefined,
): Controller =>
  createController(name, options, (session) => {
    if (!object) return;
    const queue = session.queue(async (namespace) => {
      const found = namespaces.get(undefined, namespace);
      if (!found || found.metadata.deletionTimestamp) return;
      await session.request('POST', pathOf(type, namespace), { body: object }).catch((error: unknown) => {
        if (!isAlreadyExists(error) && !isNamespaceTerminating(error) && !isNotFound(error)) throw error;
      });
    });
    const namespaces = session.cache(NAMESPACES, (event) => {
      if (event.type === 'ADDED') queue.add(event.object.metadata.name);
    });
    session.cache(type, (event) => {
      const { metadata } = event.object;
      if (event.type === 'DELETED' && metadata.name === object.metadata.name) queue.add(metadata.namespace!);
    });
  });

export const SERVICE_ACCOUNTS: GroupResource = { group: '', resource: 'serviceaccounts' };
export const CONFIG_MAPS: GroupResource = { group: '', resource: 'configmaps' };

export const defaultServiceAccount: KubeObject = {
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name: 'default' },
};

export const rootCertificate = (caBundle: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {
    name: 'kube-root-ca.crt',
    annotations: {
      'kubernetes.io/description':
        'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
    },
  },
  data: { 'ca.crt': caBundle },
});
