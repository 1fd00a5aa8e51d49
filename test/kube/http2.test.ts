// Watches over HTTP/2: what they share, and what becomes of them when a connection ends.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  createSecureServer,
  type Http2SecureServer,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { NetworkError } from '../../src/kube/errors.ts';
import { Http2Watches, type Answer, type Http2Options } from '../../src/kube/http2.ts';
import { createBundle, type Bundle } from '../../src/tls/bundle.ts';

describe('watches over HTTP/2', () => {
  let bundle: Bundle;
  let server: Http2SecureServer;
  let watches: Http2Watches;
  const sessions: ServerHttp2Session[] = [];
  const streams: ServerHttp2Stream[] = [];
  const others: Server[] = [];
  const raw: Socket[] = [];
  const never = new AbortController().signal;

  const start = async (maxConcurrentStreams: number): Promise<void> => {
    server = createSecureServer({ key: bundle.key, cert: bundle.cert, settings: { maxConcurrentStreams } });
    server.on('connection', (socket: Socket) => raw.push(socket));
    server.on('session', (session) => sessions.push(session));
    server.on('stream', (stream) => {
      streams.push(stream.on('error', () => undefined));
      stream.respond({ ':status': 200 });
    });
    await new Promise<void>((resolve) => server.listen(0, resolve));
  };
  const portOf = (one: { address(): unknown }): number => (one.address() as AddressInfo).port;
  const make = (port = portOf(server), options: Partial<Http2Options> = {}): Http2Watches =>
    (watches = new Http2Watches({ server: new URL(`https://localhost:${port}`), tls: { ca: bundle.ca }, ...options }));
  const target = (): URL => new URL('https://localhost/api/v1/pods?watch=true');
  const open = async (signal = never): Promise<Answer> => {
    const answer = await watches.open(target(), { 'user-agent': 'tranche' }, signal);
    assert.ok(answer);
    assert.equal(answer.statusCode, 200);
    return answer;
  };
  const read = async (answer: Answer): Promise<string> => {
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };

  before(async () => {
    bundle = await createBundle(['localhost'], Date.now());
  });

  beforeEach(() => start(100));

  afterEach(async () => {
    watches.close();
    for (const session of sessions.splice(0)) session.destroy();
    streams.length = raw.length = 0;
    for (const one of [server, ...others.splice(0)]) await new Promise((resolve) => one.close(resolve));
  });

  it('share a connection, and another one when the server allows no more streams on it', async () => {
    server.close();
    await start(3);
    make();
    await Promise.all(Array.from({ length: 7 }, () => open()));
    assert.deepEqual([sessions.length, streams.length], [3, 7]);
  });

  it('make room for others when they end', async () => {
    server.close();
    await start(1);
    make();
    const ending = new AbortController();
    const reading = read(await open(ending.signal));
    const closed = once(streams[0]!, 'close');
    ending.abort();
    await Promise.all([reading.catch(() => undefined), closed]);
    await open();
    assert.equal(sessions.length, 1);
  });

  it('continue on a connection that takes no more of them, and the next one is opened on another', async () => {
    make();
    const first = await open();
    sessions[0]!.goaway(0);
    // The frame has arrived when the answer to a later one has.
    await new Promise((resolve) => sessions[0]!.ping(resolve));
    await open();
    assert.equal(sessions.length, 2);
    streams[0]!.end('still here');
    assert.equal(await read(first), 'still here');
  });

  it('fail when their connection breaks, and are opened again on another one', async () => {
    make();
    const both = [read(await open()), read(await open())];
    for (const socket of raw) socket.resetAndDestroy();
    const results = await Promise.allSettled(both);
    assert.deepEqual(
      results.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    await open();
    assert.equal(sessions.length, 2);
  });

  it('fail when their connection gives no sign of life', async () => {
    const middle: Socket[] = [];
    const proxy = createServer((socket) => {
      const onward = connect(portOf(server), 'localhost');
      for (const one of [socket, onward]) middle.push(one.on('error', () => undefined));
      socket.pipe(onward).pipe(socket);
    });
    others.push(proxy);
    await new Promise<void>((resolve) => proxy.listen(0, resolve));
    make(portOf(proxy), { quietMs: 20, answerMs: 2_000 });
    const reading = read(await open());
    // Alive: it answers for some time.
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (const socket of middle) socket.unpipe().pause();
    try {
      await assert.rejects(reading, { name: 'NetworkError', code: 'ETIMEDOUT' });
    } finally {
      for (const socket of middle) socket.destroy();
    }
  });

  it('are not opened on a server that does not answer', async () => {
    const silent = createServer((socket) => void socket.on('error', () => undefined).resume());
    others.push(silent);
    await new Promise<void>((resolve) => silent.listen(0, resolve));
    make(portOf(silent), { answerMs: 20 });
    await assert.rejects(watches.open(target(), {}, never), { name: 'NetworkError', code: 'ETIMEDOUT' });
  });

  it('are not opened on a server without HTTP/2, which is asked once', async () => {
    let connections = 0;
    const old = createTlsServer({ key: bundle.key, cert: bundle.cert, ALPNProtocols: ['http/1.1'] });
    old.on('connection', () => (connections += 1));
    others.push(old);
    await new Promise<void>((resolve) => old.listen(0, resolve));
    make(portOf(old));
    assert.deepEqual(await Promise.all([1, 2].map(() => watches.open(target(), {}, never))), [undefined, undefined]);
    assert.equal(await watches.open(target(), {}, never), undefined);
    assert.equal(connections, 1);
  });

  it('trust only the CA of the cluster', async () => {
    const { ca } = await createBundle(['localhost'], Date.now());
    make(undefined, { tls: { ca } });
    await assert.rejects(watches.open(target(), {}, never), /certificate|signature/);
  });

  it('end at their own time when the credentials have changed, and no others are opened', async () => {
    make();
    const answer = await open();
    watches.retire();
    await assert.rejects(watches.open(target(), {}, never), NetworkError);
    const closed = once(sessions[0]!, 'close');
    streams[0]!.end('the end');
    assert.equal(await read(answer), 'the end');
    await closed;
  });
});
