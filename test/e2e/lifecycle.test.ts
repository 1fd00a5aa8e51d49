// The chart over its life, by the real helm: upgraded from an older one and taken out in the middle of a release, and installed again.
import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startSandbox, type Sandbox } from '@tranche/sandbox';
import { DEPLOYMENTS, ROLLOUTS } from '../../src/api/resources.ts';
import type { Deployment, Rollout } from '../../src/api/types.ts';
import { startProgram, until, type TestProgram } from '../main/cluster.ts';
import { temporaryFolder } from '../support/processes.ts';
import { Client } from './harness/client.ts';
import { freePort, operatorKubeconfig } from './harness/cluster.ts';
import { changeVersion, deploymentManifest } from '../demo/walkthrough.ts';

const chart = fileURLToPath(new URL('../../charts/tranche', import.meta.url));
const CRDS = ['rollouts.rollouts.kruise.io', 'releasepolicies.tranche.dev'];

interface Definition {
  readonly metadata: { readonly uid: string };
  readonly spec: {
    readonly conversion: { readonly webhook: { readonly clientConfig: { readonly caBundle?: string } } };
    readonly versions: readonly { readonly name: string; readonly schema: object }[];
  };
}

describe('The chart over its life', function () {
  this.timeout(180_000);
  let sandbox: Sandbox;
  let client: Client;
  let program: TestProgram | undefined;
  let url: string;
  let home: string;

  const helm = (verb: readonly string[], of: string): Promise<string> =>
    client.helm(
      [...verb, 'tranche', of, '-n', 'tranche-system', '--set', `operator.enabled=false,webhook.url=${url}`],
      { timeoutSeconds: 60 },
    );
  const start = async (): Promise<void> => {
    program = startProgram(await operatorKubeconfig(client, home), '--webhook-url', url);
    await program.ready();
  };
  const stop = async (): Promise<void> => {
    await program?.stop();
    program = undefined;
  };
  const definition = (): Promise<Definition> => client.json<Definition>(['get', 'crd', CRDS[0]!]);
  const rollout = (): Promise<Rollout> => client.get<Rollout>(ROLLOUTS, 'default', 'rollouts-demo');
  const deployment = (): Promise<Deployment> => client.get<Deployment>(DEPLOYMENTS, 'default', 'workload-demo');
  const approve = (): Promise<string> =>
    client.kubectl([
      ...['patch', 'rollout', 'rollouts-demo', '--subresource=status', '--type=merge', '-p'],
      '{"status":{"canaryStatus":{"currentStepState":"StepReady"}}}',
    ]);
  const waits = async (step: number): Promise<void> => {
    let last: unknown;
    await until(
      async () => {
        const { status } = await rollout();
        last = status;
        return status?.canaryStatus?.currentStepIndex === step && status.canaryStatus.currentStepState === 'StepPaused';
      },
      () => JSON.stringify(last),
      40,
    );
  };

  before('an older chart, whose CRD lacks a field, and a release in its first step', async () => {
    sandbox = await startSandbox({ readyMs: 50 });
    home = temporaryFolder('lifecycle');
    client = new Client(path.join(home, 'kubeconfig'), home);
    writeFileSync(client.kubeconfig, sandbox.kubeconfig, { mode: 0o600 });
    url = `https://127.0.0.1:${await freePort()}`;
    const older = path.join(home, 'older');
    cpSync(chart, older, { recursive: true });
    const file = path.join(older, 'templates/crds.yaml');
    writeFileSync(file, withoutField(readFileSync(file, 'utf8'), 'stepDeadlineSeconds'));
    await helm(['install', '--create-namespace'], older);
    await start();
    await client.kubectl(['apply', '-f', '-'], { input: deploymentManifest('default') });
    const workloadRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'workload-demo' };
    const steps = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }];
    const manifest = {
      apiVersion: 'rollouts.kruise.io/v1beta1',
      kind: 'Rollout',
      metadata: { name: 'rollouts-demo', namespace: 'default' },
      spec: { workloadRef, strategy: { canary: { steps } } },
    };
    await client.kubectl(['apply', '-f', '-'], { input: JSON.stringify(manifest) });
    await until(
      async () => (await rollout()).status?.phase === 'Healthy',
      () => 'it is not enrolled',
    );
    await client.kubectl(changeVersion('default', 'version-2'));
    await waits(1);
  });

  after(async () => {
    await stop();
    await sandbox.close();
  });

  it('helm upgrade upgrades the CRD in the middle of a release, and leaves the Rollout as it is', async () => {
    const before = { rollout: await rollout(), definition: await definition() };
    assert.doesNotMatch(JSON.stringify(before.definition.spec.versions), /stepDeadlineSeconds/);
    await helm(['upgrade'], chart);
    const after = { rollout: await rollout(), definition: await definition() };
    assert.match(JSON.stringify(after.definition.spec.versions), /stepDeadlineSeconds/);
    assert.equal(after.definition.metadata.uid, before.definition.metadata.uid, 'it is the same CRD');
    assert.deepEqual(after.rollout.spec, before.rollout.spec);
    assert.deepEqual(after.rollout.status, before.rollout.status);
    assert.equal(after.rollout.metadata.uid, before.rollout.metadata.uid);
  });

  it('nor does it take the CA away that the program had put into the CRD and the webhooks', async () => {
    assert.ok((await definition()).spec.conversion.webhook.clientConfig.caBundle, 'the CRD still has it');
    for (const kind of ['mutating', 'validating']) {
      const { webhooks } = await client.json<{ webhooks: { clientConfig: { caBundle?: string } }[] }>([
        ...['get', `${kind}webhookconfiguration`, 'tranche'],
      ]);
      assert.ok(webhooks.length > 0);
      for (const { clientConfig } of webhooks) assert.ok(clientConfig.caBundle, kind);
    }
  });

  it('the next program goes on with the release, and the new field can be written', async () => {
    await stop();
    await start();
    await client.kubectl([
      ...['patch', 'rollout', 'rollouts-demo', '--type=merge', '-p'],
      '{"spec":{"strategy":{"canary":{"stepDeadlineSeconds":77}}}}',
    ]);
    assert.equal((await rollout()).spec.strategy.canary?.stepDeadlineSeconds, 77);
    await approve();
    await waits(2);
  });

  it('helm uninstall keeps the CRDs and every Rollout, and the Deployment stays where it is', async () => {
    await stop();
    const before = { rollout: await rollout(), spec: (await deployment()).spec };
    await client.helm(['uninstall', 'tranche', '-n', 'tranche-system']);
    assert.equal((await client.helm(['list', '-A', '-q'])).trim(), '');
    for (const name of CRDS) await client.kubectl(['get', 'crd', name]);
    const after = { rollout: await rollout(), spec: (await deployment()).spec };
    assert.deepEqual(after, before);
    const left = await client.attempt('kubectl', ['get', 'mutatingwebhookconfiguration', 'tranche']);
    assert.notEqual(left.code, 0, 'all else is gone');
  });

  it('a later install takes them over, and the release goes on to its end', async () => {
    await helm(['install'], chart);
    await start();
    await approve();
    await until(
      async () => (await rollout()).status?.history?.[0]?.outcome === 'Completed',
      () => 'it does not end',
      40,
    );
    const { spec, status } = await deployment();
    assert.equal(spec.paused ?? false, false);
    assert.equal(status?.updatedReplicas, spec.replicas);
  });

  it('helm does not look at an annotation that somebody put onto a CRD to keep it: whoever uninstalls OpenKruise so loses it', async () => {
    const theirs = fileURLToPath(new URL('openkruise', import.meta.url));
    // A CRD that is not ours, so that ours stays.
    const copy = path.join(home, 'theirs');
    cpSync(theirs, copy, { recursive: true });
    const file = path.join(copy, 'templates/crds.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll('rollouts.kruise.io', 'other.kruise.io'));
    await client.helm(['install', 'kruise-rollout', copy, '--set', 'webhooks=false']);
    await client.kubectl(['annotate', 'crd', 'rollouts.other.kruise.io', 'helm.sh/resource-policy=keep']);
    await client.helm(['uninstall', 'kruise-rollout']);
    const { code, stderr } = await client.attempt('kubectl', ['get', 'crd', 'rollouts.other.kruise.io']);
    assert.notEqual(code, 0);
    assert.match(stderr, /NotFound/);
  });
});

/** A property and all that is indented below it, wherever it stands. */
function withoutField(yaml: string, name: string): string {
  const lines: string[] = [];
  let depth = Infinity;
  for (const line of yaml.split('\n')) {
    const indent = line.search(/\S/);
    if (indent > depth) continue;
    depth = line.trim() === `${name}:` ? indent : Infinity;
    if (depth === Infinity) lines.push(line);
  }
  assert.notEqual(lines.join('\n'), yaml, `${name} is in the CRD`);
  return lines.join('\n');
}
