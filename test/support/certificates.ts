// What the chart and the kubelet do about certificates: the Job, with the token of its own account, and the Secret as a Pod has it mounted.
import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import { runCertificates } from '../../src/app/certificates.ts';
import { readConfig } from '../../src/app/config.ts';
import { silent } from '../../src/kube/log.ts';
import { temporaryFolder } from './processes.ts';

/** Of the chart, installed as `tranche`. */
export const ACCOUNT = 'tranche';
export const JOB_ACCOUNT = 'tranche-certificates';
export const TLS_SECRET = 'tranche-tls';

/** The flags of the chart that say where the certificate is. */
export const tlsFlags = (folder: string): string[] => ['--tls-dir', folder, '--inject-ca', 'check'];

/** The kubeconfig, for another user: whom this token is of. */
export const withToken = (kubeconfig: string, token: string): string => {
  const config = parse(kubeconfig) as { contexts: { context: { user: string } }[] };
  return JSON.stringify({ ...config, users: [{ name: config.contexts[0]!.context.user, user: { token } }] });
};

/** One Pod of the Job, whose account this kubeconfig has; rejects as the Pod fails. */
export async function runJob(kubeconfig: string, namespace: string, seconds = 30): Promise<void> {
  const flags = ['certificates', '--namespace', namespace, '--timeout', String(seconds)];
  const config = readConfig(flags, { KUBERNETES_SERVICE_HOST: '127.0.0.1' });
  if (config === 'help') throw new Error('not a run');
  const file = path.join(temporaryFolder('job'), 'kubeconfig');
  await writeFile(file, kubeconfig, { mode: 0o600 });
  const cluster = { type: 'kubeconfig', files: [file] } as const;
  const { signal } = new AbortController();
  await runCertificates({ config: { ...config, cluster }, version: '0.0.0-test', logger: silent, signal });
}

/** What the chart mounts of the Secret: all but the key of the CA. */
const FILES = ['tls.crt', 'tls.key', 'ca.crt'] as const;

type Data = Readonly<Record<string, string>>;

/** A folder as the kubelet keeps it: what is in it changes all at once, and stays when the Secret is gone or lacks a key. */
export class MountedSecret {
  readonly folder = temporaryFolder('mounted');
  private shown: string | undefined;
  private within: string | undefined;

  /** False when there is nothing to mount (yet). */
  async show(data: Data | undefined): Promise<boolean> {
    const texts = FILES.map((file) => data?.[file]);
    if (texts.includes(undefined)) return false;
    const text = texts.join();
    if (text === this.shown) return true;
    const next = await mkdtemp(path.join(this.folder, '..at_'));
    for (const [i, file] of FILES.entries())
      await writeFile(path.join(next, file), Buffer.from(texts[i]!, 'base64'), { mode: 0o440 });
    const link = path.join(this.folder, '..data_tmp');
    await symlink(path.basename(next), link);
    await rename(link, path.join(this.folder, '..data'));
    if (this.shown === undefined)
      for (const file of FILES) await symlink(path.join('..data', file), path.join(this.folder, file));
    if (this.within !== undefined) await rm(this.within, { recursive: true, force: true });
    [this.shown, this.within] = [text, next];
    return true;
  }
}
