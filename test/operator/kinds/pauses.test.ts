// What stops a release, and what it then says: pauses, sizes, broken Pods.
import assert from 'node:assert/strict';
import { template } from '../world.ts';
import { MINUTE, overKinds } from './stage.ts';

overKinds('that is stopped', (stage) => {
  const { kind, pause, keepsBroken } = stage.fixture;

  it('is paused and resumed by its Rollout', async () => {
    const world = await stage.begin();
    await world.release('v2');
    await stage.to(1);
    await world.patchRollout({ spec: { strategy: { paused: true } } });
    await world.until('it is paused', () => world.condition('Progressing')?.reason === 'Paused');
    await world.approve();
    await world.run(MINUTE);
    assert.deepEqual(world.sizes, { v1: 5, v2: 1 });
    await world.patchRollout({ spec: { strategy: { paused: null } } });
    await world.untilPaused(2);
    assert.deepEqual(world.sizes, { v1: 3, v2: 3 });
  });

  if (pause)
    it('is paused by the workload’s own field, says which, and goes on when its user resumes it', async () => {
      const world = await stage.begin();
      await world.patch({ spec: { ...pause, template: template('v2') } });
      await world.until('it is paused', () => world.condition('Progressing')?.reason === 'Paused');
      assert.ok(world.rollout.status?.message?.includes(kind.words.pause), world.rollout.status?.message);
      await world.run(MINUTE);
      assert.deepEqual(world.sizes, { v1: 6 });
      await world.patch({ spec: kind.words.unpause });
      await world.untilPaused(1);
      assert.deepEqual(world.sizes, { v1: 5, v2: 1 });
    });

  it('follows its size in percentages, and has what its steps say', async () => {
    const world = await stage.begin();
    await world.release('v2');
    await stage.to(2);
    await world.scale(4);
    await world.until('it is smaller', () => world.pods.length === 4);
    await world.virtual.settled();
    await world.approve();
    await world.untilCompleted(3 * MINUTE);
    assert.deepEqual(world.sizes, { v2: 4 });
  });

  describe('whose Pods are broken', () => {
    it('stalls, names the Pods, and takes no more', async () => {
      const world = await stage.begin({}, { canary: { stepDeadlineSeconds: 30 } });
      await world.release('v2:broken');
      await world.until('it stalls', () => world.condition('Stalled')?.status === 'True', 3 * MINUTE);
      const [broken] = stage.podsOf('v2:broken');
      assert.ok(world.rollout.status?.message?.includes(broken!.metadata.name), world.rollout.status?.message);
      await world.run(5 * MINUTE);
      assert.equal(world.sizes['v2:broken'], 1);
    });

    it('goes back by itself with onFailure Rollback', async () => {
      const world = await stage.begin({}, { canary: { stepDeadlineSeconds: 30, onFailure: 'Rollback' } });
      await world.release('v2:broken');
      await world.until('it goes back', () => world.runs === 'v1', 3 * MINUTE);
      if (keepsBroken) {
        await world.run(MINUTE);
        const [broken] = stage.podsOf('v2:broken');
        const command = `kubectl delete pod ${broken?.metadata.name}`;
        assert.ok(world.rollout.status?.message?.includes(command), world.rollout.status?.message);
        await world.virtual.client.request('DELETE', `/api/v1/namespaces/default/pods/${broken!.metadata.name}`);
      }
      await stage.untilWithout('v2:broken');
      assert.deepEqual(world.sizes, { v1: 6 });
      assert.equal(stage.last.outcome, 'Failed');
    });
  });
});
