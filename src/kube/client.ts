// The HTTPS client for the API server: raw JSON, a bounded pool of persistent connections, watches that share connections, and a timeout for each request.
import { createHash } from 'node:crypto';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { link } from './abort.ts';
import type { Api, ApiCall, WatchLine } from './api.ts';
import type { Connection, Credentials } from './connection.ts';
import { ApiError, NetworkError, type Status } from './errors.ts';
import { Http2Watches, type Answer } from './http2.ts';
import { readItems } from './items.ts';
import { parseWithoutManagedFields } from './without-managed-fields.ts';
import { linesOf } from './lines.ts';
import { assertSafePath, PathError } from './path.ts';
import { PlainTunnelAgent, TunnelAgent } from './tunnel.ts';
import { Turns } from './turns.ts';

export interface ApiClientOptions {
  readonly connection: Connection;
  /** E.g. `tranche/0.1.0`. */
  readonly userAgent: string;
  /** Field manager of the writes. */
  readonly fieldManager: string;
  /** For each request, from the time when it has a connection. Default 30 s. An API server limits a request to 60 s, and usually answers much earlier. */
  readonly timeoutMs?: number;
  /** Maximum number of connections for requests. Default 16. Urgent requests have another one, and watches share others (http2.ts). */
  readonly connections?: number;
  /** Maximum size of one answer, or of one line of a watch. Default 64 MiB, enough for a page of 500 large objects. */
  readonly maxBytes?: number;
  /** Receives the warnings of the API server, e.g. about a deprecated version or from an admission webhook. */
  readonly onWarning?: (text: string) => void;
}

/**
 * When a leader starts, it opens two watches for each release in progress. More at once would delay every other request: with HTTP/1.1, the
 * handshakes of all of them compete for the processor.
 */
const OPENING_WATCHES = 16;
/** A server that accepts a watch and does not answer may delay others no longer than this. */
const OPENING_MS = 1_000;

type Headers = Record<string, string | string[]>;
type PoolName = 'request' | 'urgent' | 'watch';

export interface ApiClient extends Api {
  /** Closes all connections, including those in use. */
  close(): void;
}

