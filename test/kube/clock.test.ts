import assert from 'node:assert/strict';
import { realClock, steadyClock } from '../../src/kube/clock.ts';

describe('the steady clock', () => {
  it('goes on evenly when somebody sets the clock', () => {
    const { now } = Date;
    const before = [realClock.now(), steadyClock.now()] as const;
    Date.now = () => now() - 3_600_000;
    try {
      assert.ok(realClock.now() < before[0]);
      assert.ok(steadyClock.now() >= before[1]);
    } finally {
      Date.now = now;
    }
  });
});
