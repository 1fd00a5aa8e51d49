// Keeps a copy of a collection: list, then watch for as long as it takes, whatever the server and the network do.
import type { KubeObject } from '../api/types.ts';
import { link } from './abort.ts';
import type { Api, Clock, WatchLine } from './api.ts';
import { backoffMs, sleep, type Backoff } from './clock.ts';
import { ApiError, isGone, isNotFound, NetworkError } from './errors.ts';
import { silent, type Logger } from './log.ts';
import { freeze, keyOf, Store, trimBallast, type Index } from './store.ts';
import { isOlder, WentBack } from './versions.ts';

export interface Change<T> {
  readonly type: 'added' | 'updated' | 'deleted';
  readonly key: string;
  /** As it is now; of a deleted object, as it was last seen. */
  readonly object: T;
  /** Before an update. */
  readonly old?: T;
}

/** Called in order, in the watch's own time: put a key into a queue and return. */
export type ChangeHandler<T> = (change: Change<T>) => void;

/** The whole collection was listed. */
export interface Listing {
  /** The resourceVersion of the list. */
  readonly version: string;
  /** Of an earlier time than what was seen before: what was written since then is lost. */
  readonly back: boolean;
  /** Where it is the collection of one namespace only. */
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
   * Drops what nobody will read before it is kept; default: managedFields and kubectl's last-applied annotation. `before` is what is kept
   * now: parts of it may be kept on.
   */
  readonly trim?: (object: T, before: T | undefined) => T;
  readonly logger?: Logger;
  /** For metrics: a watch was opened again after this, or a comparison found this many differences. */
  readonly onRestart?: (reason: RestartReason) => void;
  readonly onDrift?: (objects: number) => void;
}

export type RestartReason = 'gone' | 'back' | 'error' | 'silent' | 'short';

