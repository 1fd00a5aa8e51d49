// Replicas as real processes behind the chart's Service: killed, stopped for a while, and replaced under load.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { start, type Service } from '../support/processes.ts';
import { NAMESPACE, startCluster, until, type TestCluster } from './cluster.ts';
import { Workload } from './workload.ts';

const REPLICA = fileURLToPath(new URL('replica.ts', import.meta.url));
const LEASE = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/tranche`;

interface Replica extends Service {
  readonly port: number;
}

describe('replicas behind the Service', function () {
  this.timeout(180_000);
  let cluster: TestCluster;
  /** What the Service's proxies know, and send requests to in turn. */
  let endpoints: Replica[] = [];
  let turn = 0;

  before(async () => {
    const resolveService = (): { host: string; port: number } | undefined => {
      const chosen = endpoints[turn++ % Math.max(endpoints.length, 1)];
      return chosen && { host: '127.0.0.1', port: chosen.port };
    };
    cluster = await startCluster(undefined, { resolveService });
    await Promise.all([startReplica(), startReplica()]);
  });
  after(async () => {
    for (const replica of endpoints) replica.kill('SIGCONT');
    await Promise.all(endpoints.map((replica) => replica.stop()));
    await cluster.close();
  });

  const startReplica = async (): Promise<Replica> => {
    const args = [REPLICA, cluster.kubeconfig, '--namespace', NAMESPACE];
    const service = await start('a replica', process.execPath, args, {
      env: { PATH: process.env.PATH },
      ready: (output) => output.includes('"message":"ready"'),
    });
    const replica = { ...service, port: Number(/"webhookPort":(\d+)/.exec(service.output())![1]) };
    endpoints.push(replica);
    return replica;
  };
  const leads = ({ output }: Replica): boolean =>
    output().lastIndexOf('"message":"became the leader"') > output().lastIndexOf('lost the lead');
  const leaderOf = async (): Promise<Replica> => {
    const found = (): Replica | undefined => endpoints.find(leads);
    await until(
      () => found() !== undefined,
      () => 'nobody leads',
      40,
    );
    return found()!;
  };

  it('go on with a release whose leader was killed while it moved Pods', async () => {
    const workload = new Workload(cluster.api, 'killed');
    await workload.create(6, [{ replicas: 1 }, { replicas: 3 }, { replicas: '100%' }]);
    await workload.release('v2');
    await workload.untilPaused(1);
    await workload.approve();
    // In the middle of the second batch: it is not held any more.
    await workload.until('moving', async () => (await workload.deployment()).spec.paused !== true);
    const leader = await leaderOf();
    leader.kill('SIGKILL');
    endpoints = endpoints.filter((one) => one !== leader);
    await workload.untilPaused(2, 60);
    assert.equal((await workload.deployment()).status?.updatedReplicas, 3);
  });

  it('are not disturbed by a leader that was stopped and wakes up believing that it leads', async () => {
    await startReplica();
    const workload = new Workload(cluster.api, 'stopped');
    await workload.create(6, [{ replicas: 1 }, { replicas: 3 }, { replicas: '100%' }]);
    const leader = await leaderOf();
    await workload.release('v2');
    await workload.untilPaused(1);
    leader.kill('SIGSTOP');
    endpoints = endpoints.filter((one) => one !== leader);
    try {
      await workload.approve();
      await workload.untilPaused(2, 60);
      const other = await leaderOf();
      assert.notEqual(other, leader);
    } finally {
      leader.kill('SIGCONT');
    }
    await until(
      () => leader.output().includes('lost the lead'),
      () => leader.output().slice(-2000),
    );
    endpoints.push(leader);
    const { metadata, spec, status } = await workload.deployment();
    assert.deepEqual([status?.updatedReplicas, spec.paused], [3, true]);
    await workload.approve();
    await workload.until('completed', async () => (await workload.rollout()).status?.phase === 'Healthy', 40);
    assert.equal((await workload.deployment()).metadata.uid, metadata.uid);
    const { spec: lease } = (await cluster.api.request({ method: 'GET', path: LEASE })) as {
      spec: { holderIdentity: string };
    };
    assert.ok((await leaderOf()).output().includes(lease.holderIdentity));
  });

  it('are replaced one after the other, under load, without losing an admission request or the release', async () => {
    const workload = new Workload(cluster.api, 'upgraded');
    await workload.create(4, [{ replicas: 1 }, { replicas: '100%' }]);
    await workload.release('v2');
    await workload.untilPaused(1);
    const failures: unknown[] = [];
    let edits = 0;
    let running = true;
    const client = async (name: string): Promise<void> => {
      const edited = new Workload(cluster.api, name);
      await edited.create(0, [{ replicas: '100%' }]);
      for (let i = 0; running; i++) {
        // A label of ours, so that the webhook is asked; it fails closed.
        const labels = { 'tranche.dev/load': String(i) };
        await edited.patch({ metadata: { labels } }).then(
          () => (edits += 1),
          (error: unknown) => failures.push(error),
        );
      }
    };
    const clients = ['one', 'two', 'three'].map(client);
    try {
      await until(
        () => edits > 20,
        () => 'no edits',
      );
      for (const old of [...endpoints]) {
        await startReplica();
        const stopped = old.stop();
        // Proxies hear of it a moment later; until then they send it requests.
        const heard = edits + 20;
        await until(
          () => edits >= heard || failures.length > 0,
          () => 'no edits',
        );
        endpoints = endpoints.filter((one) => one !== old);
        await stopped;
      }
      const enough = edits + 20;
      await until(
        () => edits >= enough || failures.length > 0,
        () => 'no edits',
      );
    } finally {
      running = false;
      await Promise.all(clients);
    }
    assert.deepEqual(failures.map(String).slice(0, 3), []);
    await workload.approve();
    await workload.until('completed', async () => (await workload.rollout()).status?.phase === 'Healthy', 40);
    assert.equal((await workload.deployment()).status?.updatedReplicas, 4);
  });
});
