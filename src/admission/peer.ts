// Tells who calls: checks the client certificate of a caller, if a CA for API servers is configured.
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

export interface PeerCheck {
  /** CA of the API servers' client certificates, in PEM. */
  readonly ca: string;
  /** Accepted common names. Empty means all signed certificates. */
  readonly names: readonly string[];
}

/** Why this caller is refused. Undefined if it is accepted. */
export function peerFlaw(socket: Socket, check: PeerCheck | undefined): string | undefined {
  if (check === undefined) return undefined;
  if (!(socket instanceof TLSSocket)) return 'no TLS';
  const certificate = socket.getPeerCertificate() as { readonly subject?: { readonly CN?: unknown } } | undefined;
  if (certificate?.subject === undefined) return 'no client certificate';
  if (!socket.authorized)
    return 'the client certificate is not signed by the CA of --webhook-client-ca, or not valid now';
  const { CN: name } = certificate.subject;
  if (check.names.length === 0 || (typeof name === 'string' && check.names.includes(name))) return undefined;
  return 'the common name of the client certificate is not one of --webhook-client-names';
}

/** The sender of a request: an API server that has proved it, or an address. */
export interface Client {
  /** Equal for requests of the same client. */
  readonly key: string;
  /** It has shown the client certificate of an API server. */
  readonly verified: boolean;
}

const VERIFIED: Client = { key: 'API server', verified: true };

/** Without a certificate, clients are told apart by their addresses. */
export const clientOf = (socket: Socket, check: PeerCheck | undefined): Client =>
  check !== undefined && peerFlaw(socket, check) === undefined
    ? VERIFIED
    : { key: socket.remoteAddress ?? '', verified: false };
