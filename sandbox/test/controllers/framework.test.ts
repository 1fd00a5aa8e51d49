// Delayed caches, queues with backoff, and crashes.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Cache } from '../../src/controllers/framework/cache.ts';
import { createController } from '../../src/controllers/framework/controller.ts';
import { PODS, sameJson, selects } from '../../src/controllers/framework/meta.ts';
import { WorkQueue } from '../../src/controllers/framework/queue.ts';
import { VirtualClock } from '../../src/core/clock.ts';
import type { Client, KubeObject, WatchEvent } from '../../src/core/types.ts';

const aPod = (name: string, version = 1, owner?: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace: 'default',
    uid: name,
    resourceVersion: String(version),
    ...(owner ? { ownerReferences: [{ apiVersion: 'v1', kind: 'X', name: owner, uid: owner, controller: true }] } : {}),
  },
});

/** A client that has `initial`, and lets the test send events. */
const aSource = (
  initial: KubeObject[] = [],
): { client: Client; send: (event: WatchEvent) => void; requests: string[] } => {
  const listeners = new Set<(event: WatchEvent) => void>();
  const requests: string[] = [];
  return {
    requests,
    send: (event) => listeners.forEach((listener) => listener(event)),
    client: {
      request: (method, path) => {
        requests.push(`${method} ${path}`);
        return Promise.resolve(aPod('answer'));
      },
      watch: (_, listener) => {
        for (const object of initial) listener({ type: 'ADDED', object });
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
  };
};

describe('a controller’s cache', () => {
  it('has existing objects immediately at its start', () => {
    const cache = new Cache(aSource([aPod('a')]).client, PODS, new VirtualClock(1), () => 50);
    assert.equal(cache.get('default', 'a')?.metadata.name, 'a');
  });

  it('receives changes late and in order, each with the previous state', async () => {
    const clock = new VirtualClock(1);
    const { client, send } = aSource();
    const delays = [80, 10, 40];
    const heard: string[] = [];
    const cache = new Cache(
      client,
      PODS,
      clock,
      () => delays.shift()!,
      ({ type, object, previous }) => {
        heard.push(
          `${clock.now() - start} ${type} ${object.metadata.resourceVersion} after ${previous?.metadata.resourceVersion ?? 'none'}`,
        );
      },
    );
    const start = clock.now();
    send({ type: 'ADDED', object: aPod('a', 1) });
    send({ type: 'MODIFIED', object: aPod('a', 2) });
    await clock.run(60);
    assert.equal(cache.get('default', 'a'), undefined);
    send({ type: 'DELETED', object: aPod('a', 3) });
    await clock.run(100);
    assert.deepEqual(heard, ['80 ADDED 1 after none', '80 MODIFIED 2 after 1', '100 DELETED 3 after 2']);
    assert.equal(cache.get('default', 'a'), undefined);
  });

  it('finds objects by owner, also after a change of owner', async () => {
    const clock = new VirtualClock(1);
    const { client, send } = aSource([aPod('a', 1, 'x'), aPod('b', 1)]);
    const cache = new Cache(client, PODS, clock, () => 0);
    const names = (objects: Iterable<KubeObject>): string[] => [...objects].map(({ metadata }) => metadata.name);
    assert.deepEqual([names(cache.controlledBy('x')), names(cache.orphans('default'))], [['a'], ['b']]);
    send({ type: 'MODIFIED', object: aPod('b', 2, 'x') });
    send({ type: 'DELETED', object: aPod('a', 2, 'x') });
    assert.deepEqual([names(cache.controlledBy('x')), names(cache.orphans('default'))], [['b'], []]);
  });

  it('receives nothing after it is stopped, not even pending changes', async () => {
    const clock = new VirtualClock(1);
    const { client, send } = aSource();
    const cache = new Cache(
      client,
      PODS,
      clock,
      () => 10,
      () => assert.fail('heard something'),
    );
    send({ type: 'ADDED', object: aPod('a') });
    cache.stop();
    send({ type: 'ADDED', object: aPod('b') });
    await clock.run(100);
    assert.equal(cache.objects.size, 0);
  });
});

describe('a work queue', () => {
  it('processes a key once for several additions, and again if added in the meantime', async () => {
    const clock = new VirtualClock(1);
    const started: number[] = [];
    const queue = new WorkQueue(clock, async (key) => {
      started.push(clock.now());
      if (started.length === 1) queue.add(key);
      await new Promise<void>((resolve) => clock.after(10, resolve));
    });
    const start = clock.now();
    queue.add('a');
    queue.add('a');
    await clock.run(100);
    assert.deepEqual(
      started.map((at) => at - start),
      [0, 10],
    );
    assert.ok(queue.idle);
  });

  it('retries after 5, 10, 20 … ms, and resets the delay after a success', async () => {
    const clock = new VirtualClock(1);
    const at: number[] = [];
    const errors: string[] = [];
    const queue = new WorkQueue(
      clock,
      () => {
        at.push(clock.now());
        return at.length % 4 === 0 ? Promise.resolve() : Promise.reject(new Error('no'));
      },
      { onError: (key) => errors.push(key) },
    );
    const start = clock.now();
    queue.add('a');
    await clock.run(1000);
    assert.deepEqual(
      at.map((each) => each - start),
      [0, 5, 15, 35],
    );
    queue.add('a');
    await clock.run(6);
    assert.equal(at.length, 6);
    assert.deepEqual(errors, ['a', 'a', 'a', 'a', 'a']);
  });

  it('waits for the earliest of the times a key was given, once', async () => {
    const clock = new VirtualClock(1);
    const at: number[] = [];
    const queue = new WorkQueue(clock, () => Promise.resolve(void at.push(clock.now())));
    const start = clock.now();
    for (const ms of [500, 200, 900]) queue.addAfter('a', ms);
    await clock.run(2000);
    assert.deepEqual(
      at.map((each) => each - start),
      [200],
    );
  });

  it('stops after the maximum of retries, until the key is added again', async () => {
    const clock = new VirtualClock(1);
    let runs = 0;
    const queue = new WorkQueue(clock, () => Promise.reject(new Error(String(++runs))), { maxRetries: 2 });
    queue.add('a');
    await clock.run(10_000);
    assert.equal(runs, 3);
    queue.add('a');
    await clock.run(1);
    assert.equal(runs, 4);
  });
});

describe('a controller that crashes', () => {
  it('sends no pending requests, loses its state, and starts again', async () => {
    const clock = new VirtualClock(1);
    const { client, requests } = aSource([aPod('a')]);
    let lives = 0;
    const controller = createController(
      'test',
      { client, clock, lagMs: [0, 0], requestMs: [10, 10], events: false },
      (session) => {
        lives++;
        const queue = session.queue(async () => {
          await session.request('POST', '/first');
          await session.request('POST', '/second');
        });
        session.cache(PODS, () => queue.add('a'));
      },
    );
    controller.start();
    await clock.run(15);
    controller.crash();
    await clock.run(1000);
    assert.deepEqual(requests, ['POST /first']);
    assert.ok(controller.idle);
    controller.start();
    await clock.run(1000);
    assert.deepEqual(requests, ['POST /first', 'POST /first', 'POST /second']);
    assert.equal(lives, 2);
  });
});

describe('label selectors', () => {
  for (const [selector, labels, want] of [
    [undefined, { a: '1' }, false],
    [{}, {}, true],
    [{ matchLabels: { a: '1' } }, { a: '1', b: '2' }, true],
    [{ matchLabels: { a: '1' } }, { a: '2' }, false],
    [{ matchExpressions: [{ key: 'a', operator: 'In', values: ['1', '2'] }] }, { a: '2' }, true],
    [{ matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['1'] }] }, {}, true],
    [{ matchExpressions: [{ key: 'a', operator: 'Exists' }] }, {}, false],
    [{ matchExpressions: [{ key: 'a', operator: 'DoesNotExist' }] }, { a: '1' }, false],
  ] as const) {
    it(`${JSON.stringify(selector)} ${want ? 'selects' : 'does not select'} ${JSON.stringify(labels)}`, () => {
      assert.equal(selects(selector as Parameters<typeof selects>[0], labels), want);
    });
  }

  it('JSON is the same whatever the order of keys, with undefined for absent', () => {
    assert.ok(sameJson({ a: [1, { b: 2 }], c: undefined }, { a: [1, { b: 2 }] }));
    assert.ok(!sameJson({ a: [1] }, { a: [1, 2] }));
    assert.ok(!sameJson({ a: [] }, { a: {} }));
    assert.ok(!sameJson({ a: null }, {}));
  });
});
