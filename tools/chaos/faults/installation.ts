// Faults of the installation: certificates, webhook configurations or the CRD are deleted or corrupted.
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'node:tls';
import type { KubeObject } from '../../../src/api/types.ts';
import { createBundle, type Bundle } from '../../../src/tls/bundle.ts';
import type { Fault, Run } from '../fault.ts';
import { chartObjects, collectionOf, CRDS, HOOKS, NAMESPACE, SECRET, type Stage } from '../stage.ts';
import type { Subject } from '../subject.ts';

const NAMES = [`tranche-webhook.${NAMESPACE}.svc`, `tranche-webhook.${NAMESPACE}.svc.cluster.local`];
const YEAR_MS = 365 * 86_400_000;
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const dataOf = ({ ca, caKey, cert, key }: Bundle): Record<string, string> => ({
  'ca.crt': base64(ca),
  'ca.key': base64(caKey),
  'tls.crt': base64(cert),
  'tls.key': base64(key),
});

/** Connects like the API server, with the given CA. */
const shows = (port: number, ca: string): Promise<boolean> =>
  new Promise((resolve) => {
    const options = { port, host: '127.0.0.1', servername: NAMES[0]!, ca: Buffer.from(ca, 'base64') };
    const socket = connect(options, () => resolve(socket.authorized));
    socket.on('secureConnect', () => socket.destroy()).on('error', () => resolve(false));
  });

const KEYS = ['ca.crt', 'ca.key', 'tls.crt', 'tls.key'] as const;

/**
 * Changes the Secret during a release. First the replicas continue with their current certificate, so an edit is accepted at once. Then the
 * Job runs, and an edit is accepted again as soon as the replicas have the new certificate.
 */
const secret = (what: string, harm: (stage: Stage) => Promise<unknown>, short = false, replaced = false): Run => ({
  what,
  short,
  async play(stage, recovered) {
    const [subject, other] = [await stage.subject(), await stage.subject()];
    await subject.release('v2');
    await subject.stands(1);
    await harm(stage);
    const another = replaced ? replaceOne(stage) : undefined;
    const spoilt = await stage.secret();
    await stage.mounted();
    await other.release('v2');
    const began = Date.now();
    await stage.runJob();
    const data = await stage.secret();
    for (const key of KEYS) if (!data?.[key]) throw new Error(`the Job has left the Secret without ${key}`);
    if (data!['tls.crt'] === spoilt?.['tls.crt']) throw new Error('the Job has left the certificate as it was');
    await stage.persist('an edit', () => other.release('v3'));
    recovered((Date.now() - began) / 1000);
    // Checks all replicas, not only the one that answered.
    for (const { webhookPort } of stage.replicas)
      await stage.until('a replica shows a certificate of the new CA', () => shows(webhookPort, data!['ca.crt']!));
    await another;
    await subject.toEnd('v2');
    await other.toEnd('v3');
  },
});

/** The Secret cannot be mounted, so the new Pod waits for the Job. */
function replaceOne(stage: Stage): Promise<unknown> {
  stage.replicas[0]!.kill();
  const another = stage.startReplica();
  // The error is thrown where the promise is awaited.
  another.catch(() => undefined);
  return another;
}

const write = (stage: Stage, data: Record<string, string | null>): Promise<unknown> => stage.patch(SECRET, { data });

export const certificates: Fault = {
  name: 'certificates',
  title:
    'the Secret with the certificates deleted, emptied or corrupted; a certificate that is expired, or has a wrong CA or name; then the Job runs',
  runs: [
    secret('the Secret deleted', (stage) => stage.remove(SECRET), true),
    secret('deleted, and a replica killed', (stage) => stage.remove(SECRET), false, true),
    secret('emptied', (stage) => write(stage, { 'ca.crt': null, 'ca.key': null, 'tls.crt': '', 'tls.key': '' })),
    secret('spoilt', (stage) => write(stage, { 'tls.crt': base64('no certificate'), 'ca.key': base64('no key') })),
    secret('expired', async (stage) => write(stage, dataOf(await createBundle(NAMES, Date.now() - 3 * YEAR_MS)))),
    secret('not valid yet', async (stage) => write(stage, dataOf(await createBundle(NAMES, Date.now() + 3 * YEAR_MS)))),
    secret('of a wrong CA', async (stage) => {
      const { ca, caKey } = await createBundle(NAMES, Date.now());
      await write(stage, { 'ca.crt': base64(ca), 'ca.key': base64(caKey) });
    }),
    secret('of a wrong name', async (stage) => write(stage, dataOf(await createBundle(['example.com'], Date.now())))),
  ],
};

const KINDS = ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'];

const chartHooks = async (): Promise<KubeObject[]> =>
  (await chartObjects()).filter(({ kind }) => KINDS.includes(kind!));

