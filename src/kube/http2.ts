// Watches over HTTP/2, many on one connection. A connection for each watch takes five times the memory and ten times the CPU time to open.
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { isIP } from 'node:net';
import { connect as connectTls, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import type { Credentials } from './connection.ts';
import { NetworkError } from './errors.ts';
import { withoutBrackets } from './proxy.ts';

/** The part of an answer that the client reads, of both versions of HTTP. */
export interface Answer extends AsyncIterable<Buffer> {
  readonly statusCode?: number | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  destroy(): unknown;
}

export interface Http2Options {
  readonly server: URL;
  readonly tls: Credentials['tls'];
  /** A connection without any frame for this long is asked for a sign of life. Default 30 s, as in client-go. */
  readonly quietMs?: number;
  /** A connection that does not give this sign in time, or is not made in time, is closed. Default 15 s. */
  readonly answerMs?: number;
}

/** Also where the server allows more: a stuck connection delays no more releases than this. An API server allows 100 or 250. */
const MOST_STREAMS = 100;
/** Bytes in flight on a connection. With the default of 64 kB, its watches wait for each other in a burst. */
const WINDOW_BYTES = 1024 * 1024;

interface Session {
  readonly session: ClientHttp2Session;
  readonly most: number;
  streams: number;
}

export class Http2Watches {
  private readonly options: Http2Options;
  private readonly secureContext: SecureContext;
  private readonly sessions = new Set<Session>();
  private connecting: Promise<void> | undefined;
  private isRefused = false;
  private isRetired = false;

  constructor(options: Http2Options) {
    this.options = options;
    this.secureContext = createSecureContext(options.tls);
  }

  /** Resolves when the headers of the answer have arrived. Undefined: the server, or what is in front of it, does not speak HTTP/2. */
  async open(
    target: URL,
    headers: Record<string, string | string[]>,
    signal: AbortSignal,
  ): Promise<Answer | undefined> {
    const { constants } = await import('node:http2');
    const chosen = await this.choose(signal);
    if (!chosen) return undefined;
    const stream = chosen.session.request(
      { ':path': target.pathname + target.search, ...headers },
      { endStream: true },
    );
    const end = (): void => {
      stream.close(constants.NGHTTP2_CANCEL);
      stream.destroy();
    };
    signal.addEventListener('abort', end, { once: true });
    stream.once('close', () => {
      signal.removeEventListener('abort', end);
      this.count(chosen, -1);
    });
    // Aborted since a connection was chosen.
    if (signal.aborted) end();
    const answered = await headersOf(stream);
    return {
      statusCode: answered[':status'],
      headers: answered,
      destroy: end,
      [Symbol.asyncIterator]: () => chunksOf(stream, chosen.session),
    };
  }

  /** Opens no more watches. Each connection is closed when its last watch has ended. */
  retire(): void {
    this.isRetired = true;
    for (const { session } of this.sessions) session.close();
  }

  close(): void {
    this.isRetired = true;
    for (const { session } of this.sessions) session.destroy();
  }

  /** A connection with room for one more watch, which is counted. */
  private async choose(signal: AbortSignal): Promise<Session | undefined> {
    while (!this.isRefused) {
      signal.throwIfAborted();
      for (const one of this.sessions) {
        if (one.session.closed || one.streams >= one.most) continue;
        this.count(one, 1);
        return one;
      }
      if (this.isRetired) throw new NetworkError('the client is closed', 'ECLOSED');
      await (this.connecting ??= this.connect().finally(() => (this.connecting = undefined)));
    }
    return undefined;
  }

  private async connect(): Promise<void> {
    const { connect } = await import('node:http2');
    const { server, answerMs = 15_000 } = this.options;
    const socket = this.socket();
    const timer = setTimeout(() => socket.destroy(new NetworkError('no connection in time', 'ETIMEDOUT')), answerMs);
    try {
      await happens(socket, 'secureConnect');
      if (socket.alpnProtocol !== 'h2') {
        this.isRefused = true;
        socket.destroy();
        return;
      }
      const session = connect(server, { createConnection: () => socket, settings: { enablePush: false } });
      session.on('error', () => undefined);
      // The number of streams that the server allows is known from here on.
      await happens(session, 'remoteSettings');
      session.setLocalWindowSize(WINDOW_BYTES);
      this.keep(session);
    } finally {
      clearTimeout(timer);
    }
  }

  private keep(session: ClientHttp2Session): void {
    const most = Math.min(MOST_STREAMS, session.remoteSettings.maxConcurrentStreams ?? MOST_STREAMS);
    const one: Session = { session, most, streams: 0 };
    this.sessions.add(one);
    session.once('close', () => this.sessions.delete(one));
    this.guard(session);
    session.unref();
    if (this.isRetired) session.close();
  }

  /** Destroys a connection that gives no sign of life, so that its watches are opened again on another one. */
  private guard(session: ClientHttp2Session): void {
    const { quietMs = 30_000, answerMs = 15_000 } = this.options;
    // Called once, when there was no frame for this long.
    session.setTimeout(quietMs, () => {
      const dead = new NetworkError('the connection is dead', 'ETIMEDOUT');
      const timer = setTimeout(() => session.destroy(dead), answerMs).unref();
      session.ping(() => {
        clearTimeout(timer);
        if (!session.destroyed) this.guard(session);
      });
    });
  }

  /** As with HTTP/1.1, a connection without watches does not keep the process running. One such connection is kept. */
  private count(one: Session, change: 1 | -1): void {
    const { session } = one;
    one.streams += change;
    if (session.destroyed) return;
    if (one.streams > 0) return void session.ref();
    session.unref();
    if (this.sessions.size > 1) session.close();
  }

  private socket(): TLSSocket {
    const { server, tls } = this.options;
    const host = withoutBrackets(server.hostname);
    const socket = connectTls({
      ...(isIP(host) ? {} : { servername: host }),
      ...tls,
      host,
      port: Number(server.port || 443),
      secureContext: this.secureContext,
      ALPNProtocols: ['h2', 'http/1.1'],
    });
    return socket.setNoDelay(true).setKeepAlive(true, 30_000);
  }
}

/** Rejects when the emitter fails or closes before. */
const happens = (emitter: NodeJS.EventEmitter, event: string): Promise<void> =>
  new Promise((resolve, reject) => {
    emitter.once(event, () => resolve());
    emitter.once('error', reject);
    emitter.once('close', () => reject(new NetworkError('the connection was closed without a response', 'NORESPONSE')));
  });

const headersOf = (stream: ClientHttp2Stream): Promise<IncomingHttpHeaders & { ':status'?: number }> =>
  new Promise((resolve, reject) => {
    stream.once('response', resolve);
    // Stays: an error may come when nobody reads any more.
    stream.on('error', reject);
    stream.once('close', () => reject(new NetworkError('the connection was closed without a response', 'NORESPONSE')));
  });

/** Throws if the stream ends because its connection, or the server, has ended it early. */
async function* chunksOf(stream: ClientHttp2Stream, session: ClientHttp2Session): AsyncGenerator<Buffer> {
  yield* stream as AsyncIterable<Buffer>;
  if (stream.rstCode !== 0 || session.destroyed)
    throw new NetworkError('the connection was closed before the end', 'ECONNRESET');
}
