// What OpenKruise's tools and habits expect of a status and of a Deployment: jumps, numbers, ids.
import assert from 'node:assert/strict';
import { KRUISE_EXTRA_STATUS, ROLLOUT_ID } from '../../src/api/keys.ts';
import { leftoverOf } from '../../src/engine/release/openkruise.ts';
import { World } from './world.ts';

const STEPS = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '75%' }, { replicas: '100%' }];

describe('as with OpenKruise', () => {
  let world: World;

  const begin = async (policies = false): Promise<void> => {
    world = await new World({ seed: 23, policies }).start();
    await world.createDeployment();
    await world.createRollout(STEPS);
    await world.untilHealthy();
    await world.until('all Pods count', () => world.deployment.status?.availableReplicas === 10, 120_000);
    await world.virtual.settled();
  };
  const to = (nextStepIndex: number): Promise<unknown> => world.patchStatus({ canaryStatus: { nextStepIndex } });
  const statusWrites = (): number =>
    world.calls.filter(({ method, path }) => method === 'PATCH' && path.endsWith('/status')).length;
  afterEach(() => world.stop());

  describe('nextStepIndex written alone', () => {
    it('goes there at once from a step that waits, forward and back', async () => {
      await begin();
      await world.release('v2');
      await world.untilPaused(1);
      await to(3);
      await world.untilPaused(3);
      assert.deepEqual(world.sizes, { v1: 2, v2: 8 });
      await to(1);
      await world.untilPaused(1);
      await world.run(60_000);
      assert.deepEqual(world.sizes, { v1: 2, v2: 8 }, 'what is updated stays so');
      assert.equal(world.canary.nextStepIndex, 2);
      await to(4);
      await world.untilCompleted();
    });

    it('leaves a step that is under way, and one that has stalled', async () => {
      await begin();
      await world.release('v2:slow');
      await world.until('step 1 is under way', () => world.canary.currentStepState === 'StepUpgrade');
      await to(3);
      await world.until('it is at step 3', () => world.canary.currentStepIndex === 3, 1_000);
      await world.release('v3:broken');
      await world.until('step 1 has stalled', () => world.condition('Stalled')?.status === 'True', 120_000);
      await to(3);
      await world.until('it is at step 3', () => world.canary.currentStepIndex === 3);
    });

    it('names the same step again: its wait is repeated', async () => {
      await begin();
      await world.release('v2');
      await world.untilPaused(1);
      const waited = world.canary.lastUpdateTime;
      await world.run(5_000);
      await to(1);
      await world.until('the wait began anew', () => world.canary.lastUpdateTime !== waited);
      await world.untilPaused(1);
      assert.deepEqual(world.sizes, { v1: 9, v2: 1 });
    });

    it('waits for the approval where a policy requires one, and the message says so', async () => {
      await begin(true);
      await world.createPolicy('four-eyes', { approval: { required: 1, groups: ['managers'] } });
      await world.release('v2');
      await world.untilPaused(1);
      await to(3);
      await world.until('it is said', () => /to jump to step 3/.test(world.rollout.status?.message ?? ''));
      await world.run(60_000);
      assert.match(
        world.rollout.status?.message ?? '',
        /^step 1\/4 done: waiting for approval \(0 of 1\) to jump to step 3/,
      );
      assert.deepEqual(world.sizes, { v1: 9, v2: 1 });
      await world.deletePolicy('four-eyes');
      await world.untilPaused(3);
    });

    it('waits while a policy is closed, and while the release is paused', async () => {
      await begin(true);
      await world.release('v2');
      await world.untilPaused(1);
      await world.createPolicy('closed', { windows: { deny: [{ schedule: '* * * * *', durationSeconds: 120 }] } });
      await world.run(1_000);
      await to(3);
      await world.until('it is blocked', () => world.condition('PolicyBlocked')?.status === 'True');
      assert.equal(world.canary.currentStepIndex, 1);
      await world.patchRollout({ spec: { strategy: { paused: true } } });
      await world.deletePolicy('closed');
      await world.run(30_000);
      assert.equal(world.canary.currentStepIndex, 1);
      await world.patchRollout({ spec: { strategy: { paused: null } } });
      await world.untilPaused(3);
    });
  });

  describe('the annotation with the numbers of the new version', () => {
    const numbers = (): unknown => JSON.parse(world.deployment.metadata.annotations?.[KRUISE_EXTRA_STATUS] ?? 'null');

    it('is true when a step waits, and gone at the end; it costs no write', async () => {
      await begin();
      await world.release('v2');
      await world.untilPaused(1);
      assert.deepEqual(numbers(), { updatedReadyReplicas: 1, expectedUpdatedReplicas: 1 });
      await world.approve();
      await world.untilPaused(2);
      assert.deepEqual(numbers(), { updatedReadyReplicas: 5, expectedUpdatedReplicas: 5 });
      await world.release('v3');
      await world.untilPaused(1);
      assert.deepEqual(numbers(), { updatedReadyReplicas: 1, expectedUpdatedReplicas: 1 });
      await to(4);
      await world.untilCompleted();
      assert.equal(numbers(), null);
    });

    it('goes with a rollback, in the request that asks for it', async () => {
      await begin();
      await world.release('v2');
      await world.untilPaused(1);
      await world.release('v1');
      assert.equal(numbers(), null);
    });

    it('is not taken for what OpenKruise left, with the record or without it', async () => {
      await begin();
      await world.release('v2');
      await world.untilPaused(1);
      assert.notEqual(numbers(), null);
      assert.equal(leftoverOf(world.deployment, world.rollout), undefined);
      await world.virtual.settled();
      world.webhook = false;
      await world.patch({ metadata: { annotations: { 'tranche.dev/held': null } } });
      await world.until('it is held again', () => world.held);
      await world.untilPaused(1);
      await world.approve();
      await world.untilPaused(2);
    });

    it('goes with the Rollout', async () => {
      await begin();
      await world.release('v2');
      await world.untilPaused(1);
      await world.deleteRollout();
      await world.until('the Rollout is gone', () => world.rolloutOf() === undefined);
      assert.equal(numbers(), null);
    });
  });

  describe('scaled', () => {
    it('at rest: observedWorkloadGeneration follows, in two writes of the status at most', async () => {
      await begin();
      await world.run(30_000);
      const before = statusWrites();
      await world.scale(12);
      await world.until(
        'the status has seen it',
        () => world.canary.observedWorkloadGeneration === world.deployment.metadata.generation,
      );
      await world.run(120_000);
      const { canaryReplicas, canaryReadyReplicas, observedWorkloadGeneration } = world.canary;
      assert.deepEqual(
        { canaryReplicas, canaryReadyReplicas, observedWorkloadGeneration },
        {
          canaryReplicas: 12,
          canaryReadyReplicas: 12,
          observedWorkloadGeneration: world.deployment.metadata.generation,
        },
      );
      assert.ok(statusWrites() - before <= 2, `${statusWrites() - before} writes`);
      await world.scale(3);
      await world.until('the status has seen it', () => world.canary.canaryReplicas === 3);
      assert.equal(world.canary.canaryReadyReplicas, 3);
      assert.ok(statusWrites() - before <= 3, `${statusWrites() - before} writes`);
    });

    it('in a step that waits: canaryReplicas follows at once', async () => {
      await begin();
      await world.release('v2');
      await world.untilPaused(1);
      await world.approve();
      await world.untilPaused(2);
      await world.virtual.settled();
      const before = statusWrites();
      await world.scale(20);
      await world.until('it follows', () => world.canary.canaryReplicas === 10, 3_000);
      await world.scale(10);
      await world.until(
        'it follows, so soon after the last write, too',
        () => world.canary.canaryReplicas === 5,
        3_000,
      );
      await world.run(60_000);
      assert.ok(statusWrites() - before <= 6, `${statusWrites() - before} writes`);
    });
  });

  describe('an id that is set before the template', () => {
    const setId = (id: string, where: 'labels' | 'annotations' = 'labels'): Promise<unknown> =>
      world.patch({ metadata: { [where]: { [ROLLOUT_ID]: id } } });
    const idNow = (): string | undefined => world.deployment.metadata.labels?.[ROLLOUT_ID];

    for (const where of ['labels', 'annotations'] as const) {
      for (const pause of [0, 30_000]) {
        it(`is the id of the release (${where}, ${pause / 1000} s before)`, async () => {
          await begin();
          await setId('build-1', where);
          await world.run(pause);
          await world.release('v2');
          assert.equal(idNow(), 'build-1');
          await world.untilPaused(1);
          assert.equal(world.canary.observedRolloutID, 'build-1');
          assert.equal(world.history[0]?.rolloutID, 'build-1');
          await to(4);
          await world.untilCompleted();
          await world.run(pause);
          await world.release('v3');
          assert.notEqual(idNow(), 'build-1', 'it was that of one release');
        });
      }
    }

    it('is none that a release had before, completed or rolled back', async () => {
      await begin();
      for (const [id, version] of [
        ['build-1', 'v2'],
        ['build-2', 'v3'],
      ] as const) {
        await setId(id);
        await world.release(version);
        await world.untilPaused(1);
        await to(4);
        await world.untilCompleted();
      }
      await setId('build-1');
      await world.run(30_000);
      await world.release('v4');
      assert.notEqual(idNow(), 'build-1');
      await world.untilPaused(1);
      await world.release('v3');
      await world.untilHealthy();
      const rolledBack = idNow();
      await world.run(30_000);
      await world.release('v4');
      assert.notEqual(idNow(), rolledBack);
    });

    it('follows at rest, as the id of what runs, and is the id of a release that no webhook saw, too', async () => {
      await begin();
      await setId('build-1');
      await world.until('the status follows', () => world.canary.observedRolloutID === 'build-1');
      world.webhook = false;
      await world.release('v2');
      await world.until('it is held', () => world.held);
      assert.equal(idNow(), 'build-1');
      await world.untilPaused(1);
      assert.equal(world.canary.observedRolloutID, 'build-1');
    });
  });
});
