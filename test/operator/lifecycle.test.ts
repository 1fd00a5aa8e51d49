// Jumps, freezes, edits of the plan, disabling, deleting, restarts, two Rollouts, the last step, and odd sizes.
import assert from 'node:assert/strict';
import { ROLLOUT_FINALIZER, WORKLOAD_TYPE } from '../../src/api/keys.ts';
import type { CanaryStep } from '../../src/api/types.ts';
import { inFlightIndex } from '../../src/operator/releases.ts';
import { ROLLOUT, World } from './world.ts';

const STEPS = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }];

describe('the life of a release', () => {
  let world: World;

  const begin = async (
    steps: readonly CanaryStep[] = STEPS,
    more: { replicas?: number; metadata?: object } = {},
  ): Promise<void> => {
    world = await new World({ seed: 5 }).start();
    await world.createDeployment({ ...(more.replicas === undefined ? {} : { replicas: more.replicas }) });
    await world.createRollout(steps, { ...(more.metadata ? { metadata: more.metadata } : {}) });
    await world.untilHealthy();
    await world.virtual.settled();
  };
  afterEach(() => world.stop());

  const aboutReleases = (): readonly string[] =>
    world.events.flatMap(({ reason, message, about }) =>
      about.kind === 'Rollout' && /^Release(Started|Completed)$/.test(reason) ? [message] : [],
    );

  it('jumps forward at once to the step that nextStepIndex names', async () => {
    await begin([{ replicas: 1 }, { replicas: 3 }, { replicas: 7 }, { replicas: '100%' }]);
    await world.release('v2');
    await world.untilPaused(1);
    await world.patchStatus({ canaryStatus: { nextStepIndex: 3 } });
    await world.untilPaused(3);
    assert.deepEqual(world.sizes, { v1: 3, v2: 7 });
    assert.equal(world.canary.nextStepIndex, 4);
  });

  it('jumps back: the wait is repeated, no updated Pod is taken away', async () => {
    await begin();
    await world.release('v2');
    await world.untilPaused(1);
    await world.approve();
    await world.untilPaused(2);
    await world.patchStatus({ canaryStatus: { nextStepIndex: 1, currentStepState: 'StepReady' } });
    await world.untilPaused(1);
    await world.run(60_000);
    assert.deepEqual(world.sizes, { v1: 5, v2: 5 });
    await world.approve();
    await world.untilPaused(2);
  });

  it('freezes where it is while strategy.paused is true; no timer runs', async () => {
    await begin([{ replicas: 1, pause: { duration: 60 } }, { replicas: '100%' }]);
    await world.release('v2');
    await world.untilPaused(1);
    await world.run(40_000);
    await world.patchRollout({ spec: { strategy: { paused: true } } });
    await world.run(3_600_000);
    assert.equal(world.canary.currentStepIndex, 1);
    assert.equal(world.condition('Progressing')?.reason, 'Paused');
    await world.patchRollout({ spec: { strategy: { paused: null } } });
    await world.run(10_000);
    assert.equal(world.canary.currentStepIndex, 1, 'twenty seconds are left');
    await world.untilCompleted(60_000);
  });

  it('frozen in the middle of a batch keeps surge Pods and good Pods as they are', async () => {
    await begin([{ replicas: '80%' }, { replicas: '100%' }]);
    await world.patch({ spec: { strategy: { rollingUpdate: { maxSurge: 2, maxUnavailable: 0 } } } });
    await world.virtual.settled();
    await world.release('v2:slow');
    await world.until('some new Pods', () => (world.sizes['v2:slow'] ?? 0) === 2);
    await world.patchRollout({ spec: { strategy: { paused: true } } });
    await world.virtual.settled();
    assert.deepEqual(world.sizes, { v1: 10, 'v2:slow': 2 });
    assert.equal(world.deployment.spec.paused, true);
    assert.equal(world.deployment.status?.availableReplicas, 12, 'the numbers are true');
    await world.patchRollout({ spec: { strategy: { paused: false } } });
    await world.untilPaused(1, 300_000);
    assert.deepEqual(world.sizes, { v1: 2, 'v2:slow': 8 });
  });

  it('follows an edit of the steps: the current target changes, what is done is not done again', async () => {
    await begin();
    await world.release('v2');
    await world.untilPaused(1);
    await world.approve();
    await world.untilPaused(2);
    await world.patchRollout({
      spec: { strategy: { canary: { steps: [{ replicas: 2 }, { replicas: '70%' }, { replicas: '100%' }] } } },
    });
    await world.until('seven', () => world.sizes['v2'] === 7);
    assert.equal(world.canary.currentStepIndex, 2);
  });

  it('a last step below 100 %: approved, the rest follows natively', async () => {
    await begin([{ replicas: 1 }, { replicas: '50%' }]);
    await world.release('v2');
    await world.untilPaused(1);
    await world.approve();
    await world.untilPaused(2);
    await world.run(60_000);
    assert.deepEqual(world.sizes, { v1: 5, v2: 5 });
    await world.approve();
    await world.untilCompleted();
    assert.deepEqual(world.sizes, { v2: 10 });
  });

  it('an integer last step that equals the size needs no approval to close', async () => {
    await begin([{ replicas: 1 }, { replicas: 10 }]);
    await world.release('v2');
    await world.untilPaused(1);
    await world.approve();
    await world.untilCompleted();
  });

  it('a size that shrinks below the step’s number: the number is the size', async () => {
    await begin([{ replicas: 6 }, { replicas: '100%' }]);
    await world.release('v2');
    await world.untilPaused(1);
    await world.scale(4);
    await world.virtual.settled();
    assert.equal((world.sizes['v1'] ?? 0) + (world.sizes['v2'] ?? 0), 4);
    await world.approve();
    await world.untilCompleted();
    assert.deepEqual(world.sizes, { v2: 4 });
  });

  it('one replica goes through the steps', async () => {
    await begin(STEPS, { replicas: 1 });
    await world.release('v2');
    await world.untilPaused(1);
    assert.deepEqual(world.sizes, { v2: 1 });
    await world.approve();
    await world.untilPaused(2);
    await world.approve();
    await world.untilCompleted();
  });

  it('no replicas: it says so, and is done only when Pods exist', async () => {
    await begin(STEPS, { replicas: 0 });
    await world.release('v2');
    await world.until('it says so', () => /0 replicas/.test(world.rollout.status?.message ?? ''));
    await world.run(600_000);
    assert.notEqual(world.condition('Succeeded')?.status, 'True');
    await world.scale(3);
    await world.untilCompleted();
    assert.deepEqual(world.sizes, { v2: 3 });
    await world.until('an event says so', () => aboutReleases().length > 1);
    const { rolloutID } = world.history[0]!;
    assert.match(rolloutID, /^[0-9a-f]{16}$/);
    assert.deepEqual(aboutReleases(), [
      `release ${rolloutID} starts with step 1 of 3`,
      `release ${rolloutID} completed`,
    ]);
  });

  it('no replicas and no webhook: its release has no id, and the events name none', async () => {
    await begin(STEPS, { replicas: 0 });
    world.webhook = false;
    await world.release('v2');
    await world.until('it says so', () => /0 replicas/.test(world.rollout.status?.message ?? ''));
    await world.scale(3);
    await world.until('the release is over', () => aboutReleases().length > 1);
    assert.deepEqual(aboutReleases(), ['the release starts with step 1 of 3', 'the release completed']);
  });

  it('disabled in the middle: the native controller finishes, and nothing of ours is left', async () => {
    await begin();
    const { annotations: before } = world.deployment.metadata;
    await world.release('v2');
    await world.untilPaused(1);
    await world.patchRollout({ spec: { disabled: true } });
    await world.until('disabled', () => world.rollout.status?.phase === 'Disabled');
    await world.virtual.settled();
    assert.deepEqual(world.sizes, { v2: 10 });
    assert.equal(world.deployment.metadata.labels?.[WORKLOAD_TYPE], undefined);
    const foreign = Object.keys(world.deployment.metadata.annotations ?? {}).filter((key) => !(key in (before ?? {})));
    assert.deepEqual(foreign, []);
    assert.equal(world.history[0]?.outcome, 'Disabled');
    await world.release('v3');
    await world.virtual.settled();
    assert.deepEqual(world.sizes, { v3: 10 }, 'a disabled Rollout lets everything through');
    await world.patchRollout({ spec: { disabled: false } });
    await world.untilHealthy();
    await world.release('v4');
    await world.untilPaused(1);
  });

  it('deleted in the middle: the Deployment is given back before the Rollout is gone', async () => {
    await begin();
    assert.ok(world.rollout.metadata.finalizers?.includes(ROLLOUT_FINALIZER));
    await world.release('v2');
    await world.untilPaused(1);
    await world.deleteRollout();
    assert.ok(world.rolloutOf(), 'the finalizer keeps it');
    await world.until('gone', () => world.rolloutOf() === undefined);
    assert.equal(world.held, false);
    assert.notEqual(world.deployment.spec.paused, true);
    await world.virtual.settled();
    assert.deepEqual(world.sizes, { v2: 10 });
  });

  it('deleted with on-delete Rollback: the stable template is put back', async () => {
    await begin(STEPS, { metadata: { annotations: { 'tranche.dev/on-delete': 'Rollback' } } });
    await world.release('v2');
    await world.untilPaused(1);
    await world.approve();
    await world.untilPaused(2);
    await world.deleteRollout();
    await world.until('gone', () => world.rolloutOf() === undefined);
    await world.virtual.settled();
    assert.equal(world.runs, 'v1');
    assert.deepEqual(world.sizes, { v1: 10 });
  });

  it('a held Deployment whose Rollout vanished without us is given back', async () => {
    await begin();
    await world.release('v2');
    await world.untilPaused(1);
    world.crash();
    await world.patchRollout({ metadata: { finalizers: null } });
    await world.deleteRollout();
    assert.equal(world.rolloutOf(), undefined);
    world.startOperator();
    await world.until('given back', () => !world.held);
    await world.virtual.settled();
    assert.deepEqual(world.sizes, { v2: 10 });
    assert.ok(world.events.some(({ reason }) => reason === 'HoldReleased'));
  });

  it('two Rollouts for one Deployment: the older works, the newer says so', async () => {
    await begin();
    await world.run(2_000);
    await world.createRollout([{ replicas: '100%' }], { name: 'newer' });
    await world.until('it says so', () => /already releases/.test(world.rolloutOf('newer')?.status?.message ?? ''));
    await world.release('v2');
    await world.untilPaused(1);
    assert.deepEqual(world.sizes, { v1: 9, v2: 1 });
    await world.deleteRollout();
    await world.until('gone', () => world.rolloutOf(ROLLOUT) === undefined);
    await world.until('the newer takes over', () => world.rolloutOf('newer')?.status?.phase === 'Healthy', 120_000);
    assert.equal(world.held, false);
    assert.deepEqual(world.sizes, { v2: 10 });
  });

  it('a Rollout before its Deployment waits for it, and enrols it', async () => {
    world = await new World().start();
    await world.createRollout(STEPS);
    await world.until('it waits', () => /does not exist/.test(world.rollout.status?.message ?? ''));
    await world.createDeployment();
    await world.untilHealthy(180_000);
    await world.virtual.settled();
    await world.release('v2');
    await world.untilPaused(1);
  });

  it('a Deployment with strategy Recreate: it stands aside and says so', async () => {
    world = await new World().start();
    await world.createDeployment({ spec: { strategy: { type: 'Recreate' } } });
    await world.createRollout(STEPS);
    await world.until('it says so', () => /Recreate/.test(world.rollout.status?.message ?? ''));
    assert.equal(world.condition('Stalled')?.reason, 'RecreateStrategy');
    const stalled = (): string[] =>
      world.events.filter(({ reason }) => reason === 'Stalled').map(({ message }) => message);
    await world.until('an event says so', () => stalled().length > 0);
    assert.match(stalled()[0] ?? '', /strategy Recreate.*set spec.strategy.type to RollingUpdate/);
    const said = stalled().length;
    assert.ok(!world.events.some(({ reason }) => reason === 'Enrolled'), 'no steps are promised');
    await world.run(60_000);
    assert.equal(stalled().length, said, 'it is said once');
    await world.patch({ spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } });
    await world.untilHealthy();
    assert.equal(world.condition('Stalled')?.status, 'False');
  });

  it('a Deployment that gets strategy Recreate after the last step: the release ends, and its ReplicaSets are free again', async () => {
    await begin([{ replicas: 1 }]);
    await world.release('v2:slow');
    await world.untilPaused(1, 120_000);
    await world.approve();
    await world.until('it is given back', () => !world.held && world.condition('Progressing')?.reason === 'Finalising');
    await world.patch({ spec: { strategy: { type: 'Recreate', rollingUpdate: null } } });
    await world.until('it stands aside', () => world.condition('Stalled')?.reason === 'RecreateStrategy');
    assert.deepEqual(inFlightIndex(world.rollout), []);
    assert.equal(world.history[0]?.outcome, 'Bypassed');
    await world.virtual.settled();
    await world.patch({ spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } });
    await world.untilHealthy(300_000);
    await world.release('v3');
    await world.untilPaused(1, 120_000);
    assert.deepEqual(world.sizes, { 'v2:slow': 9, v3: 1 });
  });

  it('steps that do not fit the Deployment: an event says so when it is enrolled, for admission could not know', async () => {
    world = await new World().start();
    await world.createDeployment({ replicas: 4 });
    await world.createRollout([{ replicas: 9 }, { replicas: '50%' }]);
    await world.untilHealthy();
    const said = world.events
      .filter(({ reason }) => reason === 'Advice')
      .map(({ type, message }) => `${type} ${message}`);
    const at = 'Warning spec.strategy.canary.steps';
    assert.deepEqual(
      [...new Set(said)],
      [
        `${at}[0].replicas: 9 is more than spec.replicas (4): the step updates all Pods but one`,
        `${at}[1].replicas: "50%" is 2 of 4 Pods, less than step 1 (3): the step replaces no Pod`,
      ],
    );
  });

  it('the Deployment’s own paused freezes the release until it is resumed', async () => {
    await begin();
    await world.patch({ spec: { paused: true } });
    await world.release('v2');
    await world.until('it says so', () => /until spec.paused is removed/.test(world.rollout.status?.message ?? ''));
    await world.run(60_000);
    assert.deepEqual(world.sizes, { v1: 10 });
    await world.patch({ spec: { paused: null } });
    await world.untilPaused(1);
    assert.deepEqual(world.sizes, { v1: 9, v2: 1 });
  });

  describe('kubectl rollout restart', () => {
    const restart = (): Promise<unknown> =>
      world.patch({
        spec: {
          template: { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': '2026-01-01T00:00:00Z' } } },
        },
      });

    it('is a release like any other by default', async () => {
      await begin();
      await restart();
      await world.untilPaused(1);
    });

    it('with Batches goes through the steps without approvals', async () => {
      await begin(STEPS, { metadata: { annotations: { 'tranche.dev/on-restart': 'Batches' } } });
      await restart();
      await world.untilCompleted();
      assert.ok(world.events.some(({ message }) => /^step 2\/3/.test(message)));
    });

    it('with Native is none of our business', async () => {
      await begin(STEPS, { metadata: { annotations: { 'tranche.dev/on-restart': 'Native' } } });
      await restart();
      await world.virtual.settled();
      assert.equal(world.rollout.status?.phase, 'Healthy');
      assert.notEqual(world.condition('Bypassed')?.status, 'True');
      assert.equal(world.deployment.status?.updatedReplicas, 10);
      await world.release('v2');
      await world.untilPaused(1);
    });
  });
});

describe('the first release', () => {
  /** The versions that count as completed when the first release, of v2, waits in its first step. It starts as soon as so many Pods of v1 are available. */
  const completedBeforeFirst = async (available: number): Promise<readonly string[]> => {
    const world = await new World({ seed: 6, readyMs: 20_000 }).start();
    await world.createDeployment({ spec: { replicas: 4 } });
    await world.createRollout(STEPS);
    await world.untilHealthy();
    const isReady = (): boolean => (world.deployment.status?.availableReplicas ?? 0) >= available;
    await world.until('Pods are available', isReady, 120_000);
    assert.equal(world.deployment.status?.availableReplicas ?? 0, available);
    const v1 = world.canary.stableRevision;
    await world.release('v2');
    await world.untilPaused(1, 120_000);
    const completed = world.rollout.status?.completedVersions?.map(({ revision }) =>
      revision === v1 ? 'v1' : revision,
    );
    await world.stop();
    return completed ?? [];
  };

  it('counts the version that ran first as completed when all its Pods are available, and not before', async () => {
    assert.deepEqual(await completedBeforeFirst(0), []);
    assert.deepEqual(await completedBeforeFirst(2), []);
    assert.deepEqual(await completedBeforeFirst(4), ['v1']);
  });
});
