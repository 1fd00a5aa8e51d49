// Limits the number of connections of a server. If there are too many, it closes the connection that has been idle the longest of the address with
// the most connections, so that one address cannot block the others.
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

interface Open {
  readonly socket: Socket;
  readonly address: string;
  /** Order of its last activity: opened, a request received, or a response sent. */
  since: number;
  /** A complete request is being answered. */
  answering: boolean;
}

/** An API server uses one connection for each concurrent request. */
export const MAX_CONNECTIONS = 512;

export function boundConnections(server: Server, max: number, onCut?: () => void): void {
  const all = new Map<string, Open>();
  let turns = 0;
  // With TLS, the socket of a request differs from the opened one. Both have the same remote address and port.
  const keyOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;

  server.on('connection', (socket: Socket) => {
    const key = keyOf(socket);
    const open: Open = { socket, address: socket.remoteAddress ?? '', since: turns++, answering: false };
    all.set(key, open);
    socket.once('close', () => {
      if (all.get(key) === open) all.delete(key);
    });
    if (all.size <= max) return;
    onCut?.();
    (victimOf(all.values()) ?? open).socket.destroy();
  });
  server.prependListener('request', (request, response) => {
    const open = all.get(keyOf(request.socket));
    if (!open) return;
    open.since = turns++;
    request.once('end', () => (open.answering = !response.writableFinished));
    response.once('close', () => {
      open.answering = false;
      open.since = turns++;
    });
  });
}

function victimOf(open: Iterable<Open>): Open | undefined {
  const byAddress = new Map<string, Open[]>();
  for (const one of open) {
    const list = byAddress.get(one.address);
    if (list) list.push(one);
    else byAddress.set(one.address, [one]);
  }
  const most = [...byAddress.values()].reduce((a, b) => (b.length > a.length ? b : a));
  return most
    .filter(({ answering }) => !answering)
    .reduce<Open | undefined>(
      (oldest, one) => (oldest === undefined || one.since < oldest.since ? one : oldest),
      undefined,
    );
}
