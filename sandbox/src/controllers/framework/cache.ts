// The cache of one controller for one kind: a copy of the store with a delay, like an informer's.
import type { Client, Clock, GroupResource, KubeObject, WatchEvent } from '../../core/types.ts';
import { Delay } from './delay.ts';
import { controllerOf, keyOf } from './meta.ts';

export interface CacheEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  object: KubeObject;
  /** The previous state in this cache. */
  previous?: KubeObject | undefined;
}

const NONE: ReadonlyMap<string, KubeObject> = new Map();

/**
 * Events arrive in the order of the store, each after its own delay (never before the previous one). Existing objects are available
 * immediately at the start, because a controller waits for its first list.
 */
export class Cache {
  readonly objects = new Map<string, KubeObject>();
  /** The resourceVersion of the last event. */
  revision = 0;
  private readonly byNamespace = new Map<string, Map<string, KubeObject>>();
  private readonly byController = new Map<string, Map<string, KubeObject>>();
  private readonly late: Delay<WatchEvent>;
  private readonly handle: (event: CacheEvent) => void;
  private readonly unwatch: () => void;
  private starting = true;

  constructor(
    client: Client,
    type: GroupResource,
    clock: Clock,
    lag: () => number,
    handle: (event: CacheEvent) => void = () => undefined,
  ) {
    this.handle = handle;
    this.late = new Delay(clock, lag, (event) => this.deliver(event));
    this.unwatch = client.watch(type, (event) => this.receive(event));
    this.starting = false;
  }

  stop(): void {
    this.late.stop();
    this.unwatch();
  }

  get(namespace: string | undefined, name: string): KubeObject | undefined {
    return this.objects.get(namespace ? `${namespace}/${name}` : name);
  }

  inNamespace(namespace: string): Iterable<KubeObject> {
    return (this.byNamespace.get(namespace) ?? NONE).values();
  }

  /** Objects whose controller owner has this uid. */
  controlledBy(uid: string): Iterable<KubeObject> {
    return (this.byController.get(uid) ?? NONE).values();
  }

  /** Objects of a namespace without a controller owner. */
  orphans(namespace: string): Iterable<KubeObject> {
    return (this.byController.get(orphansOf(namespace)) ?? NONE).values();
  }

  private receive(event: WatchEvent): void {
    if (event.type === 'BOOKMARK' || event.type === 'ERROR') return;
    if (this.starting) this.deliver(event);
    else this.late.push(event);
  }

  private deliver({ type, object }: WatchEvent): void {
    const key = keyOf(object);
    const previous = this.objects.get(key);
    this.revision = Math.max(this.revision, Number(object.metadata.resourceVersion));
    if (previous) this.unindex(key, previous);
    if (type === 'DELETED') this.objects.delete(key);
    else {
      this.objects.set(key, object);
      this.index(key, object);
    }
    if (type === 'DELETED') this.handle({ type, object, previous });
    else this.handle({ type: previous ? 'MODIFIED' : 'ADDED', object, previous });
  }

  private index(key: string, object: KubeObject): void {
    add(this.byNamespace, object.metadata.namespace ?? '', key, object);
    add(this.byController, ownerKey(object), key, object);
  }

  private unindex(key: string, object: KubeObject): void {
    remove(this.byNamespace, object.metadata.namespace ?? '', key);
    remove(this.byController, ownerKey(object), key);
  }
}

const orphansOf = (namespace: string): string => `orphans of ${namespace}`;
const ownerKey = (object: KubeObject): string =>
  controllerOf(object)?.uid ?? orphansOf(object.metadata.namespace ?? '');

const add = (index: Map<string, Map<string, KubeObject>>, at: string, key: string, object: KubeObject): void => {
  let entries = index.get(at);
  if (!entries) index.set(at, (entries = new Map()));
  entries.set(key, object);
};

const remove = (index: Map<string, Map<string, KubeObject>>, at: string, key: string): void => {
  const entries = index.get(at);
  if (entries?.delete(key) && entries.size === 0) index.delete(at);
};
