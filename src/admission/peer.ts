// Who asks: an API server that shows a client certificate, where the program is told who signs it.
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

export interface PeerCheck {
  /** PEM: who may sign the client certificates of API servers. */
  readonly ca: string;
  /** Common names that count; none = all that are signed. */
  readonly names: readonly string[];
}

/** Why this peer may not ask for an admission; undefined when it may. */
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
