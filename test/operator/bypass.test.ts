// What no webhook saw is found, held, reported and taken through the steps; and upgrades start no release.
import assert from 'node:assert/strict';
import { HELD, ROLLOUT_ID } from '../../src/api/keys.ts';
import { NAME, World } from './world.ts';

const STEPS = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }];

describe('a change that no webhook saw', () => {
  let world: World;

  beforeEach(async () => {
    world = await new World({ seed: 11 }).start();
    await world.createDeployment({ spec: { strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } } });
  });
  afterEach(() => world.stop());

  const enrol = async (): Promise<void> => {
    await world.createRollout(STEPS);
    await world.untilHealthy();
    await world.virtual.settled();
  };
  const untilReported = (): Promise<void> =>
    world.until('it is reported', () => world.condition('Bypassed')?.status === 'True');
  const finish = async (): Promise<void> => {
    for (let approvals = 0; approvals < 4 && world.condition('Succeeded')?.status !== 'True'; approvals++) {
      await world.virtual.settled();
      await world.approve();
    }
    await world.untilCompleted();
    assert.deepEqual(world.deployment.spec.strategy?.rollingUpdate, { maxSurge: 1, maxUnavailable: 0 });
    assert.equal(world.deployment.metadata.annotations?.[HELD], undefined);
  };

  it('of the template, with the webhook absent', async () => {
    await enrol();
    const id = world.deployment.metadata.labels?.[ROLLOUT_ID];
    world.webhook = false;
    await world.release('v2');
    await untilReported();
    await world.untilPaused(1);
    assert.ok((world.sizes['v1'] ?? 0) >= 7, 'caught after few Pods');
    assert.notEqual(world.deployment.metadata.labels?.[ROLLOUT_ID], id, 'it has an id of its own');
    assert.ok(world.events.some(({ reason, type }) => reason === 'Bypassed' && type === 'Warning'));
    await world.virtual.settled();
    assert.equal(world.deployment.status?.availableReplicas, 10);
    await finish();
  });

  it('of a Deployment made held, from a manifest exported during a release: its Pods start', async () => {
    await enrol();
    await world.release('v2');
    await world.untilPaused(1);
    const { metadata, spec } = world.deployment;
    const { labels, annotations } = metadata;
    assert.equal(spec.paused, true);
    await world.virtual.client.request('DELETE', `/apis/apps/v1/namespaces/default/deployments/${NAME}`);
    await world.until('it is gone', () => world.rollout.status?.phase === 'Initial');
    world.webhook = false;
    await world.createDeployment({ spec, metadata: { labels, annotations } });
    await world.until('they run', () => world.sizes['v2'] === 10 && world.readyPods === 10);
    await world.untilHealthy();
    assert.equal(world.held, false);
    assert.deepEqual(world.deployment.spec.strategy?.rollingUpdate, { maxSurge: 1, maxUnavailable: 0 });
    assert.ok(world.events.some(({ reason }) => reason === 'HoldReleased'));
  });

  it('of the template, in the middle of a release', async () => {
    await enrol();
    await world.release('v2');
    await world.untilPaused(1);
    world.webhook = false;
    await world.release('v3');
    await untilReported();
    await world.untilPaused(1);
    assert.equal(world.sizes['v3'], 1);
    await finish();
  });

  it('of the hold: the annotation and the pause taken off', async () => {
    await enrol();
    await world.release('v2');
    await world.untilPaused(1);
    world.webhook = false;
    await world.patch({ spec: { paused: null }, metadata: { annotations: { [HELD]: null } } });
    await untilReported();
    await world.virtual.settled();
    assert.equal(world.deployment.spec.paused, true);
    assert.ok((world.sizes['v1'] ?? 0) >= 7);
    await finish();
  });

  it('of the hold: un-paused by hand', async () => {
    await enrol();
    await world.release('v2');
    await world.untilPaused(1);
    world.webhook = false;
    await world.patch({ spec: { paused: false } });
    await untilReported();
    await world.virtual.settled();
    assert.equal(world.deployment.spec.paused, true);
    await finish();
  });

  it('of the settings: taken over as the user’s', async () => {
    await enrol();
    await world.release('v2');
    await world.untilPaused(1);
    world.webhook = false;
    await world.patch({ spec: { minReadySeconds: 3, strategy: { rollingUpdate: { maxSurge: 2 } } } });
    await world.virtual.settled();
    world.webhook = true;
    for (const step of [1, 2]) {
      await world.untilPaused(step);
      await world.approve();
    }
    await world.untilCompleted();
    assert.equal(world.deployment.spec.minReadySeconds, 3);
    assert.equal(world.deployment.spec.strategy?.rollingUpdate?.maxSurge, 2);
  });

  it('before the Rollout was made: the rolling update that runs is held and goes on in steps', async () => {
    await world.virtual.settled();
    await world.release('v2');
    await world.until('some new Pods', () => (world.sizes['v2'] ?? 0) === 2);
    await world.createRollout(STEPS);
    await world.until('held', () => world.held);
    await world.untilPaused(1);
    assert.ok((world.sizes['v1'] ?? 0) >= 5, 'the rest waits');
    assert.equal(world.condition('Bypassed')?.status, 'True');
    await finish();
  });

  it('before the Rollout was made anew: a rollback that runs is not held, and what it removes takes the steps', async () => {
    await world.patch({ spec: { minReadySeconds: 10 } });
    await enrol();
    await world.run(10_000);
    await world.release('v2');
    await world.untilPaused(1);
    await world.release('v1');
    await world.run(1_000);
    await world.deleteRollout();
    await world.until('gone', () => world.rolloutOf() === undefined);
    await world.createRollout(STEPS);
    await world.untilHealthy(5_000);
    assert.deepEqual(world.sizes, { v1: 10, v2: 1 }, 'the rollback still runs');
    await world.release('v2');
    await world.untilPaused(1);
    await world.run(60_000);
    assert.deepEqual(world.sizes, { v1: 9, v2: 1 });
    await finish();
  });

  it('that has gone out as a whole while nobody was there is reported, and stays', async () => {
    await enrol();
    world.webhook = false;
    world.crash();
    await world.release('v2');
    await world.virtual.settled();
    world.startOperator();
    await untilReported();
    assert.equal(world.rollout.status?.phase, 'Healthy');
    assert.equal(world.history[0]?.outcome, 'Bypassed');
    assert.equal(world.held, false);
    world.webhook = true;
    await world.release('v3');
    await world.untilPaused(1);
    assert.notEqual(world.condition('Bypassed')?.status, 'True');
  });

  it('a rollback by hand without the webhook is a rollback all the same', async () => {
    await enrol();
    await world.release('v2');
    await world.untilPaused(1);
    world.webhook = false;
    await world.release('v1');
    await world.until('rolled back', () => world.history[0]?.outcome === 'RolledBack');
    assert.deepEqual(world.sizes, { v1: 10 });
    assert.notEqual(world.deployment.spec.paused, true);
  });

  it('a restart of the operator at any point starts no release and loses none', async () => {
    await enrol();
    for (const restart of [0, 1, 2, 3]) {
      world.crash();
      world.startOperator();
      await world.run(5_000 + restart);
    }
    assert.equal(world.history.length, 0);
    await world.release('v2');
    await world.untilPaused(1);
    world.crash();
    world.startOperator();
    await world.run(60_000);
    assert.equal(world.canary.currentStepIndex, 1);
    assert.equal(world.history.length, 1);
  });

  it('an upgrade that adds a default to every stored template starts no release', async () => {
    await enrol();
    const stored = world.virtual.cluster.store;
    world.crash();
    for (const collection of ['apps/deployments', 'apps/replicasets'])
      for (const object of stored.list(collection)) {
        const copy = structuredClone(object);
        copy['spec'].template.spec.newDefault = true;
        stored.commit(collection, object, copy);
      }
    world.startOperator();
    await world.virtual.settled();
    assert.equal(world.rollout.status?.phase, 'Healthy');
    assert.equal(world.history.length, 0);
    assert.equal(world.held, false);
    await world.release('v2');
    await world.untilPaused(1);
  });

  it('the same upgrade in the middle of a release neither restarts it nor hides a rollback', async () => {
    await enrol();
    await world.release('v2');
    await world.untilPaused(1);
    const stored = world.virtual.cluster.store;
    world.crash();
    for (const collection of ['apps/deployments', 'apps/replicasets'])
      for (const object of stored.list(collection)) {
        const copy = structuredClone(object);
        copy['spec'].template.spec.newDefault = true;
        stored.commit(collection, object, copy);
      }
    world.startOperator();
    await world.virtual.settled();
    assert.equal(world.canary.currentStepState, 'StepPaused');
    assert.equal(world.history.length, 1);
    await world.release('v1');
    await world.until('rolled back', () => world.history[0]?.outcome === 'RolledBack');
    assert.deepEqual(world.sizes, { v1: 10 });
  });
});
