// The HTTP server of the dashboard, on the loopback interface: files of the page, the event stream, and actions.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { ActAnswer, ActBody } from '../../dashboard/wire.ts';
import { CliError } from '../exit.ts';
import type { ActionVerdict } from '../../view/dashboard/types.ts';
import type { Asset } from './assets.ts';
import { HEADERS, hostsOf, refusalOf, type Refusal } from './guard.ts';
import { isForeign, peerOf } from './peer.ts';
import { LineStream } from './stream.ts';

export interface Routes {
  readonly assets: ReadonlyMap<string, Asset>;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Serves a stream until it is closed. */
  stream(asked: StreamAsk, stream: LineStream): void;
  /** Absent: the server has no route that writes. */
  act?(body: ActBody): Promise<ActAnswer>;
  /** Absent with `act`. */
  ask?(body: ActBody): Promise<ActionVerdict>;
}

export interface StreamAsk {
  /** Id of the last line that the page has. */
  readonly after: string | undefined;
  /** The Rollout that the page shows: `namespace/name`. */
  readonly open: string | undefined;
}

export interface Listening {
  readonly port: number;
  /** The addresses that it listens on. */
  readonly addresses: readonly string[];
  close(): Promise<void>;
}

/** A body is a few names. */
const MAX_BODY = 8 * 1024;
/** Of one person: tabs times the connections that a browser opens. */
const MAX_CONNECTIONS = 64;
/** Attempts to find a port that is free on both addresses. */
const ATTEMPTS = 5;

/** Listens on 127.0.0.1 and, where there is one, ::1. `port`: 0 for any free one. Throws CliError if the port is in use. */
export async function listen(port: number, token: string, routes: Routes): Promise<Listening> {
  for (let attempt = 1; ; attempt++) {
    const four = await open('127.0.0.1', port, token, routes);
    const bound = (four.address() as AddressInfo).port;
    try {
      const six = await open('::1', bound, token, routes);
      return listening(bound, [four, six]);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const inUse = code === 'EADDRINUSE' || error instanceof CliError;
      // The machine has no IPv6.
      if (!inUse) return listening(bound, [four]);
      await close(four);
      if (port !== 0 || attempt >= ATTEMPTS) throw error;
    }
  }
}

const listening = (port: number, servers: readonly Server[]): Listening => ({
  port,
  addresses: servers.map((server) => (server.address() as AddressInfo).address),
  close: async () => void (await Promise.all(servers.map(close))),
});

function open(address: string, port: number, token: string, routes: Routes): Promise<Server> {
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 30_000 });
  server.maxConnections = MAX_CONNECTIONS;
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = `port ${port} is in use on ${address}: choose another with --port, or leave --port out for a free one`;
      reject(error.code === 'EADDRINUSE' ? new CliError(taken) : error);
    });
    server.listen(port, address, () => {
      const hosts = hostsOf((server.address() as AddressInfo).port);
      const peers = new WeakMap<Socket, Promise<number | undefined>>();
      server.on('request', (request, response) => {
        const { socket } = request;
        if (!peers.has(socket)) peers.set(socket, peerOf(socket));
        void peers.get(socket)!.then((uid) => {
          if (isForeign(uid, process.getuid?.()))
            return refuse(response, { status: 403, why: 'this dashboard belongs to another user of the machine' });
          return handle(request, response, { hosts, token }, routes);
        });
      });
      resolve(server);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  guard: { readonly hosts: readonly string[]; readonly token: string },
  { assets, stream, act, ask, now }: Routes,
): Promise<void> {
  const { method = '', url = '', headers } = request;
  const [path = '', query = ''] = url.split('?', 2);
  const refusal = refusalOf({ method, path, headers }, guard);
  if (refusal) return refuse(response, refusal);
  const asset = assets.get(path === '/' ? '/index.html' : path);
  const post = path === '/api/act' ? act : path === '/api/ask' ? ask : undefined;
  const allowed = asset || path === '/api/stream' ? 'GET' : post ? 'POST' : undefined;
  if (allowed === undefined) return refuse(response, { status: 404, why: 'there is nothing at this address' });
  if (method !== allowed) {
    response.setHeader('allow', allowed);
    return refuse(response, { status: 405, why: `only ${allowed} is possible here` });
  }
  if (asset) {
    response.writeHead(200, { ...HEADERS, 'content-type': asset.type });
    response.end(asset.content);
    return;
  }
  if (path === '/api/stream') {
    const search = new URLSearchParams(query);
    response.writeHead(200, { ...HEADERS, 'content-type': 'application/x-ndjson' });
    return stream(
      { after: search.get('after') ?? undefined, open: search.get('open') ?? undefined },
      new LineStream(response, () => now()),
    );
  }
  const body = await readBody(request).catch(() => undefined);
  // The client has gone away in the middle of it.
  if (body === undefined) return;
  if (typeof body === 'string') return refuse(response, { status: 413, why: body });
  const asked = parseAct(body);
  if (typeof asked === 'string') return refuse(response, { status: 400, why: asked });
  json(response, 200, await post!(asked));
}

function refuse(response: ServerResponse, { status, why }: Refusal): void {
  // What was not read of a body would be taken for the next request.
  response.setHeader('connection', 'close');
  json(response, status, { why });
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { ...HEADERS, 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

/** A text: why it is refused. */
async function readBody(request: IncomingMessage): Promise<Buffer | string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY) return `the body is larger than ${MAX_BODY} bytes`;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const ACTIONS: ReadonlySet<unknown> = new Set([
  'approve',
  'pause',
  'resume',
  'jump',
  'finish',
  'retry',
  'undo',
  'abort',
]);
const MAX_MESSAGE = 500;

/** Only the fields that are known, with the types that they must have. A text: what is wrong. */
export function parseAct(body: Buffer): ActBody | string {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(body.toString('utf8')) as Record<string, unknown>;
  } catch {
    return 'the body is not JSON';
  }
  if (value === null || typeof value !== 'object') return 'the body must be an object';
  const ask = (value['ask'] ?? {}) as Record<string, unknown>;
  const { namespace, rollout, typed, message } = value;
  const { name, version, step, revision, yes } = ask;
  if (typeof namespace !== 'string' || typeof rollout !== 'string') return 'namespace and rollout are required';
  if (!ACTIONS.has(name)) return 'ask.name is not an action';
  if (typeof version !== 'string') return 'ask.version is required';
  for (const [field, number] of Object.entries({ step, revision }))
    if (number !== undefined && !(Number.isSafeInteger(number) && (number as number) >= 1))
      return `ask.${field} must be a number from 1`;
  if (yes !== undefined && typeof yes !== 'boolean') return 'ask.yes must be true or false';
  if (typed !== undefined && typeof typed !== 'string') return 'typed must be a text';
  if (message !== undefined && (typeof message !== 'string' || message.length > MAX_MESSAGE))
    return `message must be a text of at most ${MAX_MESSAGE} characters`;
  const known = { name, version, ...defined({ step, revision, yes }) };
  return { namespace, rollout, ask: known as ActBody['ask'], ...defined({ typed, message }) };
}

const defined = (fields: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
