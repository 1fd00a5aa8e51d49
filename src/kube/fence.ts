// What a leader writes with: an Api that writes nothing any more as soon as the process does not lead.
import type { Api, ApiCall } from './api.ts';
import { link } from './abort.ts';

/** The write was not sent: another process may lead by now. */
export class NotLeadingError extends Error {
  override readonly name = 'NotLeadingError';
  readonly code = 'NOTLEADING';
}

/**
 * Asks `leads` immediately before each write, since a process that was paused may not have heard yet that it leads no longer, and ends
 * all that is under way when `lost` says so. What was sent a moment before may still arrive: writes have preconditions for that.
 */
export function fenced(api: Api, leads: () => boolean, lost: AbortSignal): Api {
  const run = async <T>(call: ApiCall, send: (call: ApiCall) => Promise<T>): Promise<T> => {
    if (lost.aborted || (call.method !== 'GET' && !leads()))
      throw new NotLeadingError('this process does not lead any more');
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
