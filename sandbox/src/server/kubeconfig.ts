// The kubeconfig of the sandbox's administrator.
import { chmodSync, closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { request } from 'node:https';
import { parse, stringify } from 'yaml';
import type { Pair } from './certificates.ts';

export interface KubeconfigContent {
  url: string;
  authority: string;
  client: Pair;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

export const kubeconfigText = ({ url, authority, client }: KubeconfigContent): string =>
  stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'sandbox', cluster: { server: url, 'certificate-authority-data': base64(authority) } }],
      users: [
        {
          name: 'admin',
          user: { 'client-certificate-data': base64(client.certificate), 'client-key-data': base64(client.key) },
        },
      ],
      contexts: [{ name: 'sandbox', context: { cluster: 'sandbox', user: 'admin' } }],
      'current-context': 'sandbox',
    },
    { lineWidth: 0 },
  );

export interface Server {
  readonly url: string;
  readonly authority: string;
}

/** The server that a kubeconfig of the sandbox names. `other`: the file has something else. Undefined: there is no file, or it is empty. */
export function readKubeconfig(path: string): Server | 'other' | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined; // What is wrong with the path, writing it says.
  }
  if (text.trim() === '') return undefined;
  try {
    const { clusters } = parse(text) as {
      clusters: { name: string; cluster: { server: string; 'certificate-authority-data': string } }[];
    };
    const [{ name, cluster }] = clusters as [(typeof clusters)[0]];
    if (clusters.length > 1 || name !== 'sandbox' || !URL.canParse(cluster.server)) return 'other';
    const authority = Buffer.from(cluster['certificate-authority-data'], 'base64').toString();
    return { url: cluster.server, authority };
  } catch {
    return 'other';
  }
}

/** True if this very server answers: another program on the same port does not have a certificate of this authority. */
export const answers = ({ url, authority }: Server): Promise<boolean> =>
  new Promise((resolve) => {
    const asked = request(`${url}/version`, { ca: authority, timeout: 2000, agent: false });
    asked.once('timeout', () => asked.destroy());
    asked.once('response', (response) => {
      response.destroy();
      resolve(true);
    });
    asked.once('error', () => resolve(false));
    asked.once('close', () => resolve(false));
    asked.end();
  });

/** The file contains a private key, so only its owner may read it at any time. */
export function writeKubeconfig(path: string, text: string): void {
  const file = openSync(path, 'w', 0o600);
  try {
    // The mode in writeFile applies only to new files.
    chmodSync(path, 0o600);
    writeSync(file, text);
  } finally {
    closeSync(file);
  }
}