/** Deletes the configurations for a while. An edit bypasses the webhooks, and the operator holds it and releases it in steps. */
const hooksDeleted = (seconds: number, edit: boolean): Run => ({
  what: `deleted for ${seconds} s${edit ? ', with an edit that bypasses the webhooks' : ''}`,
  async play(stage, recovered) {
    const [subject, other] = [await stage.subject(), await stage.subject()];
    await subject.release('v2');
    await subject.stands(1);
    const hooks = await chartHooks();
    await stage.trouble(async () => {
      for (const hook of hooks) await stage.remove(`${collectionOf(hook)}/${hook.metadata.name}`);
      if (edit) await other.release('v2');
      await pause(seconds * 1000);
      for (const hook of hooks) await stage.post(collectionOf(hook), hook);
    }, true);
    // The new configurations have no CA. Only the Job may set it.
    const began = Date.now();
    await stage.runJob();
    await stage.until('the CA is in them again', async () => {
      const found = (await stage.get(`${HOOKS}/mutatingwebhookconfigurations/tranche`)) as KubeObject & {
        webhooks: { clientConfig: { caBundle?: string } }[];
      };
      return found.webhooks.every(({ clientConfig }) => clientConfig.caBundle);
    });
    await stage.persist('an edit', () => other.release(edit ? 'v3' : 'v2'));
    recovered((Date.now() - began) / 1000);
    await subject.toEnd('v2');
    await other.toEnd(edit ? 'v3' : 'v2');
  },
});

export const webhooksDeleted: Fault = {
  name: 'webhook-configuration-deleted',
  title: 'both webhook configurations deleted and created again as by the chart; then its Job runs',
  runs: [hooksDeleted(1, false), hooksDeleted(10, false), hooksDeleted(3, true)],
};

const CRD = 'rollouts.rollouts.kruise.io';
const CRD_PATH = `${CRDS}/${CRD}`;

async function isGone(stage: Stage): Promise<boolean> {
  return stage.get(CRD_PATH).then(
    () => false,
    (error: { code?: number }) => error.code === 404,
  );
}

const makeAgain = async (stage: Stage): Promise<void> => {
  const crd = (await chartObjects()).find(({ metadata }) => metadata.name === CRD)!;
  await stage.persist('the CRD made again', () => stage.post(CRDS, crd));
};

const isFree = async (subject: Subject): Promise<boolean> => {
  const { metadata, spec, status } = await subject.deployment();
  const held = metadata.annotations?.['tranche.dev/held'] !== undefined;
  return !held && !spec.paused && status?.updatedReplicas === spec.replicas && status?.replicas === spec.replicas;
};

/** Deletes the CRD and with it all Rollouts. Held Deployments must be given back. Resolves with a function to call after the CRD exists again. */
type Lose = (stage: Stage) => Promise<(() => Promise<unknown>) | void>;

const crdDeleted = (what: string, lose: Lose): Run => ({
  what,
  async play(stage, recovered) {
    const subject = await stage.subject();
    await subject.release('v2');
    await subject.stands(1);
    await stage.trouble(async () => {
      const after = await lose(stage);
      await stage.until('the CRD is gone', () => isGone(stage));
      await makeAgain(stage);
      await after?.();
    });
    const began = Date.now();
    await stage.runJob();
    await stage.until('given back', () => isFree(subject));
    recovered((Date.now() - began) / 1000);
    await subject.checkWritten();
    // A new Rollout must work.
    await stage.persist('a new Rollout', () => subject.createRollout([{ replicas: 1 }, { replicas: '100%' }]));
    await subject.until('Healthy', async () => (await subject.rollout()).status?.phase === 'Healthy');
    await subject.release('v3');
    await subject.stands(1);
    await subject.toEnd('v3');
    await stage.remove(subject.rolloutPath);
  },
});

/** Removes the finalizers of all Rollouts by force until the CRD is gone. */
async function force(stage: Stage): Promise<void> {
  await stage.remove(CRD_PATH);
  await stage.until('the CRD is gone', async () => {
    if (await isGone(stage)) return true;
    const list = (await stage.get('/apis/rollouts.kruise.io/v1beta1/rollouts')) as unknown as { items: KubeObject[] };
    for (const { metadata } of list.items)
      await stage
        .patch(`/apis/rollouts.kruise.io/v1beta1/namespaces/${metadata.namespace}/rollouts/${metadata.name}`, {
          metadata: { finalizers: null },
        })
        .catch(() => undefined);
    return false;
  });
}

export const crdDeletedFault: Fault = {
  name: 'crd-deleted',
  title: 'the CRD and all Rollouts deleted during a release, and the CRD created again without Rollouts',
  client: false,
  runs: [
    crdDeleted('deleted', async (stage) => void (await stage.remove(CRD_PATH))),
    crdDeleted('deleted, finalizers taken off by force', force),
    crdDeleted('deleted by force, webhooks and all, while no replica runs', async (stage) => {
      const count = stage.replicas.length;
      for (const replica of [...stage.replicas]) replica.kill();
      const hooks = await chartHooks();
      for (const hook of hooks) await stage.remove(`${collectionOf(hook)}/${hook.metadata.name}`);
      await force(stage);
      return async () => {
        for (const hook of hooks) await stage.post(collectionOf(hook), hook);
        // No replica is ready before its webhooks can be called.
        await Promise.all([stage.runJob(), ...Array.from({ length: count }, () => stage.startReplica())]);
      };
    }),
  ],
};
