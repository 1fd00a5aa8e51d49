// What keeps large bodies from filling the memory, and from standing before the small ones: they get memory and the parser in turn.
import type { Clock } from '../kube/api.ts';

export interface LaneLimits {
  /** Of all large bodies together that are being read or answered. */
  readonly bytes: number;
  /** Milliseconds. A request that has waited this long is refused. */
  readonly waitMs: number;
  /** Requests that may wait. With one more, the largest of them is refused at once. */
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

  /** True when there is room for so many bytes, which `leave` gives back; false when there was none for too long. The smallest is next. */
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

  /** One after another, and between two of them whatever else has arrived is done. */
  turn<T>(work: () => T): Promise<T> {
    const mine = this.last.then(() => new Promise<void>((resolve) => setImmediate(resolve))).then(work);
    this.last = mine.catch(() => undefined);
    return mine;
  }

  private next(): void {
    for (;;) {
      const smallest = this.pick((a, b) => a.bytes < b.bytes);
      // Alone, even the largest may enter.
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
