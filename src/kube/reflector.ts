// Keeps a copy of a collection up to date with list and watch, and recovers from failures of the server and the network.
import type { KubeObject } from '../api/types.ts';
import { aborted, link } from './abort.ts';
import type { Api, Clock, WatchLine } from './api.ts';
import { backoffMs, sleep, type Backoff } from './clock.ts';
import { ApiError, isBusy, isForbidden, isGone, isNotFound, NetworkError } from './errors.ts';
import { silent, type Logger } from './log.ts';
import { dropUnusedFields, freeze, keyOf, Store, type Index } from './store.ts';
import { isOlder, WentBack } from './versions.ts';

export interface Change<T> {
  readonly type: 'added' | 'updated' | 'deleted';
  readonly key: string;
  /** The current object, or the last known state of a deleted object. */
  readonly object: T;
  /** The object before an update. */
  readonly old?: T;
}

/** Called in order while the watch waits: put a key into a queue and return. */
export type ChangeHandler<T> = (change: Change<T>) => void;

/** A list of the whole collection. */
export interface Listing {
  /** The resourceVersion of the list. */
  readonly version: string;
  /** True if the list is older than objects that were seen before: the API server has lost writes. */
  readonly back: boolean;
  /** Set if the collection is limited to one namespace. */
  readonly namespace?: string;
}

export interface ReflectorOptions<T extends KubeObject> {
  readonly api: Api;
  readonly clock: Clock;
  /** The collection, e.g. `/apis/apps/v1/deployments`. */
  readonly path: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly indexes?: Readonly<Record<string, Index<T>>>;
  /**
   * Drops unused fields before an object is stored. By default it drops managedFields and kubectl's last-applied annotation. `before` is
   * the stored object: the result may share parts with it.
   */
  readonly transform?: (object: T, before: T | undefined) => T;
  readonly logger?: Logger;
  /** The watch is not opened before this resolves. It continues from the first list, so nothing is missed in between. */
  readonly watchWhen?: Promise<void>;
  /** For metrics: called when a watch is reopened, and when a comparison finds differences. */
  readonly onRestart?: (reason: RestartReason) => void;
  readonly onDrift?: (objects: number) => void;
}

export type RestartReason = 'gone' | 'back' | 'error' | 'silent' | 'short';

const PAGE_SIZE = 500;
/** Interval of the comparison with the server, which finds changes that the watch has missed. */
const COMPARE_EVERY_MS = 600_000;
/** A watch without any line for this long is considered dead: a server sends a bookmark about once a minute. */
const SILENCE_MS = 150_000;
/** A watch that ends earlier without any line counts as a failure, to prevent a tight loop. */
const SHORT_MS = 5_000;
const BACKOFF: Backoff = { baseMs: 800, capMs: 30_000 };
/** Shorter, because the server has no load while it is unreachable, and releases wait for it. */
const BACKOFF_AWAY: Backoff = { baseMs: 800, capMs: 10_000 };
/** Shorter, because somebody may be installing the CRD of the kind right now. */
const BACKOFF_UNKNOWN_KIND: Backoff = { baseMs: 800, capMs: 5_000 };
/** Number of answers in a row that ask to wait and are usual. More are logged as a warning. */
const USUAL_WAITS = 5;

export class Reflector<T extends KubeObject> {
  readonly store: Store<T>;
  private readonly options: ReflectorOptions<T>;
  private readonly logger: Logger;
  private readonly handlers = new Set<ChangeHandler<T>>();
  private readonly listeners = new Set<(listing: Listing) => void>();
  private readonly stopping = new AbortController();
  private readonly waiting: ((synced: boolean) => void)[] = [];
  private running: Promise<void> | undefined;
  private isSynced = false;
  /** Where the watch continues. Undefined = list first. */
  private resourceVersion: string | undefined;
  /** The newest version that was seen, also when the watch cannot continue. */
  private latest: string | undefined;
  /** A watch ended early: the next server that answers may have been restored from a backup. */
  private isUnsure = false;
  /** The API server was restored from a backup, and the stored objects are from before. */
  private isBack = false;
  private comparedAt = 0;
  private failures = 0;
  /** Answers in a row that asked to wait. */
  private waits = 0;
  /** Reason of the last pause. */
  private lastReason: RestartReason | undefined;
  private lastProblem: string | undefined;
  private isRefused = false;

  constructor(options: ReflectorOptions<T>) {
    this.options = options;
    this.logger = (options.logger ?? silent).child({ path: options.path, selector: options.labelSelector });
    this.store = new Store(options.indexes);
  }

