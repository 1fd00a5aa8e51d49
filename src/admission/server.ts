// The webhook server: TLS that takes up a new certificate without a restart, and an orderly end.
import { createServer } from 'node:https';
import { listening } from '../telemetry/listening.ts';
import { createApp } from './app.ts';
import type { AdmissionDeps, KeyPair } from './deps.ts';

export interface AdmissionServer {
  /** Resolves with the port (0 asks for a free one); rejects when it cannot be had. */
  listen(port: number, host?: string): Promise<number>;
  /** New connections get the new certificate. A pair that is none throws, and the old one stays. */
  reload(pair: KeyPair): void;
  /** Takes no new connection, answers what has been asked, and cuts off what is still open after the grace. */
  close(graceMs?: number): Promise<void>;
}

/** The chart gives our answers 5 s; a client that is slower than that to ask is cut off first. */
const REQUEST_TIMEOUT_MS = 4_000;
/** Go clients keep idle connections for 90 s: ours must not be the side that hangs up. */
const KEEP_ALIVE_MS = 120_000;
const GRACE_MS = 10_000;

export function createAdmissionServer(deps: AdmissionDeps, requestTimeoutMs = REQUEST_TIMEOUT_MS): AdmissionServer {
  let draining = false;
  const server = createServer(
    {
      ...deps.tls,
      minVersion: 'TLSv1.2',
      requestTimeout: requestTimeoutMs,
      headersTimeout: requestTimeoutMs,
      handshakeTimeout: requestTimeoutMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: Math.min(1_000, requestTimeoutMs),
    },
    createApp(deps, () => draining),
  );
  const { listen, close } = listening(server);

  return {
    listen,
    reload: ({ key, cert }) => server.setSecureContext({ key, cert, minVersion: 'TLSv1.2' }),
    close(graceMs = GRACE_MS) {
      draining = true;
      return close(graceMs);
    },
  };
}
