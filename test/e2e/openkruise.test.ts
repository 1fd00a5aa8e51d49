// Habits that OpenKruise's users and tools have, by the real kubectl: jumps, ids, numbers, weights.
import assert from 'node:assert/strict';
import { stringify } from 'yaml';
import { DEPLOYMENTS, ROLLOUTS, type Resource } from '../../src/api/resources.ts';
import type { Deployment, Rollout } from '../../src/api/types.ts';
import { until } from '../main/cluster.ts';
import { makeNamespace, theCluster } from './harness/session.ts';
import { changeVersion, deploymentManifest } from '../demo/walkthrough.ts';

const ID = 'rollouts.kruise.io/rollout-id';
const rollout = (steps: readonly object[]): string =>
  stringify({
    apiVersion: 'rollouts.kruise.io/v1beta1',
    kind: 'Rollout',
    metadata: { name: 'web' },
    spec: {
      workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'workload-demo' },
      strategy: { canary: { steps } },
    },
  });

describe('Habits of OpenKruise’s users', () => {
  let namespace: string;
  const kubectl = (...args: string[]): Promise<string> => theCluster().client.kubectl([...args, '-n', namespace]);
  const apply = (input: string) =>
    theCluster().client.attempt('kubectl', ['apply', '-n', namespace, '-f', '-'], { input });
  const get = <T>(resource: Resource, name: string): Promise<T> =>
    theCluster().client.get<T>(resource, namespace, name);
  const soon = async (what: string, holds: (one: Rollout, of: Deployment) => boolean): Promise<Deployment> => {
    let last: unknown;
    let found: Deployment | undefined;
    await until(
      async () => {
        const one = await get<Rollout>(ROLLOUTS, 'web');
        found = await get<Deployment>(DEPLOYMENTS, 'workload-demo');
        last = { rollout: one.status, deployment: [found.metadata, found.status] };
        return holds(one, found);
      },
      () => `${what}: ${JSON.stringify(last)}`,
      60,
    );
    return found!;
  };
  const waitsAt = (step: number): Promise<Deployment> =>
    soon(
      `step ${step} waits`,
      ({ status }) => status?.currentStepIndex === step && status.currentStepState === 'StepPaused',
    );
  const jump = (step: number): Promise<string> =>
    kubectl(
      ...['patch', 'rollouts.rollouts.kruise.io/web', '--subresource=status', '--type=merge'],
      ...['-p', JSON.stringify({ status: { canaryStatus: { nextStepIndex: step } } })],
    );
  const numbers = ({ metadata }: Deployment): unknown =>
    JSON.parse(metadata.annotations?.['rollouts.kruise.io/deployment-extra-status'] ?? 'null');

  before(async () => {
    namespace = await makeNamespace('habits');
    await theCluster().client.kubectl(['apply', '-f', '-'], { input: deploymentManifest(namespace) });
  });

  it('weights without traffic routing: accepted with a warning; alone, the refusal says what to write', async () => {
    const alone = await apply(rollout([{ traffic: '20%' }, { replicas: '100%' }]));
    assert.notEqual(alone.code, 0);
    assert.match(alone.stderr, /steps\[0\]\.replicas: .*write replicas: "20%" instead of the weight/);
    const beside = await apply(
      rollout([{ replicas: 1, traffic: '5%' }, { replicas: '30%' }, { replicas: '50%' }, { replicas: '100%' }]),
    );
    assert.equal(beside.code, 0, beside.stderr);
    assert.match(beside.stderr, /Warning: tranche: the weights of the steps have no effect/);
    await soon(
      'it is enrolled',
      (one, of) => one.status?.phase === 'Healthy' && of.status?.availableReplicas === of.spec.replicas,
    );
  });

  it('an id in a request of its own is the id of the release', async () => {
    await kubectl('label', 'deployment', 'workload-demo', `${ID}=build-1`);
    await theCluster().client.kubectl(changeVersion(namespace, 'version-2'));
    const deployment = await waitsAt(1);
    assert.equal(deployment.metadata.labels?.[ID], 'build-1');
    await soon('the status has it', ({ status }) => status?.canaryStatus?.observedRolloutID === 'build-1');
  });

  it('the annotation with the numbers of the new version', async () => {
    assert.deepEqual(numbers(await waitsAt(1)), { updatedReadyReplicas: 1, expectedUpdatedReplicas: 1 });
  });

  it('nextStepIndex alone jumps, forward, back, and to the end', async () => {
    await jump(3);
    const there = await waitsAt(3);
    const half = (there.spec.replicas ?? 0) / 2;
    assert.equal(there.status?.updatedReplicas, half);
    assert.deepEqual(numbers(there), { updatedReadyReplicas: half, expectedUpdatedReplicas: half });
    await jump(1);
    assert.equal((await waitsAt(1)).status?.updatedReplicas, half);
    await jump(4);
    const end = await soon('it is completed', (one, of) => one.status?.phase === 'Healthy' && of.spec.paused !== true);
    assert.equal(numbers(end), null);
  });

  it('observedWorkloadGeneration follows a scale at rest', async () => {
    await kubectl('scale', 'deployment', 'workload-demo', '--replicas=7');
    await soon(
      'it follows',
      (one, of) =>
        of.metadata.generation === one.status?.canaryStatus?.observedWorkloadGeneration &&
        one.status?.canaryStatus?.canaryReplicas === 7 &&
        one.status.canaryStatus.canaryReadyReplicas === 7,
    );
  });

  it('the id is not that of the next release', async () => {
    await theCluster().client.kubectl(changeVersion(namespace, 'version-3'));
    assert.notEqual((await waitsAt(1)).metadata.labels?.[ID], 'build-1');
  });
});
