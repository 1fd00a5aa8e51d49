// Calls a webhook over TLS like the Go client of kube-apiserver: same keep-alive, same error texts.
import https from 'node:https';
import tls from 'node:tls';
import type { Store } from '../core/store.ts';
import type { KubeObject } from '../core/types.ts';
import { CallError } from './review.ts';

export interface ClientConfig {
  url?: string;
  service?: { namespace: string; name: string; path?: string; port?: number };
  /** PEM in base64. */
  caBundle?: string;
}

export interface Address {
  host: string;
  port: number;
}

/** The address of a service. Undefined if it has none. */
export type ResolveService = (namespace: string, name: string, port: number) => Address | undefined;

const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

export class Transport {
  private readonly agent = new https.Agent({ keepAlive: true, maxSockets: 25 });
  private readonly resolve: ResolveService;
  private readonly services: Pick<Store, 'get'>;

  constructor(services: Pick<Store, 'get'>, resolve: ResolveService = () => undefined) {
    this.services = services;
    this.resolve = resolve;
  }

  /** Returns the parsed answer to a POST. Throws CallError. */
  async post(config: ClientConfig, body: object, timeoutSeconds: number): Promise<unknown> {
    const url = urlOf(config);
    url.searchParams.set('timeout', `${timeoutSeconds}s`);
    const failed = (why: string, cause?: unknown): CallError =>
      new CallError(`failed to call webhook: Post ${JSON.stringify(displayed(url, config))}: ${why}`, { cause });
    const address = this.addressOf(config, url, failed);
    const payload = Buffer.from(JSON.stringify(body));
    const ca = config.caBundle ? Buffer.from(config.caBundle, 'base64') : undefined;
    const signal = AbortSignal.timeout(timeoutSeconds * 1000);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.exchange(url, address, payload, ca, signal);
      } catch (error) {
        if (error instanceof CallError) throw error;
        // The server may close an idle connection at the moment of reuse.
        if (error instanceof StaleConnection && attempt < 3) continue;
        const cause = error instanceof StaleConnection ? error.cause : error;
        if (signal.aborted) throw failed('context deadline exceeded', cause);
        const outdated = OUTDATED.has((cause as NodeJS.ErrnoException).code ?? '');
        const why = outdated ? await validity(address, signal) : '';
        throw failed(`${goError(cause as NodeJS.ErrnoException, address)}${why}`, cause);
      }
    }
  }

  close(): void {
    this.agent.destroy();
  }

  private addressOf(config: ClientConfig, url: URL, failed: (why: string) => CallError): Address {
    const { service } = config;
    if (!service) return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 443) };
    const port = service.port ?? 443;
    const found = this.services.get('/services', service.namespace, service.name);
    if (!found) throw failed(`service ${JSON.stringify(service.name)} not found`);
    const address = this.resolve(service.namespace, service.name, port);
    if (!address) throw failed(`dial tcp ${clusterIp(found)}:${port}: connect: connection refused`);
    return address;
  }

  private exchange(
    url: URL,
    address: Address,
    payload: Buffer,
    ca: Buffer | undefined,
    signal: AbortSignal,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const request = https.request({
        agent: this.agent,
        method: 'POST',
        host: address.host,
        port: address.port,
        servername: isIpAddress(url.hostname) ? '' : url.hostname,
        path: url.pathname + url.search,
        headers: {
          host: url.host,
          accept: 'application/json',
          'content-type': 'application/json',
          'content-length': payload.length,
        },
        ca,
        signal,
      });
      request.on('error', (error: NodeJS.ErrnoException) => {
        reject(request.reusedSocket && error.code === 'ECONNRESET' ? new StaleConnection('', { cause: error }) : error);
      });
      request.on('response', (response) => {
        const parts: Buffer[] = [];
        let size = 0;
        response.on('data', (part: Buffer) => {
          size += part.length;
          if (size > MAX_ANSWER_BYTES) request.destroy(new Error('the answer is too large'));
          else parts.push(part);
        });
        response.on('error', reject);
        response.on('end', () => {
          try {
            resolve(parse(response.statusCode ?? 0, Buffer.concat(parts).toString()));
          } catch (error) {
            reject(error as Error);
          }
        });
      });
      request.end(payload);
    });
  }
}

class StaleConnection extends Error {}

const OUTDATED = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);

