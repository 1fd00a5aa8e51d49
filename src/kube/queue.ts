// The work queue, with controller-runtime's semantics: a key is worked on by one worker at a time, twice asked is once done,
// failures wait longer each time.
import type { Clock } from './api.ts';
import { backoffMs, type Backoff } from './clock.ts';
import { ApiError, isConflict, isNotFound } from './errors.ts';
import { silent, type Logger } from './log.ts';

/** How a piece of work ended; a thrown error is a retry too, and is logged (but for a conflict, or a first few 404, which are none). */
export interface Outcome {
  /** Look again after this time, unless something happens before. Replaces what was asked for earlier. */
  readonly againAfterMs?: number;
  /** Look again, waiting longer each time in a row. */
  readonly retry?: boolean;
}

/** Trying again will not help: logged, and not tried again until something changes. */
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
  /** For metrics: after each piece of work. */
  readonly onDone?: (result: WorkResult, ms: number) => void;
}

/** What is gone since it was decided on is gone from the cache in a moment as well. */
const QUIET_NOT_FOUND = 3;

export type WorkResult = 'done' | 'later' | 'retry' | 'conflict' | 'error' | 'terminal';

export class WorkQueue {
  private readonly options: QueueOptions;
  private readonly backoff: Backoff;
  private readonly workers: number;
  private readonly logger: Logger;
  /** Waiting for a worker, in order. A set keeps the order in which keys came, and each once. */
  private readonly ready = new Set<string>();
  private readonly working = new Set<string>();
  /** Asked for while being worked on. */
  private readonly dirty = new Set<string>();
  private readonly timers = new Map<string, { at: number; cancel: () => void }>();
  private readonly failures = new Map<string, number>();
  private state: 'idle' | 'running' | 'stopped' = 'idle';
  private drained: (() => void) | undefined;

  constructor(options: QueueOptions) {
    this.options = options;
    this.backoff = options.backoff ?? { baseMs: 50, capMs: 60_000 };
    this.workers = options.workers ?? 4;
    this.logger = options.logger ?? silent;
  }

  /** Keys that wait for a worker now (not those that wait for a time). */
  get depth(): number {
    return this.ready.size;
  }

  /** What is added before is kept. */
  start(): void {
    if (this.state !== 'idle') return;
    this.state = 'running';
    this.next();
  }

  /** Takes no new work; resolves when the work in progress is done. */
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

  /** Of several times asked for, the earliest holds. */
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

  /** Adds with the wait that one more failure earns, or the longer one the server asked for; returns the failures in a row. */
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
      // The work decides anew when to look again.
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
        this.logger.error('work failed for good', { key, error });
        return 'terminal';
      }
      const failures = this.addRateLimited(key, error instanceof ApiError ? (error.retryAfterSeconds ?? 0) * 1000 : 0);
      if (isConflict(error) || (isNotFound(error) && failures <= QUIET_NOT_FOUND)) return 'conflict';
      this.logger.error('work failed, will try again', { key, failures, error });
      return 'error';
    }
  }
}
