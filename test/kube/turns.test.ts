import assert from 'node:assert/strict';
import { Turns } from '../../src/kube/turns.ts';

const never = new AbortController().signal;
const settled = async (promise: Promise<unknown>): Promise<boolean> =>
  (await Promise.race([promise.then(() => true), new Promise((resolve) => setImmediate(resolve, false))])) as boolean;

describe('turns', () => {
  it('are taken in the order of the calls, when another one ends', async () => {
    const turns = new Turns(1, 60_000);
    const first = await turns.take(never);
    const second = turns.take(never);
    const third = turns.take(never);
    assert.equal(await settled(second), false);
    first();
    first();
    assert.equal(await settled(second), true);
    assert.equal(await settled(third), false, 'a turn that ends twice gives one turn');
    (await second)();
    (await third)();
  });

  it('end after the longest time', async () => {
    const turns = new Turns(1, 5);
    await turns.take(never);
    const late = await turns.take(never);
    late();
  });

  it('are not taken by a caller that gives up while it waits', async () => {
    const turns = new Turns(1, 60_000);
    const first = await turns.take(never);
    const ending = new AbortController();
    const given = turns.take(ending.signal);
    const next = turns.take(never);
    ending.abort();
    (await given)();
    assert.equal(await settled(next), false, 'it had no turn to end');
    first();
    (await next)();
    const dead = await turns.take(AbortSignal.abort());
    dead();
    (await turns.take(never))();
  });
});
