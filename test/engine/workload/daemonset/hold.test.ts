// The record on a DaemonSet: users can write it, so only a release's own values come out of it.
import assert from 'node:assert/strict';
import { HELD } from '../../../../src/api/keys.ts';
import { hasSigns, isHolding, readHeld } from '../../../../src/engine/workload/daemonset/hold.ts';
import { held, makeSet } from './build.ts';

describe('the hold of a DaemonSet', () => {
  it('always gives RollingUpdate back, whatever the record says', () => {
    for (const user of [{ type: 'OnDelete' }, { type: '../x' }, { type: 7 }, {}]) {
      const set = makeSet(3, 'v2', { type: 'OnDelete' });
      const record = JSON.stringify({ v: 1, rollout: 'agent', stable: 'v1', user });
      const found = readHeld({ ...set, metadata: { ...set.metadata, annotations: { [HELD]: record } } });
      assert.deepEqual(found?.user, { type: 'RollingUpdate' });
    }
  });

  it('is known by its signs and by its type', () => {
    assert.deepEqual([hasSigns(held(3)), isHolding(held(3))], [true, true]);
    assert.deepEqual([hasSigns(makeSet(3, 'v1')), isHolding(makeSet(3, 'v1'))], [false, false]);
  });
});
