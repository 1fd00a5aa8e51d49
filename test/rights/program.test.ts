// The whole program with the chart's rights: it uses every one of them, asks for none beside them, and says so when one is missing.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { ApiError } from '@tranche/sandbox/types';
import { NAMESPACE, startCluster, startProgram, until, type TestCluster, type TestProgram } from '../main/cluster.ts';
import { CERTIFICATES, CertificatesJob } from './certificates.ts';
import { Workload } from '../main/workload.ts';
import { render } from '../charts/render.ts';
import { granted, grantedTo, isFor, isTestedElsewhere, show, watchRequests, type Grant } from './grants.ts';

const USER = `system:serviceaccount:${NAMESPACE}:tranche`;
const LEASE = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/tranche`;
const REPLICASETS = '/apis/apps/v1/namespaces/default/replicasets';
const POLICIES = '/apis/tranche.dev/v1alpha1/releasepolicies';
const policy = {
  apiVersion: 'tranche.dev/v1alpha1',
  kind: 'ReleasePolicy',
  metadata: { name: 'steps' },
  spec: { enforcement: 'Warn', approval: { required: 1 } },
};
/** Every authenticated user may ask who he is; that is not the chart's to grant. */
const EVERYBODYS = ['selfsubjectreviews'];

const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const PATHS: Readonly<Record<string, string>> = {
  ServiceAccount: `/api/v1/namespaces/${NAMESPACE}/serviceaccounts`,
  ClusterRole: `${RBAC}/clusterroles`,
  ClusterRoleBinding: `${RBAC}/clusterrolebindings`,
  Role: `${RBAC}/namespaces/${NAMESPACE}/roles`,
  RoleBinding: `${RBAC}/namespaces/${NAMESPACE}/rolebindings`,
};

for (const [where, set, flags] of [
  ['', [], []],
  [' in some namespaces', ['watchNamespaces={default}'], ['--watch-namespaces', 'default']],
] as const)
  describe(`the rights of the program${where}`, () => {
    let cluster: TestCluster;
    let port = 0;
    let all: Grant[];
    const used = new Set<Grant>();
    const beyond = new Set<string>();
    let without: Grant | undefined;
    let job: CertificatesJob;
    let folder: string;

    before(async () => {
      cluster = await startCluster(undefined, { resolveService: () => ({ host: '127.0.0.1', port }) });
      for (const body of await render(...set)) {
        const path = PATHS[body.kind]?.replace(NAMESPACE, body.metadata.namespace ?? NAMESPACE);
        if (path) await cluster.api.request({ method: 'POST', path, body });
      }
      const everything = await granted(...set);
      all = everything.filter((grant) => !isTestedElsewhere(grant));
      const elsewhere = everything.filter(isTestedElsewhere);
      watchRequests(cluster.sandbox.cluster, USER, (asked) => {
        const grant = all.find((one) => isFor(one, asked));
        if (grant && grant === without)
          throw new ApiError({ kind: 'Status', code: 403, reason: 'Forbidden', message: `no ${show(grant)}` } as never);
        if (grant) used.add(grant);
        else if (!EVERYBODYS.includes(asked.resource) && !elsewhere.some((one) => isFor(one, asked)))
          beyond.add(`${asked.verb} ${asked.resource}/${asked.subresource}`);
      });
      job = await CertificatesJob.prepare(cluster);
      await job.run();
      folder = await job.mount();
      await useToken();
    });
    after(() => cluster.close());

    /** From here on the kubeconfig is that of the chart's ServiceAccount. */
    async function useToken(): Promise<void> {
      const path = `${PATHS['ServiceAccount']}/tranche/token`;
      const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3600 } };
      const { status } = (await cluster.api.request({ method: 'POST', path, body })) as { status: { token: string } };
      const config = parse(await readFile(cluster.kubeconfig, 'utf8')) as object;
      const users = [{ name: 'admin', user: { token: status.token } }];
      await writeFile(cluster.kubeconfig, JSON.stringify({ ...config, users }));
    }

    /** As the chart starts it. */
    const ours = (): string[] => ['--webhook-port', '0', '--tls-dir', folder, '--inject-ca', 'check'];
    const started = async (): Promise<TestProgram> => {
      const program = startProgram(cluster.kubeconfig, ...ours(), ...flags, '--label-pods=true');
      ({ webhookPort: port } = await program.ready());
      return program;
    };

    it('are all used, and none is missed', async () => {
      const program = await started();
      try {
        const workload = new Workload(cluster.api, 'web');
        await cluster.api.request({ method: 'POST', path: POLICIES, body: policy });
        await workload.create(4, [{ replicas: 2 }, { replicas: '100%' }]);
        await workload.release('v2');
        await workload.untilPaused(1);
        // A version that is abandoned: its ReplicaSet is marked.
        await workload.release('v3');
        await workload.untilPaused(1);
        await workload.approve();
        await workload.until('completed', async () => (await workload.rollout()).status?.phase === 'Healthy');
        const contentType = 'application/merge-patch+json';
        // To whom a ReplicaSet belongs is asked when it is scaled; the stable template comes from its copy when no ReplicaSet has it.
        await workload.release('v4');
        await workload.untilPaused(1);
        const sets = await workload.replicaSets();
        const scale = `${REPLICASETS}/${sets[0]!.metadata.name}/scale`;
        const asked = { method: 'PATCH', path: scale, contentType, body: { spec: { replicas: 3 } } } as const;
        await assert.rejects(
          () => cluster.api.request(asked),
          /only the Deployment controller may change its ReplicaSets/,
        );
        const native = { username: 'system:kube-controller-manager', groups: ['system:masters'] };
        for (const { metadata } of sets)
          await cluster.sandbox.cluster.client(native).request('DELETE', `${REPLICASETS}/${metadata.name}`);
        await workload.until('back', async () => (await workload.rollout()).status?.phase === 'Healthy');
        // Held, and its Rollout is gone: it asks whether that is true before it gives the Deployment back.
        await workload.release('v5');
        await workload.untilPaused(1);
        const { store } = cluster.sandbox.cluster;
        store.remove('rollouts.kruise.io/rollouts', store.get('rollouts.kruise.io/rollouts', 'default', 'web')!);
        await until(
          async () => (await workload.deployment()).spec.paused !== true,
          () => 'it stays held',
        );
        assert.deepEqual([...beyond], [], 'asked for, and not granted');
        const unused = (): string =>
          all
            .filter((grant) => !used.has(grant))
            .map(show)
            .join(', ');
        await until(
          () => unused() === '',
          () => `granted, and not used: ${unused()}`,
        );
      } finally {
        await program.stop();
      }
    });

    if (set.length > 0) return;

    it('are each missed aloud, those beside a release: the log names the one that is not there', async () => {
      const remove = (path: string): Promise<unknown> =>
        cluster.api.request({ method: 'DELETE', path }).catch(() => undefined);
      const stopped: Promise<void>[] = [];
      const atStart = /leases|configurations|customresourcedefinitions|releasepolicies$|namespaces/;
      for (const grant of all.filter((one) => atStart.test(one.resource))) {
        await remove(LEASE);
        without = grant;
        const program = startProgram(cluster.kubeconfig, ...ours());
        const complaints = (): string[] =>
          program.lines.flatMap(({ level, fields }) =>
            level !== 'debug' && fields['error'] instanceof Error ? [fields['error'].message] : [],
          );
        await until(
          () => complaints().some((message) => message.includes(`no ${show(grant)}`)),
          () => `without ${show(grant)}: ${complaints().join('; ')}`,
        );
        without = undefined;
        stopped.push(program.stop());
      }
      await Promise.all(stopped);
      assert.ok(stopped.length >= 10);
    });

    it('of the Job of the certificates are all used, none is missed, and each is missed aloud', async () => {
      const rights = await grantedTo(CERTIFICATES);
      const done = await job.uses(rights);
      assert.deepEqual(done, { beyond: [], unused: [], silent: [] });
    });

    it('are in docs/security.md, each with its reason, and no other', async () => {
      const text = await readFile(new URL('../../docs/security.md', import.meta.url), 'utf8');
      const rows = [...text.matchAll(/^\| `([a-z/*]+)` +\| ([a-z, ]+?) +\|/gm)].flatMap(([, resource, verbs]) =>
        verbs!.split(', ').map((verb) => `${verb} ${resource}`),
      );
      const everything = [...(await granted()), ...(await grantedTo(CERTIFICATES))];
      assert.deepEqual(rows.toSorted(), everything.map(show).toSorted());
    });
  });