/** The validity period of the certificate, as Go prints it. Opens another connection, because the failed one does not tell. "" on failure. */
const validity = (address: Address, signal: AbortSignal): Promise<string> =>
  new Promise((resolve) => {
    // Sends nothing. Only reads the certificate.
    const socket = tls.connect({ ...address, rejectUnauthorized: false }, () => {
      const { valid_from: from, valid_to: to } = socket.getPeerCertificate();
      const now = Date.now();
      const text = (time: number): string => `${new Date(time).toISOString().slice(0, 19)}Z`;
      const [relation, bound] = now < Date.parse(from) ? ['before', from] : ['after', to];
      resolve(`: current time ${text(now)} is ${relation} ${text(Date.parse(bound))}`);
      socket.destroy();
    });
    const giveUp = (): void => {
      socket.destroy();
      resolve('');
    };
    socket.on('error', giveUp);
    signal.addEventListener('abort', giveUp, { once: true });
  });

const urlOf = ({ url, service }: ClientConfig): URL =>
  new URL(url ?? `https://${service!.name}.${service!.namespace}.svc:${service!.port ?? 443}${service!.path ?? '/'}`);

/** The URL in the format of the Go client, which always prints the port of a service. */
const displayed = (url: URL, { service }: ClientConfig): string =>
  service ? `https://${url.hostname}:${service.port ?? 443}${url.pathname}${url.search}` : url.href;

const clusterIp = (service: KubeObject): string => (service.spec?.clusterIP as string | undefined) ?? '';

const isIpAddress = (host: string): boolean => /^[\d.]+$/.test(host) || host.includes(':');

const parse = (code: number, text: string): unknown => {
  if (code >= 200 && code < 300) {
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new CallError(
        `failed to call webhook: couldn't get version/kind; json parse error: ${(error as Error).message}`,
        { cause: error },
      );
    }
  }
  throw new CallError(`failed to call webhook: ${statusText(code, text.trim())}`);
};

const statusText = (code: number, body: string): string => {
  switch (code) {
    case 400:
      return 'the server rejected our request for an unknown reason';
    case 401:
      return 'the server has asked for the client to provide credentials';
    case 404:
      return 'the server could not find the requested resource';
    case 405:
      return 'the server does not allow this method on the requested resource';
    case 413:
      return 'Request entity too large: limit is unknown';
    case 429:
      return 'the server has received too many requests and has asked us to try again later';
    case 503:
      return 'the server is currently unable to handle the request';
    default:
      return code >= 500
        ? `an error on the server (${JSON.stringify(body || 'unknown')}) has prevented the request from succeeding`
        : `the server responded with the status code ${code} but did not return more information`;
  }
};

const UNKNOWN_AUTHORITY = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

interface AltNameError extends NodeJS.ErrnoException {
  host?: string;
  cert?: { subjectaltname?: string };
}

const goError = (error: AltNameError, { host, port }: Address): string => {
  const code = error.code ?? '';
  const x509 = (why: string): string => `tls: failed to verify certificate: x509: ${why}`;
  if (UNKNOWN_AUTHORITY.has(code)) return x509('certificate signed by unknown authority');
  switch (code) {
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return x509('certificate has expired or is not yet valid');
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return x509(wrongHost(error.cert?.subjectaltname, error.host ?? host));
    case 'ECONNREFUSED':
      return `dial tcp ${host}:${port}: connect: connection refused`;
    case 'ENOTFOUND':
      return `dial tcp: lookup ${host}: no such host`;
    case 'ECONNRESET':
      return 'EOF';
    case 'EPROTO':
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return 'http: server gave HTTP response to HTTPS client';
    default:
      return error.message;
  }
};

/** Go checks IP addresses against the addresses of a certificate, and names against its names. */
const wrongHost = (alternatives: string | undefined, wanted: string): string => {
  if (!alternatives) return 'certificate relies on legacy Common Name field, use SANs instead';
  const kind = isIpAddress(wanted) ? 'IP Address:' : 'DNS:';
  const names = alternatives.split(', ').flatMap((name) => (name.startsWith(kind) ? [name.slice(kind.length)] : []));
  if (names.length > 0) return `certificate is valid for ${names.join(', ')}, not ${wanted}`;
  return isIpAddress(wanted)
    ? `cannot validate certificate for ${wanted} because it doesn't contain any IP SANs`
    : `certificate is not valid for any names, but wanted to match ${wanted}`;
};
