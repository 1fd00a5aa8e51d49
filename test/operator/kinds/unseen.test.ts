// Edits that no webhook saw, and a crash.
import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import { MINUTE, overKinds } from './stage.ts';

overKinds('that no webhook saw', (stage) => {
  const { kind, loosen } = stage.fixture;

  const untilReported = (): Promise<void> =>
    stage.world.until('it is reported', () => stage.world.condition('Bypassed')?.status === 'True');

  it('is held, reported, and goes through its steps', async () => {
    const world = await stage.begin();
    const before = world.deployment;
    world.webhook = false;
    await world.release('v2');
    await untilReported();
    await world.until('it is held', () => world.held);
    await world.virtual.settled();
    assert.ok((world.sizes['v1'] ?? 0) > 0, 'caught before its last Pod');
    world.webhook = true;
    await stage.finish();
    await world.untilHealthy();
    assert.deepEqual(world.sizes, { v2: 6 });
    stage.assertFree(kind.borrowed(before));
    assert.ok(stage.messages('Bypassed').length > 0);
    assert.notEqual(stage.last.bypassed, undefined);
  });

  it('in the middle of another starts again at step 1', async () => {
    const world = await stage.begin();
    await world.release('v2');
    await stage.to(1);
    world.webhook = false;
    await world.release('v3');
    await untilReported();
    await stage.untilFirstStepOf('v3');
    assert.equal(world.canary.currentStepIndex, 1);
    assert.ok((world.sizes['v1'] ?? 0) > 0);
  });

  it('whose hold was taken off is held again', async () => {
    const world = await stage.begin();
    await world.release('v2');
    await stage.to(1);
    world.webhook = false;
    await world.patch({ spec: loosen, metadata: { annotations: { [keys.HELD]: null } } });
    await untilReported();
    await world.until('it is held again', () => world.held);
    await world.virtual.settled();
    assert.ok((world.sizes['v1'] ?? 0) > 0);
    world.webhook = true;
    await stage.finish();
    assert.deepEqual(world.sizes, { v2: 6 });
  });

  it('is a rollback all the same', async () => {
    const world = await stage.begin();
    await world.release('v2');
    await stage.to(2);
    world.webhook = false;
    await world.release('v1');
    await stage.untilWithout('v2');
    assert.deepEqual(world.sizes, { v1: 6 });
    assert.equal(stage.last.outcome, 'RolledBack');
  });

  it('survives a crash of the operator', async () => {
    const world = await stage.begin();
    await world.release('v2');
    await stage.to(1);
    await world.approve();
    world.crash();
    await world.run(MINUTE);
    world.startOperator();
    await world.untilPaused(2);
    await stage.finish();
    assert.deepEqual(world.sizes, { v2: 6 });
  });
});
