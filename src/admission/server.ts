// The webhook server: TLS that takes up a new certificate without a restart, a bounded number of connections, and an orderly end.
import { createServer } from 'node:https';
import type { SecureContextOptions } from 'node:tls';
import type { Clock } from '../kube/api.ts';
import { listening } from '../telemetry/listening.ts';
import { createApp } from './app.ts';
import { boundConnections, MAX_CONNECTIONS } from './connections.ts';
import type { AdmissionDeps, KeyPair } from './deps.ts';
import type { Lane } from './lane.ts';

export interface AdmissionServer {
  /** Resolves with the port (0 asks for a free one); rejects when it cannot be had. */
  listen(port: number, host?: string): Promise<number>;
  /** New connections get the new certificate, and are checked by what `peers` says now. A pair that is none throws, and the old one stays. */
  reload(pair: KeyPair): void;
  /** Takes no new connection, answers what has been asked, and cuts off what is still open after the grace. */
  close(graceMs?: number): Promise<void>;
}

/** The chart gives our answers 5 s; a client that is slower than that to ask is cut off first. */
const REQUEST_TIMEOUT_MS = 4_000;
/** Go clients keep idle connections for 90 s: ours must not be the side that hangs up. */
const KEEP_ALIVE_MS = 120_000;
const GRACE_MS = 10_000;

export interface ServerLimits {
  readonly clock?: Clock;
  readonly lane?: Lane;
  readonly requestTimeoutMs?: number;
  readonly connections?: number;
}

export function createAdmissionServer(deps: AdmissionDeps, limits: ServerLimits = {}): AdmissionServer {
  const { requestTimeoutMs = REQUEST_TIMEOUT_MS, connections = MAX_CONNECTIONS } = limits;
  let draining = false;
  const context = ({ key, cert }: KeyPair): SecureContextOptions => ({
    key,
    cert,
    minVersion: 'TLSv1.2',
    ...(deps.peers && { ca: deps.peers().ca }),
  });
  const server = createServer(
    {
      ...context(deps.tls),
      // Told apart by request, not by connection: a conversion webhook is called without a certificate.
      requestCert: deps.peers !== undefined,
      rejectUnauthorized: false,
      requestTimeout: requestTimeoutMs,
      headersTimeout: requestTimeoutMs,
      handshakeTimeout: requestTimeoutMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: Math.min(1_000, requestTimeoutMs),
    },
    createApp(deps, { isDraining: () => draining, ...limits }),
  );
  boundConnections(server, connections);
  const { listen, close } = listening(server);

  return {
    listen,
    reload: (pair) => server.setSecureContext(context(pair)),
    close(graceMs = GRACE_MS) {
      draining = true;
      return close(graceMs);
    },
  };
}
