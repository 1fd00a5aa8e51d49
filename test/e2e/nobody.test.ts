// All our processes are dead, and the release is still held: what the API server does by itself, with the chart's policies.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
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
  this.timeout(120_000);
  let client: Client;
  const NAME = ['deployment/workload-demo', '-n', 'default'];
  const deployment = (): Promise<Deployment> => client.json<Deployment>(['get', ...NAME]);

  before('a cluster with the chart, whose webhook nobody answers', async () => {
    const home = temporaryFolder('nobody');
    client = new Client(path.join(home, 'kubeconfig'), home);
    await startSandbox(client.kubeconfig);
    const values = [
      'operator.enabled=false',
      'webhook.url=https://127.0.0.1:1',
      'admissionPolicies.hold=true',
      'webhook.enrolledFailurePolicy=Ignore',
    ];
    await client.helm(
      ['install', 'tranche', chart, '-n', 'tranche-system', '--create-namespace', '--set', values.join(',')],
      { timeoutSeconds: 60 },
    );
    await client.kubectl(['apply', '-f', '-'], { input: deploymentManifest('default') });
    // As the operator does for a Deployment that a Rollout names.
    await client.kubectl(['label', ...NAME, 'rollouts.kruise.io/workload-type=deployment']);
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

  it('the enrolment cannot be taken off, nor the record of a release', async () => {
    const unlabel = await client.attempt('kubectl', ['label', ...NAME, 'rollouts.kruise.io/workload-type-']);
    assert.notEqual(unlabel.code, 0);
    assert.match(unlabel.stderr, /cannot be removed while a Rollout names this Deployment: delete the Rollout instead/);
    await client.kubectl(['annotate', ...NAME, 'tranche.dev/held={}']);
    const forget = await client.attempt('kubectl', ['annotate', ...NAME, 'tranche.dev/held-']);
    assert.notEqual(forget.code, 0);
    assert.match(forget.stderr, /cannot be removed during a release: keep it, or roll back first/);
  });

  it('a Deployment that no Rollout names is changed as if we were not there', async () => {
    const other = deploymentManifest('default').replaceAll('demo', 'other');
    await client.kubectl(['apply', '-f', '-'], { input: other });
    await client.kubectl(['set', 'env', 'deployment/workload-other', '-n', 'default', 'VERSION=version-2']);
    const { spec } = await client.json<Deployment>(['get', 'deployment/workload-other', '-n', 'default']);
    assert.equal(spec.paused ?? false, false);
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

  it('the chart refuses Ignore without what makes it safe', async () => {
    const args = ['template', 't', chart, '--set', 'webhook.enrolledFailurePolicy=Ignore'];
    const { code, stderr } = await client.attempt('helm', args);
    assert.notEqual(code, 0);
    assert.match(stderr, /requires admissionPolicies\.hold=true/);
    assert.match(readFileSync(path.join(chart, 'values.yaml'), 'utf8'), /enrolledFailurePolicy: Fail/);
  });
});
