// Real time, and the two things everybody does with a clock: wait, and wait longer after each failure.
import type { Clock } from './api.ts';

/** setTimeout fires at once for a longer delay than this (24.8 days). */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const realClock: Clock = {
  now: () => Date.now(),
  after(ms, fn) {
    const timer = setTimeout(fn, Math.min(Math.max(0, ms), LONGEST_TIMER_MS));
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};

/**
 * For whoever only measures how long something lasts: it goes on evenly when somebody sets the clock. Its time of day is that of the
 * process's start, plus what has passed since.
 */
export const steadyClock: Clock = { ...realClock, now: () => performance.timeOrigin + performance.now() };

/** Resolves after ms, or as soon as the signal says so: true when the time has passed. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve(false);
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener('abort', abort);
      resolve(true);
    });
    const abort = (): void => {
      cancel();
      resolve(false);
    };
    signal?.addEventListener('abort', abort, { once: true });
  });
}

export interface Backoff {
  readonly baseMs: number;
  readonly capMs: number;
}

/** How long to wait after so many failures in a row (1 = the first): doubles up to the cap; half of it is chance, so that many clients spread out. */
export function backoffMs(failures: number, backoff: Backoff, clock: Clock): number {
  const whole = Math.min(backoff.capMs, backoff.baseMs * 2 ** Math.min(failures - 1, 30));
  return whole / 2 + (whole / 2) * clock.random();
}
