// What the demo makes of the difference between what it asked for and what it sees.
import assert from 'node:assert/strict';
import { Others, type Sight } from './others.ts';

const RUNS: Sight = {
  version: 'version-1',
  replicas: 10,
  hasRollout: true,
  isPaused: false,
  isDisabled: false,
  inFlight: false,
  step: 0,
};
const RELEASED: Sight = { ...RUNS, version: 'version-2', inFlight: true, step: 1 };

/** After version-1 runs and the demo has released version-2 up to a step. */
function afterStep(step: number): Others {
  const others = new Others();
  others.expect(RUNS);
  assert.deepEqual(others.follow(RUNS), []);
  others.expect({ version: 'version-2', inFlight: true, step: 1 });
  assert.deepEqual(others.follow({ ...RELEASED, step: 0 }), [], 'the status is not about it yet');
  for (let each = 1; each <= step; each++) {
    others.expect({ step: each });
    assert.deepEqual(others.follow({ ...RELEASED, step: each }), []);
  }
  return others;
}

describe('what others do during the demo', () => {
  it('is nothing when the demo does everything', () => {
    const others = afterStep(3);
    assert.deepEqual(others.follow({ ...RUNS, version: 'version-2' }), [], 'it is released');
    others.expect({ version: 'version-3', inFlight: true, step: 1 });
    assert.deepEqual(others.follow({ ...RELEASED, version: 'version-3', step: 1 }), []);
    others.expect({ version: 'version-2', inFlight: false, step: 0 });
    assert.deepEqual(others.follow({ ...RUNS, version: 'version-2' }), [], 'it is rolled back');
  });

  for (const [what, seen, news] of [
    ['an approval', { ...RELEASED, step: 2 }, 'somebody approved step 1'],
    ['more than one', { ...RELEASED, step: 3 }, 'somebody took the release from step 1 to step 3'],
    ['an end', { ...RUNS, version: 'version-2' }, 'somebody took the release of version-2 to its end'],
    ['an abort', RUNS, 'somebody aborted the release of version-2: the Deployment has version-1 again'],
    ['another version', { ...RELEASED, version: 'x', step: 0 }, 'somebody changed the Pod template to x'],
    ['a pause', { ...RELEASED, isPaused: true }, 'somebody paused the Rollout'],
    ['a disabled Rollout', { ...RUNS, version: 'version-2', isDisabled: true }, 'somebody disabled the Rollout'],
    ['a deleted Rollout', { ...RUNS, version: 'version-2', hasRollout: false }, 'somebody deleted the Rollout'],
    ['a deleted Deployment', { ...RUNS, version: undefined, replicas: 0 }, 'somebody deleted the Deployment'],
    ['a scaled Deployment', { ...RELEASED, replicas: 4 }, 'somebody scaled the Deployment from 10 to 4 replicas'],
  ] as const)
    it(`is ${what}, told once`, () => {
      const others = afterStep(1);
      assert.deepEqual(others.follow(seen), [news]);
      assert.deepEqual(others.follow(seen), []);
    });

  it('is a way back to an earlier step, and a pause that ends', () => {
    const others = afterStep(2);
    assert.deepEqual(others.follow(RELEASED), ['somebody took the release back to step 1']);
    assert.deepEqual(others.follow({ ...RELEASED, isPaused: true }), ['somebody paused the Rollout']);
    assert.deepEqual(others.follow(RELEASED), ['somebody resumed the Rollout']);
    others.expect({ step: 2 });
    assert.deepEqual(others.follow({ ...RELEASED, step: 2 }), []);
  });
});
