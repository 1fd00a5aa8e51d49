// An image that no node can pull: helm says so, and everything can be given back and uninstalled although no Pod of ours starts.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startSandbox, type Sandbox } from '@tranche/sandbox';
import { DEPLOYMENTS, ROLLOUTS } from '../../src/api/resources.ts';
import type { Deployment, Rollout } from '../../src/api/types.ts';
import { startProgram, until } from '../main/cluster.ts';
import { run, temporaryFolder, type Result } from '../support/processes.ts';
import { Client } from './harness/client.ts';
import { freePort, operatorKubeconfig } from './harness/cluster.ts';
import { changeVersion, deploymentManifest } from '../demo/walkthrough.ts';

const chart = fileURLToPath(new URL('../../charts/tranche', import.meta.url));
const plugin = fileURLToPath(new URL('../../src/plugin.ts', import.meta.url));
/** The embedded cluster never pulls an image with this tag. */
const BROKEN = ['--set', 'operator.image.tag=broken'];
const RELEASE = ['tranche', '-n', 'tranche-system'];

describe('With an image that cannot be pulled', function () {
  this.timeout(180_000);
  let sandbox: Sandbox;
  let client: Client;
  let original: Deployment['spec'];

  const deployment = (): Promise<Deployment> => client.get<Deployment>(DEPLOYMENTS, 'default', 'workload-demo');
  const rollout = (): Promise<Rollout> => client.get<Rollout>(ROLLOUTS, 'default', 'rollouts-demo');
  const tranche = (...args: string[]): Promise<Result> =>
    run(process.execPath, [plugin, ...args], { env: client.environment(), timeoutSeconds: 90 });

  before('a release in its first step, and then an upgrade to that image', async () => {
    sandbox = await startSandbox({ readyMs: 50 });
    const home = temporaryFolder('no-image');
    client = new Client(path.join(home, 'kubeconfig'), home);
    writeFileSync(client.kubeconfig, sandbox.kubeconfig, { mode: 0o600 });
    const url = `https://127.0.0.1:${await freePort()}`;
    await client.helm([
      ...['install', ...RELEASE, chart, '--create-namespace', '--set', `operator.enabled=false,webhook.url=${url}`],
    ]);
    const program = startProgram(await operatorKubeconfig(client, home), '--webhook-url', url);
    try {
      await program.ready();
      await client.kubectl(['apply', '-f', '-'], { input: deploymentManifest('default') });
      original = (await deployment()).spec;
      const manifest = {
        apiVersion: 'rollouts.kruise.io/v1beta1',
        kind: 'Rollout',
        metadata: { name: 'rollouts-demo', namespace: 'default' },
        spec: {
          workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'workload-demo' },
          strategy: { canary: { steps: [{ replicas: 1 }, { replicas: '100%' }] } },
        },
      };
      await client.kubectl(['apply', '-f', '-'], { input: JSON.stringify(manifest) });
      await until(
        async () => (await rollout()).status?.phase === 'Healthy',
        () => 'it is not enrolled',
      );
      await client.kubectl(changeVersion('default', 'version-2'));
      await until(
        async () => (await rollout()).status?.canaryStatus?.currentStepState === 'StepPaused',
        () => 'the first step does not end',
        40,
      );
    } finally {
      await program.stop();
    }
  });
  after(() => sandbox.close());

  it('helm says that the installation does not become ready, if it is asked to wait', async () => {
    const args = ['upgrade', ...RELEASE, chart, ...BROKEN, '--wait', '--timeout', '5s'];
    const { code, stderr } = await client.attempt('helm', args, { timeoutSeconds: 60 });
    assert.notEqual(code, 0);
    assert.match(stderr, /Deployment\/tranche-system\/tranche|deployment tranche-system\/tranche|not ready/i);
  });

  it('helm uninstall fails at its hook and removes nothing', async () => {
    const { code } = await client.attempt('helm', ['uninstall', ...RELEASE, '--timeout', '5s'], { timeoutSeconds: 60 });
    assert.notEqual(code, 0);
    await client.kubectl(['get', 'mutatingwebhookconfiguration', 'tranche']);
    await client.kubectl(['-n', 'tranche-system', 'get', 'deployment', 'tranche']);
  });

  it('helm uninstall --no-hooks removes everything but the CRDs and Rollouts', async () => {
    await client.helm(['uninstall', ...RELEASE, '--no-hooks']);
    for (const kind of ['mutatingwebhookconfiguration', 'validatingwebhookconfiguration', 'clusterrole'])
      assert.notEqual((await client.attempt('kubectl', ['get', kind, 'tranche'])).code, 0, kind);
    assert.equal((await deployment()).spec.paused, true, 'it stays held');
  });

  it('kubectl tranche drain gives everything back from the machine of a user', async () => {
    const { code, stdout, stderr } = await tranche('drain', '--held', 'rollback');
    assert.equal(code, 0, stderr);
    assert.equal(stdout, '1 workload given back; the finalizer removed from 1 Rollout\n');
    const { spec, metadata } = await deployment();
    assert.deepEqual(spec, original);
    const keys = Object.keys({ ...metadata.labels, ...metadata.annotations });
    assert.deepEqual(
      keys.filter((key) => /tranche|workload-type|progressing/.test(key)),
      [],
    );
    await client.kubectl(['delete', 'rollout', 'rollouts-demo', '--timeout=20s']);
  });
});
