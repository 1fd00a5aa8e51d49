import assert from 'node:assert/strict';
import { VirtualClock } from '@tranche/sandbox/clock';
import { ApiError } from '../../src/kube/errors.ts';
import { TerminalError, WorkQueue, type Outcome, type WorkResult } from '../../src/kube/queue.ts';

/** A queue whose work takes 100 ms and ends as the test says. */
function setUp(workers = 1, end: (key: string, nth: number) => Outcome | void = () => undefined) {
  const clock = new VirtualClock(1);
  const started: { key: string; at: number }[] = [];
  const results: WorkResult[] = [];
  let busy = 0;
  let busiest = 0;
  const start = clock.now();
  const queue = new WorkQueue({
    clock,
    workers,
    async work(key) {
      started.push({ key, at: clock.now() - start });
      busy += 1;
      busiest = Math.max(busiest, busy);
      await new Promise<void>((resolve) => clock.after(100, resolve));
      busy -= 1;
      return end(key, started.filter((work) => work.key === key).length);
    },
    onDone: (result) => results.push(result),
  });
  return { clock, queue, started, results, busiest: () => busiest, keys: () => started.map(({ key }) => key).join('') };
}

describe('the work queue', () => {
  it('does once what is asked twice, in the order of asking', async () => {
    const { clock, queue, keys } = setUp();
    for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key);
    assert.equal(queue.depth, 3);
    queue.start();
    await clock.run(1_000);
    assert.equal(keys(), 'abc');
    assert.equal(queue.depth, 0);
  });

  it('never works on one key twice at the same time, and does again what was asked for meanwhile', async () => {
    const { clock, queue, started, busiest } = setUp(4);
    queue.start();
    queue.add('a');
    await clock.run(50);
    queue.add('a');
    queue.add('a');
    await clock.run(1_000);
    assert.deepEqual(started, [
      { key: 'a', at: 0 },
      { key: 'a', at: 100 },
    ]);
    assert.equal(busiest(), 1);
  });

  it('works on as many keys at a time as it has workers', async () => {
    const { clock, queue, busiest, keys } = setUp(3);
    queue.start();
    for (const key of 'abcdefg') queue.add(key);
    await clock.run(1_000);
    assert.equal(keys(), 'abcdefg');
    assert.equal(busiest(), 3);
  });

  it('adds later, and of two times takes the earlier', async () => {
    const { clock, queue, started } = setUp();
    queue.start();
    queue.addAfter('a', 5_000);
    queue.addAfter('a', 1_000);
    queue.addAfter('a', 9_000);
    await clock.run(20_000);
    assert.deepEqual(started, [{ key: 'a', at: 1_000 }]);
  });

  it('adds soon: the first time at once, and then once for all that comes within the interval', async () => {
    const { clock, queue, started } = setUp(2);
    queue.start();
    for (let at = 0; at <= 1_200; at += 300) {
      queue.addSoon('a', 500);
      queue.addSoon('b', 500);
      await clock.run(300);
    }
    await clock.run(10_000);
    queue.addSoon('a', 500);
    await clock.run(1_000);
    const of = (key: string): number[] => started.filter((work) => work.key === key).map(({ at }) => at);
    assert.deepEqual(
      [of('a'), of('b')],
      [
        [0, 500, 1_000, 1_500, 11_500],
        [0, 500, 1_000, 1_500],
      ],
    );
  });

  it('adds at once what is asked for at once, also within such an interval', async () => {
    const { clock, queue, started } = setUp();
    queue.start();
    queue.addSoon('a', 5_000);
    await clock.run(1_000);
    queue.add('a');
    await clock.run(500);
    await queue.drain();
    queue.addSoon('a', 5_000);
    await clock.run(20_000);
    assert.deepEqual(
      started.map(({ at }) => at),
      [0, 1_000],
    );
  });

  it('looks again when the work says so, unless something happens before: then the work decides anew', async () => {
    const { clock, queue, started } = setUp(1, (_, nth) => (nth < 3 ? { againAfterMs: 10_000 } : undefined));
    queue.start();
    queue.add('a');
    await clock.run(4_000);
    queue.add('a');
    await clock.run(60_000);
    assert.deepEqual(
      started.map(({ at }) => at),
      [0, 4_000, 14_100],
    );
  });

  it('waits longer after each failure up to a cap, and forgets them after a success', async () => {
    const { clock, queue, started, results } = setUp(1, (_, nth) => {
      if (nth !== 15) throw new Error('no');
    });
    queue.start();
    queue.add('a');
    await clock.run(700_000);
    const gaps = started.slice(1, 15).map(({ at }, i) => at - started[i]!.at - 100);
    for (const [i, gap] of gaps.entries()) {
      const whole = Math.min(60_000, 50 * 2 ** i);
      assert.ok(gap >= whole / 2 && gap <= whole, `wait ${i + 1} is ${gap} ms`);
    }
    assert.equal(results.at(-1), 'done');
    queue.add('a');
    await clock.run(300);
    assert.equal(started.length, 17);
  });

  it('waits as long as the server asks', async () => {
    const { clock, queue, started } = setUp(1, (_, nth) => {
      if (nth === 1) throw new ApiError(429, { message: 'slow down' }, 9);
    });
    queue.start();
    queue.add('a');
    await clock.run(60_000);
    assert.deepEqual(
      started.map(({ at }) => at),
      [0, 9_100],
    );
  });

  it('calls it an error only if the server asks to wait again and again', async () => {
    const { clock, queue, results } = setUp(1, (_, nth) => {
      if (nth <= 9) throw new ApiError(429, { message: 'storage is (re)initializing' }, 1);
    });
    queue.start();
    queue.add('a');
    await clock.run(120_000);
    assert.deepEqual(results, [...Array<string>(8).fill('retry'), 'error', 'done']);
  });

  it('tells conflicts, retries, waits and errors that will not go away apart', async () => {
    const outcomes: Record<string, () => Outcome | void> = {
      c: () => {
        throw new ApiError(409, { reason: 'Conflict', message: 'the object has been modified' });
      },
      r: () => ({ retry: true }),
      l: () => ({ againAfterMs: 60_000 }),
      t: () => {
        throw new TerminalError('the Rollout is nonsense');
      },
    };
    const { clock, queue, results, keys } = setUp(1, (key, nth) => (nth === 1 ? outcomes[key]!() : undefined));
    queue.start();
    for (const key of 'crlt') queue.add(key);
    await clock.run(20_000);
    assert.deepEqual(results, ['conflict', 'retry', 'later', 'terminal', 'done', 'done']);
    assert.equal([...keys()].sort().join(''), 'cclrrt');
  });

  it('takes an object that is gone for a conflict, unless it stays so', async () => {
    const { clock, queue, results } = setUp(1, (_, nth) => {
      if (nth <= 4) throw new ApiError(404, { reason: 'NotFound', message: 'rollouts "demo" not found' });
    });
    queue.start();
    queue.add('a');
    await clock.run(20_000);
    assert.deepEqual(results, ['conflict', 'conflict', 'conflict', 'error', 'done']);
  });

  it('drains: finishes what it has begun and begins nothing more', async () => {
    const { clock, queue, keys } = setUp();
    queue.start();
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 500);
    await clock.run(50);
    let drained = false;
    void queue.drain().then(() => (drained = true));
    queue.add('d');
    await clock.run(10);
    assert.equal(drained, false);
    await clock.run(5_000);
    assert.equal(drained, true);
    assert.equal(keys(), 'a');
  });
});
