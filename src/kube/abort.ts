// An AbortController that follows other signals until it is unlinked. AbortSignal.any keeps each follower until the followed signal is collected.

export interface Link {
  readonly signal: AbortSignal;
  readonly abort: () => void;
  /** Stops following the other signals. */
  readonly unlink: () => void;
}

/** The returned signal is aborted when one of the given signals is aborted, or by `abort`. */
export function link(...signals: readonly (AbortSignal | undefined)[]): Link {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  for (const signal of signals) {
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  }
  const unlink = (): void => {
    for (const signal of signals) signal?.removeEventListener('abort', abort);
  };
  return { signal: controller.signal, abort, unlink };
}

/** Resolves when the signal is aborted. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
