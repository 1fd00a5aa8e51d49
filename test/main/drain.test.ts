import assert from 'node:assert/strict';
import { readConfig } from '../../src/app/config.ts';
import { runDrain } from '../../src/app/drain.ts';
import { silent } from '../../src/kube/log.ts';
import { NAMESPACE, startCluster, startProgram, type TestCluster, type TestProgram } from './cluster.ts';
import { Workload } from './workload.ts';

describe('tranche drain, beside a program that runs,', () => {
  let cluster: TestCluster;
  let program: TestProgram;
  let port = 0;

  before(async () => {
    const resolveService = (): { host: string; port: number } => ({ host: '127.0.0.1', port });
    cluster = await startCluster(undefined, { resolveService });
    program = startProgram(cluster.kubeconfig, '--webhook-port', '0');
    ({ webhookPort: port } = await program.ready());
  });
  after(async () => {
    await program.stop();
    await cluster.close();
  });

  it('takes the lead, gives back what is held, and keeps the program from beginning anew', async () => {
    const workload = new Workload(cluster.api, 'held');
    await workload.create(4, [{ replicas: 1 }, { replicas: '100%' }]);
    const before = (await workload.deployment()).spec;
    await workload.release('v2');
    await workload.untilPaused(1);

    const flags = ['drain', '--namespace', NAMESPACE, '--kubeconfig', cluster.kubeconfig, '--held', 'rollback'];
    const config = readConfig(flags, {});
    assert.notEqual(config, 'help');
    if (config === 'help') return;
    await runDrain({ config, version: 'test', logger: silent, signal: new AbortController().signal });

    const ours = async (): Promise<string[]> => {
      const { labels = {}, annotations = {} } = (await workload.deployment()).metadata;
      return Object.keys({ ...labels, ...annotations }).filter((key) => /tranche|workload-type|progressing/.test(key));
    };
    assert.deepEqual(await ours(), []);
    assert.deepEqual((await workload.deployment()).spec, before);
    assert.deepEqual((await workload.rollout()).metadata.finalizers ?? [], []);
    // The webhook still answers, and lets the next change go out as if we were gone already.
    await workload.release('v3');
    assert.notEqual((await workload.deployment()).spec.paused, true);
    await workload.until('out', async () => (await workload.deployment()).status?.updatedReplicas === 4);
    assert.deepEqual(await ours(), []);
  }).timeout(60_000);
});
