// Limits the memory for large bodies and parses them in turn, so that they do not delay small ones.
import type { Clock } from '../kube/api.ts';

export interface LaneLimits {
  /** Limit for all large bodies that are being read or answered. */
  readonly bytes: number;
  /** Milliseconds. A request that has waited this long is refused. */
  readonly waitMs: number;
  /** Maximum number of waiting requests. With one more, the largest is refused at once. */
  readonly waiting: number;
}

export const LANE: LaneLimits = { bytes: 32 * 1024 * 1024, waitMs: 1_500, waiting: 256 };

interface Waiting {
  readonly bytes: number;
  readonly enter: (may: boolean) => void;
}

export class Lane {
  private readonly clock: Clock;
  private readonly limits: LaneLimits;
  private used = 0;
  private readonly waiting = new Set<Waiting>();
  private last: Promise<unknown> = Promise.resolve();

  constructor(clock: Clock, limits: LaneLimits = LANE) {
    this.clock = clock;
    this.limits = limits;
  }

  get bytesInFlight(): number {
    return this.used;
  }

  /** Reserves bytes, smallest request first. Resolves with true when they are reserved, and with false on a timeout. `leave` releases them. */
  enter(bytes: number): Promise<boolean> {
    return new Promise((resolve) => {
      const cancel = this.clock.after(this.limits.waitMs, () => one.enter(false));
      const one: Waiting = {
        bytes,
        enter: (may) => {
          if (!this.waiting.delete(one)) return;
          cancel();
          if (may) this.used += bytes;
          resolve(may);
        },
      };
      this.waiting.add(one);
      this.next();
      if (this.waiting.size > this.limits.waiting) this.largest()?.enter(false);
    });
  }

  leave(bytes: number): void {
    this.used -= bytes;
    this.next();
  }

  /** Runs the work after the previous one and after other pending events. */
  turn<T>(work: () => T): Promise<T> {
    const mine = this.last.then(() => new Promise<void>((resolve) => setImmediate(resolve))).then(work);
    this.last = mine.catch(() => undefined);
    return mine;
  }

  private next(): void {
    for (;;) {
      const smallest = this.pick((a, b) => a.bytes < b.bytes);
      // A single request may exceed the limit.
      if (!smallest || (this.used > 0 && this.used + smallest.bytes > this.limits.bytes)) return;
      smallest.enter(true);
    }
  }

  private largest(): Waiting | undefined {
    return this.pick((a, b) => a.bytes > b.bytes);
  }

  private pick(before: (a: Waiting, b: Waiting) => boolean): Waiting | undefined {
    let picked: Waiting | undefined;
    for (const one of this.waiting) if (picked === undefined || before(one, picked)) picked = one;
    return picked;
  }
}
