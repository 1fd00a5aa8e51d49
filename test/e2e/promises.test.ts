// The promises of the basic-usage guide that its walkthrough does not show: S3, S4, S8, S9 and S10.
import assert from 'node:assert/strict';
import type { Rollout } from '../../src/api/types.ts';
import { makeNamespace, theCluster } from './harness/session.ts';
import { checkSame, expectSoon, observe, settingsOf, type Expectation } from './observe.ts';
import {
  approve,
  batchDone,
  changeVersion,
  deploymentManifest,
  released,
  REPLICAS,
  rolloutManifest,
} from '../demo/walkthrough.ts';

describe('Beyond the walkthrough', function () {
  this.timeout(240_000);
  let namespace: string;
  let before: unknown;
  const kubectl = (args: readonly string[], input?: string) => theCluster().client.kubectl(args, { input });
  const expect = (expectation: Expectation) => expectSoon(() => observe(theCluster().client, namespace), expectation);
  const patchRollout = (patch: unknown, type = 'merge') =>
    kubectl(['patch', 'rollout', 'rollouts-demo', '-n', namespace, `--type=${type}`, '-p', JSON.stringify(patch)]);

  beforeEach('with the guide’s Deployment and Rollout in a fresh namespace', async () => {
    namespace = await makeNamespace('promise');
    await kubectl(['apply', '-f', '-'], deploymentManifest(namespace));
    await kubectl(['apply', '-f', '-'], rolloutManifest(namespace));
    const seen = await expect({
      expected: `${REPLICAS} Ready Pods and a Healthy Rollout`,
      reached: ({ readyPods, rollout }) => readyPods === REPLICAS && rollout?.status?.phase === 'Healthy',
      withinSeconds: 120,
    });
    before = settingsOf(seen.deployment);
  });

  const release = async (version: string) => {
    await kubectl(changeVersion(namespace, version));
    await expect(batchDone(1, 1, version));
  };

  it('S3 duration 0 written into the waiting step goes on at once, and writing it again changes nothing', async () => {
    await release('version-2');
    const goOn = [{ op: 'add', path: '/spec/strategy/canary/steps/0/pause', value: { duration: 0 } }];
    await patchRollout(goOn, 'json');
    await patchRollout(goOn, 'json');
    await expect(batchDone(2, 5, 'version-2'));
  });

  it('S3 a pause of some seconds goes on by itself', async () => {
    await patchRollout([{ op: 'add', path: '/spec/strategy/canary/steps/0/pause', value: { duration: 2 } }], 'json');
    await kubectl(changeVersion(namespace, 'version-2'));
    await expect(batchDone(2, 5, 'version-2'));
  });

  it('S4 approves with a patch in v1alpha1, and with an update in v1beta1', async () => {
    await release('version-2');
    await kubectl(approve(namespace, 'rollouts.v1alpha1.rollouts.kruise.io'));
    await expect(batchDone(2, 5, 'version-2'));

    const read = ['get', 'rollouts.v1beta1.rollouts.kruise.io', 'rollouts-demo', '-n', namespace, '-o', 'json'];
    const rollout = JSON.parse(await kubectl(read)) as Rollout;
    const canaryStatus = { ...rollout.status?.canaryStatus, currentStepState: 'StepReady' };
    const approved = { ...rollout, status: { ...rollout.status, canaryStatus } };
    await kubectl(['replace', '--subresource=status', '-f', '-'], JSON.stringify(approved));
    await expect(released('version-2'));
  });

  it('S8 a third version in the middle starts again at step 1, and the second one’s Pods go first', async () => {
    await release('version-2');
    await kubectl(approve(namespace));
    await expect(batchDone(2, 5, 'version-2'));
    await kubectl(changeVersion(namespace, 'version-3'));
    const seen = await expect({
      ...batchDone(1, 1, 'version-3'),
      // version-1 never loses a Pod to version-3 while version-2 has one to give.
      always: ({ pods }) =>
        (pods['version-1'] ?? 0) < 5 && (pods['version-2'] ?? 0) > 0
          ? `version-1 gave up a Pod before version-2 had given all`
          : undefined,
    });
    assert.deepEqual(seen.pods, { 'version-1': 5, 'version-2': 4, 'version-3': 1 });
    await kubectl(approve(namespace));
    const half = await expect(batchDone(2, 5, 'version-3'));
    assert.deepEqual(half.pods, { 'version-1': 5, 'version-3': 5 });
  });

  it('S9 the share of a percent step holds when the Deployment is scaled', async () => {
    await release('version-2');
    await kubectl(approve(namespace));
    await expect(batchDone(2, 5, 'version-2'));
    for (const replicas of [20, 10]) {
      await kubectl(['scale', 'deployment/workload-demo', '-n', namespace, `--replicas=${replicas}`]);
      const half = replicas / 2;
      await expect({
        expected: `${half} Pods of each version`,
        reached: ({ pods, readyPods, rollout }) =>
          pods['version-1'] === half &&
          pods['version-2'] === half &&
          readyPods === replicas &&
          rollout?.status?.canaryStatus?.currentStepState === 'StepPaused',
      });
    }
    await kubectl(approve(namespace));
    const seen = await expect(released('version-2'));
    checkSame("the Deployment's settings", settingsOf(seen.deployment), before);
  });

  it('S10 applying the same manifest again in the middle of a release changes nothing', async () => {
    await kubectl(['apply', '-f', '-'], deploymentManifest(namespace).replace('version-1', 'version-2'));
    const { deployment } = await expect(batchDone(1, 1, 'version-2'));
    await kubectl(['apply', '-f', '-'], deploymentManifest(namespace).replace('version-1', 'version-2'));
    const seen = await expect({ ...batchDone(1, 1, 'version-2'), steadyLooks: 10 });
    checkSame("the held Deployment's settings", settingsOf(seen.deployment), settingsOf(deployment));
  });
});
