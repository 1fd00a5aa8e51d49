// A work queue with the semantics of controller-runtime: one worker at a time per key, duplicate keys are merged, and failures back off.
import type { Clock } from './api.ts';
import { backoffMs, type Backoff } from './clock.ts';
import { ApiError, isBusy, isConflict, isNotFound } from './errors.ts';
import { silent, type Logger } from './log.ts';

/** Result of a piece of work. A thrown error also causes a retry. It is logged, except for a conflict and the first few 404 errors. */
export interface Outcome {
  /** Process the key again after this time. Replaces an earlier delay. */
  readonly againAfterMs?: number;
  /** Process the key again, with exponential backoff. */
  readonly retry?: boolean;
}

/** A permanent error: it is logged, and the key is not retried until it is added again. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError';
}

export interface QueueOptions {
  readonly clock: Clock;
  readonly work: (key: string) => Promise<Outcome | void>;
  /** Default 4. */
  readonly workers?: number;
  readonly backoff?: Backoff;
  readonly logger?: Logger;
  /** For metrics: called after each piece of work. */
  readonly onDone?: (result: WorkResult, ms: number) => void;
}

/** Number of 404 errors in a row that are not logged: the object was deleted, and the cache notices it in a moment. */
const QUIET_NOT_FOUND = 3;
/** Number of answers in a row that ask to wait and are usual. More are logged as an error. */
const USUAL_WAITS = 8;

export type WorkResult = 'done' | 'later' | 'retry' | 'conflict' | 'error' | 'terminal';

export class WorkQueue {
  private readonly options: QueueOptions;
  private readonly backoff: Backoff;
  private readonly workers: number;
  private readonly logger: Logger;
  /** Keys that wait for a worker. A set keeps their order and removes duplicates. */
  private readonly ready = new Set<string>();
  private readonly working = new Set<string>();
  /** Keys that were added while a worker processed them. */
  private readonly dirty = new Set<string>();
  private readonly timers = new Map<string, { at: number; cancel: () => void }>();
  /** Keys that were added a moment ago, and whether they were asked for again since. */
  private readonly cooling = new Map<string, boolean>();
  private readonly failures = new Map<string, number>();
  private state: 'idle' | 'running' | 'stopped' = 'idle';
  private drained: (() => void) | undefined;

  constructor(options: QueueOptions) {
    this.options = options;
    this.backoff = options.backoff ?? { baseMs: 50, capMs: 60_000 };
    this.workers = options.workers ?? 4;
    this.logger = options.logger ?? silent;
  }

  /** Number of keys that wait for a worker, without keys that wait for a delay. */
  get depth(): number {
    return this.ready.size;
  }

  /** Keys that were added before the start are processed too. */
  start(): void {
    if (this.state !== 'idle') return;
    this.state = 'running';
    this.next();
  }

  /** Accepts no more keys. Resolves when the work in progress is done. */
  async drain(): Promise<void> {
    this.state = 'stopped';
    for (const timer of this.timers.values()) timer.cancel();
    this.timers.clear();
    this.ready.clear();
    this.dirty.clear();
    if (this.working.size > 0) await new Promise<void>((resolve) => (this.drained = resolve));
  }

  add(key: string): void {
    if (this.state === 'stopped') return;
    if (this.working.has(key)) this.dirty.add(key);
    else this.ready.add(key);
    this.next();
  }

  /** Adds the key after a delay. The earliest of several delays counts. */
  addAfter(key: string, ms: number): void {
    if (this.state === 'stopped') return;
    if (ms <= 0) return this.add(key);
    const at = this.options.clock.now() + ms;
    const timer = this.timers.get(key);
    if (timer && timer.at <= at) return;
    timer?.cancel();
    const cancel = this.options.clock.after(ms, () => {
      this.timers.delete(key);
      this.add(key);
    });
    this.timers.set(key, { at, cancel });
  }

  /** Adds the key at once, and then at most once in each interval of `ms`: changes within this time are processed together. */
  addSoon(key: string, ms: number): void {
    if (this.state === 'stopped') return;
    if (this.cooling.has(key)) {
      this.cooling.set(key, true);
      return;
    }
    this.cooling.set(key, false);
    this.options.clock.after(ms, () => {
      const again = this.cooling.get(key);
      this.cooling.delete(key);
      if (again) this.addSoon(key, ms);
    });
    this.add(key);
  }

  /** Adds the key after a backoff for one more failure, at least after `atLeastMs`. Returns the number of consecutive failures. */
  addRateLimited(key: string, atLeastMs = 0): number {
    const failures = (this.failures.get(key) ?? 0) + 1;
    this.failures.set(key, failures);
    this.addAfter(key, Math.max(atLeastMs, backoffMs(failures, this.backoff, this.options.clock)));
    return failures;
  }

  private next(): void {
    if (this.state !== 'running') return;
    for (const key of this.ready) {
      if (this.working.size >= this.workers) return;
      this.ready.delete(key);
      this.working.add(key);
      // The result of this run replaces the delay.
      this.timers.get(key)?.cancel();
      this.timers.delete(key);
      void this.run(key);
    }
  }

  private async run(key: string): Promise<void> {
    const started = this.options.clock.now();
    const result = await this.attempt(key);
    this.working.delete(key);
    this.options.onDone?.(result, this.options.clock.now() - started);
    if (this.dirty.delete(key)) this.add(key);
    if (this.working.size === 0) this.drained?.();
    this.next();
  }

  private async attempt(key: string): Promise<WorkResult> {
    try {
      const outcome = await this.options.work(key);
      if (outcome?.retry) {
        this.addRateLimited(key);
        return 'retry';
      }
      this.failures.delete(key);
      if (outcome?.againAfterMs === undefined) return 'done';
      this.addAfter(key, outcome.againAfterMs);
      return 'later';
    } catch (error) {
      if (error instanceof TerminalError) {
        this.failures.delete(key);
        this.logger.error('reconciliation failed, not retrying', { key, error });
        return 'terminal';
      }
      const failures = this.addRateLimited(key, error instanceof ApiError ? (error.retryAfterSeconds ?? 0) * 1000 : 0);
      if (isConflict(error) || (isNotFound(error) && failures <= QUIET_NOT_FOUND)) return 'conflict';
      const usual = isBusy(error) && failures <= USUAL_WAITS;
      this.logger[usual ? 'info' : 'error']('reconciliation failed, retrying', { key, failures, error });
      return usual ? 'retry' : 'error';
    }
  }
}
