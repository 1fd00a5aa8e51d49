// The source document's promises S1–S10, each under its number, in virtual time.
import assert from 'node:assert/strict';
import { ROLLOUT_BATCH_ID, ROLLOUT_ID } from '../../src/api/keys.ts';
import type { Deployment } from '../../src/api/types.ts';
import { isReady, template, versionOf, World } from './world.ts';

const STEPS = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }];

const settingsOf = ({ spec }: Deployment): object => ({ ...spec, template: undefined });

describe('a release in three steps', () => {
  let world: World;

  beforeEach(async () => {
    world = await new World().start();
    await world.createDeployment();
    await world.createRollout(STEPS);
    await world.untilHealthy();
    await world.virtual.settled();
  });

  afterEach(() => world.stop());

  it('S1: a change of the template releases exactly one Pod and stops', async () => {
    await world.release('v2');
    await world.untilPaused(1);
    await world.run(60_000);
    assert.deepEqual(world.sizes, { v1: 9, v2: 1 });
    assert.equal(world.deployment.spec.paused, true);
    assert.equal(world.deployment.status?.availableReplicas, 10);
    assert.equal(world.canary.currentStepState, 'StepPaused');
    assert.equal(
      world.rollout.status?.message,
      'step 1/3 done: waiting for approval (0 of 1); to roll back: kubectl tranche undo demo-rollout',
    );
  });

  it('S2: approved, five; approved again, ten, and the Deployment is exactly as its user wrote it', async () => {
    const before = settingsOf(world.deployment);
    await world.release('v2');
    await world.untilPaused(1);
    await world.approve();
    await world.untilPaused(2);
    assert.deepEqual(world.sizes, { v1: 5, v2: 5 });
    await world.approve();
    await world.untilCompleted();
    assert.deepEqual(world.sizes, { v2: 10 });
    assert.equal(world.rollout.status?.phase, 'Healthy');
    assert.equal(world.canary.currentStepState, 'Completed');
    assert.deepEqual(settingsOf(world.deployment), before);
    const { annotations = {} } = world.deployment.metadata;
    assert.deepEqual(
      Object.keys(annotations).filter((key) => key.includes('held') || key.includes('in-progressing')),
      [],
    );
  });

  it('S3: a pause of 0 written into a waiting step goes on at once, twice is once', async () => {
    await world.release('v2');
    await world.untilPaused(1);
    const steps = [{ replicas: 1, pause: { duration: 0 } }, ...STEPS.slice(1)];
    for (const _ of [1, 2]) await world.patchRollout({ spec: { strategy: { canary: { steps } } } });
    await world.untilPaused(2);
    await world.patchRollout({ spec: { strategy: { canary: { steps } } } });
    await world.run(60_000);
    assert.deepEqual(world.sizes, { v1: 5, v2: 5 });
    assert.equal(world.canary.currentStepIndex, 2);
  });

  it('S3: a pause of N seconds goes on after N seconds, and an empty one waits', async () => {
    const steps = [{ replicas: 1, pause: { duration: 90 } }, { replicas: '50%', pause: {} }, { replicas: '100%' }];
    await world.patchRollout({ spec: { strategy: { canary: { steps } } } });
    await world.release('v2');
    await world.untilPaused(1);
    const pausedAt = world.now;
    assert.match(world.rollout.status?.message ?? '', /^step 1\/3 done: continuing at .* \(pause of 90 s\)$/);
    await world.run(80_000);
    assert.equal(world.canary.currentStepIndex, 1);
    await world.until('step 2 begins', () => world.canary.currentStepIndex === 2, 20_000);
    assert.ok(world.now - pausedAt >= 88_000, 'not before the time');
    await world.untilPaused(2);
    await world.run(3_600_000);
    assert.equal(world.canary.currentStepIndex, 2);
  });

  it('S4: an approval by update, whatever else the client sends back, is one too', async () => {
    await world.release('v2');
    await world.untilPaused(1);
    const rollout = structuredClone(world.rollout) as unknown as {
      metadata: object;
      status: { canaryStatus: { currentStepState: string; approvals?: unknown; templateDigest?: string } };
    };
    rollout.status.canaryStatus.currentStepState = 'StepReady';
    await world.virtual.client.request(
      'PUT',
      '/apis/rollouts.kruise.io/v1beta1/namespaces/default/rollouts/demo-rollout/status',
      { body: rollout },
    );
    await world.untilPaused(2);
    assert.deepEqual(world.sizes, { v1: 5, v2: 5 });
  });

  it('S5, S6: a client that waits for step, state and id sees a step ready exactly when its Pods are', async () => {
    const ready = (step: number): boolean =>
      world.deployment.metadata.labels?.[ROLLOUT_ID] === world.canary.observedRolloutID &&
      world.canary.currentStepIndex === step &&
      ['StepPaused', 'StepReady', 'Completed'].includes(world.canary.currentStepState ?? '');
    const idBefore = world.deployment.metadata.labels?.[ROLLOUT_ID];
    await world.release('v2');
    const id = world.deployment.metadata.labels?.[ROLLOUT_ID];
    assert.ok(id && id !== idBefore, 'the webhook has stamped a new id');
    for (const [step, updated] of [
      [1, 1],
      [2, 5],
      [3, 10],
    ] as const) {
      await world.until(`step ${step} is ready`, () => ready(step));
      assert.equal(world.sizes['v2'], updated);
      const there = world.pods.filter((pod) => versionOf({ spec: pod.spec as never }) === 'v2' && isReady(pod));
      assert.equal(there.length, updated);
      await world.approve();
    }
    await world.untilCompleted();
    assert.equal(world.canary.observedRolloutID, id);
  });

  it('S6: an id that the user sets with the change is kept', async () => {
    await world.patch({
      metadata: { labels: { [ROLLOUT_ID]: 'build-77' } },
      spec: { template: { metadata: { annotations: { build: '77' } } } },
    });
    await world.untilPaused(1);
    assert.equal(world.canary.observedRolloutID, 'build-77');
    assert.equal(world.history[0]?.rolloutID, 'build-77');
  });

  it('S6: the Pods of a batch carry the release that somebody named, and the number of their step', async () => {
    await world.patch({ metadata: { labels: { [ROLLOUT_ID]: 'build-78' } }, spec: { template: template('v2') } });
    await world.untilPaused(1);
    await world.approve();
    await world.untilPaused(2);
    const batches = world.pods
      .filter((pod) => versionOf({ spec: pod.spec as never }) === 'v2')
      .map((pod) => pod.metadata.labels?.[ROLLOUT_BATCH_ID]);
    assert.deepEqual(batches.sort(), ['1', '2', '2', '2', '2']);
  });

  it('S7: putting the old template back rolls back immediately, not in batches', async () => {
    const before = settingsOf(world.deployment);
    await world.release('v2');
    await world.untilPaused(1);
    await world.approve();
    await world.untilPaused(2);
    await world.release('v1');
    assert.notEqual(world.deployment.spec.paused, true, 'the webhook frees it in the same request');
    assert.deepEqual(settingsOf(world.deployment), before);
    await world.untilHealthy();
    assert.deepEqual(world.sizes, { v1: 10 });
    assert.equal(world.condition('Succeeded')?.status, 'False');
    assert.equal(world.history[0]?.outcome, 'RolledBack');
    assert.notEqual(world.canary.observedRolloutID, world.deployment.metadata.labels?.[ROLLOUT_ID]);
  });

  it('S7: a rollback needs no operator', async () => {
    await world.release('v2');
    await world.untilPaused(1);
    world.crash();
    await world.release('v1');
    await world.virtual.settled();
    assert.deepEqual(world.sizes, { v1: 10 });
  });

  it('S8: v1, v2, v3: starts again at step 1, and the Pods of v2 go first', async () => {
    await world.release('v2');
    await world.untilPaused(1);
    await world.approve();
    await world.untilPaused(2);
    await world.release('v3');
    await world.until('the release starts again', () => world.canary.currentStepIndex === 1);
    await world.untilPaused(1);
    assert.deepEqual(world.sizes, { v1: 5, v2: 4, v3: 1 });
    assert.equal(world.history[1]?.outcome, 'Superseded');
    await world.approve();
    await world.untilPaused(2);
    assert.deepEqual(world.sizes, { v1: 5, v3: 5 });
    await world.approve();
    await world.untilCompleted();
    assert.deepEqual(world.sizes, { v3: 10 });
  });

  it('S9: percent steps follow the Deployment as it is scaled', async () => {
    await world.release('v2');
    await world.untilPaused(1);
    await world.approve();
    await world.untilPaused(2);
    for (const [replicas, updated] of [
      [20, 10],
      [6, 3],
      [30, 15],
      [10, 5],
    ] as const) {
      await world.scale(replicas);
      await world.until(
        `${updated} of ${replicas}`,
        () => world.sizes['v2'] === updated && world.sizes['v1'] === replicas - updated && world.readyPods === replicas,
      );
      assert.equal(world.canary.currentStepState, 'StepPaused');
    }
  });

  it('S10: what is not a change of the template starts nothing', async () => {
    await world.virtual.settled();
    await world.patch({ metadata: { labels: { team: 'a' } }, spec: { replicas: 12, minReadySeconds: 1 } });
    await world.patch({ spec: { strategy: { rollingUpdate: { maxSurge: 3 } } } });
    await world.virtual.settled();
    assert.deepEqual(world.sizes, { v1: 12 });
    assert.equal(world.rollout.status?.phase, 'Healthy');
    assert.equal(world.deployment.spec.paused, undefined);
    assert.equal(world.history.length, 0);
  });
});
