// The protocols of Pods that serve: HTTP/1.1, h2c and gRPC on one port, and how each of them ends.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import { connect as connectHttp2, type ClientHttp2Session, type OutgoingHttpHeaders } from 'node:http2';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { encode, frame, isGrpc, unframe } from '../../src/serving/grpc.ts';
import { ContainerServer } from '../../src/serving/container.ts';
import { realClock } from '../../src/core/clock.ts';

interface Answer {
  headers: Record<string, unknown>;
  trailers: Record<string, unknown>;
  body: Buffer;
}

/** One request on a session of HTTP/2. */
async function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: Buffer): Promise<Answer> {
  const stream = session.request(headers);
  stream.end(body);
  const answer: Answer = { headers: {}, trailers: {}, body: Buffer.alloc(0) };
  stream.on('response', (got) => (answer.headers = got));
  stream.on('trailers', (got) => (answer.trailers = got));
  stream.on('data', (part: Buffer) => (answer.body = Buffer.concat([answer.body, part])));
  await once(stream, 'close');
  assert.equal(stream.rstCode, 0);
  return answer;
}

const call = (session: ClientHttp2Session, body: Buffer): Promise<Answer> =>
  ask(session, { ':method': 'POST', ':path': '/shop.Cart/Get', 'content-type': 'application/grpc' }, body);

