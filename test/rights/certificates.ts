// The Job of the certificates, as the chart runs it: with the rights of its own ServiceAccount.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import { ApiError } from '@tranche/sandbox/types';
import { runCertificates } from '../../src/app/certificates.ts';
import { readConfig } from '../../src/app/config.ts';
import { silent } from '../../src/kube/log.ts';
import { NAMESPACE, type TestCluster } from '../main/cluster.ts';
import { temporaryFolder } from '../support/processes.ts';
import { isFor, show, watchRequests, type Grant } from './grants.ts';

export const CERTIFICATES = 'tranche-certificates';
const SECRETS = `/api/v1/namespaces/${NAMESPACE}/secrets`;
const SECRET = `${SECRETS}/tranche-tls`;

export class CertificatesJob {
  private readonly cluster: TestCluster;
  private readonly kubeconfig: string;
  private readonly complaints: string[] = [];

  private constructor(cluster: TestCluster, kubeconfig: string) {
    [this.cluster, this.kubeconfig] = [cluster, kubeconfig];
  }

  static async prepare(cluster: TestCluster): Promise<CertificatesJob> {
    const account = `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/${CERTIFICATES}/token`;
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3600 } };
    const { status } = (await cluster.api.request({ method: 'POST', path: account, body })) as {
      status: { token: string };
    };
    const config = parse(await readFile(cluster.kubeconfig, 'utf8')) as object;
    const kubeconfig = path.join(temporaryFolder('certificates'), 'kubeconfig');
    const users = [{ name: 'admin', user: { token: status.token } }];
    await writeFile(kubeconfig, JSON.stringify({ ...config, users }), { mode: 0o600 });
    return new CertificatesJob(cluster, kubeconfig);
  }

  /** Rejects when it has not come to its end in time, or has complained as `enough` asks. */
  async run(seconds = 30, enough: (complaint: string) => boolean = () => false): Promise<void> {
    const config = readConfig(['certificates', '--namespace', NAMESPACE, '--timeout', String(seconds)], {
      KUBERNETES_SERVICE_HOST: '127.0.0.1',
    });
    if (config === 'help') throw new Error('not a run');
    const ending = new AbortController();
    const note = (_message: string, fields: object = {}): void => {
      const complaint = say(fields);
      this.complaints.push(complaint);
      if (enough(complaint)) ending.abort();
    };
    const logger = { ...silent, warn: note, error: note, child: () => logger };
    const cluster = { type: 'kubeconfig', files: [this.kubeconfig] } as const;
    await runCertificates({ config: { ...config, cluster }, version: '0.0.0-test', logger, signal: ending.signal });
  }

  /** What the kubelet shows the program of the Secret. */
  async mount(): Promise<string> {
    const { data } = (await this.cluster.api.request({ method: 'GET', path: SECRET })) as {
      data: Record<string, string>;
    };
    const folder = temporaryFolder('mounted');
    for (const file of ['tls.crt', 'tls.key', 'ca.crt'])
      await writeFile(path.join(folder, file), Buffer.from(data[file]!, 'base64'), { mode: 0o600 });
    return folder;
  }

  /** Which rights it asked for beside these, which of these it did not use, and of which it did not say that they were missing. */
  async uses(rights: readonly Grant[]): Promise<{ beyond: string[]; unused: string[]; silent: string[] }> {
    const used = new Set<Grant>();
    const beyond: string[] = [];
    let without: Grant | undefined;
    watchRequests(this.cluster.sandbox.cluster, `system:serviceaccount:${NAMESPACE}:${CERTIFICATES}`, (asked) => {
      const grant = rights.find((one) => isFor(one, asked));
      if (grant && grant === without)
        throw new ApiError({ kind: 'Status', code: 403, reason: 'Forbidden', message: `no ${show(grant)}` } as never);
      if (grant) used.add(grant);
      else if (asked.resource !== 'selfsubjectreviews') beyond.push(`${asked.verb} ${asked.resource}`);
    });
    await this.startOver('DELETE');
    await this.run();
    // Spoilt: a new certificate is put in its place.
    await this.startOver('PATCH');
    await this.run();
    const unused = rights.filter((grant) => !used.has(grant)).map(show);
    const quiet: string[] = [];
    for (const grant of rights) {
      await this.startOver(show(grant) === 'patch secrets' ? 'PATCH' : 'DELETE');
      this.complaints.length = 0;
      without = grant;
      // Without a watch, one run sees what it has listed: that is enough for it.
      const ended = await this.run(3, (complaint) => complaint.includes(`no ${show(grant)}`)).then(
        () => '',
        (error: Error) => error.message,
      );
      if (![ended, ...this.complaints].join().includes(`no ${show(grant)}`)) quiet.push(show(grant));
      without = undefined;
    }
    return { beyond, unused, silent: quiet };
  }

  private async startOver(method: 'DELETE' | 'PATCH'): Promise<void> {
    const body = { data: { 'tls.crt': 'eA==' } };
    const contentType = 'application/merge-patch+json';
    const spoil = method === 'PATCH' ? { contentType, body } : {};
    await this.cluster.api.request({ method, path: SECRET, ...spoil } as never).catch(() => undefined);
  }
}

const say = (fields: object): string => {
  const { error } = fields as { readonly error?: unknown };
  return error instanceof Error ? error.message : JSON.stringify(fields);
};
