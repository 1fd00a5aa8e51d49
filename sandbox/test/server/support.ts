// A client for the sandbox over HTTPS with Node's own modules: reads a kubeconfig and sends requests.
import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import https from 'node:https';
import { parse } from 'yaml';

export interface Credentials {
  ca: Buffer | [];
  cert?: Buffer;
  key?: Buffer;
}

interface Kubeconfig {
  clusters: [{ cluster: { server: string; 'certificate-authority-data': string } }];
  users: [{ user: { 'client-certificate-data': string; 'client-key-data': string } }];
}

/** The server's URL, the administrator of the kubeconfig, and one who trusts the server but has no certificate. */
export function credentials(kubeconfig: string): { server: string; admin: Credentials; nobody: Credentials } {
  const config = parse(kubeconfig) as Kubeconfig;
  const { cluster } = config.clusters[0];
  const { user } = config.users[0];
  const bytes = (text: string): Buffer => Buffer.from(text, 'base64');
  const ca = bytes(cluster['certificate-authority-data']);
  return {
    server: cluster.server,
    admin: { ca, cert: bytes(user['client-certificate-data']), key: bytes(user['client-key-data']) },
    nobody: { ca },
  };
}

/** An answer; what its body holds is for the caller to say. */
export interface Answer<T> {
  status: number;
  headers: IncomingHttpHeaders;
  /** Parsed when it is JSON, else text. */
  body: T;
}

/** One request on a connection of its own. Rejects when there is no answer, not when the answer is a refusal. */
export async function call<T = unknown>(
  url: string,
  options: https.RequestOptions,
  body?: string | Buffer,
): Promise<Answer<T>> {
  const request = https.request(url, { agent: false, ...options });
  request.end(body);
  const response = await answerTo(request);
  const text = await textOf(response);
  return { status: response.statusCode!, headers: response.headers, body: parsed(text) as T };
}

/** Starts a request that is answered bit by bit, as a watch is. */
export const open = (url: string, options: https.RequestOptions): Promise<IncomingMessage> =>
  answerTo(https.get(url, { ...options, agent: false }));

const answerTo = async (request: ReturnType<typeof https.request>): Promise<IncomingMessage> =>
  ((await once(request, 'response')) as [IncomingMessage])[0];

async function textOf(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text; // Plain text.
  }
}
