// Between one replica and the API server: sees each call, can be slow, and can strike before a call is sent on or before its answer is heard.
import type { IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { createBundle } from '../../src/tls/bundle.ts';

/** One call of a replica. */
export interface Call {
  /** 1 for the first since the replica began. */
  readonly n: number;
  readonly method: string;
  readonly path: string;
  readonly watch: boolean;
  /** Parsed JSON of a write. */
  readonly body: unknown;
}

/** `before`: the call never reaches the API server. `after`: it has taken effect, and the answer is never heard. */
export type Moment = 'before' | 'after';

export interface TapOptions {
  readonly upstream: URL;
  /** PEM of the API server's CA. */
  readonly ca: string;
}

const pair = createBundle(['127.0.0.1'], Date.now());

export class Tap {
  calls = 0;
  /** Return what is to be done at that moment; the call is then dropped. */
  strike: ((call: Call, moment: Moment) => (() => void) | undefined) | undefined;
  /** How long an answer takes longer than it would, in milliseconds. */
  delayMs: (() => number) | undefined;
  readonly port: number;
  /** PEM: whom a client of the tap has to trust. */
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
      // Who hangs up on us hangs up on the API server.
      response.on('close', () => sent.destroy());
      sent.end(body);
    });
  }
}
