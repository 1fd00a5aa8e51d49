// The webhook server: TLS with certificate reload, a limited number of connections, and graceful shutdown.
import { createServer } from 'node:https';
import type { SecureContextOptions } from 'node:tls';
import type { Clock } from '../kube/api.ts';
import { listening } from '../telemetry/listening.ts';
import { createApp } from './app.ts';
import { boundConnections, MAX_CONNECTIONS } from './connections.ts';
import type { AdmissionDeps, KeyPair } from './deps.ts';
import type { Lane } from './lane.ts';

export interface AdmissionServer {
  /** Resolves with the port. 0 selects a free one. Rejects if it cannot listen. */
  listen(port: number, host?: string): Promise<number>;
  /** Uses the certificate and the current CA of `peers` for new connections. Throws for an invalid pair, and the old one stays in use. */
  reload(pair: KeyPair): void;
  /** Stops listening, answers pending requests, and closes the remaining connections after the grace period. */
  close(graceMs?: number): Promise<void>;
}

/** Shorter than the webhooks' timeout of 5 s in the chart. */
const REQUEST_TIMEOUT_MS = 4_000;
/** Longer than the 90 s of Go clients, so that the client closes idle connections. */
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
      // Checked for each request, because conversion webhooks are called without a certificate.
      requestCert: deps.peers !== undefined,
      rejectUnauthorized: false,
      requestTimeout: requestTimeoutMs,
      headersTimeout: requestTimeoutMs,
      handshakeTimeout: requestTimeoutMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
      // Each check wakes an idle program. So a slow request lasts for at most twice the timeout.
      connectionsCheckingInterval: requestTimeoutMs,
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
