// HTTPS on loopback for the cluster's `handle`: parses requests, writes JSON and watch events.
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { userFromCertificate } from '../auth/index.ts';
import { failure } from '../core/encode.ts';
import { ApiError, type ApiRequest, type ApiResponse, type User } from '../core/types.ts';
import { decodeProtobuf, PROTOBUF } from '../schema/index.ts';
import type { Authority } from './certificates.ts';

/** The limit of the real server. */
const MAX_BODY_BYTES = 3 * 1024 * 1024;
/** A watch with more unread lines than this is closed. The client lists again, as with a real server. */
const MAX_BACKLOG_BYTES = 64 * 1024 * 1024;

export interface ListeningServer {
  port: number;
  close(): Promise<void>;
}

export async function listen(
  handle: (request: ApiRequest) => Promise<ApiResponse>,
  authority: Authority,
  port: number,
): Promise<ListeningServer> {
  const { certificate, key } = await authority.server();
  const server = createServer(
    { cert: certificate, key, ca: authority.certificate, requestCert: true, rejectUnauthorized: false },
    (incoming, outgoing) => {
      serve(handle, incoming, outgoing).catch(() => outgoing.destroy());
    },
  );
  // Long or no timeouts: clients keep connections open, watches are long, and only local users can connect.
  server.keepAliveTimeout = 120_000;
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return { port: (server.address() as AddressInfo).port, close: () => close(server) };
}

const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

async function serve(
  handle: (request: ApiRequest) => Promise<ApiResponse>,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  let response: ApiResponse;
  const body = await readBody(incoming);
  if (body) {
    const url = new URL(incoming.url ?? '/', 'https://localhost');
    const user = peer(incoming.socket as TLSSocket);
    try {
      response = await handle({
        method: incoming.method ?? 'GET',
        path: url.pathname,
        query: url.searchParams,
        ...asJson(headersOf(incoming), body),
        ...(user ? { user } : {}),
      });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      response = failure(error);
    }
  } else {
    response = failure(
      new ApiError({
        code: 413,
        reason: 'RequestEntityTooLarge',
        message: `Request entity is too large: limit is ${MAX_BODY_BYTES}`,
      }),
    );
  }
  const headers = { 'cache-control': 'no-cache, private', ...response.headers };
  if (response.watch) return stream(response.watch, headers, outgoing);
  const { body: answer } = response;
  const bytes = Buffer.from(typeof answer === 'string' ? answer : JSON.stringify(answer ?? ''));
  outgoing.writeHead(response.status, { ...headers, 'content-length': bytes.length });
  outgoing.end(incoming.method === 'HEAD' ? undefined : bytes);
}

function stream(
  watch: NonNullable<ApiResponse['watch']>,
  headers: Record<string, string>,
  outgoing: ServerResponse,
): void {
  outgoing.writeHead(200, { ...headers, 'transfer-encoding': 'chunked' });
  outgoing.flushHeaders();
  outgoing.on('close', () => watch.stop());
  watch.start(
    ({ type, object }) => {
      outgoing.write(`${JSON.stringify({ type, object })}\n`);
      if (outgoing.writableLength > MAX_BACKLOG_BYTES) outgoing.destroy();
    },
    () => outgoing.end(),
  );
}

/** Undefined if the body is too long. */
async function readBody(incoming: IncomingMessage): Promise<Uint8Array | undefined> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of incoming as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_BODY_BYTES) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Decodes protobuf from typed clients. The rest of the cluster reads only JSON. */
function asJson(headers: ApiRequest['headers'], body: Uint8Array): Pick<ApiRequest, 'headers' | 'body'> {
  if (body.length === 0) return { headers };
  if (headers['content-type'] !== PROTOBUF) return { headers, body };
  const json = Buffer.from(JSON.stringify(decodeProtobuf(body)));
  return { headers: { ...headers, 'content-type': 'application/json' }, body: json };
}

function headersOf(incoming: IncomingMessage): Record<string, string | undefined> {
  const headers: Record<string, string | undefined> = {};
  for (const [name, values] of Object.entries(incoming.headersDistinct)) headers[name] = values?.join(', ');
  return headers;
}

/** Read once: a connection keeps its certificate. */
const peers = new WeakMap<TLSSocket, User>();

/** The user of the client certificate. Undefined without one that the CA signed. */
function peer(socket: TLSSocket): User | undefined {
  if (!socket.authorized) return undefined;
  const known = peers.get(socket);
  if (known) return known;
  const { raw, subject } = socket.getPeerCertificate();
  const { CN, O } = subject as unknown as { CN: string; O?: string | string[] };
  const user = userFromCertificate({
    raw,
    commonName: CN,
    organizations: O === undefined ? [] : Array.isArray(O) ? O : [O],
  });
  peers.set(socket, user);
  return user;
}
