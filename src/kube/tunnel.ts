// Opens connections through a proxy: CONNECT for HTTP and HTTPS proxies, or SOCKS 5.
import http from 'node:http';
import https from 'node:https';
import net, { isIP, type Socket } from 'node:net';
import tls from 'node:tls';
import type { Duplex } from 'node:stream';
import { withoutBrackets } from './proxy.ts';

type Tls = Pick<https.AgentOptions, 'ca' | 'rejectUnauthorized'>;
type Created = (error: Error | null, stream: Duplex) => void;

const TIMEOUT_MS = 30_000;

/** An agent for servers with TLS, inside the tunnel. */
export class TunnelAgent extends https.Agent {
  private readonly proxy: URL;

  constructor(proxy: URL, options: https.AgentOptions) {
    super(options);
    this.proxy = proxy;
  }

  override createConnection(options: https.RequestOptions, done?: Created): Duplex | null | undefined {
    const { ca, rejectUnauthorized } = this.options;
    const ways = { ...(ca && { ca }), ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }) };
    tunnel(this.proxy, hostOf(options), Number(options.port ?? 443), ways).then(
      (socket) => done?.(null, super.createConnection({ ...options, socket } as https.RequestOptions)!),
      (error: Error) => done?.(error, undefined as never),
    );
    return undefined;
  }
}

/** An agent for servers without TLS. */
export class PlainTunnelAgent extends http.Agent {
  private readonly proxy: URL;

  constructor(proxy: URL, options: http.AgentOptions) {
    super(options);
    this.proxy = proxy;
  }

  override createConnection(options: http.RequestOptions, done?: Created): Duplex | null | undefined {
    tunnel(this.proxy, hostOf(options), Number(options.port ?? 80), {}).then(
      (socket) => done?.(null, socket),
      (error: Error) => done?.(error, undefined as never),
    );
    return undefined;
  }
}

const hostOf = ({ host }: http.RequestOptions): string => withoutBrackets(host ?? 'localhost');

/** Opens a connection to the server, without TLS. The error contains the proxy's address, without its credentials. */
async function tunnel(proxy: URL, host: string, port: number, ways: Tls): Promise<Socket> {
  try {
    const open = proxy.protocol.startsWith('socks') ? socks : connect;
    return await open(proxy, host, port, ways);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const failed: NodeJS.ErrnoException = new Error(`proxy ${proxy.protocol}//${proxy.host}: ${message}`);
    if (code !== undefined) failed.code = code;
    throw failed;
  }
}

const addressOf = (host: string, port: number): string => `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
const credentialsOf = (proxy: URL): string[] | undefined =>
  proxy.username === '' ? undefined : [proxy.username, proxy.password].map(decodeURIComponent);

/** An HTTPS proxy is verified with the server's CA, as in kubectl, and with the public CAs. */
function connect(proxy: URL, host: string, port: number, { ca, ...ways }: Tls): Promise<Socket> {
  const target = addressOf(host, port);
  const credentials = credentialsOf(proxy);
  const authorities = ca === undefined ? {} : { ca: [ca, tls.rootCertificates].flat(2) as string[] };
  const options: https.RequestOptions = {
    method: 'CONNECT',
    host: withoutBrackets(proxy.hostname),
    port: proxy.port || (proxy.protocol === 'https:' ? 443 : 80),
    path: target,
    agent: false,
    timeout: TIMEOUT_MS,
    headers: {
      host: target,
      ...(credentials && {
        'proxy-authorization': `Basic ${Buffer.from(credentials.join(':')).toString('base64')}`,
      }),
    },
    ...ways,
    ...authorities,
  };
  return new Promise((resolve, reject) => {
    const request = (proxy.protocol === 'https:' ? https : http).request(options);
    request.once('connect', (response, socket: Socket, head) => {
      socket.setTimeout(0);
      if (response.statusCode === 200) {
        if (head.length > 0) socket.unshift(head);
        return resolve(socket);
      }
      socket.destroy();
      reject(new Error(`CONNECT ${target} failed with ${response.statusCode} ${response.statusMessage ?? ''}`));
    });
    request.once('response', (response) => {
      response.destroy();
      reject(new Error(`CONNECT is not supported (${response.statusCode})`));
    });
    request.once('timeout', () => request.destroy(new Error(`no response within ${TIMEOUT_MS} ms`)));
    request.once('error', reject);
    request.end();
  });
}

const SOCKS_ERRORS: Readonly<Record<number, string>> = {
  1: 'general failure',
  2: 'connection not allowed by ruleset',
  3: 'network unreachable',
  4: 'host unreachable',
  5: 'connection refused',
  6: 'TTL expired',
  7: 'command not supported',
  8: 'address type not supported',
};

/** SOCKS 5 (RFC 1928 and 1929). The proxy resolves host names, as in Go. */
async function socks(proxy: URL, host: string, port: number): Promise<Socket> {
  const socket = net.connect({ host: withoutBrackets(proxy.hostname), port: Number(proxy.port || 1080) });
  const read = reader(socket);
  const credentials = credentialsOf(proxy);
  try {
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`no response within ${TIMEOUT_MS} ms`)));
    socket.write(Buffer.from(credentials ? [5, 2, 0, 2] : [5, 1, 0]));
    const [version, method] = await read(2);
    if (version !== 5) throw new Error('SOCKS 5 is not supported');
    if (method === 2 && credentials) {
      const texts = credentials.map((text) => Buffer.from(text));
      socket.write(Buffer.concat([Buffer.from([1]), ...texts.flatMap((text) => [Buffer.from([text.length]), text])]));
      if ((await read(2))[1] !== 0) throw new Error('the username or password is wrong');
    } else if (method !== 0) throw new Error('unsupported authentication method');
    socket.write(Buffer.concat([Buffer.from([5, 1, 0]), socksAddress(host), Buffer.from([port >> 8, port & 255])]));
    const [, failed = 1, , type] = await read(4);
    if (failed !== 0) throw new Error(SOCKS_ERRORS[failed] ?? `error ${failed}`);
    await read((type === 1 ? 4 : type === 4 ? 16 : (await read(1))[0]!) + 2);
    socket.setTimeout(0);
    socket.removeAllListeners();
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function socksAddress(host: string): Buffer {
  if (isIP(host) === 4) return Buffer.from([1, ...host.split('.').map(Number)]);
  const name = Buffer.from(host);
  return Buffer.concat([Buffer.from([3, name.length]), name]);
}

/** Returns a function that reads exactly the given number of bytes. */
function reader(socket: Socket): (bytes: number) => Promise<Buffer> {
  return (bytes) =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const chunk = socket.read(bytes) as Buffer | null;
        if (chunk === null) return;
        for (const [event, listener] of listeners) socket.off(event, listener);
        resolve(chunk);
      };
      const listeners: [string, (error?: Error) => void][] = [
        ['readable', look],
        ['error', (error) => reject(error!)],
        ['end', () => reject(new Error('the connection ended'))],
        ['close', () => reject(new Error('the connection was closed'))],
      ];
      for (const [event, listener] of listeners) socket.on(event, listener);
      look();
    });
}
