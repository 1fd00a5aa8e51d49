// The source document's promises S1–S10, each under its number, in virtual time.
import assert from 'node:assert/strict';
import { ROLLOUT_ID } from '../../src/api/keys.ts';
import { World } from './world.ts';

const STEPS = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }];

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
  });

  it('S2: approved, five; approved again, ten, and the Deployment is exactly as its user wrote it', async () => {
    const before = world.deployment.spec;
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
    const { template: _, ...settings } = world.deployment.spec;
    const { template: __, ...settingsBefore } = before;
    assert.deepEqual(settings, settingsBefore);
    assert.equal(world.deployment.metadata.labels?.[ROLLOUT_ID], world.canary.observedRolloutID);
  });
});
