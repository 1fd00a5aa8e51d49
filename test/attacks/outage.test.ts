// With nobody of ours alive, an editor of the namespace starts no Pods of a new version: the chart's policies in the API server see to it.
import assert from 'node:assert/strict';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '../e2e/harness/client.ts';
import { startSandbox } from '../e2e/harness/cluster.ts';
import { changeVersion, deploymentManifest } from '../demo/walkthrough.ts';
import { endAll, temporaryFolder } from '../support/processes.ts';

const chart = fileURLToPath(new URL('../../charts/tranche', import.meta.url));
const NAME = 'deployment/workload-demo';
const NAMESPACE = ['-n', 'default'];
const user = { paused: null, maxSurge: 2, maxUnavailable: 0, minReadySeconds: null, progressDeadlineSeconds: null };
const held = { v: 1, rollout: 'demo', user, stable: 'x', budget: { maxSurge: 0, maxUnavailable: 1 } };

describe('attacks while nobody of ours lives', () => {
  let client: Client;
  const kubectl = (...args: string[]) => client.kubectl([...args, ...NAMESPACE]);
  const patch = (who: string, body: object) =>
    client.attempt('kubectl', [
      ...['patch', NAME, ...NAMESPACE, '--as', who, '--type=merge', '-p', JSON.stringify(body)],
    ]);
  const refused = async (body: object, why: RegExp): Promise<void> => {
    const { code, stderr } = await patch('ed', body);
    assert.notEqual(code, 0);
    assert.match(stderr, why);
  };
  const accepted = async (who: string, body: object): Promise<void> => {
    const { code, stderr } = await patch(who, body);
    assert.equal(code, 0, stderr);
  };

  before('a cluster with the chart, whose webhook nobody answers', async () => {
    const home = temporaryFolder('outage');
    client = new Client(path.join(home, 'kubeconfig'), home);
    await startSandbox(client.kubeconfig);
    await client.kubectl(['apply', '-f', '-'], { input: deploymentManifest('default') });
    await kubectl('label', NAME, 'rollouts.kruise.io/workload-type=deployment');
    const values = 'operator.enabled=false,webhook.url=https://127.0.0.1:1';
    await client.helm(['install', 'tranche', chart, '-n', 'tranche-system', '--create-namespace', '--set', values], {
      timeoutSeconds: 60,
    });
    for (const who of ['ed', 'ann']) await kubectl('create', 'rolebinding', who, '--clusterrole=edit', `--user=${who}`);
    await kubectl('create', 'rolebinding', 'ann-approves', '--clusterrole=tranche-approver', '--user=ann');
  });
  after(() => endAll());

  it('a new template that came under a pause of his own does not go out by un-pausing', async () => {
    await accepted('ed', { spec: { paused: true } });
    await client.kubectl([...changeVersion('default', 'version-2'), '--as', 'ed']);
    await refused({ spec: { paused: false } }, /requires the verb approve/);
    await accepted('ann', { spec: { paused: false } });
  });

  it('a release that is held gets no more surge, and is not given back without the verb approve', async () => {
    // As the webhook would have left it.
    await client.helm(['uninstall', 'tranche', '-n', 'tranche-system', '--no-hooks'], { timeoutSeconds: 60 });
    const strategy = { rollingUpdate: held.budget };
    const annotations = { 'tranche.dev/held': JSON.stringify(held) };
    await accepted('ed', { metadata: { annotations }, spec: { paused: true, strategy } });
    const values = 'operator.enabled=false,webhook.url=https://127.0.0.1:1';
    await client.helm(['install', 'tranche', chart, '-n', 'tranche-system', '--set', values], { timeoutSeconds: 60 });
    await refused(
      { spec: { strategy: { rollingUpdate: { maxSurge: '1000%' } } } },
      /enrolled\.deployments\.tranche\.dev/,
    );
    const back = { metadata: { annotations: { 'tranche.dev/held': null } }, spec: { paused: false } };
    await refused(back, /requires the verb approve/);
    await accepted('ed', { spec: { replicas: 3 } });
    await accepted('ann', back);
  });

  it('the verb approve for one Rollout does not count for a Deployment of another', async () => {
    await client.helm(['uninstall', 'tranche', '-n', 'tranche-system', '--no-hooks'], { timeoutSeconds: 60 });
    const rules = ['--verb=approve', '--resource=rollouts.rollouts.kruise.io', '--resource-name=his'];
    await kubectl('create', 'role', 'approves-his', ...rules);
    await kubectl('create', 'rolebinding', 'approves-his', '--role=approves-his', '--user=ed');
    const named = { 'rollouts.kruise.io/in-progressing': '{"rolloutName":"his"}' };
    await accepted('ed', { metadata: { annotations: named } });
    const values = 'operator.enabled=false,webhook.url=https://127.0.0.1:1';
    await client.helm(['install', 'tranche', chart, '-n', 'tranche-system', '--set', values], { timeoutSeconds: 60 });
    await client.kubectl([...changeVersion('default', 'version-3'), '--as', 'ed']);
    await refused({ spec: { paused: false } }, /requires the verb approve/);
    const back = { metadata: { annotations: { 'tranche.dev/paused-unseen': null } }, spec: { paused: false } };
    await accepted('ann', back);
  });
});