  /** True if the store has contained the whole collection once, and the API server was not restored from a backup since then. */
  get synced(): boolean {
    return this.isSynced && !this.isBack;
  }

  /** Why it is not synced, if known. */
  get problem(): string | undefined {
    return this.synced ? undefined : this.lastProblem;
  }

  /** The answer of the server, if the program has not the right to read. Undefined while the watch works. */
  get refused(): string | undefined {
    return this.isRefused && this.failures > 0 ? this.lastProblem : undefined;
  }

  /** Why the stored objects may be out of date. Undefined while the watch works. */
  get doubt(): string | undefined {
    return this.isUnsure && this.failures > 0 ? this.lastProblem : undefined;
  }

  /** Resolves with true when it is synced, or with false if it is stopped before. */
  whenSynced(): Promise<boolean> {
    if (this.isSynced || this.stopping.signal.aborted) return Promise.resolve(this.isSynced);
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  get(key: string): T | undefined {
    return this.store.get(key);
  }

  by(index: string, value: string): T[] {
    return this.store.by(index, value);
  }

  values(): Iterable<T> {
    return this.store.values();
  }

  /** Calls the handler for all existing objects, and then for each change. Returns a function that removes the handler. */
  on(handler: ChangeHandler<T>): () => void {
    this.handlers.add(handler);
    for (const [key, object] of [...this.store.entries()]) this.tell(handler, { type: 'added', key, object });
    return () => this.handlers.delete(handler);
  }

  /** Calls the listener after each list of the whole collection and its changes. Returns a function that removes the listener. */
  onListed(listener: (listing: Listing) => void): () => boolean {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  start(): void {
    this.running ??= this.run();
  }

  /** Resolves when it has stopped. The store keeps its objects. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
    for (const resolve of this.waiting.splice(0)) resolve(this.isSynced);
  }

  private async run(): Promise<void> {
    const { clock, watchWhen } = this.options;
    const mayWatch = watchWhen && Promise.race([watchWhen, aborted(this.stopping.signal)]);
    while (!this.stopping.signal.aborted) {
      try {
        if (this.resourceVersion === undefined) await this.list();
        else if (clock.now() - this.comparedAt >= COMPARE_EVERY_MS) await this.compare(this.resourceVersion);
        else if (this.isUnsure) await this.verify(this.resourceVersion);
        await mayWatch;
        if (this.stopping.signal.aborted) return;
        const healthy = await this.watch(this.resourceVersion!);
        if (healthy) this.resetBackoff();
        else await this.pause('short');
      } catch (error) {
        if (this.stopping.signal.aborted) return;
        this.isUnsure = true;
        if (error instanceof WentBack) this.isBack = true;
        if (isGone(error) || error instanceof WentBack) this.resourceVersion = undefined;
        await this.pause(error instanceof WentBack ? 'back' : isGone(error) ? 'gone' : 'error', error);
      }
    }
  }

  /**
   * Waits after a failure, with exponential backoff. The first 410, and the first time that the server was restored from a backup, cause no
   * wait: this can be the first answer of a server that was unreachable, and the collection must be listed again.
   */
  private async pause(reason: RestartReason, error?: unknown): Promise<void> {
    const { clock, onRestart } = this.options;
    const firstGone = isLost(reason) && !isLost(this.lastReason);
    this.failures = firstGone ? 1 : this.failures + 1;
    this.lastReason = reason;
    if (error) this.lastProblem = error instanceof Error ? error.message : String(error);
    this.isRefused = isForbidden(error);
    onRestart?.(reason);
    if (reason === 'back')
      this.logger.warn('the API server was restored from a backup; listing all objects again', { error });
    if (firstGone) return;
    const wanted = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
    const ms = Math.max(wanted, backoffMs(this.failures, backoffOf(error), clock));
    this.waits = isBusy(error) ? this.waits + 1 : 0;
    const usual = this.waits > 0 && this.waits <= USUAL_WAITS;
    if (error) {
      const fields = { failures: this.failures, waitMs: ms, error };
      this.logger[usual ? 'info' : 'warn']('watch interrupted, retrying', fields);
    }
    await sleep(clock, ms, this.stopping.signal);
  }

  private resetBackoff(): void {
    this.failures = this.waits = 0;
    this.lastReason = undefined;
  }

  private async list(): Promise<void> {
    const listed = await this.pages({}, () => undefined);
    this.adopt(listed);
    if (this.isSynced) return;
    this.isSynced = true;
    this.logger.debug('synced', { objects: this.store.size });
    for (const resolve of this.waiting.splice(0)) resolve(true);
  }

  /** Lists the collection at exactly our resourceVersion. Each difference is a change that the watch has missed. */
  private async compare(resourceVersion: string): Promise<void> {
    // If the server cannot do this (e.g. the version is compacted), the next iteration lists the current collection.
    this.resourceVersion = undefined;
    const listed = await this.pages({ resourceVersion, resourceVersionMatch: 'Exact' }, (key) => this.store.get(key));
    const exact = listed.resourceVersion === resourceVersion;
    const differences = this.adopt(listed);
    if (!exact || differences === 0) return;
    this.logger.warn('the watch missed changes', { objects: differences });
    this.options.onDrift?.(differences);
  }

  /** Replaces the store by the list, and continues the watch from its version. Returns the number of objects that were different. */
  private adopt({ resourceVersion, objects }: { resourceVersion: string; objects: ReadonlyMap<string, T> }): number {
    const back = this.isBack || (this.latest !== undefined && isOlder(resourceVersion, this.latest));
    const differences = this.replace(objects, back);
    this.resourceVersion = this.latest = resourceVersion;
    this.comparedAt = this.options.clock.now();
    this.isUnsure = this.isBack = this.isRefused = false;
    for (const listener of this.listeners) listener({ version: resourceVersion, back });
    return differences;
  }

  /**
   * Checks the version of the API server before a watch continues from our resourceVersion. For a server that was restored from a backup,
   * that version is in the future, and a watch would be silent until the server's versions are larger. A list without a resourceVersion
   * is always consistent.
   */
  private async verify(resourceVersion: string): Promise<void> {
    const { api, path } = this.options;
    const query = { ...this.selectors(), limit: '1' };
    const { metadata } = asList<T>(
      await api.request({ method: 'GET', path, query, signal: this.stopping.signal }),
      path,
    );
    const now = metadata.resourceVersion ?? '';
    if (isOlder(now, resourceVersion)) throw new WentBack(now, resourceVersion);
    this.isUnsure = false;
  }

  /** Lists all pages. `before` returns the stored object that a listed object may share parts with. */
  private async pages(
    first: Record<string, string>,
    before: (key: string) => T | undefined,
  ): Promise<{ resourceVersion: string; objects: Map<string, T> }> {
    const objects = new Map<string, T>();
    // Items of a list have no apiVersion and kind; objects of a watch have them.
    const take = (item: T, { apiVersion, kind }: { apiVersion?: string; kind?: string }): void => {
      const object = this.keep(item.kind ? item : { apiVersion, kind: kind?.replace(/List$/, ''), ...item }, before);
      objects.set(keyOf(object), object);
    };
    let next: Record<string, string> = first;
    for (;;) {
      const page = asList<T>(
        await this.options.api.request({
          method: 'GET',
          path: this.options.path,
          query: { ...this.selectors(), limit: String(PAGE_SIZE), ...next },
          signal: this.stopping.signal,
          onItem: (item, list) => take(item as T, list),
        }),
        this.options.path,
      );
      for (const item of page.items) take(item, page);
      if (!page.metadata.continue) return { resourceVersion: page.metadata.resourceVersion ?? '', objects };
      next = { continue: page.metadata.continue };
    }
  }

  /**
   * Makes the store equal to the list. Returns the number of objects that were different. After a restore from a backup (`back`), the same
   * resourceVersion can have another content, so each object is reported as a change.
   */
  private replace(objects: ReadonlyMap<string, T>, back: boolean): number {
    let differences = 0;
    for (const key of [...this.store.keys()]) {
      if (objects.has(key)) continue;
      differences += 1;
      this.change(key, undefined);
    }
    for (const [key, object] of objects) if (this.change(key, object, undefined, back)) differences += 1;
    return differences;
  }

  /** Returns true if the watch received a line or lasted long enough. Ends at its timeout, when the server is silent, or on stop. */
  private async watch(resourceVersion: string): Promise<boolean> {
    const { api, clock, path } = this.options;
    // Random, so that the watches of all clients do not end at the same time, and not later than the next comparison.
    const untilCompare = Math.max(30, Math.ceil((this.comparedAt + COMPARE_EVERY_MS - clock.now()) / 1000));
    const timeoutSeconds = Math.min(untilCompare, 240 + Math.floor(240 * clock.random()));
    const started = clock.now();
    const { signal, abort, unlink } = link(this.stopping.signal);
    let lines = 0;
    let bookmarks = 0;
    let lastLineAt = started;
    let failure: unknown;
    let silenced = false;
    const watchdog = (): void => {
      const left = lastLineAt + SILENCE_MS - clock.now();
      silenced = left <= 0;
      if (silenced) abort();
      else cancel = clock.after(left, watchdog);
    };
    let cancel = clock.after(SILENCE_MS, watchdog);
    const query = {
      ...this.selectors(),
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion,
      timeoutSeconds: String(timeoutSeconds),
    };
    try {
      await api.watch({ method: 'GET', path, query, signal }, (line) => {
        if (failure || signal.aborted) return;
        lines += 1;
        if (line.type === 'BOOKMARK') bookmarks += 1;
        lastLineAt = clock.now();
        failure = this.take(line);
        if (failure) abort();
      });
    } finally {
      cancel();
      unlink();
    }
    if (failure) throw failure;
    // A normal end counts too: a server that shuts down ends its watches normally.
    this.isUnsure = silenced || clock.now() - started < timeoutSeconds * 1000 - SHORT_MS;
    if (silenced) {
      this.options.onRestart?.('silent');
      // A server that has just started, or without changes, sends no bookmarks for minutes.
      const level = bookmarks > 0 ? 'warn' : 'info';
      this.logger[level]('watch was silent, reopening it', { silentMs: clock.now() - lastLineAt });
    }
    return lines > 0 || clock.now() - started >= SHORT_MS || this.stopping.signal.aborted;
  }

  /** Handles one line of a watch. Returns the error that ends the watch, if any. */
  private take(line: WatchLine): Error | undefined {
    if (line.type === 'ERROR') {
      const status = line.object as ConstructorParameters<typeof ApiError>[1];
      return new ApiError(status.code ?? 500, status);
    }
    const object = line.object as T;
    const { resourceVersion } = object.metadata;
    if (resourceVersion && this.latest && isOlder(resourceVersion, this.latest)) {
      return new WentBack(resourceVersion, this.latest);
    }
    this.resetBackoff();
    if (line.type !== 'BOOKMARK') {
      const kept = this.keep(object, (key) => this.store.get(key));
      this.change(keyOf(kept), line.type === 'DELETED' ? undefined : kept, kept);
    }
    // Set last: if handling fails, the watch delivers the line again.
    if (resourceVersion) this.resourceVersion = this.latest = resourceVersion;
    return undefined;
  }

  private keep(object: T, before: (key: string) => T | undefined): T {
    return freeze((this.options.transform ?? dropUnusedFields)(object, before(keyOf(object))));
  }

  /** Stores the object and calls the handlers. Returns false if it does not differ from the stored object. */
  private change(key: string, object: T | undefined, last?: T, certain = false): boolean {
    const old = this.store.get(key);
    const { uid, resourceVersion } = object?.metadata ?? {};
    if (object ? !certain && isSame(old?.metadata, uid, resourceVersion) : !old) return false;
    this.store.set(key, object);
    if (!object) this.tellAll({ type: 'deleted', key, object: last ?? old! });
    else if (!old) this.tellAll({ type: 'added', key, object });
    else if (old.metadata.uid === object.metadata.uid) this.tellAll({ type: 'updated', key, object, old });
    else {
      // The object was deleted and created again between two reads.
      this.tellAll({ type: 'deleted', key, object: old });
      this.tellAll({ type: 'added', key, object });
    }
    return true;
  }

  private tellAll(change: Change<T>): void {
    for (const handler of this.handlers) this.tell(handler, change);
  }

  private tell(handler: ChangeHandler<T>, change: Change<T>): void {
    try {
      handler(change);
    } catch (error) {
      this.logger.error('a change handler failed', { key: change.key, error });
    }
  }

  private selectors(): Record<string, string> {
    const { labelSelector, fieldSelector } = this.options;
    return { ...(labelSelector ? { labelSelector } : {}), ...(fieldSelector ? { fieldSelector } : {}) };
  }
}

const isSame = (old: KubeObject['metadata'] | undefined, uid?: string, resourceVersion?: string): boolean =>
  old !== undefined && old.resourceVersion === resourceVersion && old.uid === uid;

/** True if the watch cannot continue and the collection must be listed again. */
const isLost = (reason: RestartReason | undefined): boolean => reason === 'gone' || reason === 'back';

const backoffOf = (error: unknown): Backoff =>
  isNotFound(error) ? BACKOFF_UNKNOWN_KIND : error instanceof NetworkError ? BACKOFF_AWAY : BACKOFF;

interface ListPage<T> {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items: readonly T[];
}

function asList<T>(answer: unknown, path: string): ListPage<T> {
  const list = answer as Partial<ListPage<T>> | null;
  if (!list?.metadata || !Array.isArray(list.items)) throw new Error(`GET ${path}: the response is not a list`);
  return list as ListPage<T>;
}
