// A server and its port: taken, and given back with a grace for what is still being answered.
import type { Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface Listening {
  /** Resolves with the port, which the system chose if it was 0. Rejects when the port cannot be had. */
  listen(port: number, host?: string): Promise<number>;
  /** Takes no new connection, lets those that are busy end, and cuts off what is still open after the grace. */
  close(graceMs: number): Promise<void>;
}

export function listening(server: Server): Listening {
  // Node's closeAllConnections does not know those that are still shaking hands.
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return {
    listen: (port, host) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
          server.off('error', reject);
          resolve((server.address() as AddressInfo).port);
        });
      }),
    async close(graceMs) {
      if (!server.listening) return;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const cutOff = setTimeout(() => sockets.forEach((socket) => socket.destroy()), graceMs);
      await closed;
      clearTimeout(cutOff);
    },
  };
}
