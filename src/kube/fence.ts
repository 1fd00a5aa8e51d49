// An Api for the leader: it sends no writes after the process has lost the lead.
import type { Api, ApiCall } from './api.ts';
import { link } from './abort.ts';

/** The write was not sent, because another process may lead. */
export class NotLeadingError extends Error {
  override readonly name = 'NotLeadingError';
  readonly code = 'NOTLEADING';
}

/**
 * Calls `leads` immediately before each write, because a process that was paused may not know yet that it has lost the lead. Cancels all
 * calls when `lost` is aborted. A write that was sent a moment before may still arrive; the preconditions of writes cover that case.
 */
export function fenced(api: Api, leads: () => boolean, lost: AbortSignal): Api {
  const run = async <T>(call: ApiCall, send: (call: ApiCall) => Promise<T>): Promise<T> => {
    if (lost.aborted || (call.method !== 'GET' && !leads()))
      throw new NotLeadingError('this process is no longer the leader');
    const { signal, unlink } = link(lost, call.signal);
    try {
      return await send({ ...call, signal });
    } finally {
      unlink();
    }
  };
  return {
    request: (call) => run(call, (linked) => api.request(linked)),
    watch: (call, onLine) => run(call, (linked) => api.watch(linked, onLine)),
  };
}
