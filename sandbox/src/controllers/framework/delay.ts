// Delivers items in order, each after its own delay, and never before the previous one.
import type { Clock } from '../../core/types.ts';

export class Delay<T> {
  private readonly pending: { at: number; item: T }[] = [];
  private readonly clock: Clock;
  private readonly delayMs: () => number;
  private readonly deliver: (item: T) => void;
  private cancel: (() => void) | undefined;
  private last = 0;
  private stopped = false;

  constructor(clock: Clock, delayMs: () => number, deliver: (item: T) => void) {
    this.clock = clock;
    this.delayMs = delayMs;
    this.deliver = deliver;
  }

  push(item: T): void {
    if (this.stopped) return;
    const delay = this.delayMs();
    if (delay <= 0 && this.pending.length === 0) {
      this.deliver(item);
      return;
    }
    this.last = Math.max(this.last, this.clock.now() + delay);
    this.pending.push({ at: this.last, item });
    if (this.pending.length === 1) this.arm();
  }

  stop(): void {
    this.stopped = true;
    this.cancel?.();
  }

  private arm(): void {
    this.cancel = this.clock.after(Math.max(0, this.pending[0]!.at - this.clock.now()), () => {
      const now = this.clock.now();
      while (!this.stopped && this.pending.length > 0 && this.pending[0]!.at <= now) {
        this.deliver(this.pending.shift()!.item);
      }
      if (!this.stopped && this.pending.length > 0) this.arm();
    });
  }
}
