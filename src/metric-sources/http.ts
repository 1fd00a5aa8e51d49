// Requests to the address of a source: no redirects, no forbidden addresses, a time limit, and answers of at most 1 MiB.
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { link } from '../kube/abort.ts';
import { ForbiddenAddress, guardedLookup, isForbidden } from './address.ts';
import { Gate } from './gate.ts';
import type { Unknown } from './source.ts';

/** How to authenticate a request. */
export interface Credentials {
  readonly headers?: Readonly<Record<string, string>>;
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

export interface HttpOptions {
  readonly url: URL;
  /** Read before each request, because tokens and certificates are renewed. Headers can depend on the namespace of the query. */
  readonly credentials?: (namespace: string) => Promise<Credentials | Unknown>;
  /** Default 10 seconds, with the time in which the request waits for others. */
  readonly timeoutMs?: number;
  /** False: addresses of this machine are allowed too. For tests, and for the plugin on the user's machine. */
  readonly guarded?: boolean;
}

export interface HttpCall {
  /** Added to the path of the source. It may have a query. The caller has checked it. */
  readonly path: string;
  readonly namespace: string;
  /** A form to POST. Without it, the request is a GET. */
  readonly form?: string;
  /** Longest answer. Default 1 MiB. */
  readonly maxBytes?: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

/** Sends the requests of a source. */
export interface Transport {
  /** Rejects only if the signal is aborted. */
  ask(call: HttpCall, signal: AbortSignal): Promise<HttpAnswer | Unknown>;
  close(): void;
}

export const TIMEOUT_MS = 10_000;
const MAX_BYTES = 2 ** 20;
/** An idle connection is closed. More than the longest time limit. */
const IDLE_MS = 65_000;
const NOT_ALLOWED: Unknown = { unknown: 'the address of the source is not allowed' };

export class HttpClient implements Transport {
  private readonly options: HttpOptions;
  private readonly agent: HttpAgent;
  private readonly gate = new Gate();
  private readonly closing = new AbortController();

  constructor(options: HttpOptions) {
    this.options = options;
    const settings = { keepAlive: true, timeout: IDLE_MS };
    this.agent = options.url.protocol === 'https:' ? new HttpsAgent(settings) : new HttpAgent(settings);
  }

  /** Ends open requests too. Their answers are Unknown. */
  close(): void {
    this.closing.abort();
    this.agent.destroy();
  }

  async ask(call: HttpCall, signal: AbortSignal): Promise<HttpAnswer | Unknown> {
    const { timeoutMs = TIMEOUT_MS } = this.options;
    const { signal: end, abort, unlink } = link(signal, this.closing.signal);
    const timer = setTimeout(abort, timeoutMs);
    try {
      return await this.gate.run(call.namespace, end, () => this.send(call, end));
    } catch (error) {
      signal.throwIfAborted();
      if (this.closing.signal.aborted) return { unknown: 'the source was changed or removed' };
      return { unknown: end.aborted ? `no answer within ${timeoutMs / 1000} seconds` : reasonOf(error) };
    } finally {
      clearTimeout(timer);
      unlink();
    }
  }

  private async send(call: HttpCall, signal: AbortSignal): Promise<HttpAnswer | Unknown> {
    const { url, credentials, guarded = true } = this.options;
    // A name is checked when it is resolved.
    const host = url.hostname.replace(/^\[|\]$/g, '');
    if (guarded && isIP(host) !== 0 && isForbidden(host)) return NOT_ALLOWED;
    const found = (await unlessAborted(signal, credentials?.(call.namespace))) ?? {};
    if ('unknown' in found) return found;
    const response = await this.open(call, found, signal);
    const { maxBytes = MAX_BYTES } = call;
    const text = await readText(response, maxBytes);
    return text === undefined
      ? { unknown: `the answer has more than ${maxBytes} bytes` }
      : { status: response.statusCode ?? 0, text };
  }

  private open(call: HttpCall, credentials: Credentials, signal: AbortSignal): Promise<IncomingMessage> {
    const { path, form } = call;
    const { url, guarded = true } = this.options;
    const base = url.pathname.replace(/\/+$/, '');
    const target = new URL(`${url.origin}${base}${path}`);
    const headers = {
      ...credentials.headers,
      accept: 'application/json',
      ...(form !== undefined && {
        'content-type': 'application/x-www-form-urlencoded',
        'content-length': Buffer.byteLength(form),
      }),
    };
    const method = form === undefined ? 'GET' : 'POST';
    const lookup = guarded && { lookup: guardedLookup as LookupFunction };
    const options = { ...credentials.tls, ...lookup, method, headers, agent: this.agent };
    return new Promise<IncomingMessage>((resolve, reject) => {
      const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
      let response: IncomingMessage | undefined;
      const request = send(target, options, (found) => resolve((response = found)));
      // The option `signal` is not used: it would destroy a connection that is already back in the pool, where nobody listens for its error.
      const giveUp = (): void => void (response?.complete || request.destroy(signal.reason as Error));
      if (signal.aborted) giveUp();
      signal.addEventListener('abort', giveUp, { once: true });
      request.on('error', (error: NodeJS.ErrnoException) => {
        // The source closed a persistent connection while it was reused. Queries only read, so they can be sent again.
        const isStale = response === undefined && request.reusedSocket && error.code === 'ECONNRESET';
        if (isStale && !signal.aborted) resolve(this.open(call, credentials, signal));
        else reject(error);
      });
      request.on('close', () => {
        signal.removeEventListener('abort', giveUp);
        // An answer with another protocol is neither a response nor an error. After one of these, this does nothing.
        reject(new Error('no response'));
      });
      request.end(form);
    });
  }
}

/** Rejects when the signal is aborted, although the work goes on. */
async function unlessAborted<T>(signal: AbortSignal, work: Promise<T> | undefined): Promise<T | undefined> {
  signal.throwIfAborted();
  let giveUp = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    giveUp = () => reject(signal.reason as Error);
    signal.addEventListener('abort', giveUp);
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

/** The body, or undefined if it is too long. */
async function readText(response: IncomingMessage, maxBytes: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      response.destroy();
      return undefined;
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** A short reason without text of the server. */
function reasonOf(error: unknown): string {
  if (error instanceof ForbiddenAddress) return NOT_ALLOWED.unknown;
  const { code } = error as { readonly code?: unknown };
  switch (code) {
    case 'ECONNREFUSED':
      return 'connection refused';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'the name of the source cannot be resolved';
    case 'ECONNRESET':
    case 'EPIPE':
      return 'the connection was closed';
    default:
      break;
  }
  if (typeof code !== 'string' || !/^[A-Z_0-9]{1,60}$/.test(code)) return 'the request failed';
  return /CERT|SIGNATURE/.test(code)
    ? `the certificate of the source is not accepted: ${code}`
    : `the request failed: ${code}`;
}

/** The value as an object. Undefined for all else, and for text that is not JSON. */
export function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}
