// A port that nobody listens on.
import { createServer, type AddressInfo } from 'node:net';

/** Free when asked; whoever needs it takes it soon. */
export const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
