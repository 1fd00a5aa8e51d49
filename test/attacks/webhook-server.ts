// A webhook server for attacks: over TLS, with clients that send what they like.
import { once } from 'node:events';
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import type { AdmissionDeps } from '../../src/admission/deps.ts';
import { createAdmissionServer, type AdmissionServer, type ServerLimits } from '../../src/admission/server.ts';
import { issueCa, issueLeaf, type KeyPair } from '../../src/tls/issue.ts';
import { someDeps, type Json } from '../admission/support.ts';

export interface Reply {
  readonly status: number;
  readonly body: Json;
}

export interface Response {
  readonly uid: string;
  readonly allowed: boolean;
  readonly patch?: string;
  readonly warnings?: readonly string[];
  readonly status?: { readonly code: number; readonly reason: string; readonly message: string };
}

export class WebhookServer {
  readonly ca: KeyPair;
  readonly port: number;
  private readonly pair: KeyPair;
  private readonly server: AdmissionServer;
  private readonly agent: Agent;

  private constructor(ca: KeyPair, pair: KeyPair, server: AdmissionServer, port: number) {
    [this.ca, this.pair, this.server, this.port] = [ca, pair, server, port];
    this.agent = new Agent({ keepAlive: false, ca: ca.cert });
  }

  static async start(deps: Partial<AdmissionDeps> = {}, limits: ServerLimits = {}): Promise<WebhookServer> {
    const ca = await issueCa(Date.now(), 1);
    const tls = await issueLeaf(ca, ['127.0.0.1'], Date.now(), 1);
    const server = createAdmissionServer({ ...someDeps(), ...deps, tls }, limits);
    return new WebhookServer(ca, tls, server, await server.listen(0, '127.0.0.1'));
  }

  /** With the certificate that it has; what else has changed counts from now on. */
  reload(): void {
    this.server.reload(this.pair);
  }

  async stop(): Promise<void> {
    this.agent.destroy();
    await this.server.close(0);
  }

  /** Written piece by piece, so that nothing is in memory as a whole. */
  send(path: string, body: string | Iterable<string | Uint8Array>, options: RequestOptions = {}): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const headers = {
        'content-type': 'application/json',
        ...(typeof body === 'string' && { 'content-length': Buffer.byteLength(body) }),
        ...options.headers,
      };
      const call = httpsRequest(
        { host: '127.0.0.1', port: this.port, path, method: 'POST', agent: this.agent, ...options, headers },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => (text += chunk));
          response.on('end', () => {
            call.destroy();
            resolve({ status: response.statusCode ?? 0, body: text === '' ? {} : (JSON.parse(text) as Json) });
          });
        },
      );
      call.on('error', reject);
      if (typeof body === 'string') call.end(body);
      else void pour(call, body);
    });
  }

  async review(
    path: string,
    body: string | Iterable<string | Uint8Array>,
    options?: RequestOptions,
  ): Promise<Response> {
    const reply = await this.send(path, body, options);
    if (reply.status !== 200) throw new Error(`${reply.status}: ${JSON.stringify(reply.body)}`);
    return reply.body['response'] as Response;
  }
}

async function pour(call: ReturnType<typeof httpsRequest>, pieces: Iterable<string | Uint8Array>): Promise<void> {
  for (const piece of pieces) {
    if (call.destroyed) return;
    if (!call.write(piece)) {
      const ended = new AbortController();
      const { signal } = ended;
      await Promise.race([once(call, 'drain', { signal }), once(call, 'close', { signal })]).catch(() => undefined);
      ended.abort();
    }
  }
  call.end();
}
