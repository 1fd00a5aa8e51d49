// All our processes are dead, and the release is still held: what the API server does by itself, with the chart's policies.
import assert from 'node:assert/strict';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Deployment } from '../../src/api/types.ts';
import { parse } from 'yaml';
import { runPlugin } from '../cli/support.ts';
import { run, temporaryFolder } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';
import { Client } from './harness/client.ts';
import { startSandbox } from './harness/cluster.ts';
import { changeVersion, deploymentManifest } from '../demo/walkthrough.ts';

const chart = fileURLToPath(new URL('../../charts/tranche', import.meta.url));

describe('With none of our processes alive', function () {
  let client: Client;
  const NAME = ['deployment/workload-demo', '-n', 'default'];
  const deployment = (): Promise<Deployment> => client.json<Deployment>(['get', ...NAME]);

  before('a cluster with the chart, whose webhook nobody answers', async () => {
    const home = temporaryFolder('nobody');
    client = new Client(path.join(home, 'kubeconfig'), home);
    await startSandbox(client.kubeconfig);
    const values = ['operator.enabled=false', 'webhook.url=https://127.0.0.1:1'];
    await client.kubectl(['apply', '-f', '-'], { input: deploymentManifest('default') });
    // As the operator does for a Deployment that a Rollout names.
    await client.kubectl(['label', ...NAME, 'rollouts.kruise.io/workload-type=deployment']);
    await client.helm(
      ['install', 'tranche', chart, '-n', 'tranche-system', '--create-namespace', '--set', values.join(',')],
      { timeoutSeconds: 60 },
    );
    await client.kubectl(['rollout', 'status', ...NAME, '--timeout=60s']);
  });

  it('a new template of an enrolled Deployment is held by the API server', async () => {
    await client.kubectl(changeVersion('default', 'version-2'));
    const { spec, metadata } = await deployment();
    assert.equal(spec.paused, true);
    assert.equal(metadata.annotations?.['tranche.dev/paused-unseen'], 'false', 'and whose pause it is is noted');
    await client.kubectl(changeVersion('default', 'version-3'));
    assert.equal(
      (await deployment()).metadata.annotations?.['tranche.dev/paused-unseen'],
      'false',
      'the first time counts',
    );
    const sets = await client.json<{ items: unknown[] }>(['get', 'replicasets', '-n', 'default']);
    assert.equal(sets.items.length, 1, 'no Pod of the new version is made');
  });

  it('scaling goes on working', async () => {
    await client.kubectl(['scale', ...NAME, '--replicas=3']);
    assert.equal((await deployment()).spec.replicas, 3);
  });

  it('the enrolment cannot be taken off, nor a record written', async () => {
    for (const what of [
      ['label', ...NAME, 'rollouts.kruise.io/workload-type-'],
      ['annotate', ...NAME, 'tranche.dev/held={}'],
    ]) {
      const { code, stderr } = await client.attempt('kubectl', what);
      assert.notEqual(code, 0);
      assert.match(stderr, /failed calling webhook "enrolled\.deployments\.tranche\.dev"/);
    }
  });

  it('a Deployment that no Rollout names is changed as if we were not there', async () => {
    const other = deploymentManifest('default').replaceAll('demo', 'other');
    await client.kubectl(['apply', '-f', '-'], { input: other });
    await client.kubectl(['set', 'env', 'deployment/workload-other', '-n', 'default', 'VERSION=version-2']);
    const { spec } = await client.json<Deployment>(['get', 'deployment/workload-other', '-n', 'default']);
    assert.equal(spec.paused ?? false, false);
  });

  it('the size, template and owner of the ReplicaSet of a Deployment stay, and notes on it change', async () => {
    const names = await client.kubectl(['get', 'replicasets', '-n', 'default', '-o', 'name']);
    const set = names.split('\n').find((name) => name.includes('/workload-demo-'))!;
    for (const body of [{ spec: { replicas: 9 } }, { metadata: { ownerReferences: null } }]) {
      const patch = ['patch', set, '-n', 'default', '--type=merge', '-p', JSON.stringify(body)];
      const { code, stderr } = await client.attempt('kubectl', patch);
      assert.notEqual(code, 0);
      assert.match(stderr, /failed calling webhook "changed\.replicasets\.tranche\.dev"/);
    }
    await client.kubectl(['annotate', set, '-n', 'default', 'retry=1']);
  });

  it('one whose Pods are just being replaced is given back by the command that doctor names', async () => {
    const moving = JSON.parse(
      JSON.stringify(parse(deploymentManifest('default').replaceAll('demo', 'moving'))),
    ) as Deployment;
    const user = { paused: null, maxSurge: 2, maxUnavailable: 0, minReadySeconds: 3, progressDeadlineSeconds: 120 };
    const budget = { maxSurge: 0, maxUnavailable: 1 };
    const held = JSON.stringify({ v: 1, rollout: 'gone', user, stable: 'x', budget });
    const { metadata, spec } = moving;
    const labels = { ...metadata.labels, 'rollouts.kruise.io/workload-type': 'deployment' };
    const input = JSON.stringify({
      ...moving,
      metadata: { ...metadata, labels, annotations: { ...metadata.annotations, 'tranche.dev/held': held } },
      spec: {
        ...spec,
        minReadySeconds: 2147483646,
        progressDeadlineSeconds: 2147483647,
        strategy: { type: 'RollingUpdate', rollingUpdate: budget },
      },
    });
    await client.kubectl(['create', '-f', '-'], { input });
    const { out } = await runPlugin(['doctor'], { env: { KUBECONFIG: client.kubeconfig } });
    const lines = out.split('\n');
    const command = lines[lines.findIndex((line) => /default\/workload-moving is held by/.test(line)) + 1]!.trim();
    const kubectl = await findTool('kubectl');
    const shell = await run('sh', ['-c', command.replace(/^kubectl/, `"${kubectl}"`)], { env: client.environment() });
    assert.equal(shell.code, 0, shell.stderr);
    const freed = await client.json<Deployment>(['get', 'deployment/workload-moving', '-n', 'default']);
    assert.equal(freed.metadata.annotations?.['tranche.dev/held'], undefined);
    assert.deepEqual(freed.spec.strategy?.rollingUpdate, { maxSurge: 2, maxUnavailable: 0 });
    assert.equal(freed.spec.minReadySeconds, 3);
  });

  it('without the webhooks, nobody but the operator says which versions are stable or completed', async () => {
    const configurations = 'mutatingwebhookconfigurations,validatingwebhookconfigurations';
    await client.kubectl(['delete', configurations, 'tranche']);
    const input = `
apiVersion: rollouts.kruise.io/v1beta1
kind: Rollout
metadata: { name: rollouts-demo, namespace: default }
spec:
  workloadRef: { apiVersion: apps/v1, kind: Deployment, name: workload-demo }
  strategy: { canary: { steps: [{ replicas: 1 }, { replicas: '100%' }] } }`;
    await client.kubectl(['apply', '-f', '-'], { input });
    const write = (status: object) =>
      client.attempt('kubectl', [
        ...['patch', 'rollouts.rollouts.kruise.io', 'rollouts-demo', '-n', 'default', '--subresource=status'],
        ...['--type=merge', '-p', JSON.stringify({ status })],
      ]);
    const version = {
      workload: 'Deployment/workload-demo',
      templateDigest: 'evil',
      completedTime: '2026-01-01T00:00:00Z',
    };
    const table: readonly (readonly [field: string, status: object])[] = [
      ['status.completedVersions', { completedVersions: [version] }],
      ['status.history', { history: [{ rolloutID: 'r1', startTime: '2026-01-01T00:00:00Z' }] }],
      ['status.canaryStatus.stableDigest', { canaryStatus: { stableDigest: 'evil' } }],
      ['status.canaryStatus.restores', { canaryStatus: { restores: 'Window' } }],
      ['status.canaryStatus.analysis', { canaryStatus: { analysis: [] } }],
      // The ReplicaSets of a release belong to its controller, and policies protect a release in progress.
      ['status.phase', { phase: 'Healthy' }],
      // It says that the steps are done.
      ['status.conditions', { conditions: [{ type: 'Progressing', status: 'True', reason: 'Finalising' }] }],
      ['status.canaryStatus.currentStepIndex', { canaryStatus: { currentStepIndex: 2 } }],
      ['status.canaryStatus.currentStepState', { canaryStatus: { currentStepState: 'Completed' } }],
    ];
    for (const [field, status] of table) {
      const { code, stderr } = await write(status);
      assert.notEqual(code, 0, field);
      assert.ok(stderr.includes(`${field}: only the operator writes this field`), stderr);
    }
    const approval = await write({ canaryStatus: { currentStepState: 'StepReady' } });
    assert.equal(approval.code, 0, approval.stderr);
    const other = await write({ message: 'anything' });
    assert.equal(other.code, 0, other.stderr);
  });

  it('the chart holds and guards where the cluster serves the kinds, or where it is told to', async () => {
    const kinds = async (...args: string[]): Promise<string> => {
      const { stdout } = await client.attempt('helm', ['template', 't', chart, ...args]);
      return ['Mutating', 'Validating'].filter((one) => stdout.includes(`\nkind: ${one}AdmissionPolicy\n`)).join(' ');
    };
    const served = (...versions: string[]): string[] => versions.flatMap((one) => ['--api-versions', one]);
    const V1 = 'admissionregistration.k8s.io/v1';
    const both = served(`${V1}/ValidatingAdmissionPolicy`, `${V1}/MutatingAdmissionPolicy`);
    const set = (value: string): string[] => ['--set', value];
    assert.equal(await kinds(), '');
    assert.equal(await kinds(...served(`${V1}/ValidatingAdmissionPolicy`)), 'Validating');
    assert.equal(await kinds(...both), 'Mutating Validating');
    assert.equal(await kinds(...both, ...set('admissionPolicies.hold=false')), 'Validating');
    assert.equal(
      await kinds(...set('admissionPolicies.hold=true,admissionPolicies.guard=true')),
      'Mutating Validating',
    );
  });
});
