// Limits the memory and the time for large bodies, shared fairly between the clients that send them, so that they do not delay small ones.
import type { Clock } from '../kube/api.ts';
import { sleep } from '../kube/clock.ts';
import type { Client } from './peer.ts';

export interface LaneLimits {
  /** Limit for all large bodies that are being read or answered. */
  readonly bytes: number;
  /** Limit for one client that is not verified, unless it has one body only. Others find room even if it sends as much as it can. */
  readonly clientBytes: number;
  /** Milliseconds. A request that has waited this long is refused. */
  readonly waitMs: number;
  /** Maximum number of waiting requests. With one more, the largest of the client with the most is refused at once. */
  readonly waiting: number;
}

const MIB = 1024 * 1024;
export const LANE: LaneLimits = { bytes: 32 * MIB, clientBytes: 16 * MIB, waitMs: 1_500, waiting: 256 };
/** After a large body, small ones have as long as it took, at most this time. */
const MOST_REST_MS = 250;

interface Waiting {
  readonly client: Client;
  readonly bytes: number;
  readonly enter: (may: boolean) => void;
}

interface Turn {
  readonly client: Client;
  readonly bytes: number;
  readonly run: () => void;
}

export class Lane {
  private readonly clock: Clock;
  private readonly limits: LaneLimits;
  /** Reserved bytes by client. */
  private readonly used = new Map<string, number>();
  private total = 0;
  private readonly waiting = new Set<Waiting>();
  private readonly turns = new Set<Turn>();
  /** Bytes that each client had worked on since the last time that nobody waited for a turn. */
  private readonly served = new Map<string, number>();
  private working = false;

  constructor(clock: Clock, limits: LaneLimits = LANE) {
    this.clock = clock;
    this.limits = limits;
  }

  get bytesInFlight(): number {
    return this.total;
  }

  /**
   * Reserves bytes: verified clients first, then the client that has the fewest, and its smallest request first. Resolves with true when they are
   * reserved, and with false on a timeout. `leave` releases them.
   */
  enter(client: Client, bytes: number): Promise<boolean> {
    return new Promise((resolve) => {
      const cancel = this.clock.after(this.limits.waitMs, () => one.enter(false));
      const one: Waiting = {
        client,
        bytes,
        enter: (may) => {
          if (!this.waiting.delete(one)) return;
          cancel();
          if (may) this.use(client, bytes);
          resolve(may);
        },
      };
      this.waiting.add(one);
      this.next();
      if (this.waiting.size > this.limits.waiting) this.oneTooMany()?.enter(false);
    });
  }

  leave(client: Client, bytes: number): void {
    this.use(client, -bytes);
    this.next();
  }

  /** Runs the work after other pending events, one at a time: that of verified clients first, then of the client that has had the least. */
  turn<T>(client: Client, bytes: number, work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = (): void => {
        try {
          resolve(work());
        } catch (error) {
          reject(error as Error);
        }
      };
      this.turns.add({ client, bytes, run });
      if (!this.working) void this.work();
    });
  }

  private async work(): Promise<void> {
    this.working = true;
    for (;;) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      const turn = pick(this.turns, (a, b) => compare(a.client, b.client, this.served));
      if (turn === undefined) break;
      this.turns.delete(turn);
      const { key, verified } = turn.client;
      this.served.set(key, (this.served.get(key) ?? 0) + turn.bytes);
      const began = this.clock.now();
      turn.run();
      const took = Math.min(this.clock.now() - began, MOST_REST_MS);
      if (took > 0 && !verified) await sleep(this.clock, took);
    }
    this.served.clear();
    this.working = false;
  }

  private use({ key }: Client, bytes: number): void {
    this.total += bytes;
    const used = (this.used.get(key) ?? 0) + bytes;
    if (used > 0) this.used.set(key, used);
    else this.used.delete(key);
  }

  private next(): void {
    const isAllowed = ({ client, bytes }: Waiting): boolean => {
      const used = this.used.get(client.key) ?? 0;
      return client.verified || used === 0 || used + bytes <= this.limits.clientBytes;
    };
    for (;;) {
      const first = pick(
        [...this.waiting].filter(isAllowed),
        (a, b) => compare(a.client, b.client, this.used) || a.bytes - b.bytes,
      );
      // A single request may exceed the limit.
      if (!first || (this.total > 0 && this.total + first.bytes > this.limits.bytes)) return;
      first.enter(true);
    }
  }

  private oneTooMany(): Waiting | undefined {
    const counts = new Map<string, number>();
    for (const { client } of this.waiting) counts.set(client.key, (counts.get(client.key) ?? 0) + 1);
    return pick(this.waiting, (a, b) => -(compare(a.client, b.client, counts) || a.bytes - b.bytes));
  }
}

/** Negative if `a` comes first: verified clients, then those with less. */
const compare = (a: Client, b: Client, had: ReadonlyMap<string, number>): number =>
  Number(b.verified) - Number(a.verified) || (had.get(a.key) ?? 0) - (had.get(b.key) ?? 0);

/** The first in order. Of equal ones, the one that came first. */
function pick<T>(all: Iterable<T>, order: (a: T, b: T) => number): T | undefined {
  let picked: T | undefined;
  for (const one of all) if (picked === undefined || order(one, picked) < 0) picked = one;
  return picked;
}
