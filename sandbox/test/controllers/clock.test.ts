// Virtual time: timers run in order, and promises settle in between.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { VirtualClock } from '../../src/core/clock.ts';

describe('virtual time', () => {
  it('lets long chains of promises finish before it goes on, also when it is started from a callback', async () => {
    const clock = new VirtualClock(1);
    const seen: string[] = [];
    const chain = async (name: string): Promise<void> => {
      for (let i = 0; i < 100; i++) await null;
      seen.push(`${name} at ${clock.now() - start}`);
    };
    const start = clock.now();
    clock.after(5, () => void chain('a'));
    clock.after(6, () => void chain('b'));
    void chain('c');
    await new Promise<void>((resolve) => setImmediate(() => void clock.run(10).then(resolve)));
    assert.deepEqual(seen, ['c at 0', 'a at 5', 'b at 6']);
  });

  it('runs what is due at the same moment in an order drawn from the seed', async () => {
    const order = async (seed: number): Promise<string> => {
      const clock = new VirtualClock(seed);
      let seen = '';
      for (const name of 'abcdefgh') clock.after(5, () => (seen += name));
      await clock.run(5);
      return seen;
    };
    assert.equal(await order(1), await order(1));
    assert.ok(new Set(await Promise.all([1, 2, 3, 4].map(order))).size > 1);
  });

  it('stops at the deadline, and returns whether the condition is true', async () => {
    const clock = new VirtualClock(1);
    let fired = 0;
    for (const ms of [10, 20, 30]) clock.after(ms, () => fired++);
    const cancel = clock.after(25, () => assert.fail('was cancelled'));
    cancel();
    assert.equal(await clock.runUntil(() => fired === 2, 100), true);
    assert.equal(fired, 2);
    assert.equal(await clock.runUntil(() => fired === 9, 100), false);
    assert.equal(fired, 3);
  });
});
