// Listens on one or more ports for HTTP/1.1 and h2c, and ends gracefully, as the server of a careful program does.
import {
  createServer as createHttp1,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttp2, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { IncomingHttpHeaders } from 'node:http2';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tellProtocol } from './protocol.ts';

const MOST_CONNECTIONS = 1000;
const MOST_STREAMS = 1000;

/** Where a port is served. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

export interface Handlers {
  request: RequestListener;
  stream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void;
}

export class Endpoint {
  private readonly listeners: Server[] = [];
  /** These two do not listen: `listeners` hand them connections. Idle connections stay open: clients that use them again lose no request. */
  private readonly http1;
  private readonly http2 = createHttp2({ settings: { maxConcurrentStreams: MOST_STREAMS } });
  private readonly sessions = new Set<ServerHttp2Session>();
  /** Connections of HTTP/1.1, and those that have sent nothing yet, with the number of their open requests. */
  private readonly sockets = new Map<Socket, number>();

  constructor({ request, stream }: Handlers) {
    this.http1 = createHttp1({ keepAliveTimeout: 0 }, (message, response) => {
      this.count(message, response);
      request(message, response);
    });
    this.http2.on('stream', stream);
    this.http2.on('session', (session) => {
      this.sessions.add(session);
      session.once('close', () => this.sessions.delete(session));
      session.on('error', () => session.destroy());
    });
    this.http2.on('sessionError', () => undefined);
  }

  /** Rejects if the address is in use or cannot be used on this machine. */
  async listen({ host, port }: Place): Promise<Place> {
    const server = createServer({ noDelay: true }, (socket) => this.accept(socket));
    server.maxConnections = MOST_CONNECTIONS;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
    this.listeners.push(server);
    return { host, port: (server.address() as AddressInfo).port };
  }

  private accept(socket: Socket): void {
    this.sockets.set(socket, 0);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.sockets.delete(socket));
    tellProtocol(socket, (protocol) => {
      if (protocol === 'h2c') this.sockets.delete(socket);
      (protocol === 'h2c' ? this.http2 : this.http1).emit('connection', socket);
    });
  }

  private count({ socket }: IncomingMessage, response: ServerResponse): void {
    const add = (n: number): void => void this.sockets.set(socket, (this.sockets.get(socket) ?? 0) + n);
    add(1);
    response.once('close', () => {
      if (this.sockets.has(socket)) add(-1);
    });
  }

  /** Accepts no connections any more, and closes those without an open request. Resolves when the last one is closed. */
  async end(): Promise<void> {
    const closed = this.listeners.map((server) => new Promise((resolve) => server.close(resolve)));
    for (const [socket, open] of this.sockets) if (open === 0) socket.destroy();
    // Sends GOAWAY. Open streams go on.
    for (const session of this.sessions) session.close();
    await Promise.all(closed);
  }

  /** As a killed process. */
  abort(): void {
    for (const socket of this.sockets.keys()) socket.destroy();
    for (const session of this.sessions) session.destroy();
  }
}
