// The first steps of the program, which fail for reasons that a person can put right: one clear line each.
import type { Config } from './config.ts';
import type { Api } from '../kube/api.ts';
import { backoffMs, realClock as clock, sleep } from '../kube/clock.ts';
import { ApiError, NetworkError } from '../kube/errors.ts';
import { whoAmI } from '../kube/self.ts';
import type { Logger } from '../telemetry/logger.ts';

/** The program cannot run with what it was given; the message is one line that says what to do. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/** One clear line when a port cannot be had. */
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
      throw new StartError(`port ${port} is in use: stop what listens there, or ${remedy}`, { cause: error });
    }
    if (code === 'EACCES') {
      throw new StartError(`not allowed to listen on port ${port}: ${remedy} with a port above 1023`, { cause: error });
    }
    throw error;
  }
}

export interface Introduction {
  readonly config: Config;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Who we are to the API server. Outside a cluster one that cannot be reached is a mistake; inside, we wait for it. */
export async function introduce({ config, logger, signal }: Introduction, api: Api, server: URL): Promise<string> {
  for (let failures = 1; ; failures++) {
    try {
      return await whoAmI(api, signal);
    } catch (error) {
      if (error instanceof ApiError && error.code < 500 && error.code !== 429) {
        const remedy =
          error.code === 404
            ? 'it is older than Kubernetes 1.28, use a newer one'
            : 'log in again, or pass --kubeconfig FILE with credentials that kubectl can use';
        throw new StartError(`the API server ${server.origin} answers ${error.code} (${error.message}): ${remedy}`, {
          cause: error,
        });
      }
      if (!(error instanceof ApiError || error instanceof NetworkError)) throw error;
      if (config.cluster.type === 'kubeconfig') {
        throw new StartError(
          `no API server answers at ${server.origin} (${error.message}): start the cluster, or pass --kubeconfig FILE with another one`,
          { cause: error },
        );
      }
      logger.warn('the API server does not answer, will try again', { error });
      await sleep(clock, backoffMs(failures, { baseMs: 1_000, capMs: 15_000 }, clock), signal);
      signal.throwIfAborted();
    }
  }
}
