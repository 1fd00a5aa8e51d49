// The base of all built-in controllers: delayed caches, a queue, a client, and crashes that lose all state.
import { ApiError, type Client, type Clock, type GroupResource, type KubeObject } from '../../core/types.ts';
import { Cache, type CacheEvent } from './cache.ts';
import { EventRecorder } from './events.ts';
import { FIRST_BACKOFF_MS, WorkQueue, type QueueOptions } from './queue.ts';

/** A range in milliseconds. Each use draws from it. */
export type Range = readonly [number, number];

export interface ControllerOptions {
  client: Client;
  clock: Clock;
  /** The delay of each cache, drawn for each event. */
  lagMs: Range;
  /** The delay of a request before it takes effect. */
  requestMs: Range;
  /** Write Events. */
  events: boolean;
  /** Called for errors other than those of outdated caches. */
  onError?: ((controller: string, key: string, error: unknown) => void) | undefined;
}

/** One life of a controller, from its start to its crash. */
export class Session {
  readonly name: string;
  readonly clock: Clock;
  readonly events: EventRecorder;
  private readonly options: ControllerOptions;
  private readonly ends: (() => void)[] = [];
  private readonly queues: WorkQueue[] = [];
  private readonly timers = new Set<() => void>();
  private alive = true;

  constructor(name: string, options: ControllerOptions) {
    this.name = name;
    this.options = options;
    this.clock = options.clock;
    this.events = new EventRecorder(this, options.events);
  }

  /** The state of this life: caches, queues and timers. Unsent requests are never sent. */
  end(): void {
    this.alive = false;
    for (const cancel of this.timers) cancel();
    for (const end of this.ends) end();
  }

  onEnd(fn: () => void): void {
    this.ends.push(fn);
  }

  get idle(): boolean {
    return this.queues.every((queue) => queue.idle);
  }

  cache(type: GroupResource, handle?: (event: CacheEvent) => void): Cache {
    const { client, clock, lagMs } = this.options;
    const cache = new Cache(client, type, clock, () => draw(clock, lagMs), handle);
    this.ends.push(() => cache.stop());
    return cache;
  }

  queue(work: (key: string) => Promise<void>, options: QueueOptions = {}): WorkQueue {
    const queue = new WorkQueue(this.clock, work, {
      // Real caches lag by about a millisecond. Retry delays grow with the lag, otherwise most retries would run before the cache is updated.
      firstBackoffMs: Math.max(FIRST_BACKOFF_MS, this.options.lagMs[1] / 2),
      onError: (key, error) => {
        if (!isExpected(error)) this.options.onError?.(this.name, key, error);
      },
      ...options,
    });
    this.queues.push(queue);
    this.ends.push(() => queue.stop());
    return queue;
  }

  after(ms: number, fn: () => void): () => void {
    const cancel = this.clock.after(ms, () => {
      this.timers.delete(cancel);
      fn();
    });
    this.timers.add(cancel);
    return () => {
      this.timers.delete(cancel);
      cancel();
    };
  }

  async request(
    method: string,
    path: string,
    options?: { query?: Record<string, string>; type?: string; body?: object },
  ): Promise<KubeObject> {
    const delay = draw(this.clock, this.options.requestMs);
    if (delay > 0) await new Promise<void>((resolve) => this.clock.after(delay, resolve));
    if (!this.alive) throw new Error(`${this.name} has crashed`);
    return this.options.client.request(method, path, options);
  }
}

export interface Controller {
  readonly name: string;
  /** The queues are empty. Caches may still have pending events. */
  readonly idle: boolean;
  start(): void;
  /** Like a killed process: cached state is lost, and pending writes are not sent. */
  crash(): void;
}

/** Creates a controller from a function that sets up one life: caches first, then work. */
export const createController = (
  name: string,
  options: ControllerOptions,
  live: (session: Session) => void,
): Controller => {
  let session: Session | undefined;
  return {
    name,
    get idle() {
      return session?.idle ?? true;
    },
    start() {
      if (session) return;
      session = new Session(name, options);
      live(session);
    },
    crash() {
      session?.end();
      session = undefined;
    },
  };
};

const draw = (clock: Clock, [from, to]: Range): number => (to <= 0 ? 0 : from + clock.random() * (to - from));

const codeOf = (error: unknown): number => (error instanceof ApiError ? error.status.code : 0);
export const isNotFound = (error: unknown): boolean => codeOf(error) === 404;
export const isConflict = (error: unknown): boolean =>
  error instanceof ApiError && error.status.code === 409 && error.status.reason === 'Conflict';
export const isAlreadyExists = (error: unknown): boolean =>
  error instanceof ApiError && error.status.reason === 'AlreadyExists';
/** The namespace is terminating, so nothing can be created in it. */
export const isNamespaceTerminating = (error: unknown): boolean =>
  error instanceof ApiError &&
  (error.status.details?.causes ?? []).some((cause) => cause.reason === 'NamespaceTerminating');

/** A usual error of a controller with an outdated cache. It retries. */
const isExpected = (error: unknown): boolean =>
  isConflict(error) || isNotFound(error) || isAlreadyExists(error) || isNamespaceTerminating(error);
