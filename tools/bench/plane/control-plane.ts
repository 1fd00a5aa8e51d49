// Starts a real control plane on this machine: etcd, API server and controller manager, which are sub-commands of one program (BIN).
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createApi, type ApiClient } from '../../../src/kube/client.ts';
import { connect } from '../../../src/kube/connection.ts';
import { freePort } from '../../../test/support/ports.ts';
import { start, temporaryFolder, type Service } from '../../../test/support/processes.ts';

export interface ControlPlane {
  readonly port: number;
  /** With the rights of cluster-admin. */
  readonly kubeconfig: string;
  /** PEM of the CA of the API server. */
  readonly ca: string;
  /** Lines of audit.k8s.io/v1, one for each event. */
  readonly auditLog: string;
  /** A client with the rights of cluster-admin. `agent` names it in the audit log. */
  client(agent: string, connections: number): Promise<ApiClient>;
  stop(): Promise<void>;
}

/** All requests of these are left out of the audit log's counts: they are not those of a controller. */
const ADMIN = 'bench';
const HOST = '127.0.0.1';
/** Not the limits of a cloud provider: with the defaults of 20 requests a second for each controller, they would be measured. */
const CONTROLLER_LIMITS = ['--kube-api-qps=2000', '--kube-api-burst=4000'];

export async function startControlPlane(bin: string): Promise<ControlPlane> {
  const folder = temporaryFolder('control-plane');
  const at = (name: string): string => path.join(folder, name);
  const [port, clientPort, peerPort, managerPort] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const [admin, manager] = [randomBytes(16).toString('hex'), randomBytes(16).toString('hex')];
  const write = (name: string, text: string): string => {
    writeFileSync(at(name), text, { mode: 0o600 });
    return at(name);
  };
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = write('accounts.key', privateKey.export({ type: 'pkcs1', format: 'pem' }).toString());
  const tokens = `${admin},${ADMIN},1,"system:masters"\n${manager},system:kube-controller-manager,2\n`;
  write('tokens.csv', tokens);
  const policy = { apiVersion: 'audit.k8s.io/v1', kind: 'Policy', omitStages: ['RequestReceived'] };
  write('audit-policy.json', JSON.stringify({ ...policy, rules: [{ level: 'Metadata' }] }));

  const services: Service[] = [];
  const run = async (command: string, flags: readonly string[], ready: (output: string) => boolean): Promise<void> => {
    services.push(await start(command, bin, [command, ...flags], { ready, env: { PATH: process.env['PATH'] } }));
  };
  const etcd = `http://${HOST}:${clientPort}`;
  const peer = `http://${HOST}:${peerPort}`;
  await run(
    'etcd',
    [
      `--data-dir=${at('etcd')}`,
      ...[`--listen-client-urls=${etcd}`, `--advertise-client-urls=${etcd}`],
      ...[`--listen-peer-urls=${peer}`, `--initial-advertise-peer-urls=${peer}`, `--initial-cluster=default=${peer}`],
      // The disk of the machine is not measured.
      '--unsafe-no-fsync',
    ],
    (output) => /ready to serve client requests/.test(output),
  );
  await run(
    'kube-apiserver',
    [
      ...[`--etcd-servers=${etcd}`, `--secure-port=${port}`, `--bind-address=${HOST}`, `--advertise-address=${HOST}`],
      ...[`--cert-dir=${at('serving')}`, `--token-auth-file=${at('tokens.csv')}`, '--authorization-mode=RBAC'],
      ...[`--service-account-key-file=${key}`, `--service-account-signing-key-file=${key}`],
      ...['--service-account-issuer=https://kubernetes.default.svc', '--service-cluster-ip-range=10.0.0.0/24'],
      // Pods are not started, so that they need no account.
      '--disable-admission-plugins=ServiceAccount',
      ...[`--audit-policy-file=${at('audit-policy.json')}`, `--audit-log-path=${at('audit.log')}`],
      '--audit-log-maxsize=10000',
    ],
    (output) => /Serving securely/.test(output),
  );
  const ca = readFileSync(at('serving/apiserver.crt'), 'utf8');
  const kubeconfig = write('kubeconfig', kubeconfigOf(port, ca, admin));
  const client = async (userAgent: string, connections: number): Promise<ApiClient> =>
    createApi({
      connection: await connect({ type: 'kubeconfig', files: [kubeconfig] }),
      ...{ userAgent, connections, fieldManager: userAgent },
    });
  const api = await client('bench', 1);
  await untilReady(api);
  api.close();
  await run(
    'kube-controller-manager',
    [
      `--kubeconfig=${write('manager.kubeconfig', kubeconfigOf(port, ca, manager))}`,
      ...[`--service-account-private-key-file=${key}`, `--root-ca-file=${at('serving/apiserver.crt')}`],
      ...['--use-service-account-credentials=true', '--leader-elect=false', ...CONTROLLER_LIMITS],
      ...[`--secure-port=${managerPort}`, `--bind-address=${HOST}`, `--cert-dir=${at('manager')}`],
    ],
    (output) => /Caches are synced/.test(output),
  );
  return {
    ...{ port, kubeconfig, ca, client, auditLog: at('audit.log') },
    async stop() {
      for (const service of services.toReversed()) {
        // etcd waits for its clients, and nothing here is worth keeping.
        service.kill('SIGKILL');
        await service.stop();
      }
    },
  };
}

const kubeconfigOf = (port: number, ca: string, token: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'bench',
        cluster: {
          server: `https://${HOST}:${port}`,
          'certificate-authority-data': Buffer.from(ca).toString('base64'),
        },
      },
    ],
    users: [{ name: 'bench', user: { token } }],
    contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'bench' } }],
    'current-context': 'bench',
  });

async function untilReady(api: ApiClient): Promise<void> {
  for (const deadline = Date.now() + 60_000; ; await new Promise((resolve) => setTimeout(resolve, 200))) {
    try {
      // The controller manager gives up if the API server is not ready ten seconds after its start. (The answer of /readyz is no JSON.)
      await api.request({ method: 'GET', path: '/api/v1/namespaces/default' });
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}
