// A rate-limited work queue: each key is processed once at a time, and failures are retried with a growing delay.
import type { Clock } from '../../core/types.ts';

/** The defaults of client-go's rate limiter. */
export const FIRST_BACKOFF_MS = 5;
const LONGEST_BACKOFF_MS = 1_000_000;

export interface QueueOptions {
  /** Drops a key after this number of consecutive failures, until it is added again. */
  maxRetries?: number;
  /** The delay after the first failure. It doubles with each further failure. */
  firstBackoffMs?: number;
  onError?(key: string, error: unknown): void;
}

export class WorkQueue {
  private readonly waiting = new Set<string>();
  private readonly busy = new Set<string>();
  private readonly failures = new Map<string, number>();
  private readonly timers = new Set<() => void>();
  private readonly delayed = new Map<string, { at: number; cancel: () => void }>();
  private readonly clock: Clock;
  private readonly work: (key: string) => Promise<void>;
  private readonly options: QueueOptions;
  private stopped = false;
  private armed = false;

  constructor(clock: Clock, work: (key: string) => Promise<void>, options: QueueOptions = {}) {
    this.clock = clock;
    this.work = work;
    this.options = options;
  }

  /** Nothing is waiting or being processed. Timers may still be set. */
  get idle(): boolean {
    return this.waiting.size === 0 && this.busy.size === 0;
  }

  add(key: string): void {
    if (this.stopped) return;
    this.waiting.add(key);
    if (this.armed) return;
    this.armed = true;
    this.later(0, () => {
      this.armed = false;
      this.drain();
    });
  }

  /** Adds a key after a delay. A key has one timer, for the earliest time. */
  addAfter(key: string, ms: number): void {
    if (ms <= 0) {
      this.add(key);
      return;
    }
    const at = this.clock.now() + ms;
    const before = this.delayed.get(key);
    if (before && before.at <= at) return;
    before?.cancel();
    const cancel = this.later(ms, () => {
      this.delayed.delete(key);
      this.add(key);
    });
    this.delayed.set(key, { at, cancel });
  }

  /** Adds a key again, with a delay that grows with each call since the last success. */
  addRateLimited(key: string): void {
    const failures = this.failures.get(key) ?? 0;
    this.failures.set(key, failures + 1);
    this.addAfter(key, Math.min((this.options.firstBackoffMs ?? FIRST_BACKOFF_MS) * 2 ** failures, LONGEST_BACKOFF_MS));
  }

  stop(): void {
    this.stopped = true;
    for (const cancel of this.timers) cancel();
    this.timers.clear();
    this.waiting.clear();
  }

  private later(ms: number, fn: () => void): () => void {
    if (this.stopped) return () => undefined;
    const cancel = this.clock.after(ms, () => {
      this.timers.delete(cancel);
      if (!this.stopped) fn();
    });
    this.timers.add(cancel);
    return () => {
      this.timers.delete(cancel);
      cancel();
    };
  }

  private drain(): void {
    for (const key of this.waiting) {
      if (this.busy.has(key)) continue;
      this.waiting.delete(key);
      this.busy.add(key);
      void this.process(key);
    }
  }

  private async process(key: string): Promise<void> {
    try {
      await this.work(key);
      this.failures.delete(key);
    } catch (error) {
      if (this.stopped) return;
      this.options.onError?.(key, error);
      if ((this.failures.get(key) ?? 0) < (this.options.maxRetries ?? Infinity)) this.addRateLimited(key);
      else this.failures.delete(key);
    } finally {
      this.busy.delete(key);
      if (this.waiting.has(key)) this.add(key);
    }
  }
}
