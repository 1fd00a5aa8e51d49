// Runs the stand-ins for OpenKruise's controllers against an API server, for tests only: they look several times a second.
import { createApi } from '../../../src/kube/client.ts';
import { connect } from '../../../src/kube/connection.ts';
import { reconcileAll } from './controllers.ts';

const EVERY_MS = 150;

/** `kubeconfig`: a file, with the rights of an administrator. Returns how to stop. */
export async function startPolling(kubeconfig: string): Promise<() => Promise<void>> {
  const connection = await connect({ type: 'kubeconfig', files: [kubeconfig] });
  const api = createApi({ connection, userAgent: 'kruise-stand-in', fieldManager: 'kruise-manager' });
  let stopped = false;
  const running = (async () => {
    while (!stopped) {
      await reconcileAll(
        (method, path, body, type) =>
          api.request({
            method: method as 'GET',
            path,
            ...(body && { body }),
            ...(type && { contentType: type as 'application/merge-patch+json' }),
          }),
        { now: Date.now, random: Math.random },
      ).catch((error: unknown) => void (process.env['TRANCHE_DEBUG'] && console.error(error)));
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  })();
  return async () => {
    stopped = true;
    await running;
    api.close();
  };
}
