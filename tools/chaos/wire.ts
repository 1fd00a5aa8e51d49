// A network that can be cut: a TCP proxy that refuses or resets connections, or drops all packets, until it is healed.
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';

/** Refused: the port is closed. Reset: all connections are reset. Silent: packets are lost until it is healed, but connections survive. */
export type Cut = 'refuse' | 'reset' | 'silence';

interface Pair {
  readonly near: Socket;
  far: Socket | undefined;
}

export class Wire {
  private readonly target: () => number | undefined;
  private readonly pairs = new Set<Pair>();
  private server: Server | undefined;
  private how: Cut | undefined;
  port = 0;

  /** `target` returns the target port for each connection. Undefined = there is no target. */
  constructor(target: () => number | undefined) {
    this.target = target;
  }

  async open(): Promise<void> {
    const server = createServer({ pauseOnConnect: true }, (near) => this.accept(near));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(this.port, '127.0.0.1', resolve);
    });
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
  }

  cut(how: Cut): void {
    this.how = how;
    if (how === 'silence') {
      for (const pair of this.pairs) halt(pair);
      return;
    }
    if (how === 'refuse') this.shut();
    this.drop();
  }

  async heal(): Promise<void> {
    const { how } = this;
    this.how = undefined;
    if (how === 'refuse') await this.open();
    if (how === 'silence') for (const pair of this.pairs) this.join(pair);
  }

  /** Closes all connections. */
  drop(): void {
    for (const { near, far } of this.pairs) {
      near.resetAndDestroy();
      far?.resetAndDestroy();
    }
  }

  close(): void {
    this.shut();
    this.drop();
  }

  /** Closes the port. Existing connections stay open. */
  private shut(): void {
    this.server?.close();
    this.server = undefined;
  }

  private accept(near: Socket): void {
    if (this.how === 'reset') return void near.resetAndDestroy();
    const pair: Pair = { near, far: undefined };
    this.pairs.add(pair);
    this.tie(near, pair);
    if (this.how !== 'silence') this.join(pair);
  }

  /** Forwards bytes in both directions. */
  private join(pair: Pair): void {
    const { near } = pair;
    if (near.destroyed) return;
    if (!pair.far) {
      const port = this.target();
      if (port === undefined) return void near.resetAndDestroy();
      pair.far = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      this.tie(pair.far, pair);
    }
    near.pipe(pair.far);
    pair.far.pipe(near);
  }

  /** Closes both ends if one of them is closed. */
  private tie(socket: Socket, pair: Pair): void {
    socket.setNoDelay(true);
    let failed = false;
    socket.on('error', () => (failed = true));
    socket.on('close', () => {
      this.pairs.delete(pair);
      const other = socket === pair.near ? pair.far : pair.near;
      if (failed) other?.resetAndDestroy();
      else other?.destroySoon();
    });
  }
}

function halt({ near, far }: Pair): void {
  if (!far) return;
  near.unpipe(far).pause();
  far.unpipe(near).pause();
}
