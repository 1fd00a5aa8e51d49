// Starts a server on a port, and closes it gracefully.
import type { Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface Listening {
  /** Resolves with the port. With port 0, the system chooses a free port. Rejects if the port is not available. */
  listen(port: number, host?: string): Promise<number>;
  /** Accepts no new connections, waits for open requests, and closes the remaining connections after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

export function listening(server: Server): Listening {
  // Node's closeAllConnections does not close connections in a TLS handshake.
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