describe('the protocols of a container', () => {
  const servers: ContainerServer[] = [];
  const sessions: ClientHttp2Session[] = [];
  afterEach(async () => {
    for (const session of sessions.splice(0)) session.destroy();
    await Promise.all(servers.splice(0).map((server) => server.kill()));
  });

  const start = async (image: string): Promise<{ server: ContainerServer; port: number; url: string }> => {
    const server = new ContainerServer({ clock: realClock, pod: 'web-1', image });
    servers.push(server);
    const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
    return { server, port, url: `http://127.0.0.1:${port}` };
  };
  const open = (url: string): ClientHttp2Session => {
    const session = connectHttp2(url);
    session.on('error', () => undefined);
    sessions.push(session);
    return session;
  };

  it('are HTTP/1.1 and h2c, with the same answers', async () => {
    const { url } = await start('web:v1');
    const session = open(url);
    const expected = { pod: 'web-1', version: 'v1' };
    assert.deepEqual(await (await fetch(`${url}/a`)).json(), expected);
    const { headers, body } = await ask(session, { ':path': '/a' });
    assert.equal(headers[':status'], 200);
    assert.deepEqual(JSON.parse(body.toString()), expected);
    const metrics = await ask(session, { ':path': '/metrics' });
    assert.match(metrics.body.toString(), /^http_requests_total\{code="200"\} 2$/m);
  });

  it('show the headers of a request', async () => {
    const { url } = await start('web:v1');
    const { headers } = (await (await fetch(`${url}/headers`, { headers: { 'x-user': 'a' } })).json()) as {
      headers: Record<string, string>;
    };
    assert.equal(headers['x-user'], 'a');
    const { body } = await ask(open(url), { ':path': '/headers', 'x-user': 'b' });
    assert.equal((JSON.parse(body.toString()) as { headers: Record<string, string> }).headers['x-user'], 'b');
  });

  for (const method of ['GET', 'PUT', 'POST'])
    it(`are told apart even if the bytes come one by one: ${method}`, async () => {
      const { port } = await start('web:v1');
      const socket = connect(port, '127.0.0.1');
      socket.setNoDelay(true);
      for (const letter of `${method} / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`) {
        socket.write(letter);
        await new Promise(setImmediate);
      }
      assert.match(await text(socket), /^HTTP\/1\.1 200 OK\r\n/);
    });

  it('include gRPC: any unary method answers with the Pod, the version and the request', async () => {
    const { url } = await start('web:v1');
    const { headers, trailers, body } = await call(open(url), frame(Buffer.from('hello')));
    assert.equal(headers[':status'], 200);
    assert.equal(headers['content-type'], 'application/grpc');
    assert.equal(trailers['grpc-status'], '0');
    assert.equal(unframe(body)?.toString('latin1'), '\x0a\x05web-1\x12\x02v1\x1a\x05hello');
  });

  for (const [what, image, body, status] of [
    ['an image with errors', 'web:errors-100', frame(Buffer.alloc(0)), '13'],
    ['a request of more than 64 KiB', 'web:v1', frame(Buffer.alloc(64 * 1024)), '8'],
    ['a request of two messages', 'web:v1', Buffer.alloc(10), '12'],
  ] as const)
    it(`answer gRPC with status ${status} to ${what}`, async () => {
      const { url } = await start(image);
      const { headers } = await call(open(url), body);
      assert.equal(headers['grpc-status'], status);
    });

  it('end with GOAWAY: open streams get their answers, and sessions without one are closed', async () => {
    const { server, url } = await start('web:delay-300');
    const [busy, idle] = [open(url), open(url)];
    await ask(idle, { ':path': '/metrics' });
    const last: number[] = [];
    busy.on('goaway', (code, id) => {
      assert.equal(code, 0);
      last.push(id);
    });
    const pending = ask(busy, { ':path': '/' });
    await until(() => server.openRequests === 1);
    const ended = server.drain(20_000);
    await once(idle, 'close');
    assert.equal(server.openRequests, 1);
    assert.equal((await pending).headers[':status'], 200);
    await ended;
    assert.deepEqual([...new Set(last)], [1]);
  });

  it('end with "connection: close" where a request is open, and at once where none is', async () => {
    const { server, port } = await start('web:delay-300');
    const agent = new Agent({ keepAlive: true });
    const request = (): Promise<IncomingMessage> =>
      new Promise((resolve, reject) => {
        get({ host: '127.0.0.1', port, agent }, resolve).on('error', reject);
      });
    const idle = connect(port, '127.0.0.1');
    await once(idle, 'connect');
    const first = await request();
    await text(first);
    assert.equal(first.headers.connection, 'keep-alive');
    const second = request();
    await until(() => server.openRequests === 1);
    const ended = server.drain(20_000);
    await once(idle.resume(), 'close');
    const { headers, statusCode } = await second;
    assert.deepEqual([statusCode, headers.connection], [200, 'close']);
    await ended;
    agent.destroy();
  });

  it('end when the time is over, whatever is open', async () => {
    const { server, url } = await start('web:delay-60000');
    const stream = open(url).request({ ':path': '/' });
    stream.on('error', () => undefined);
    const plain = assert.rejects(fetch(url));
    await until(() => server.openRequests === 2);
    await server.drain(50);
    await plain;
    if (!stream.closed) await once(stream, 'close');
    assert.equal(server.openRequests, 0);
  });
});

const until = async (isTrue: () => boolean): Promise<void> => {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
};

describe('messages of gRPC', () => {
  it('are found by their content type', () => {
    for (const type of ['application/grpc', 'application/grpc+proto', 'application/grpc;x=1']) assert.ok(isGrpc(type));
    for (const type of [undefined, 'application/json', 'application/grpc-web']) assert.ok(!isGrpc(type));
  });

  it('have a length of several bytes, and no fields without a value', () => {
    assert.deepEqual([...encode('', 'x'.repeat(300)).subarray(0, 4)], [0x12, 0xac, 0x02, 0x78]);
  });

  it('are refused if they are compressed, cut off or followed by others', () => {
    const good = frame(Buffer.from('a'));
    assert.equal(unframe(good)?.toString(), 'a');
    for (const bad of [
      Buffer.concat([Buffer.from([1]), good.subarray(1)]),
      good.subarray(0, 5),
      good.subarray(0, 3),
      Buffer.concat([good, good]),
    ])
      assert.equal(unframe(bad), undefined);
  });
});