const PAGE_SIZE = 500;
/** Objects that stayed different from the server's although no event said so are found within this time. */
const COMPARE_EVERY_MS = 600_000;
/** A server sends a bookmark about once a minute: one that says nothing for so long is not there any more. */
const SILENCE_MS = 150_000;
/** A watch that ends sooner than this, having said nothing, counts as a failure, lest we open it in a tight loop. */
const SHORT_MS = 5_000;
const BACKOFF: Backoff = { baseMs: 800, capMs: 30_000 };
/** Nobody is there to be spared, and releases stand still until we see that somebody is again. */
const BACKOFF_AWAY: Backoff = { baseMs: 800, capMs: 10_000 };
/** A kind that is not there yet may come at any moment: whoever installs its CRD looks on. */
const BACKOFF_UNKNOWN_KIND: Backoff = { baseMs: 800, capMs: 5_000 };
/** A server that asks us to wait is at work, e.g. after an upgrade of a CRD ("storage is (re)initializing"). Longer than this it is not. */
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
  /** Where to go on watching; undefined = list first. */
  private resourceVersion: string | undefined;
  /** The newest version that we have seen, also when the place to go on watching is lost. */
  private latest: string | undefined;
  /** A watch has ended before its time: whoever answers next may have another history. */
  private isUnsure = false;
  /** What is kept is of a history that is no more. */
  private isBack = false;
  private comparedAt = 0;
  private failures = 0;
  /** What the last pause was for. */
  private lastReason: RestartReason | undefined;
  private lastProblem: string | undefined;

  constructor(options: ReflectorOptions<T>) {
    this.options = options;
    this.logger = (options.logger ?? silent).child({ path: options.path, selector: options.labelSelector });
    this.store = new Store(options.indexes);
  }

  /** The store has held the whole collection at least once, and it is not known to be of a history that is no more. */
  get synced(): boolean {
    return this.isSynced && !this.isBack;
  }

  /** Why it is not synced, as far as it is known. */
  get problem(): string | undefined {
    return this.synced ? undefined : this.lastProblem;
  }

  /** Why what is kept may be out of date; undefined while it is watched. */
  get doubt(): string | undefined {
    return this.isUnsure && this.failures > 0 ? this.lastProblem : undefined;
  }

  /** True as soon as it is synced; false when it was stopped before. */
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

  /** Hears of every change from now on, and first of every object there is; returns a function that ends it. */
  on(handler: ChangeHandler<T>): () => void {
    this.handlers.add(handler);
    for (const [key, object] of [...this.store.entries()]) this.tell(handler, { type: 'added', key, object });
    return () => this.handlers.delete(handler);
  }

  /** Hears of each list of the whole collection, after its changes; returns a function that ends it. */
  onListed(listener: (listing: Listing) => void): () => boolean {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  start(): void {
    this.running ??= this.run();
  }

  /** Resolves when nothing of it runs any more. The store stays as it is. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
    for (const resolve of this.waiting.splice(0)) resolve(this.isSynced);
  }

  private async run(): Promise<void> {
    const { clock } = this.options;
    while (!this.stopping.signal.aborted) {
      try {
        if (this.resourceVersion === undefined) await this.list();
        else if (clock.now() - this.comparedAt >= COMPARE_EVERY_MS) await this.compare(this.resourceVersion);
        else if (this.isUnsure) await this.verify(this.resourceVersion);
        const heard = await this.watch(this.resourceVersion!);
        if (heard) this.calm();
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
   * Waits after a failure: not at all when the collection is to be listed again (after a 410, or when the server has gone back in time)
   * for the first time. It may be the first that a server says when it comes back, after many failures.
   */
  private async pause(reason: RestartReason, error?: unknown): Promise<void> {
    const { clock, onRestart } = this.options;
    const firstGone = isLost(reason) && !isLost(this.lastReason);
    this.failures = firstGone ? 1 : this.failures + 1;
    this.lastReason = reason;
    if (error) this.lastProblem = error instanceof Error ? error.message : String(error);
    onRestart?.(reason);
    if (reason === 'back') this.logger.warn('the API server went back in time, listing again', { error });
    if (firstGone) return;
    const wanted = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
    const ms = Math.max(wanted, backoffMs(this.failures, backoffOf(error), clock));
    const usual = error instanceof ApiError && error.code === 429 && this.failures <= USUAL_WAITS;
    if (error) {
      const fields = { failures: this.failures, waitMs: ms, error };
      this.logger[usual ? 'info' : 'warn']('watch interrupted, will try again', fields);
    }
    await sleep(clock, ms, this.stopping.signal);
  }

  private calm(): void {
    this.failures = 0;
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

  /** Lists the collection exactly as it was at our resourceVersion: then every difference is an event that never came. */
  private async compare(resourceVersion: string): Promise<void> {
    // If that cannot be had (the version is compacted, the server cannot do it), the collection is listed as it is now.
    this.resourceVersion = undefined;
    const listed = await this.pages({ resourceVersion, resourceVersionMatch: 'Exact' }, (key) => this.store.get(key));
    const exact = listed.resourceVersion === resourceVersion;
    const differences = this.adopt(listed);
    if (!exact || differences === 0) return;
    this.logger.warn('the watch had missed changes', { objects: differences });
    this.options.onDrift?.(differences);
  }

  /** Makes a list our own: what is kept, and where to go on from; returns how many objects were different. */
  private adopt({ resourceVersion, objects }: { resourceVersion: string; objects: ReadonlyMap<string, T> }): number {
    const back = this.isBack || (this.latest !== undefined && isOlder(resourceVersion, this.latest));
    const differences = this.replace(objects, back);
    this.resourceVersion = this.latest = resourceVersion;
    this.comparedAt = this.options.clock.now();
    this.isUnsure = this.isBack = false;
    for (const listener of this.listeners) listener({ version: resourceVersion, back });
    return differences;
  }

  /**
   * Asks where the API server is before a watch goes on from our resourceVersion. To a server that was restored from a backup that version
   * lies in the future, and it would say nothing until its own versions are beyond it. A list without a version is never behind.
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

  /** `before`: what of our own a listed object may share with; of another history it would be another object's. */
  private async pages(
    first: Record<string, string>,
    before: (key: string) => T | undefined,
  ): Promise<{ resourceVersion: string; objects: Map<string, T> }> {
    const objects = new Map<string, T>();
    // Items of a list do not say what they are; those of a watch do.
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
   * Makes the store equal to the list; returns how many objects were different. In another history the same version may be of another
   * content: then each is told.
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

  /** True when the watch has told us anything, or lasted. Ends at the time it asked for, when the server falls silent, or on stop. */
  private async watch(resourceVersion: string): Promise<boolean> {
    const { api, clock, path } = this.options;
    // Spread, so that the watches of all clients do not end together; never past the next comparison.
    const untilCompare = Math.max(30, Math.ceil((this.comparedAt + COMPARE_EVERY_MS - clock.now()) / 1000));
    const timeoutSeconds = Math.min(untilCompare, 240 + Math.floor(240 * clock.random()));
    const started = clock.now();
    const { signal, abort, unlink } = link(this.stopping.signal);
    let lines = 0;
    let bookmarks = 0;
    let heardAt = started;
    let failure: unknown;
    let silenced = false;
    const watchdog = (): void => {
      const left = heardAt + SILENCE_MS - clock.now();
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
        heardAt = clock.now();
        failure = this.take(line);
        if (failure) abort();
      });
    } finally {
      cancel();
      unlink();
    }
    if (failure) throw failure;
    // Also one that has ended in an orderly way: a server that is shut down ends its watches so.
    this.isUnsure = silenced || clock.now() - started < timeoutSeconds * 1000 - SHORT_MS;
    if (silenced) {
      this.options.onRestart?.('silent');
      // A server that has started lately, or in which nothing changes, sends no bookmark for minutes.
      const level = bookmarks > 0 ? 'warn' : 'info';
      this.logger[level]('watch was silent, opening it again', { silentMs: clock.now() - heardAt });
    }
    return lines > 0 || clock.now() - started >= SHORT_MS || this.stopping.signal.aborted;
  }

  /** Returns the error that ends the watch, if the line is one. */
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
    this.calm();
    if (line.type !== 'BOOKMARK') {
      const kept = this.keep(object, (key) => this.store.get(key));
      this.change(keyOf(kept), line.type === 'DELETED' ? undefined : kept, kept);
    }
    // Only now: had it failed, we would see the line again.
    if (resourceVersion) this.resourceVersion = this.latest = resourceVersion;
    return undefined;
  }

  private keep(object: T, before: (key: string) => T | undefined): T {
    return freeze((this.options.trim ?? trimBallast)(object, before(keyOf(object))));
  }

  /** True when it was one: an event seen twice, or an object that is listed as we have it, is none. */
  private change(key: string, object: T | undefined, last?: T, certain = false): boolean {
    const old = this.store.get(key);
    const { uid, resourceVersion } = object?.metadata ?? {};
    if (object ? !certain && isSame(old?.metadata, uid, resourceVersion) : !old) return false;
    this.store.set(key, object);
    if (!object) this.tellAll({ type: 'deleted', key, object: last ?? old! });
    else if (!old) this.tellAll({ type: 'added', key, object });
    else if (old.metadata.uid === object.metadata.uid) this.tellAll({ type: 'updated', key, object, old });
    else {
      // Deleted and made again while we did not look.
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
      this.logger.error('a handler of changes failed', { key: change.key, error });
    }
  }

  private selectors(): Record<string, string> {
    const { labelSelector, fieldSelector } = this.options;
    return { ...(labelSelector ? { labelSelector } : {}), ...(fieldSelector ? { fieldSelector } : {}) };
  }
}

const isSame = (old: KubeObject['metadata'] | undefined, uid?: string, resourceVersion?: string): boolean =>
  old !== undefined && old.resourceVersion === resourceVersion && old.uid === uid;

/** The place in the history is lost: the collection is listed again. */
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
  if (!list?.metadata || !Array.isArray(list.items)) throw new Error(`GET ${path}: the answer is not a list`);
  return list as ListPage<T>;
}
