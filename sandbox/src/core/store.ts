// In-memory storage: a revision counter, frozen objects, and a log of changes for watches and snapshots.
import { freeze } from './objects.ts';
import type { KubeObject } from './types.ts';

/** A committed change. `collection` is the storage key of the kind, e.g. `apps/deployments`. */
export interface Change {
  revision: number;
  collection: string;
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  /** The object after the change. For DELETED, its last state with the revision of the deletion. */
  object: KubeObject;
  previous: KubeObject | undefined;
}

export type Listener = (change: Change) => void;

/** The content of a store, for the next start. */
export interface Kept {
  revision: number;
  objects: readonly { collection: string; object: KubeObject }[];
}

interface Collection {
  /** namespace ("" for cluster-scoped) → name → object. */
  byNamespace: Map<string, Map<string, KubeObject>>;
  /** Sorted lists since the last change, by namespace. "*" means all. */
  lists: Map<string, readonly KubeObject[]>;
  /** Listeners by namespace. "*" means all. */
  listeners: Map<string, Set<Listener>>;
}

const ALL = '*';
/** Always the same array, so that callers can detect that it has not changed. */
const NONE: readonly KubeObject[] = Object.freeze([]);
const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export class Store {
  private revisionCounter = 1;
  private readonly collections = new Map<string, Collection>();
  private readonly everything = new Set<Listener>();
  private readonly log: Change[] = [];
  /** The log has no changes up to this revision. */
  private compactedTo = 1;
  private readonly window: number;
  private readonly undelivered: Change[] = [];
  private delivering = false;

  constructor(options: { window?: number; kept?: Kept } = {}) {
    this.window = options.window ?? 20_000;
    if (options.kept) this.restore(options.kept);
  }

  /** Like a restart of a real API server: all objects exist, but older watches end. */
  private restore({ revision, objects }: Kept): void {
    this.revisionCounter = this.compactedTo = revision;
    for (const { collection, object } of objects) {
      const { name, namespace = '' } = object.metadata;
      const { byNamespace } = this.collection(collection);
      const names = byNamespace.get(namespace) ?? new Map<string, KubeObject>();
      byNamespace.set(namespace, names.set(name, freeze(object)));
    }
  }

  get revision(): number {
    return this.revisionCounter;
  }

  /** The oldest revision for a watch or a list. */
  get oldestRevision(): number {
    return this.compactedTo;
  }

  get(collection: string, namespace: string, name: string): KubeObject | undefined {
    return this.collections.get(collection)?.byNamespace.get(namespace)?.get(name);
  }

  /** All objects (of a namespace), sorted by `namespace/name`. The array is shared: do not change it. */
  list(collection: string, namespace?: string): readonly KubeObject[] {
    const found = this.collections.get(collection);
    if (!found) return NONE;
    const key = namespace ?? ALL;
    let list = found.lists.get(key);
    if (!list) {
      list = Object.freeze(
        namespace === undefined
          ? [...found.byNamespace.keys()].sort(order).flatMap((each) => sorted(found.byNamespace.get(each)!))
          : sorted(found.byNamespace.get(namespace) ?? new Map<string, KubeObject>()),
      );
      found.lists.set(key, list);
    }
    return list;
  }

  /** The list at a revision. Undefined if the log no longer contains it. */
  listAt(collection: string, namespace: string | undefined, revision: number): readonly KubeObject[] | undefined {
    if (revision >= this.revisionCounter) return this.list(collection, namespace);
    if (revision < this.compactedTo) return undefined;
    const objects = new Map(this.list(collection, namespace).map((object) => [keyOf(object), object]));
    for (let i = this.log.length - 1; i >= 0 && this.log[i]!.revision > revision; i--) {
      const change = this.log[i]!;
      if (change.collection !== collection) continue;
      if (namespace !== undefined && (change.object.metadata.namespace ?? '') !== namespace) continue;
      if (change.previous) objects.set(keyOf(change.object), change.previous);
      else objects.delete(keyOf(change.object));
    }
    return [...objects.keys()].sort(order).map((key) => objects.get(key)!);
  }

  /**
   * Replaces `old` by `next`, or creates `next` if `old` is undefined. Returns the stored object. Undefined if `old` is no longer the
   * stored object: read again.
   */
  commit(collection: string, old: KubeObject | undefined, next: KubeObject): KubeObject | undefined {
    const { name, namespace = '' } = next.metadata;
    const found = this.collection(collection);
    let names = found.byNamespace.get(namespace);
    if (!names) found.byNamespace.set(namespace, (names = new Map()));
    if (names.get(name) !== old) return undefined;
    const revision = ++this.revisionCounter;
    const object = stamped(next, revision);
    names.set(name, object);
    this.changed(found, namespace);
    this.record({ revision, collection, type: old ? 'MODIFIED' : 'ADDED', object, previous: old });
    return object;
  }

  /** Deletes `old`. `last`: its final state. Returns false if `old` is no longer the stored object. */
  remove(collection: string, old: KubeObject, last: KubeObject = old): boolean {
    const { name, namespace = '' } = old.metadata;
    const found = this.collection(collection);
    const names = found.byNamespace.get(namespace);
    if (names?.get(name) !== old) return false;
    names.delete(name);
    if (names.size === 0) found.byNamespace.delete(namespace);
    this.changed(found, namespace);
    const revision = ++this.revisionCounter;
    this.record({ revision, collection, type: 'DELETED', object: stamped(last, revision), previous: old });
    return true;
  }

  /** Calls the listener for each later change of a kind (in a namespace), in order, within the commit. Returns a function that stops it. */
  subscribe(collection: string, listener: Listener, namespace = ALL): () => void {
    const { listeners } = this.collection(collection);
    const some = listeners.get(namespace) ?? new Set();
    listeners.set(namespace, some.add(listener));
    return () => void (some.delete(listener) && some.size === 0 && listeners.delete(namespace));
  }

  /** Calls the listener for each later change of all kinds. */
  observe(listener: Listener): () => void {
    this.everything.add(listener);
    return () => this.everything.delete(listener);
  }

  /** The changes of a kind after a revision. Undefined if the log no longer contains them. */
  changesSince(collection: string, revision: number): Change[] | undefined {
    if (revision < this.compactedTo) return undefined;
    let low = 0;
    let high = this.log.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.log[middle]!.revision > revision) high = middle;
      else low = middle + 1;
    }
    return this.log.slice(low).filter((change) => change.collection === collection);
  }

  /** Clears the log, like etcd's compaction: older watches and list pages get 410. */
  compact(): void {
    this.log.length = 0;
    this.compactedTo = this.revisionCounter;
  }

  private collection(key: string): Collection {
    let found = this.collections.get(key);
    if (!found) this.collections.set(key, (found = newCollection()));
    return found;
  }

  private changed(found: Collection, namespace: string): void {
    found.lists.delete(namespace);
    found.lists.delete(ALL);
  }

  private record(change: Change): void {
    this.log.push(change);
    if (this.log.length > 2 * this.window) {
      const dropped = this.log.splice(0, this.log.length - this.window);
      this.compactedTo = dropped.at(-1)!.revision;
    }
    // A listener may commit again. Its change is delivered after all listeners have received this one.
    this.undelivered.push(change);
    if (this.delivering) return;
    this.delivering = true;
    try {
      for (let next = this.undelivered.shift(); next; next = this.undelivered.shift()) {
        for (const listener of this.everything) listener(next);
        const { listeners } = this.collections.get(next.collection)!;
        for (const namespace of [ALL, next.object.metadata.namespace ?? ''])
          for (const listener of listeners.get(namespace) ?? []) listener(next);
      }
    } finally {
      this.delivering = false;
    }
  }
}

const newCollection = (): Collection => ({ byNamespace: new Map(), lists: new Map(), listeners: new Map() });
const stamped = (object: KubeObject, revision: number): KubeObject =>
  freeze({ ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } });
const keyOf = (object: KubeObject): string => `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
const sorted = (names: Map<string, KubeObject>): KubeObject[] =>
  [...names.keys()].sort(order).map((name) => names.get(name)!);
