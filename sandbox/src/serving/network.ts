// Addresses for Pods that serve: a network of 127.0.0.0/8 for each cluster on this machine. Linux lets a program listen on any of them.
import { createServer } from 'node:net';

/** A listener on this address marks a network as taken. */
const MARK = { host: '255.254', port: 6443 };

export interface Network {
  /** `127.N`. Undefined: the machine has one loopback address only, as macOS has. */
  readonly prefix: string | undefined;
  close(): void;
}

/** `random`: a number in [0, 1). `others`: false to do as on a machine that has only 127.0.0.1. */
export async function takeNetwork(random: () => number, others = true): Promise<Network> {
  const first = Math.floor(random() * 200);
  for (let i = 0; others && i < 200; i++) {
    const prefix = `127.${16 + ((first + i) % 200)}`;
    const mark = createServer();
    const problem = await new Promise<string | undefined>((resolve) => {
      mark.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code ?? 'unknown'));
      mark.listen(MARK.port, `${prefix}.${MARK.host}`, () => resolve(undefined));
    });
    mark.unref();
    if (problem === undefined) return { prefix, close: () => void mark.close() };
    if (problem !== 'EADDRINUSE') break;
  }
  return { prefix: undefined, close: () => undefined };
}

/** Numbers for the last two parts of an address. */
const ADDRESSES = 250 * 250;

/** The nth address of a network: 127.N.0.1 to 127.N.249.250. */
export const addressIn = (prefix: string, n: number): string =>
  `${prefix}.${Math.floor((n % ADDRESSES) / 250)}.${(n % 250) + 1}`;
