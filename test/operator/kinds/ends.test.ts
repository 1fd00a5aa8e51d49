// How a release ends without its steps: the Rollout goes, a drain, a restart, a version that was completed before.
import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import { drainOf } from '../draining.ts';
import { versionOf } from '../world.ts';
import { MINUTE, overKinds, PODS } from './stage.ts';

const RESTART = {
  spec: { template: { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': '2026-01-01T00:00:00Z' } } } },
};

overKinds('that ends in another way', (stage) => {
  const { kind } = stage.fixture;

  it('whose Rollout is disabled or deleted goes on natively, and nothing of ours is left', async () => {
    for (const how of ['Disabled', 'Deleted'] as const) {
      const world = await stage.begin();
      const before = world.deployment;
      await world.release('v2');
      await stage.to(1);
      if (how === 'Disabled') {
        await world.patchRollout({ spec: { disabled: true } });
        await world.until('disabled', () => world.rollout.status?.phase === 'Disabled');
        assert.equal(stage.last.outcome, 'Disabled');
      } else {
        await world.deleteRollout();
        assert.ok(world.rolloutOf(), 'its finalizer keeps it');
        await world.until('it is gone', () => world.rolloutOf() === undefined);
      }
      stage.assertFree(kind.borrowed(before));
      await world.virtual.settled();
      assert.deepEqual(world.sizes, { v2: 6 });
      stage.assertDisenrolled();
      if (how === 'Disabled') await world.stop();
    }
  });

  it('whose Rollout is deleted with on-delete Rollback goes back', async () => {
    const world = await stage.begin({}, { metadata: { annotations: { [keys.ON_DELETE]: 'Rollback' } } });
    const before = world.deployment;
    await world.release('v2');
    await stage.to(2);
    await world.deleteRollout();
    await world.until('it is gone', () => world.rolloutOf() === undefined, 3 * MINUTE);
    await world.virtual.settled();
    assert.deepEqual(world.sizes, { v1: 6 });
    stage.assertFree(kind.borrowed(before));
  });

  it('whose Rollout is gone without us is given back', async () => {
    const world = await stage.begin();
    const before = world.deployment;
    await world.release('v2');
    await stage.to(1);
    world.crash();
    await world.patchRollout({ metadata: { finalizers: null } });
    await world.deleteRollout();
    world.startOperator();
    await world.until('it is given back', () => !world.held);
    stage.assertFree(kind.borrowed(before));
    await world.virtual.settled();
    assert.deepEqual(world.sizes, { v2: 6 });
    assert.equal(stage.messages('HoldReleased').length, 1);
  });

  for (const held of ['Finish', 'Rollback'] as const)
    it(`is drained: ${held}`, async () => {
      const world = await stage.begin();
      const before = world.deployment;
      await world.release('v2');
      await stage.to(1);
      assert.deepEqual(await drainOf(world, held), { deployments: 1, rollouts: 1 });
      stage.assertFree(kind.borrowed(before));
      assert.equal(stage.labels[keys.WORKLOAD_TYPE], undefined);
      const version = held === 'Finish' ? 'v2' : 'v1';
      await world.until('it ends natively', () => world.sizes[version] === PODS && world.readyPods === PODS);
      assert.deepEqual(world.sizes, { [version]: 6 });
    });

  describe('that is a restart', () => {
    const restarted = (): number =>
      stage.world.pods.filter(
        ({ metadata }) => metadata.annotations?.['kubectl.kubernetes.io/restartedAt'] !== undefined,
      ).length;

    it('is a release like any other by default', async () => {
      const world = await stage.begin();
      await world.patch(RESTART);
      await stage.to(1);
      assert.equal(restarted(), 1);
    });

    it('with Batches goes through the steps without approvals', async () => {
      const world = await stage.begin({}, { metadata: { annotations: { [keys.ON_RESTART]: 'Batches' } } });
      await world.patch(RESTART);
      await world.untilCompleted(3 * MINUTE);
      assert.ok(world.events.some(({ message }) => message.startsWith('step 2/3')));
      assert.equal(restarted(), 6);
    });

    it('with Native goes out natively', async () => {
      const world = await stage.begin({}, { metadata: { annotations: { [keys.ON_RESTART]: 'Native' } } });
      await world.patch(RESTART);
      assert.equal(world.held, false);
      await world.until('all Pods are restarted', () => restarted() === PODS && world.readyPods === PODS);
      await world.virtual.settled();
      assert.equal(world.rollout.status?.phase, 'Healthy');
      assert.equal(world.condition('Bypassed')?.status ?? 'False', 'False');
      await world.release('v2');
      await stage.to(1);
    });
  });

  it('keeps the versions that undo restores, and restores one through the steps', async () => {
    const world = await stage.begin();
    await world.release('v2');
    await stage.finish();
    await world.untilHealthy();
    const earlier = world.versions.find(({ template }) => versionOf(template) === 'v1');
    assert.ok(earlier, 'v1 is kept');
    assert.match(earlier.number ?? '', /^[1-9]/);
    await world.patch(
      [{ op: 'replace', path: '/spec/template', value: earlier.template }],
      'application/json-patch+json',
    );
    await stage.to(1);
    assert.deepEqual(world.sizes, { v1: 1, v2: 5 });
  });

  it('restores a completed version without steps within its rollbackWindow', async () => {
    const world = await stage.begin({}, { canary: { rollbackWindow: { revisions: 2 } } });
    await world.release('v2');
    await stage.finish();
    await world.untilHealthy();
    await world.release('v1');
    await world.until('v1 is back', () => world.sizes['v1'] === PODS && stage.last.endTime !== undefined, 3 * MINUTE);
    assert.equal(stage.last.outcome, 'Restored');
    assert.ok(world.events.every(({ message }) => !/^step 2\/3: updating .* v1/.test(message)));
  });
});
