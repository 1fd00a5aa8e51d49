// The garbage collector: deletes dependents after their last owner, before it (foreground), or orphans them.
import type { KubeObject, OwnerReference } from '../core/types.ts';
import { collectionOf, type Registry } from '../core/resources.ts';
import type { Change, Store } from '../core/store.ts';
import {
  createController,
  isNotFound,
  type Controller,
  type ControllerOptions,
  type Session,
} from './framework/controller.ts';
import { Delay } from './framework/delay.ts';
import { sameJson } from './framework/meta.ts';
import type { WorkQueue } from './framework/queue.ts';

const ORPHAN = 'orphan';
const FOREGROUND = 'foregroundDeletion';

export interface GarbageOptions extends ControllerOptions {
  store: Store;
  registry: Registry;
}

export const createGarbageCollector = (options: GarbageOptions): Controller =>
  createController('generic-garbage-collector', options, (session) => new GarbageCollector(session, options));

/** A node of the graph of owners and dependents. */
interface Node {
  uid: string;
  path: string;
  object: KubeObject;
  dependents: Set<Node>;
}

class GarbageCollector {
  private readonly session: Session;
  private readonly registry: Registry;
  private readonly queue: WorkQueue;
  private readonly nodes = new Map<string, Node>();
  /** Dependents of owners that are not in the graph, by the uid of the owner. */
  private readonly waiting = new Map<string, Set<Node>>();

  constructor(session: Session, { store, registry, clock, lagMs: [from, to] }: GarbageOptions) {
    this.session = session;
    this.registry = registry;
    this.queue = session.queue((uid) => this.sync(uid));
    for (const type of registry.all()) {
      const collection = collectionOf(type);
      for (const object of store.list(collection)) this.upsert(collection, object);
    }
    const late = new Delay<Change>(
      clock,
      () => (to <= 0 ? 0 : from + clock.random() * (to - from)),
      (change) => this.apply(change),
    );
    session.onEnd(store.observe((change) => concernsOwnership(change) && late.push(change)));
    session.onEnd(() => late.stop());
  }

  private apply({ type, collection, object }: Change): void {
    if (type === 'DELETED') this.remove(object.metadata.uid!);
    else this.upsert(collection, object);
  }

  private upsert(collection: string, object: KubeObject): void {
    const uid = object.metadata.uid;
    const path = this.pathIn(collection, object);
    if (!uid || !path) return;
    let node = this.nodes.get(uid);
    const before = node && ownersOf(node.object);
    if (node) node.object = object;
    else {
      node = { uid, path, object, dependents: this.waiting.get(uid) ?? new Set() };
      this.waiting.delete(uid);
      this.nodes.set(uid, node);
    }
    const owners = ownersOf(object);
    for (const { uid: owner } of before ?? []) {
      if (!owners.some((each) => each.uid === owner)) this.unlink(owner, node);
    }
    for (const { uid: owner } of owners) this.link(owner, node);
    if (owners.some(({ uid: owner }) => !this.nodes.has(owner))) this.queue.add(uid);
    if (isDeleting(object, FOREGROUND) || isDeleting(object, ORPHAN)) this.queue.add(uid);
  }

  private remove(uid: string): void {
    const node = this.nodes.get(uid);
    if (!node) return;
    this.nodes.delete(uid);
    for (const { uid: owner } of ownersOf(node.object)) this.unlink(owner, node);
    if (node.dependents.size > 0) this.waiting.set(uid, node.dependents);
    for (const dependent of node.dependents) this.queue.add(dependent.uid);
  }

  private link(owner: string, node: Node): void {
    const known = this.nodes.get(owner)?.dependents ?? this.waiting.get(owner);
    if (known) known.add(node);
    else this.waiting.set(owner, new Set([node]));
  }

  /** A foreground deletion may now be complete. */
  private unlink(owner: string, node: Node): void {
    const waiting = this.waiting.get(owner);
    if (waiting?.delete(node) && waiting.size === 0) this.waiting.delete(owner);
    const known = this.nodes.get(owner);
    known?.dependents.delete(node);
    if (known && isDeleting(known.object, FOREGROUND)) this.queue.add(owner);
  }

  private async sync(uid: string): Promise<void> {
    const node = this.nodes.get(uid);
    if (!node) return;
    const live = await this.find(node.path);
    if (live?.metadata.uid !== uid) return;
    if (isDeleting(live, ORPHAN)) return this.orphanDependents(node, live);
    if (isDeleting(live, FOREGROUND)) return this.awaitDependents(node, live);
    if (live.metadata.deletionTimestamp) return;
    await this.checkOwners(node, live);
  }

