// A proxy between one replica and the API server: observes calls, delays answers, and can drop a call before it is forwarded or its answer.
import type { IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { createBundle } from '../../src/tls/bundle.ts';

/** One call of a replica. */
export interface Call {
  /** Number of the call since the start of the replica, from 1. */
  readonly n: number;
  readonly method: string;
  readonly path: string;
  readonly watch: boolean;
  /** Parsed body of a write. */
  readonly body: unknown;
}

/** `before`: the call does not reach the API server. `after`: the call takes effect, but its answer is dropped. */
export type Moment = 'before' | 'after';

export interface TapOptions {
  readonly upstream: URL;
  /** PEM of the API server's CA. */
  readonly ca: string;
}

const pair = createBundle(['127.0.0.1'], Date.now());

export class Tap {
  calls = 0;
  /** Returns an action for this moment, or undefined. With an action, the call is dropped. */
  strike: ((call: Call, moment: Moment) => (() => void) | undefined) | undefined;
  /** Additional delay of an answer in milliseconds. */
  delayMs: (() => number) | undefined;
  readonly port: number;
  /** PEM of the CA that clients of the proxy must trust. */
  readonly ca: string;
  private readonly server: https.Server;
  private readonly agent: https.Agent;
  private readonly options: TapOptions;

  static async start(options: TapOptions): Promise<Tap> {
    const { key, cert, ca } = await pair;
    const server = https.createServer({ key, cert });
    server.keepAliveTimeout = 120_000;
    server.requestTimeout = 0;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Tap(options, server, ca);
  }

  private constructor(options: TapOptions, server: https.Server, ca: string) {
    this.options = options;
    this.server = server;
    this.ca = ca;
    this.port = (server.address() as AddressInfo).port;
    this.agent = new https.Agent({ ca: options.ca, keepAlive: true });
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.serve(request, response).catch(() => request.socket.destroy());
    });
    server.on('tlsClientError', () => undefined);
  }

  async close(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    this.agent.destroy();
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
    const body = Buffer.concat(parts);
    const url = new URL(request.url ?? '/', this.options.upstream);
    const call: Call = {
      n: ++this.calls,
      method: request.method ?? 'GET',
      path: url.pathname,
      watch: url.searchParams.get('watch') === 'true',
      body: body.length > 0 ? JSON.parse(body.toString()) : undefined,
    };
    if (this.struck(call, 'before', request)) return;
    const ms = this.delayMs?.() ?? 0;
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
    const answer = await this.forward(url, request, body, response);
    if (this.struck(call, 'after', request)) return void answer.destroy();
    response.writeHead(answer.statusCode ?? 500, answer.headers);
    response.flushHeaders();
    answer.on('error', () => request.socket.destroy());
    answer.pipe(response);
  }

  private struck(call: Call, moment: Moment, request: IncomingMessage): boolean {
    const act = this.strike?.(call, moment);
    act?.();
    if (act) request.socket.destroy();
    return act !== undefined;
  }

  private forward(
    url: URL,
    { method, headers }: IncomingMessage,
    body: Buffer,
    response: ServerResponse,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const options = { method, headers: { ...headers, host: url.host }, agent: this.agent };
      const sent = https.request(url, options, resolve);
      sent.on('error', reject);
      // If the client disconnects, disconnects from the API server.
      response.on('close', () => sent.destroy());
      sent.end(body);
    });
  }
}
