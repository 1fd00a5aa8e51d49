// Limits the requests to one source: a few at once, fewer for each namespace, and not too many that wait.
import type { Unknown } from './source.ts';

const AT_ONCE = 4;
/** Slow queries of one namespace leave room for the others. */
const AT_ONCE_OF_ONE = 3;
/** After a restart, the checks of a thousand releases ask at once. Each query has a time limit, which includes the time that it waits. */
const MAX_WAITING = 5_000;

interface Waiting {
  readonly namespace: string;
  readonly start: () => void;
}

export class Gate {
  /** Requests in progress, by namespace. */
  private readonly running = new Map<string, number>();
  private readonly waiting = new Set<Waiting>();

  /** Runs the work when it is its turn, or returns Unknown if too many wait. Rejects like the work, and if the signal is aborted before. */
  async run<T>(namespace: string, signal: AbortSignal, work: () => Promise<T>): Promise<T | Unknown> {
    if (this.mayRun(namespace)) this.count(namespace, 1);
    else if (this.waiting.size >= MAX_WAITING) return { unknown: 'too many queries wait for the source' };
    else await this.turn(namespace, signal);
    try {
      return await work();
    } finally {
      this.count(namespace, -1);
      const next = this.next();
      if (next) {
        this.count(next.namespace, 1);
        next.start();
      }
    }
  }

  private mayRun(namespace: string): boolean {
    const all = [...this.running.values()].reduce((sum, one) => sum + one, 0);
    return all < AT_ONCE && (this.running.get(namespace) ?? 0) < AT_ONCE_OF_ONE;
  }

  /** The one that waits longest, of the namespaces with the fewest requests. */
  private next(): Waiting | undefined {
    let best: { readonly one: Waiting; readonly running: number } | undefined;
    for (const one of this.waiting) {
      const running = this.running.get(one.namespace) ?? 0;
      if (running < (best?.running ?? AT_ONCE_OF_ONE)) best = { one, running };
      if (running === 0) break;
    }
    return best?.one;
  }

  private count(namespace: string, more: 1 | -1): void {
    const now = (this.running.get(namespace) ?? 0) + more;
    if (now === 0) this.running.delete(namespace);
    else this.running.set(namespace, now);
  }

  private turn(namespace: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.waiting.delete(waiting);
        signal.removeEventListener('abort', giveUp);
      };
      const waiting: Waiting = { namespace, start: () => void (leave(), resolve()) };
      const giveUp = (): void => void (leave(), reject(signal.reason as Error));
      if (signal.aborted) return giveUp();
      this.waiting.add(waiting);
      signal.addEventListener('abort', giveUp);
    });
  }
}
