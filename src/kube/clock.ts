// Real clocks, sleep, and exponential backoff.
import type { Clock } from './api.ts';

/** The longest delay that setTimeout supports (24.8 days). It fires at once for a longer one. */
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
 * A monotonic clock for measuring durations: changes of the system time do not affect it. It starts with the system time at the start of
 * the process.
 */
export const steadyClock: Clock = { ...realClock, now: () => performance.timeOrigin + performance.now() };

/** Resolves with true after ms milliseconds, or with false when the signal is aborted. */
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

/** The delay after a number of consecutive failures (1 = the first). It doubles up to the cap. Half of it is random, to spread out many clients. */
export function backoffMs(failures: number, backoff: Backoff, clock: Clock): number {
  const whole = Math.min(backoff.capMs, backoff.baseMs * 2 ** Math.min(failures - 1, 30));
  return whole / 2 + (whole / 2) * clock.random();
}
