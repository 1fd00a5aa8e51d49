import assert from 'node:assert/strict';
import { HELD } from '../../src/api/keys.ts';
import type { Deployment } from '../../src/api/types.ts';
import { DrainError } from '../../src/operator/drain.ts';
import * as kruise from '../support/openkruise.ts';
import { drainOf } from './draining.ts';
import { NAME, ROLLOUT, template, World } from './world.ts';

const STEPS = [{ replicas: 2 }, { replicas: '50%' }, { replicas: '100%' }];

const nothingOfOurs = (world: World): void => {
  const { labels = {}, annotations = {} } = world.deployment.metadata;
  assert.deepEqual(
    [...Object.keys(labels), ...Object.keys(annotations)].filter(
      (key) => /tranche\.dev|kruise\.io/.test(key) && !/rollout-id/.test(key),
    ),
    [],
  );
};

async function inTheMiddle(): Promise<{ world: World; before: Deployment['spec'] }> {
  const world = new World();
  await world.start();
  await world.createDeployment();
  await world.createRollout(STEPS);
  await world.untilHealthy();
  const before = world.deployment.spec;
  await world.release('v2');
  await world.untilPaused(1);
  return { world, before };
}

describe('a drain, before the program is taken out of the cluster,', () => {
  it('lets a release in the middle finish natively, with the settings of its user', async () => {
    const { world, before } = await inTheMiddle();
    assert.deepEqual(await drainOf(world, 'Finish'), { deployments: 1, rollouts: 1 });
    nothingOfOurs(world);
    await world.until('all Pods are new', () => world.sizes['v2'] === 10 && world.readyPods === 10);
    assert.deepEqual({ ...world.deployment.spec, template: null }, { ...before, template: null });
    await world.stop();
  });

  it('puts the version before back, when that was chosen', async () => {
    const { world, before } = await inTheMiddle();
    await drainOf(world, 'Rollback');
    nothingOfOurs(world);
    await world.until('all Pods are old', () => world.sizes['v1'] === 10 && world.readyPods === 10);
    assert.deepEqual(world.deployment.spec, before);
    await world.stop();
  });

  it('leaves the Rollout as its user wrote it, free to be deleted when nobody listens any more', async () => {
    const { world } = await inTheMiddle();
    const { spec } = world.rollout;
    await drainOf(world, 'Finish');
    assert.deepEqual(world.rollout.spec, spec);
    assert.deepEqual(world.rollout.metadata.finalizers ?? [], []);
    await world.deleteRollout();
    assert.equal(world.rolloutOf(), undefined);
    await world.stop();
  });

  it('takes the label from Deployments at rest, which then go on', async () => {
    const world = new World();
    await world.start();
    await world.createDeployment();
    await world.createRollout(STEPS);
    await world.untilHealthy();
    await drainOf(world, 'Rollback');
    nothingOfOurs(world);
    await world.release('v2');
    await world.until('it is released natively', () => world.sizes['v2'] === 10);
    await world.stop();
  });

  it('gives back what two Rollouts name, and what none names any more', async () => {
    const { world } = await inTheMiddle();
    await world.createRollout(STEPS, { name: 'another' });
    await world.run(5_000);
    await drainOf(world, 'Finish');
    nothingOfOurs(world);
    assert.deepEqual(world.rolloutOf('another')?.metadata.finalizers ?? [], []);
    await world.stop();
  });

  it('works with the CRD gone', async () => {
    const { world } = await inTheMiddle();
    await world.patchRollout({ metadata: { finalizers: null } });
    await world.deleteRollout();
    await drainOf(world, 'Finish', { crd: false });
    nothingOfOurs(world);
    await world.stop();
  });

  it('says what is left when time is up', async () => {
    const { world } = await inTheMiddle();
    // A record of a hold that nobody can read, and no Rollout's: not for us to guess what it meant.
    world.webhook = false;
    await world.virtual.createDeployment({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'stray', annotations: { [HELD]: 'not a record' } },
      spec: { selector: { matchLabels: { app: NAME } }, template: template('v1') },
    });
    await assert.rejects(drainOf(world, 'Finish', { seconds: 20 }), (error: unknown) => {
      assert.ok(error instanceof DrainError);
      assert.match(error.message, /in time: default\/stray$/);
      return true;
    });
    await world.stop();
  });

  it('is followed by a new installation that goes on as if nothing had been', async () => {
    const { world } = await inTheMiddle();
    await drainOf(world, 'Finish');
    await world.until('finished', () => world.sizes['v2'] === 10 && world.readyPods === 10);
    world.webhook = true;
    world.startOperator();
    await world.untilHealthy();
    await world.release('v3');
    await world.untilPaused(1);
    assert.equal(world.sizes['v3'], 2);
    assert.equal(world.rollout.metadata.name, ROLLOUT);
    await world.stop();
  });

  it('leaves what OpenKruise left as it is: whoever goes back to OpenKruise needs it', async () => {
    const world = await new World({ seed: 4 }).start();
    await world.createDeployment();
    await world.createRollout(STEPS);
    await world.untilHealthy();
    world.webhook = false;
    world.crash();
    const { labels, annotations } = kruise.onDeployment(
      { name: ROLLOUT, stable: 'old', updated: 0 },
      { partition: 0, rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    );
    const strategy = { type: 'Recreate', rollingUpdate: null };
    await world.patch({
      metadata: { labels, annotations },
      spec: { paused: true, strategy, template: template('v2') },
    });
    const { spec, metadata } = world.deployment;
    await drainOf(world, 'Finish');
    assert.deepEqual(world.deployment.spec, spec);
    assert.deepEqual(
      [world.deployment.metadata.labels, world.deployment.metadata.annotations],
      [metadata.labels, metadata.annotations],
    );
    await world.stop();
  });
});
