// Chooses the proxy for a server from HTTPS_PROXY, HTTP_PROXY and NO_PROXY, by the rules of Go and kubectl.
import { BlockList, isIP } from 'node:net';

/** The variables as they are in the environment. */
export interface ProxySettings {
  readonly http?: string;
  readonly https?: string;
  readonly no?: string;
  /** The program runs as CGI, where a client can set HTTP_PROXY through a request header. */
  readonly cgi?: boolean;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Upper-case variables take precedence. Returns undefined if none is set. */
export function proxySettings(env: Env): ProxySettings | undefined {
  const either = (name: string): string | undefined => env[name] || env[name.toLowerCase()] || undefined;
  const [http, https, no] = [either('HTTP_PROXY'), either('HTTPS_PROXY'), either('NO_PROXY')];
  if (http === undefined && https === undefined) return undefined;
  return {
    ...(http !== undefined && { http }),
    ...(https !== undefined && { https }),
    ...(no !== undefined && { no }),
    ...(env['REQUEST_METHOD'] && { cgi: true }),
  };
}

/** The proxy for a server, or undefined. An invalid URL is ignored, as in Go. */
export function proxyFor(server: URL, { http, https, no = '', cgi }: ProxySettings = {}): URL | undefined {
  const setting = server.protocol === 'https:' ? https : cgi ? undefined : http;
  const proxy = setting === undefined ? undefined : parseProxy(setting);
  if (proxy === undefined) return undefined;
  const host = withoutBrackets(server.hostname).toLowerCase();
  const port = server.port || (server.protocol === 'https:' ? '443' : '80');
  return isLocal(host) || isExcluded(no, host, port) ? undefined : proxy;
}

const SCHEMES: ReadonlySet<string> = new Set(['http:', 'https:', 'socks5:', 'socks5h:']);

/** Reads `host:port` as an HTTP proxy. */
function parseProxy(text: string): URL | undefined {
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
  const url = URL.canParse(hasScheme ? text : `http://${text}`)
    ? new URL(hasScheme ? text : `http://${text}`)
    : undefined;
  return url !== undefined && SCHEMES.has(url.protocol) && url.hostname !== '' ? url : undefined;
}

/** Reads `proxy-url` of a kubeconfig. Throws an error that says what is wrong. */
export function readProxyUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '')
    throw new Error(`proxy-url: Invalid value: "${text}": must be a URL; write http://HOST:PORT`);
  if (SCHEMES.has(url.protocol)) return url;
  throw new Error(`proxy-url: Unsupported scheme: "${url.protocol.slice(0, -1)}"; write http, https or socks5`);
}

/** Removes the brackets around an IPv6 address. */
export const withoutBrackets = (host: string): string => host.replace(/^\[|\]$/g, '');

const isLocal = (host: string): boolean =>
  host === 'localhost' ||
  (isIP(host) !== 0 &&
    contains(
      [
        ['127.0.0.0', 8],
        ['::1', 128],
      ],
      host,
    ));

function contains(subnets: readonly (readonly [address: string, bits: number])[], host: string): boolean {
  const list = new BlockList();
  for (const [address, bits] of subnets) list.addSubnet(address, bits, familyOf(address));
  return list.check(host, familyOf(host));
}
const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 6 ? 'ipv6' : 'ipv4');

/** Entries of NO_PROXY are `*`, IP addresses, CIDR ranges and domains. Addresses and domains may have a port. */
function isExcluded(no: string, host: string, port: string): boolean {
  const entries = no.split(',').map((entry) => entry.trim().toLowerCase());
  return entries.includes('*') || entries.some((entry) => entry !== '' && matches(entry, host, port));
}

function matches(entry: string, host: string, port: string): boolean {
  const [, address = '', bits = ''] = /^(.+)\/(\d{1,3})$/.exec(entry) ?? [];
  if (isIP(address) !== 0 && Number(bits) <= (isIP(address) === 6 ? 128 : 32)) {
    return isIP(host) !== 0 && contains([[address, Number(bits)]], host);
  }
  const [, withPort, wantedPort] = /^(\[[^\]]*\]|[^:]*):(\d*)$/.exec(entry) ?? [];
  const wanted = withoutBrackets(withPort ?? entry);
  if (wanted === '' || (wantedPort && wantedPort !== port)) return false;
  if (isIP(wanted) !== 0) return isIP(host) !== 0 && contains([[wanted, isIP(wanted) === 6 ? 128 : 32]], host);
  const domain = wanted.startsWith('*.') ? wanted.slice(1) : wanted;
  // A leading dot excludes the domain itself.
  return domain.startsWith('.') ? host.endsWith(domain) : host === domain || host.endsWith(`.${domain}`);
}
