// Limits how many operations begin at the same time.

/** Ends the turn. Further calls do nothing. */
export type EndTurn = () => void;

interface Waiting {
  go(): void;
}

export class Turns {
  private free: number;
  private readonly longestMs: number;
  private readonly waiting = new Set<Waiting>();

  /** `atOnce`: number of turns at the same time. `longestMs`: a turn ends after this time, so that operations without an answer do not block others. */
  constructor(atOnce: number, longestMs: number) {
    this.free = atOnce;
    this.longestMs = longestMs;
  }

  /** Resolves when it is the caller's turn, in the order of the calls, or when the signal is aborted: then without a turn. */
  take(signal: AbortSignal): Promise<EndTurn> {
    if (signal.aborted) return Promise.resolve(() => undefined);
    if (this.free > 0) return Promise.resolve(this.begin());
    return new Promise((resolve) => {
      const one: Waiting = {
        go: () => {
          signal.removeEventListener('abort', leave);
          resolve(this.begin());
        },
      };
      const leave = (): void => {
        this.waiting.delete(one);
        resolve(() => undefined);
      };
      this.waiting.add(one);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  private begin(): EndTurn {
    this.free -= 1;
    let ended = false;
    const end = (): void => {
      if (ended) return;
      ended = true;
      clearTimeout(timer);
      this.free += 1;
      const [next] = this.waiting;
      if (!next) return;
      this.waiting.delete(next);
      next.go();
    };
    const timer = setTimeout(end, this.longestMs);
    return end;
  }
}