export function createApi(options: ApiClientOptions): ApiClient {
  const { connection, timeoutMs = 30_000, maxBytes = 64 * 1024 * 1024 } = options;
  const pools = new Pools(connection, options.connections ?? 16);
  const opening = new Turns(OPENING_WATCHES, OPENING_MS);

  /** Sends a call. Resolves when the headers of the answer have arrived. `onStart` is called when the call has a connection. */
  async function send(
    call: ApiCall,
    kind: PoolName,
    signal: AbortSignal,
    onStart?: () => void,
  ): Promise<IncomingMessage> {
    const credentials = await connection.credentials();
    const url = urlOf(connection.server, call, options.fieldManager);
    const body = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body));
    const headers: Headers = {
      ...headersFor(credentials),
      ...(body
        ? { 'content-type': call.contentType ?? 'application/json', 'content-length': String(body.length) }
        : {}),
    };
    const agent = pools.get(kind, credentials);
    const attempt = (): Promise<IncomingMessage> =>
      new Promise((resolve, reject) => {
        const { request: open } = connection.server.protocol === 'http:' ? http : https;
        let answer: IncomingMessage | undefined;
        const request = open(url, { method: call.method, headers, agent }, (response) => resolve((answer = response)));
        // The option `signal` is not used: an abort during the last line would destroy a connection that is already back in the pool.
        // The pool has no error listener, so that error would end the process.
        const giveUp = (): void => void (answer?.complete || request.destroy(signal.reason as Error));
        if (signal.aborted) giveUp();
        signal.addEventListener('abort', giveUp, { once: true });
        if (onStart) request.on('socket', onStart);
        request.on('close', () => {
          signal.removeEventListener('abort', giveUp);
          // An answer with another protocol is neither a response nor an error. After one of these, this does nothing.
          reject(new NetworkError('the connection was closed without a response', 'NORESPONSE'));
        });
        request.on('error', (error: NodeJS.ErrnoException) => {
          // The server closed a persistent connection while it was reused. Only a GET is safe to send again.
          // An error after the answer has begun goes to the reader of the answer.
          const unanswered = answer === undefined && request.reusedSocket && error.code === 'ECONNRESET';
          if (unanswered && call.method === 'GET' && !signal.aborted) return resolve(attempt());
          reject(error);
        });
        request.end(body);
      });
    return attempt();
  }

  const headersFor = (credentials: Credentials): Headers => ({
    ...credentials.headers,
    accept: 'application/json',
    'user-agent': options.userAgent,
  });

  /** Opens a watch. Resolves when the headers of the answer have arrived. */
  async function open(call: ApiCall, signal: AbortSignal): Promise<Answer> {
    const credentials = await connection.credentials();
    const url = urlOf(connection.server, call, options.fieldManager);
    const shared = await pools.watches(credentials)?.open(url, headersFor(credentials), signal);
    return shared ?? send(call, 'watch', signal);
  }

  function refusal(response: Answer, text: string): ApiError {
    if (response.statusCode === 401) connection.renew?.();
    return errorOf(response, text);
  }

  async function request(call: ApiCall): Promise<unknown> {
    const { signal, abort, unlink } = link(call.signal);
    let timedOut = false;
    let timer: NodeJS.Timeout | undefined;
    // Time in the queue for a connection is not the server's: with it, a long queue of requests would time out and be queued again.
    const startTimer = (): void => {
      timer ??= setTimeout(() => {
        timedOut = true;
        abort();
      }, timeoutMs);
    };
    try {
      const response = await send(call, call.urgent === true ? 'urgent' : 'request', signal, startTimer);
      if (options.onWarning && call.quiet !== true) warningsOf(response).forEach(options.onWarning);
      if (isError(response)) throw refusal(response, await readAll(response, maxBytes));
      const { onItem } = call;
      const text = await (onItem ? readItems(response, maxBytes, onItem) : readAll(response, maxBytes));
      return text === '' ? undefined : JSON.parse(text);
    } catch (error) {
      throw explain(error, call, connection.server, timedOut ? timeoutMs : undefined);
    } finally {
      clearTimeout(timer);
      unlink();
    }
  }

  async function watch(call: ApiCall, onLine: (line: WatchLine) => void): Promise<void> {
    const signal = call.signal ?? new AbortController().signal;
    const opened = await opening.take(signal);
    try {
      const response = await open(call, signal).finally(opened);
      if (isError(response)) throw refusal(response, await readAll(response, maxBytes));
      for await (const line of linesOf(response, maxBytes)) {
        if (signal.aborted) return;
        onLine(parseWithoutManagedFields(line) as WatchLine);
      }
    } catch (error) {
      if (signal.aborted) return;
      throw explain(error, call, connection.server, undefined);
    }
  }

  return { request, watch, close: () => pools.close() };
}

interface Pool extends Record<PoolName, http.Agent> {
  readonly id: string;
  readonly tls: Credentials['tls'];
  readonly watches: Http2Watches | undefined;
}

/** Connection pools for requests, for urgent ones and for watches. They are replaced when the client certificate or the CA changes. */
class Pools {
  private readonly server: Pick<Connection, 'server' | 'proxy'>;
  private readonly connections: number;
  private readonly made: http.Agent[] = [];
  private readonly shared: Http2Watches[] = [];
  private current: Pool | undefined;

  constructor(server: Pick<Connection, 'server' | 'proxy'>, connections: number) {
    this.server = server;
    this.connections = connections;
  }

  get(kind: PoolName, { tls }: Credentials): http.Agent {
    return this.of(tls)[kind];
  }

  /** Undefined without TLS and through a proxy: then each watch has a connection of its own. */
  watches({ tls }: Credentials): Http2Watches | undefined {
    return this.of(tls).watches;
  }

