import assert from 'node:assert/strict';
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createSecureServer } from 'node:http2';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { WatchLine } from '../../src/kube/api.ts';
import { createApi, type ApiClient, type ApiClientOptions } from '../../src/kube/client.ts';
import type { Credentials } from '../../src/kube/connection.ts';
import { ApiError, NetworkError } from '../../src/kube/errors.ts';
import { createBundle, type Bundle } from '../../src/tls/bundle.ts';

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

describe('the API client', () => {
  let bundle: Bundle;
  let server: Server;
  let api: ApiClient;
  let handler: Handler;
  const sockets = new Set<Socket>();
  const credentials: Credentials & { headers: Record<string, string> } = { headers: {}, tls: {} };

  const open = (options: Partial<ApiClientOptions> = {}): ApiClient => {
    const { port } = server.address() as AddressInfo;
    api = createApi({
      connection: {
        server: new URL(`https://localhost:${port}`),
        namespace: undefined,
        credentials: () => Promise.resolve({ headers: { ...credentials.headers }, tls: { ca: bundle.ca } }),
      },
      userAgent: 'tranche/1.2.3',
      fieldManager: 'tranche',
      ...options,
    });
    return api;
  };

  before(async () => {
    bundle = await createBundle(['localhost'], Date.now());
  });

  beforeEach(async () => {
    credentials.headers = { authorization: 'Bearer t1' };
    sockets.clear();
    server = createServer({ key: bundle.key, cert: bundle.cert }, (request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => handler(request, response, body));
    });
    server.on('secureConnection', (socket: Socket) => sockets.add(socket));
    await new Promise<void>((resolve) => server.listen(0, resolve));
  });

  afterEach(async () => {
    api.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('sends raw JSON with who we are, and gives back all of the answer, known or not', async () => {
    const object = { kind: 'Thing', unknown: { deep: ['ü', 1.5, null] }, generation: 9_007_199_254_740_991 };
    let seen: { url?: string; method?: string; headers: IncomingMessage['headers']; body: string } | undefined;
    handler = ({ url, method, headers }, response, body) => {
      seen = { ...(url ? { url } : {}), ...(method ? { method } : {}), headers, body };
      response.end(JSON.stringify(object));
    };
    const answer = await open().request({
      method: 'PATCH',
      path: '/apis/apps/v1/namespaces/n/deployments/d',
      query: { dryRun: 'All', labelSelector: 'a=b,c in (d)' },
      contentType: 'application/merge-patch+json',
      body: { spec: { note: 'ü' } },
    });
    assert.deepEqual(answer, object);
    assert.equal(seen!.method, 'PATCH');
    const url = new URL(seen!.url!, 'https://x');
    assert.equal(url.pathname, '/apis/apps/v1/namespaces/n/deployments/d');
    assert.deepEqual(Object.fromEntries(url.searchParams), {
      dryRun: 'All',
      labelSelector: 'a=b,c in (d)',
      fieldManager: 'tranche',
    });
    assert.equal(seen!.headers['user-agent'], 'tranche/1.2.3');
    assert.equal(seen!.headers.authorization, 'Bearer t1');
    assert.equal(seen!.headers['content-type'], 'application/merge-patch+json');
    assert.equal(seen!.body, '{"spec":{"note":"ü"}}');
  });

  it('asks for the credentials before each request, so that a renewed token is used', async () => {
    const seen: unknown[] = [];
    handler = ({ headers, url }, response) => {
      seen.push([headers.authorization, url]);
      response.end('{}');
    };
    open();
    await api.request({ method: 'GET', path: '/a' });
    credentials.headers['authorization'] = 'Bearer t2';
    await api.request({ method: 'GET', path: '/b' });
    assert.deepEqual(seen, [
      ['Bearer t1', '/a'],
      ['Bearer t2', '/b'],
    ]);
    assert.equal(sockets.size, 1, 'one connection for both');
  });

  it('lets the credentials be renewed when the server does not accept them', async () => {
    let renewed = 0;
    handler = (_, response) =>
      response.writeHead(401).end('{"code":401,"reason":"Unauthorized","message":"Unauthorized"}');
    const url = new URL(`https://localhost:${(server.address() as AddressInfo).port}`);
    open({
      connection: {
        server: url,
        namespace: undefined,
        credentials: () => Promise.resolve({ headers: {}, tls: { ca: bundle.ca } }),
        renew: () => void renewed++,
      },
    });
    await assert.rejects(api.request({ method: 'GET', path: '/' }), { code: 401 });
    await assert.rejects(
      api.watch({ method: 'GET', path: '/' }, () => undefined),
      { code: 401 },
    );
    assert.equal(renewed, 2);
  });

  it('opens no more connections than it may', async () => {
    handler = (_, response) => void setImmediate(() => response.end('{}'));
    open({ connections: 3 });
    await Promise.all(Array.from({ length: 30 }, (_, i) => api.request({ method: 'GET', path: `/${i}` })));
    assert.ok(sockets.size <= 3, `${sockets.size} connections`);
  });

  it('sends an urgent request although others wait for a connection, and does not count their time in the queue', async () => {
    const held: ServerResponse[] = [];
    handler = ({ url }, response) => void (url === '/lease' ? response.end('{}') : held.push(response));
    open({ connections: 1, timeoutMs: 3_000 });
    const first = api.request({ method: 'GET', path: '/first' });
    const second = api.request({ method: 'GET', path: '/second' });
    const answers = Promise.allSettled([first, second]);
    await api.request({ method: 'GET', path: '/lease', urgent: true });
    await assert.rejects(first, { code: 'ETIMEDOUT' });
    while (held.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
    held[1]!.end('{}');
    assert.deepEqual(
      (await answers).map(({ status }) => status),
      ['rejected', 'fulfilled'],
    );
  });

  it('throws what the server says, and how long it asks us to wait', async () => {
    const status = { kind: 'Status', code: 409, reason: 'Conflict', message: 'the object has been modified' };
    handler = (_, response) => response.writeHead(409, { 'retry-after': '3' }).end(JSON.stringify(status));
    await assert.rejects(open().request({ method: 'GET', path: '/' }), (error: unknown) => {
      assert.ok(error instanceof ApiError);
      assert.deepEqual(
        [error.code, error.reason, error.message, error.retryAfterSeconds],
        [409, 'Conflict', status.message, 3],
      );
      return true;
    });
    api.close();
    handler = (_, response) => response.writeHead(502).end('<html>Bad Gateway</html>');
    await assert.rejects(open().request({ method: 'GET', path: '/' }), {
      name: 'ApiError',
      code: 502,
      message: 'HTTP 502: <html>Bad Gateway</html>',
    });
  });

  it('takes an answer without a body, and refuses one that is not JSON', async () => {
    handler = (_, response) => response.writeHead(200).end();
    assert.equal(await open().request({ method: 'DELETE', path: '/' }), undefined);
    handler = (_, response) => response.end('{"half":');
    await assert.rejects(api.request({ method: 'GET', path: '/x' }), { name: 'NetworkError', code: 'BADJSON' });
  });

  it('gives up on a server that does not answer, and on one that never finishes', async () => {
    handler = () => undefined;
    await assert.rejects(open({ timeoutMs: 50 }).request({ method: 'GET', path: '/x' }), (error: unknown) => {
      assert.ok(error instanceof NetworkError);
      assert.equal(error.code, 'ETIMEDOUT');
      assert.match(error.message, /^GET https:\/\/localhost:\d+\/x: no response within 50 ms$/);
      return true;
    });
    handler = (_, response) => void response.write('{"a":');
    await assert.rejects(api.request({ method: 'GET', path: '/x' }), { code: 'ETIMEDOUT' });
  });

  it('gives up when it is told to', async () => {
    const ending = new AbortController();
    handler = () => ending.abort();
    await assert.rejects(open().request({ method: 'GET', path: '/', signal: ending.signal }), { name: 'AbortError' });
    await assert.rejects(api.request({ method: 'GET', path: '/', signal: AbortSignal.abort() }), {
      name: 'AbortError',
    });
  });

  it('does not take an answer that is cut off or too large', async () => {
    handler = (_, response) => {
      response.writeHead(200, { 'content-length': '1000' }).write('{"a":1}');
      setImmediate(() => response.destroy());
    };
    await assert.rejects(open({ maxBytes: 10_000 }).request({ method: 'GET', path: '/' }), { name: 'NetworkError' });
    handler = (_, response) => response.end(JSON.stringify('x'.repeat(20_000)));
    await assert.rejects(api.request({ method: 'GET', path: '/' }), { name: 'NetworkError', code: 'TOOLARGE' });
  });

  it('trusts only the CA of the cluster, and says when nobody listens', async () => {
    const other = await createBundle(['localhost'], Date.now());
    handler = (_, response) => response.end('{}');
    const url = new URL(`https://localhost:${(server.address() as AddressInfo).port}`);
    const connection = (ca: string, to: URL) => ({
      server: to,
      namespace: undefined,
      credentials: () => Promise.resolve({ headers: {}, tls: { ca } }),
    });
    await assert.rejects(open({ connection: connection(other.ca, url) }).request({ method: 'GET', path: '/' }), {
      name: 'NetworkError',
    });
    api.close();
    const closed = createHttpServer();
    const port = await new Promise<number>((resolve) =>
      closed.listen(0, () => resolve((closed.address() as AddressInfo).port)),
    );
    await new Promise((resolve) => closed.close(resolve));
    const nobody = connection(bundle.ca, new URL(`https://127.0.0.1:${port}`));
    await assert.rejects(open({ connection: nobody }).request({ method: 'GET', path: '/' }), { code: 'ECONNREFUSED' });
  });

  it('reads again over a new connection when the server has closed the kept one, but never writes twice', async () => {
    let calls = 0;
    let killNext = false;
    handler = (request, response) => {
      calls += 1;
      if (killNext) {
        killNext = false;
        return void request.socket.destroy();
      }
      response.end('{}');
    };
    open();
    await api.request({ method: 'GET', path: '/' });
    killNext = true;
    await api.request({ method: 'GET', path: '/' });
    assert.equal(calls, 3);
    killNext = true;
    await assert.rejects(api.request({ method: 'PATCH', path: '/', body: {} }), {
      name: 'NetworkError',
      code: 'ECONNRESET',
    });
    assert.equal(calls, 4);
  });

  for (const version of ['HTTP/1.1', 'HTTP/2'] as const)
    describe(`watching over ${version}`, () => {
      beforeEach(async () => {
        if (version === 'HTTP/1.1') return;
        await new Promise((resolve) => server.close(resolve));
        const both = createSecureServer({ key: bundle.key, cert: bundle.cert, allowHTTP1: true }, (request, response) =>
          handler(request as unknown as IncomingMessage, response as unknown as ServerResponse, ''),
        );
        both.on('secureConnection', (socket: Socket) => sockets.add(socket));
        await new Promise<void>((resolve) => both.listen(0, resolve));
        server = Object.assign(both as unknown as Server, {
          closeAllConnections: () => sockets.forEach((socket) => socket.destroy()),
        });
      });

      const line = (type: string, name: string): string =>
        `${JSON.stringify({ type, object: { metadata: { name } } })}\n`;
      const collect = async (signal?: AbortSignal) => {
        const lines: string[] = [];
        const note = ({ type, object }: WatchLine): void =>
          void lines.push(`${type} ${(object as { metadata: { name: string } }).metadata.name}`);
        const error = await api.watch({ method: 'GET', path: '/w', ...(signal ? { signal } : {}) }, note).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        return { lines, error };
      };

      it('gives line after line, however they are cut, until the server ends it', async () => {
        const bytes = Buffer.from(line('ADDED', 'grün') + line('MODIFIED', 'b') + line('DELETED', 'c'));
        handler = (_, response) => {
          let at = 0;
          // Through the middle of the ü, too.
          const next = (): void => {
            if (at >= bytes.length) return void response.end();
            response.write(bytes.subarray(at, (at += 7)));
            setImmediate(next);
          };
          next();
        };
        open();
        assert.deepEqual(await collect(), { lines: ['ADDED grün', 'MODIFIED b', 'DELETED c'], error: undefined });
      });

      it('opens sixteen at a time, and more when one is answered, given up or silent for a second', async () => {
        const unanswered: ServerResponse[] = [];
        handler = (_, response) => void unanswered.push(response);
        open();
        const ending = Array.from({ length: 19 }, () => new AbortController());
        const watches = ending.map(({ signal }) => api.watch({ method: 'GET', path: '/', signal }, () => undefined));
        const arrived = async (count: number): Promise<void> => {
          while (unanswered.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
          assert.equal(unanswered.length, count);
        };
        await arrived(16);
        unanswered[0]!.writeHead(200).flushHeaders();
        await arrived(17);
        ending[5]!.abort();
        await arrived(18);
        await arrived(19);
        for (const controller of ending) controller.abort();
        await Promise.all(watches);
      });

      it('tells an end from a break', async () => {
        handler = (_, response) => {
          response.write(line('ADDED', 'a') + '{"type":"MODI');
          setTimeout(() => response.destroy(), 10);
        };
        open();
        const { lines, error } = await collect();
        assert.deepEqual(lines, ['ADDED a']);
        assert.ok(error instanceof NetworkError);
      });

      it('throws the answer when it is not opened', async () => {
        handler = (_, response) =>
          response
            .writeHead(410)
            .end(JSON.stringify({ code: 410, reason: 'Expired', message: 'too old resource version' }));
        open();
        const { error } = await collect();
        assert.ok(error instanceof ApiError);
        assert.equal(error.reason, 'Expired');
      });

      it("ends when it is told to, and does not take a request's connections", async () => {
        handler = (request, response) => {
          if (request.url === '/w') response.write(line('ADDED', 'a'));
          else response.end('{}');
        };
        open({ connections: 1 });
        const ending = new AbortController();
        const watches = Promise.all([collect(ending.signal), collect(ending.signal), collect(ending.signal)]);
        assert.deepEqual(await api.request({ method: 'GET', path: '/r' }), {});
        ending.abort();
        for (const { error } of await watches) assert.equal(error, undefined);
      });

      it('may be ended by what it says, also when the server ends it in the same breath', async () => {
        const ending = new AbortController();
        handler = (_, response) => void response.end(line('ERROR', 'gone'));
        open();
        const call = { method: 'GET', path: '/w', signal: ending.signal } as const;
        await api.watch(call, () => ending.abort());
        // What is thrown where nobody listens would end the process a moment later.
        await new Promise((resolve) => setImmediate(resolve));
      });

      it('that breaks on a kept connection is told once, and not opened again behind our back', async () => {
        let watched = 0;
        let raw: Socket | undefined;
        server.on('connection', (socket: Socket) => (raw = socket));
        handler = (_, response) => {
          // Its end gives the connection back, to be used for the next one.
          if (++watched === 1) return void response.end(line('ADDED', 'a'));
          response.write(line('ADDED', 'b'));
          setTimeout(() => raw!.resetAndDestroy(), 10);
        };
        open();
        assert.equal((await collect()).error, undefined);
        const { lines, error } = await collect();
        assert.deepEqual(lines, ['ADDED b']);
        assert.ok(error instanceof NetworkError);
        await new Promise((resolve) => setTimeout(resolve, 50));
        assert.deepEqual([watched, sockets.size], [2, 1]);
      });

      it('refuses a line without end', async () => {
        handler = (_, response) => {
          response.on('error', () => undefined);
          response.write('x'.repeat(50_000));
        };
        open({ maxBytes: 10_000 });
        const { error } = await collect();
        assert.equal((error as NetworkError).code, 'TOOLARGE');
      });
    });
});
