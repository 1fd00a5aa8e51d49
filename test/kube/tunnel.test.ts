// The client through proxies: real ones, on this machine.
import assert from 'node:assert/strict';
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo, type Server, type Socket } from 'node:net';
import { createApi, type ApiClient } from '../../src/kube/client.ts';
import { createBundle, type Bundle } from '../../src/tls/bundle.ts';

describe('the API client behind a proxy', () => {
  let bundle: Bundle;
  let other: Bundle;
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  let api: ApiClient | undefined;

  before(async () => {
    [bundle, other] = await Promise.all([
      createBundle(['localhost'], Date.now()),
      createBundle(['localhost'], Date.now()),
    ]);
  });
  afterEach(async () => {
    api?.close();
    for (const socket of sockets) socket.destroy();
    await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
  });

  const listen = async (server: Server): Promise<number> => {
    servers.push(server);
    server.on('connection', (socket: Socket) => sockets.add(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  };
  const answer: http.RequestListener = (request, response) =>
    void response.end(JSON.stringify({ path: request.url, connections: sockets.size }));
  const target = (): Promise<number> => listen(https.createServer({ key: bundle.key, cert: bundle.cert }, answer));

  /** Leads wherever it is asked to; notes where, and with which credentials. */
  function proxy(asked: string[], refuse?: number, secure?: Bundle): Server {
    const server = secure ? https.createServer({ key: secure.key, cert: secure.cert }) : http.createServer();
    return server.on('connect', (request: http.IncomingMessage, socket: Socket) => {
      asked.push(`${request.url} ${request.headers['proxy-authorization'] ?? '-'}`);
      if (refuse !== undefined) return void socket.end(`HTTP/1.1 ${refuse} No\r\n\r\n`);
      const port = Number(request.url!.split(':')[1]);
      const onward = net.connect(port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        socket.pipe(onward).pipe(socket);
      });
      for (const one of [socket, onward]) one.on('error', () => undefined);
    });
  }

  function clientOf(server: string, through: string, ca = bundle.ca): ApiClient {
    const [url, by] = [new URL(server), new URL(through)];
    const credentials = { headers: {}, tls: { ca } };
    return (api = createApi({
      connection: { server: url, proxy: by, namespace: undefined, credentials: () => Promise.resolve(credentials) },
      userAgent: 'test',
      fieldManager: 'test',
    }));
  }
  const GET = { method: 'GET', path: '/api' } as const;

  it('goes through CONNECT with its credentials, verifies the server itself, and keeps the connection', async () => {
    const asked: string[] = [];
    const [port, by] = [await target(), await listen(proxy(asked))];
    const client = clientOf(`https://localhost:${port}`, `http://me:p%40ss@127.0.0.1:${by}`);
    for (let i = 0; i < 3; i++) assert.deepEqual(((await client.request(GET)) as { path: string }).path, '/api');
    const basic = Buffer.from('me:p@ss').toString('base64');
    assert.deepEqual(asked, [`localhost:${port} Basic ${basic}`]);
  });

  it('does not trust a server of another CA because a proxy leads there', async () => {
    const [port, by] = [await target(), await listen(proxy([]))];
    const client = clientOf(`https://localhost:${port}`, `http://127.0.0.1:${by}`, other.ca);
    await assert.rejects(client.request(GET), /self.signed|unable to (verify|get)/);
  });

  it('goes through a proxy that speaks TLS, which the CA of the cluster may have signed', async () => {
    const asked: string[] = [];
    const [port, by] = [await target(), await listen(proxy(asked, undefined, bundle))];
    await clientOf(`https://localhost:${port}`, `https://localhost:${by}`).request(GET);
    assert.equal(asked.length, 1);
  });

  it('goes through a proxy to a server without TLS', async () => {
    const asked: string[] = [];
    const [port, by] = [await listen(http.createServer(answer)), await listen(proxy(asked))];
    await clientOf(`http://localhost:${port}`, `http://127.0.0.1:${by}`).request(GET);
    assert.deepEqual(asked, [`localhost:${port} -`]);
  });

  it('says which proxy stood in the way, and no password', async () => {
    const by = await listen(proxy([], 407));
    const client = clientOf('https://api.example:6443', `http://me:secret@127.0.0.1:${by}`);
    const because = new RegExp(`proxy http://127.0.0.1:${by}: CONNECT api.example:6443 failed with 407 No`);
    await assert.rejects(
      client.request(GET),
      (error: Error) => because.test(error.message) && !/secret/.test(error.message),
    );
    const none = clientOf('https://api.example:6443', 'http://127.0.0.1:1');
    await assert.rejects(none.request(GET), /proxy http:\/\/127\.0\.0\.1:1: connect ECONNREFUSED/);
  });

  describe('of SOCKS 5', () => {
    /** Says each of these after each thing that it hears, then leads on. */
    const socks = (heard: string[], answers: readonly number[][]): Server =>
      net.createServer((socket) => {
        const left = [...answers];
        let port = 0;
        socket.on('error', () => undefined);
        const hear = (data: Buffer): void => {
          heard.push(data.toString('latin1'));
          port = data.readUInt16BE(data.length - 2);
          const say = left.shift();
          if (say) socket.write(Buffer.from(say));
          if (left.length > 0) return;
          socket.off('data', hear);
          const onward = net.connect(port, '127.0.0.1');
          onward.on('error', () => undefined);
          socket.pipe(onward).pipe(socket);
        };
        socket.on('data', hear);
      });
    const DONE = [5, 0, 0, 1, 127, 0, 0, 1, 1, 1];

    it('lets the proxy look names up', async () => {
      const heard: string[] = [];
      const [port, by] = [await target(), await listen(socks(heard, [[5, 0], DONE]))];
      await clientOf(`https://localhost:${port}`, `socks5://127.0.0.1:${by}`).request(GET);
      assert.equal(heard[0], '\x05\x01\x00');
      assert.ok(heard[1]!.startsWith('\x05\x01\x00\x03\x09localhost'), heard[1]);
    });

    it('says who it is', async () => {
      const heard: string[] = [];
      const [port, by] = [await target(), await listen(socks(heard, [[5, 2], [1, 0], DONE]))];
      await clientOf(`https://localhost:${port}`, `socks5://me:secret@127.0.0.1:${by}`).request(GET);
      assert.equal(heard[1], '\x01\x02me\x06secret');
    });

    it('says why it was not let through', async () => {
      for (const [answers, because] of [
        [
          [
            [5, 0],
            [5, 5, 0, 1],
          ],
          /connection refused/,
        ],
        [[[5, 255]], /unsupported authentication method/],
        [[[4, 0]], /SOCKS 5 is not supported/],
      ] as const) {
        const by = await listen(
          socks(
            [],
            answers.map((each) => [...each]),
          ),
        );
        await assert.rejects(clientOf('https://api.example:6443', `socks5://127.0.0.1:${by}`).request(GET), because);
        api!.close();
      }
    });
  });
});