  private async checkOwners(node: Node, live: KubeObject): Promise<void> {
    const owners = ownersOf(live);
    if (owners.length === 0) return;
    const gone: OwnerReference[] = [];
    const leaving: OwnerReference[] = [];
    let solid = 0;
    for (const reference of owners) {
      const owner = await this.findOwner(live, reference);
      if (!owner) gone.push(reference);
      else if (isDeleting(owner, FOREGROUND)) leaving.push(reference);
      else solid++;
    }
    if (solid > 0) {
      if (gone.length + leaving.length === 0) return;
      const left = owners.filter((owner) => !gone.includes(owner) && !leaving.includes(owner));
      await this.patchMetadata(node, live, { ownerReferences: left });
      return;
    }
    const propagationPolicy = leaving.length > 0 && node.dependents.size > 0 ? 'Foreground' : policyOf(live);
    await this.session
      .request('DELETE', node.path, {
        body: {
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          propagationPolicy,
          preconditions: { uid: node.uid, resourceVersion: live.metadata.resourceVersion },
        },
      })
      .catch(ignoreNotFound);
  }

  /** Reads owners from the API, because the graph may be outdated. Owners in another namespace do not count. */
  private async findOwner(object: KubeObject, reference: OwnerReference): Promise<KubeObject | undefined> {
    const [version, group = ''] = reference.apiVersion.split('/').reverse();
    const type = this.registry.findKind(group, version!, reference.kind);
    if (!type) throw new Error(`no such kind: ${reference.apiVersion} ${reference.kind}`);
    const { namespace } = object.metadata;
    if (type.namespaced && !namespace) return undefined;
    const owner = await this.find(
      pathFor(type.group, type.version, type.plural, type.namespaced ? namespace : undefined, reference.name),
    );
    return owner?.metadata.uid === reference.uid ? owner : undefined;
  }

  private async awaitDependents(node: Node, live: KubeObject): Promise<void> {
    const blocking = [...node.dependents].filter(({ object }) =>
      ownersOf(object).some((owner) => owner.uid === node.uid && owner.blockOwnerDeletion),
    );
    if (blocking.length === 0) await this.dropFinalizer(node, live, FOREGROUND);
    for (const dependent of node.dependents) {
      if (!dependent.object.metadata.deletionTimestamp) this.queue.add(dependent.uid);
    }
  }

  private async orphanDependents(node: Node, live: KubeObject): Promise<void> {
    for (const dependent of node.dependents) {
      const object = await this.find(dependent.path);
      if (object?.metadata.uid !== dependent.uid) continue;
      const ownerReferences = ownersOf(object).filter(({ uid }) => uid !== node.uid);
      await this.patchMetadata(dependent, object, { ownerReferences });
    }
    await this.dropFinalizer(node, live, ORPHAN);
  }

  private dropFinalizer(node: Node, live: KubeObject, finalizer: string): Promise<void> {
    const finalizers = (live.metadata.finalizers ?? []).filter((each) => each !== finalizer);
    return this.patchMetadata(node, live, { finalizers });
  }

  /** Removes an empty list. The resourceVersion makes the patch fail if the object has changed. */
  private async patchMetadata(node: Node, live: KubeObject, lists: Record<string, readonly unknown[]>): Promise<void> {
    const changes = Object.fromEntries(
      Object.entries(lists).map(([key, list]) => [key, list.length > 0 ? list : null]),
    );
    await this.session
      .request('PATCH', node.path, {
        type: 'application/merge-patch+json',
        body: { metadata: { uid: node.uid, resourceVersion: live.metadata.resourceVersion, ...changes } },
      })
      .catch(ignoreNotFound);
  }

  private async find(path: string): Promise<KubeObject | undefined> {
    return this.session.request('GET', path).catch(ignoreNotFound);
  }

  private pathIn(collection: string, object: KubeObject): string | undefined {
    const [group, plural] = collection.split('/') as [string, string];
    const version = object.apiVersion.split('/').at(-1)!;
    return this.registry.find(group, version, plural)
      ? pathFor(group, version, plural, object.metadata.namespace, object.metadata.name)
      : undefined;
  }
}

const pathFor = (group: string, version: string, plural: string, namespace: string | undefined, name: string): string =>
  `${group ? `/apis/${group}/${version}` : `/api/${version}`}${namespace ? `/namespaces/${namespace}` : ''}/${plural}/${name}`;

const ownersOf = (object: KubeObject): readonly OwnerReference[] => object.metadata.ownerReferences ?? [];

const isDeleting = ({ metadata }: KubeObject, finalizer: string): boolean =>
  metadata.deletionTimestamp !== undefined && (metadata.finalizers?.includes(finalizer) ?? false);

const policyOf = ({ metadata }: KubeObject): string =>
  metadata.finalizers?.includes(ORPHAN)
    ? 'Orphan'
    : metadata.finalizers?.includes(FOREGROUND)
      ? 'Foreground'
      : 'Background';

/** Most changes affect only the status: owners and deletion stay the same. */
const concernsOwnership = ({ type, object: { metadata: next }, previous }: Change): boolean =>
  type !== 'MODIFIED' ||
  previous === undefined ||
  next.deletionTimestamp !== previous.metadata.deletionTimestamp ||
  !sameJson(next.ownerReferences, previous.metadata.ownerReferences) ||
  !sameJson(next.finalizers, previous.metadata.finalizers);

const ignoreNotFound = (error: unknown): undefined => {
  if (!isNotFound(error)) throw error;
  return undefined;
};
