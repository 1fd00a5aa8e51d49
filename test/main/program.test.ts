import assert from 'node:assert/strict';
import { connect as connectTls } from 'node:tls';
import type { Deployment } from '../../src/api/types.ts';
import { freePort } from '../support/ports.ts';
import { NAMESPACE, startCluster, startProgram, until, type TestCluster, type TestProgram } from './cluster.ts';

type Json = Record<string, unknown>;
const HOOKS = '/apis/admissionregistration.k8s.io/v1';
const LEASE = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/tranche`;
const SECRET = `/api/v1/namespaces/${NAMESPACE}/secrets/tranche-tls`;
const WEB = '/apis/apps/v1/namespaces/default/deployments/web';

const readyz = async (port: number): Promise<{ code: number; body: string }> => {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`);
  return { code: response.status, body: await response.text() };
};

const deployment = (image: string): Json => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    replicas: 4,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'app', image }] } },
  },
});

const rollout: Json = {
  apiVersion: 'rollouts.kruise.io/v1beta1',
  kind: 'Rollout',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    strategy: { canary: { steps: [{ replicas: 1 }, { replicas: '100%' }] } },
  },
};

describe('the program outside a cluster', () => {
  let cluster: TestCluster;
  let program: TestProgram;
  let url: string;

  before(async () => {
    url = `https://127.0.0.1:${await freePort()}`;
    cluster = await startCluster(url);
    program = startProgram(cluster.kubeconfig, '--webhook-url', url);
  });
  after(async () => {
    await program.stop();
    await cluster.close();
  });

  const get = (path: string): Promise<unknown> => cluster.api.request({ method: 'GET', path });
  const caBundles = async (): Promise<unknown[]> => {
    const mutating = (await get(`${HOOKS}/mutatingwebhookconfigurations/tranche`)) as {
      webhooks: { clientConfig: Json }[];
    };
    return mutating.webhooks.map(({ clientConfig }) => clientConfig['caBundle']);
  };

  it('says once that it is ready, and is', async () => {
    const { metricsPort } = await program.ready();
    assert.deepEqual(await readyz(metricsPort), { code: 200, body: 'ok\n' });
    assert.equal(program.lines.filter(({ message }) => message === 'ready').length, 1);
    const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    assert.match(metrics, /^tranche_certificate_expiry_timestamp_seconds\{certificate="serving"\} \d+$/m);
  });

  it('has told the API server its CA, and does so again when it is taken out', async () => {
    await program.ready();
    const [ca] = await caBundles();
    assert.match(String(ca), /^LS0tLS1CRUdJTiBDRVJU/);
    const contentType = 'application/json-patch+json' as const;
    const body = [{ op: 'remove', path: '/webhooks/0/clientConfig/caBundle' }];
    const path = `${HOOKS}/mutatingwebhookconfigurations/tranche`;
    await cluster.api.request({ method: 'PATCH', path, contentType, body });
    await until(
      async () => (await caBundles()).every((bundle) => bundle === ca),
      () => 'caBundle is still missing',
    );
  });

  it('enrols the Deployment of a Rollout, and holds a change of its template', async () => {
    await program.ready();
    await cluster.api.request({ method: 'POST', path: WEB.replace('/web', ''), body: deployment('app:v1') });
    const path = '/apis/rollouts.kruise.io/v1beta1/namespaces/default/rollouts';
    await cluster.api.request({ method: 'POST', path, body: rollout });
    const state = async (): Promise<string> => JSON.stringify(await get(`${path}/web`));
    let last = '';
    await until(
      async () => (last = await state()).includes('"Healthy"'),
      () => last,
    );
    const contentType = 'application/strategic-merge-patch+json' as const;
    const body = { spec: { template: { spec: { containers: [{ name: 'app', image: 'app:v2' }] } } } };
    const held = (await cluster.api.request({ method: 'PATCH', path: WEB, contentType, body })) as Deployment;
    assert.equal(held.spec.paused, true);
    assert.ok(held.metadata.annotations?.['tranche.dev/held']);
    const one = async (): Promise<boolean> => {
      const { status } = (await get(WEB)) as Deployment;
      return status?.updatedReplicas === 1 && status.availableReplicas === 4;
    };
    await until(one, () => 'step 1 is not reached');
  });

  it('refuses a Rollout that is nonsense, in words', async () => {
    await program.ready();
    const strategy = { canary: { steps: [{ replicas: '50%' }, { replicas: '40%' }] } };
    const body = {
      ...rollout,
      metadata: { name: 'bad', namespace: 'default' },
      spec: { ...(rollout['spec'] as Json), strategy },
    };
    const path = '/apis/rollouts.kruise.io/v1beta1/namespaces/default/rollouts';
    await assert.rejects(cluster.api.request({ method: 'POST', path, body }), /must not be less than step 1/);
  });

  it('leaves in order: no longer ready, lease given up, ports closed', async () => {
    const { metricsPort, webhookPort } = await program.ready();
    const lease = (): Promise<{ spec: Json }> => get(LEASE) as Promise<{ spec: Json }>;
    assert.notEqual((await lease()).spec['holderIdentity'], '');
    await program.stop();
    assert.equal((await lease()).spec['holderIdentity'], '');
    await assert.rejects(readyz(metricsPort));
    await assert.rejects(fetch(`https://127.0.0.1:${webhookPort}/`), /fetch failed/);
    assert.deepEqual(
      program.lines.slice(-1).map(({ message }) => message),
      ['stopped'],
    );
    assert.deepEqual(
      program.lines.filter(({ level }) => level === 'error'),
      [],
    );
  });
}).timeout(40_000);

