// Real and virtual time with the same interface.
import type { Clock } from './types.ts';

export const realClock: Clock = {
  now: () => Date.now(),
  after(ms, fn) {
    // Node fires timers of more than 24 days at once.
    const timer = setTimeout(fn, Math.min(Math.max(0, ms), 2 ** 31 - 1));
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};

interface Entry {
  at: number;
  order: number;
  fn: (() => void) | undefined;
}

/**
 * Virtual time. Timers for the same millisecond run in a random order that the seed determines, so one seed is one interleaving.
 * All promise callbacks run between two timers.
 */
export class VirtualClock implements Clock {
  private time: number;
  private state: number;
  private count = 0;
  private readonly heap: Entry[] = [];

  constructor(seed: number, startMs = Date.UTC(2026, 0, 1)) {
    this.time = startMs;
    this.state = (seed ^ 0x9e3779b9) >>> 0;
  }

  now(): number {
    return this.time;
  }

  /** mulberry32. */
  random(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  after(ms: number, fn: () => void): () => void {
    const entry: Entry = { at: this.time + Math.max(0, ms), order: this.random() + this.count++ * 1e-9, fn };
    this.push(entry);
    return () => {
      entry.fn = undefined;
    };
  }

  /** Runs all timers of the next `ms` of virtual time. */
  async run(ms: number): Promise<void> {
    const end = this.time + ms;
    await settle();
    for (let next = this.heap[0]; next && next.at <= end; next = this.heap[0]) {
      this.pop();
      if (!next.fn) continue;
      this.time = Math.max(this.time, next.at);
      next.fn();
      await settle();
    }
    this.time = end;
  }

  /** Runs until the condition is true (checked after each timer). Returns false after `ms`, or if no timer is left. */
  async runUntil(condition: () => boolean, ms: number): Promise<boolean> {
    const end = this.time + ms;
    await settle();
    while (!condition()) {
      const next = this.heap[0];
      if (!next || next.at > end) {
        this.time = end;
        return false;
      }
      this.pop();
      if (!next.fn) continue;
      this.time = Math.max(this.time, next.at);
      next.fn();
      await settle();
    }
    return true;
  }

  private before(a: Entry, b: Entry): boolean {
    return a.at < b.at || (a.at === b.at && a.order < b.order);
  }

  private push(entry: Entry): void {
    const heap = this.heap;
    let i = heap.push(entry) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.before(entry, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = entry;
  }

  private pop(): void {
    const heap = this.heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && this.before(heap[child + 1]!, heap[child]!)) child++;
      if (!this.before(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
  }
}

/** The interval at which long runs yield to the event loop, so that signals and test timeouts work. */
const LOOP_TURN = 256;
let turns = 0;

/** Runs all ready promise callbacks: a nested tick comes after them. */
const settle = async (): Promise<void> => {
  await null;
  await new Promise<void>((resolve) => {
    if (++turns % LOOP_TURN === 0) setImmediate(resolve);
    else process.nextTick(resolve);
  });
};
