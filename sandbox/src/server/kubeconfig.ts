// The kubeconfig of the sandbox's administrator.
import { chmodSync, closeSync, openSync, writeSync } from 'node:fs';
import { stringify } from 'yaml';
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
