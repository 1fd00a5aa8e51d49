// An AbortController that follows others for a while: AbortSignal.any would keep every short-lived follower on a signal that lives as long as we do.

export interface Link {
  readonly signal: AbortSignal;
  readonly abort: () => void;
  /** Follows no longer. */
  readonly unlink: () => void;
}

/** Aborted as soon as one of the signals is, or by itself. */
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
