// What one container answers over HTTP and gRPC, as its image says. It counts its requests, and ends when the open ones are answered.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Clock } from '../core/types.ts';
import { behaviourOf, tagOf, usageOf, type Behaviour, type Usage } from './behaviour.ts';
import { Endpoint, type Place } from './endpoint.ts';
import { encode, frame, GRPC_STATUS, GRPC_TYPE, isGrpc, LONGEST_REQUEST, unframe } from './grpc.ts';
import { METRICS_TYPE, Requests } from './requests.ts';

export interface ContainerOptions {
  readonly clock: Clock;
  readonly pod: string;
  readonly image: string;
}

interface Answer {
  readonly code: number;
  readonly type: string;
  readonly body: string;
}

export class ContainerServer {
  private readonly options: ContainerOptions;
  private readonly behaviour: Behaviour;
  private readonly startedAt: number;
  private readonly requests = new Requests();
  private readonly endpoint = new Endpoint({
    request: (request, response) => this.onRequest(request, response),
    stream: (stream, headers) => this.onStream(stream, headers),
  });
  private isEnding = false;
  private open = 0;

  constructor(options: ContainerOptions) {
    this.options = options;
    this.behaviour = behaviourOf(options.image).behaviour;
    this.startedAt = options.clock.now();
  }

  get usage(): Usage {
    const now = this.options.clock.now();
    const requestsPerSecond = this.requests.perSecond(now);
    return usageOf(this.behaviour, { pod: this.options.pod, runningMs: now - this.startedAt, requestsPerSecond });
  }

  /** The number of requests without an answer yet. */
  get openRequests(): number {
    return this.open;
  }

  /** Listens. Rejects if the address is in use or cannot be used on this machine. */
  listen(place: Place): Promise<Place> {
    return this.endpoint.listen(place);
  }

  /** Accepts no new connections, answers open requests, and closes the rest after this time. */
  async drain(ms: number): Promise<void> {
    this.isEnding = true;
    const cancel = this.options.clock.after(ms, () => this.endpoint.abort());
    await this.endpoint.end();
    cancel();
  }

  /** As a killed process. */
  async kill(): Promise<void> {
    const ended = this.drain(0);
    this.endpoint.abort();
    await ended;
  }

  private onRequest(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    const cancel = this.answer(request.url ?? '/', request.headers, ({ code, type, body }) => {
      response.writeHead(code, {
        'content-type': type,
        'content-length': Buffer.byteLength(body),
        ...(this.isEnding ? { connection: 'close' } : {}),
      });
      response.end(body);
    });
    response.once('close', cancel);
  }

  private onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    stream.on('error', () => undefined);
    if (isGrpc(headers['content-type'])) return this.onCall(stream);
    stream.resume();
    const cancel = this.answer(headers[':path'] ?? '/', headers, ({ code, type, body }) => {
      if (stream.destroyed) return;
      stream.respond({ ':status': code, 'content-type': type, 'content-length': Buffer.byteLength(body) });
      stream.end(body);
    });
    stream.once('close', cancel);
  }

  /** `send` is called later, unless the returned function is called before. */
  private answer(url: string, headers: object, send: (answer: Answer) => void): () => void {
    const path = url.split('?')[0];
    if (path === '/metrics') {
      send({ code: 200, type: METRICS_TYPE, body: this.requests.text(this.usage.memoryBytes) });
      return () => undefined;
    }
    return this.later((code) => {
      const { pod, image } = this.options;
      const seen = path === '/headers' ? { headers } : {};
      const body = `${JSON.stringify({ pod, version: tagOf(image), ...seen })}\n`;
      send({ code, type: 'application/json', body });
    });
  }

  /** A call of gRPC. */
  private onCall(stream: ServerHttp2Stream): void {
    const parts: Buffer[] = [];
    let length = 0;
    stream.on('data', (part: Buffer) => {
      length += part.length;
      if (length <= LONGEST_REQUEST) parts.push(part);
    });
    stream.once('end', () => {
      const cancel = this.later((code) => {
        if (stream.destroyed) return;
        const request = unframe(Buffer.concat(parts));
        if (code !== 200) return refuse(stream, GRPC_STATUS.internal, 'the tag of the image asks for errors');
        if (length > LONGEST_REQUEST) return refuse(stream, GRPC_STATUS.resourceExhausted, 'the request is too long');
        if (!request) return refuse(stream, GRPC_STATUS.unimplemented, 'send one message that is not compressed');
        stream.respond({ ':status': 200, 'content-type': GRPC_TYPE }, { waitForTrailers: true });
        stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': GRPC_STATUS.ok }));
        stream.end(frame(encode(this.options.pod, tagOf(this.options.image), request)));
      });
      stream.once('close', cancel);
    });
  }

  /** Decides about a request after the delay of the image, and counts it. */
  private later(decided: (code: number) => void): () => void {
    const { clock } = this.options;
    const begun = clock.now();
    this.open++;
    let isOpen = true;
    const close = (): void => {
      if (isOpen) this.open--;
      isOpen = false;
    };
    const cancel = clock.after(this.behaviour.delay, () => {
      close();
      const code = clock.random() * 100 < this.behaviour.errors ? 500 : 200;
      const now = clock.now();
      this.requests.add(code, now - begun, now);
      decided(code);
    });
    return () => {
      close();
      cancel();
    };
  }
}

/** An answer without a message. */
const refuse = (stream: ServerHttp2Stream, status: number, message: string): void =>
  stream.respond(
    { ':status': 200, 'content-type': GRPC_TYPE, 'grpc-status': status, 'grpc-message': message },
    { endStream: true },
  );
