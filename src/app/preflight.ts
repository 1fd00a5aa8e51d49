// The first steps at startup: binding ports and connecting to the API server. Each failure is one line that says what to do.
import type { Config } from './config.ts';
import type { Api } from '../kube/api.ts';
import { backoffMs, realClock as clock, sleep } from '../kube/clock.ts';
import { ApiError, NetworkError } from '../kube/errors.ts';
import { whoAmI } from '../kube/self.ts';
import type { Logger } from '../telemetry/logger.ts';

/** The program cannot start. The message is one line that says what to do. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/** Listens on a port. Throws StartError if the port is in use or not permitted. */
export async function bind(
  what: 'metrics' | 'webhook',
  port: number,
  listen: (port: number) => Promise<number>,
): Promise<number> {
  try {
    return await listen(port);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const remedy = `pass --${what}-port PORT`;
    if (code === 'EADDRINUSE') {
      throw new StartError(`port ${port} is in use: stop the other program, or ${remedy}`, { cause: error });
    }
    if (code === 'EACCES') {
      throw new StartError(`permission denied to listen on port ${port}: ${remedy} with a port above 1023`, {
        cause: error,
      });
    }
    throw error;
  }
}

export interface PreflightOptions {
  readonly config: Pick<Config, 'cluster'>;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * Returns the username that the API server sees. If the API server cannot be reached, it retries inside a cluster and throws StartError
 * outside. Throws StartError if the API server refuses the request.
 */
export async function waitForApiServer(
  { config, logger, signal }: PreflightOptions,
  api: Api,
  server: URL,
): Promise<string> {
  for (let failures = 1; ; failures++) {
    try {
      return await whoAmI(api, signal);
    } catch (error) {
      if (error instanceof ApiError && error.code < 500 && error.code !== 429) {
        const remedy =
          error.code === 404
            ? 'Kubernetes 1.28 or newer is required'
            : 'log in again, or pass --kubeconfig FILE with credentials that kubectl can use';
        throw new StartError(
          `the API server ${server.origin} responds with ${error.code} (${error.message}): ${remedy}`,
          {
            cause: error,
          },
        );
      }
      if (!(error instanceof ApiError || error instanceof NetworkError)) throw error;
      if (config.cluster.type === 'kubeconfig') {
        throw new StartError(
          `cannot connect to the API server at ${server.origin} (${error.message}): start the cluster, or pass --kubeconfig FILE for another one`,
          { cause: error },
        );
      }
      logger.warn('the API server does not respond, retrying', { error });
      await sleep(clock, backoffMs(failures, { baseMs: 1_000, capMs: 15_000 }, clock), signal);
      signal.throwIfAborted();
    }
  }
}
