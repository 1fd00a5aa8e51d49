// A client that can only read: --read-only holds even if a part of the dashboard asks for more.
import type { ApiClient } from '../../kube/client.ts';

/** Throws for every request that is not get, list or watch. */
export const readOnly = (api: ApiClient): ApiClient => ({
  request: async (call) => {
    if (call.method !== 'GET') throw new Error(`${call.method} ${call.path}: this dashboard is read-only`);
    return api.request(call);
  },
  watch: (call, onLine) =>
    call.method === 'GET'
      ? api.watch(call, onLine)
      : Promise.reject(new Error(`${call.method} ${call.path}: this dashboard is read-only`)),
  close: () => api.close(),
});
