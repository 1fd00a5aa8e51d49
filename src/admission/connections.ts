// Bounds the connections of a server. When there are too many, those go first that have been asking for nothing for the longest time, of
// the address that has the most: one address cannot take the room of all others.
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

interface Open {
  readonly socket: Socket;
  readonly address: string;
  /** A turn of it began: it was opened, or its last answer went out, or a request began to come in. */
  since: number;
  /** A whole request of it is being answered: that ends by itself. */
  answering: boolean;
}

/** An API server asks for each request that waits for us on a connection of its own. */
export const MAX_CONNECTIONS = 512;

export function boundConnections(server: Server, max: number, onCut?: () => void): void {
  const all = new Map<string, Open>();
  let turns = 0;
  // Of TLS, the socket of a request is not the one that was opened: what both know is the other end.
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