  private of(tls: Credentials['tls']): Pool {
    if (this.current?.tls === tls) return this.current;
    const id = createHash('sha256').update(JSON.stringify(tls)).digest('hex');
    if (this.current?.id === id) return this.current;
    this.current?.watches?.retire();
    const make = (maxSockets: number): http.Agent => {
      const common = { keepAlive: true, keepAliveMsecs: 30_000, maxSockets };
      const agent = this.agent(common, tls);
      this.made.push(agent);
      return agent;
    };
    const { server, proxy } = this.server;
    const watches = server.protocol === 'https:' && !proxy ? new Http2Watches({ server, tls }) : undefined;
    if (watches) this.shared.push(watches);
    return (this.current = {
      id,
      tls,
      watches,
      request: make(this.connections),
      urgent: make(1),
      watch: make(Infinity),
    });
  }

  private agent(common: http.AgentOptions, tls: Credentials['tls']): http.Agent {
    const { server, proxy } = this.server;
    if (server.protocol === 'http:') return proxy ? new PlainTunnelAgent(proxy, common) : new http.Agent(common);
    const options = { ...common, ...tls };
    return proxy ? new TunnelAgent(proxy, options) : new https.Agent(options);
  }

  close(): void {
    for (const agent of this.made) agent.destroy();
    for (const watches of this.shared) watches.close();
  }
}

const isError = (response: Answer): boolean => (response.statusCode ?? 0) < 200 || response.statusCode! > 299;

function urlOf(server: URL, call: ApiCall, fieldManager: string): URL {
  const url = new URL(server);
  assertSafePath(call.path);
  const path = url.pathname.replace(/\/$/, '') + call.path;
  url.pathname = path;
  if (url.pathname !== path) throw new PathError(`invalid path ${JSON.stringify(path)}: URL normalization changes it`);
  for (const [name, value] of Object.entries(call.query ?? {})) url.searchParams.set(name, value);
  const writes = call.method === 'POST' || call.method === 'PUT' || call.method === 'PATCH';
  if (writes && !url.searchParams.has('fieldManager')) url.searchParams.set('fieldManager', fieldManager);
  return url;
}

async function readAll(response: Answer, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      response.destroy();
      throw new NetworkError(`the response is larger than ${maxBytes} bytes`, 'TOOLARGE');
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The texts of `Warning: 299 - "text"` headers. Node joins several headers with a comma. */
function warningsOf({ headers }: IncomingMessage): string[] {
  // Node decodes headers as Latin-1, but Kubernetes encodes them as UTF-8.
  const text = Buffer.from(String(headers['warning'] ?? ''), 'latin1').toString('utf8');
  const quoted = text.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g);
  return [...quoted].map(([, said = '']) => said.replace(/\\(.)/g, '$1'));
}

function errorOf(response: Answer, text: string): ApiError {
  let status: Status = {};
  try {
    const parsed: unknown = JSON.parse(text);
    if (parsed !== null && typeof parsed === 'object') status = parsed;
  } catch {
    // The answer is not from an API server, but for example from a load balancer: HTML or plain text.
    status = { message: `HTTP ${response.statusCode}: ${text.trim().slice(0, 200)}` };
  }
  const retryAfter = Number(response.headers['retry-after']);
  return new ApiError(response.statusCode ?? 0, status, Number.isFinite(retryAfter) ? retryAfter : undefined);
}

/** Returns the error to throw: ApiError, AbortError, ConnectionError and PathError unchanged, any other error as a NetworkError with the URL. */
function explain(error: unknown, call: ApiCall, server: URL, timeoutMs: number | undefined): unknown {
  const where = `${call.method} ${server.origin}${call.path}`;
  if (timeoutMs !== undefined) return new NetworkError(`${where}: no response within ${timeoutMs} ms`, 'ETIMEDOUT');
  const { name, code, message } = error as NodeJS.ErrnoException;
  if (error instanceof ApiError || name === 'AbortError' || name === 'ConnectionError') return error;
  if (error instanceof PathError) return error;
  if (error instanceof SyntaxError)
    return new NetworkError(`${where}: the response is not JSON`, 'BADJSON', { cause: error });
  return new NetworkError(`${where}: ${message || code || String(error)}`, code ?? 'UNKNOWN', { cause: error });
}