describe('two replicas behind a Service', () => {
  let cluster: TestCluster;
  const programs: TestProgram[] = [];

  before(async () => {
    cluster = await startCluster(undefined);
    for (let i = 0; i < 2; i++) programs.push(startProgram(cluster.kubeconfig, '--webhook-port', '0'));
  });
  after(async () => {
    await Promise.all(programs.map((program) => program.stop()));
    await cluster.close();
  });

  const issuerSeen = (port: number, ca: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const servername = `tranche-webhook.${NAMESPACE}.svc`;
      const socket = connectTls({ host: '127.0.0.1', port, servername, ca }, () => {
        resolve(socket.getPeerCertificate().fingerprint256);
        socket.end();
      });
      socket.on('error', reject);
    });

  it('share one CA and one certificate, and one of them leads', async () => {
    const ready = await Promise.all(programs.map((program) => program.ready()));
    const { data } = (await cluster.api.request({ method: 'GET', path: SECRET })) as { data: Record<string, string> };
    const ca = Buffer.from(data['ca.crt']!, 'base64').toString();
    const seen = await Promise.all(ready.map(({ webhookPort }) => issuerSeen(webhookPort, ca)));
    assert.equal(seen[0], seen[1]);
    const leaders = async (): Promise<string[]> => {
      const texts = ready.map(async ({ metricsPort }) =>
        (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text(),
      );
      return (await Promise.all(texts)).map((text) => /^tranche_leader (\d)$/m.exec(text)![1]!).sort();
    };
    await until(
      async () => (await leaders()).join() === '0,1',
      () => 'not one leads',
    );
  });

  it('serve a new certificate as soon as the Secret has one', async () => {
    const ready = await Promise.all(programs.map((program) => program.ready()));
    const ca = async (): Promise<string> => {
      const found = await cluster.api.request({ method: 'GET', path: SECRET }).catch(() => undefined);
      return Buffer.from(
        (found as { data: Record<string, string> } | undefined)?.data['ca.crt'] ?? '',
        'base64',
      ).toString();
    };
    const old = await ca();
    await cluster.api.request({ method: 'DELETE', path: SECRET });
    await until(
      async () => !['', old].includes(await ca()),
      () => 'no new Secret',
    );
    const fresh = await ca();
    for (const { webhookPort } of ready) {
      await until(
        () =>
          issuerSeen(webhookPort, fresh).then(
            () => true,
            () => false,
          ),
        () => 'the old certificate is still served',
      );
    }
  });

  it('hand over without waiting for the lease to expire', async () => {
    const leads = (program: TestProgram): number =>
      program.lines.filter(({ message }) => message === 'became the leader').length;
    await until(
      () => programs.some((program) => leads(program) > 0),
      () => 'nobody leads',
    );
    const [first, second] = leads(programs[0]!) > 0 ? programs : programs.toReversed();
    const stopped = first!.stop();
    await until(
      () => leads(second!) > 0,
      () => 'nobody took over',
      12,
    );
    await stopped;
  });
}).timeout(40_000);
