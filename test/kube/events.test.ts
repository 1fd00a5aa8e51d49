import assert from 'node:assert/strict';
import { VirtualClock } from '@tranche/sandbox/clock';
import type { ApiCall } from '../../src/kube/api.ts';
import { ApiError, NetworkError } from '../../src/kube/errors.ts';
import { EventSender, type EventInput } from '../../src/kube/events.ts';

const rollout = (name: string) => ({
  apiVersion: 'rollouts.kruise.io/v1beta1',
  kind: 'Rollout',
  metadata: { name, namespace: 'shop', uid: `uid-${name}`, resourceVersion: '7' },
});
const event = (message: string, name = 'web'): EventInput => ({
  about: rollout(name),
  type: 'Normal',
  reason: 'StepReached',
  message,
});

function setUp(answer: (call: ApiCall, nth: number) => Promise<unknown> = () => Promise.resolve({})) {
  const clock = new VirtualClock(1);
  const calls: ApiCall[] = [];
  const dropped: string[] = [];
  const request = (call: ApiCall): Promise<unknown> => answer(call, calls.push(call));
  const api = { request, watch: () => Promise.reject(new Error('not here')) };
  const events = new EventSender({
    api,
    clock,
    component: 'tranche',
    instance: 'p-1',
    onDropped: (why) => dropped.push(why),
  });
  return { clock, calls, dropped, events };
}

describe('the event recorder', () => {
  it('writes an event that kubectl describe finds by the object', async () => {
    const { clock, calls, events } = setUp();
    events.record(event('1 of 10 Pods'));
    await clock.run(10);
    assert.equal(calls.length, 1);
    assert.equal(calls[0]!.path, '/api/v1/namespaces/shop/events');
    const body = calls[0]!.body as Record<string, unknown>;
    assert.deepEqual(body['involvedObject'], {
      apiVersion: 'rollouts.kruise.io/v1beta1',
      kind: 'Rollout',
      name: 'web',
      namespace: 'shop',
      uid: 'uid-web',
      resourceVersion: '7',
    });
    assert.equal(body['reason'], 'StepReached');
    assert.equal(body['lastTimestamp'], '2026-01-01T00:00:00Z');
    assert.match((body['metadata'] as { name: string }).name, /^web\.[0-9a-f]+$/);
  });

  it('counts a repetition on the first event instead of writing another, for ten minutes', async () => {
    const { clock, calls, events } = setUp();
    for (let i = 0; i < 3; i++) {
      events.record(event('waiting'));
      await clock.run(60_000);
    }
    events.record(event('something else'));
    await clock.run(600_000);
    events.record(event('waiting'));
    await clock.run(10);
    assert.deepEqual(
      calls.map(({ method, body }) => [method, (body as { count: number }).count]),
      [
        ['POST', 1],
        ['PATCH', 2],
        ['PATCH', 3],
        ['POST', 1],
        ['POST', 1],
      ],
    );
  });

  it('writes a new event when the counted one has expired on the server', async () => {
    const { clock, calls, events } = setUp((call) =>
      call.method === 'PATCH' ? Promise.reject(new ApiError(404, { message: 'not found' })) : Promise.resolve({}),
    );
    events.record(event('waiting'));
    events.record(event('waiting'));
    await clock.run(10);
    assert.deepEqual(
      calls.map(({ method }) => method),
      ['POST', 'PATCH', 'POST'],
    );
  });

  it('bounds the events of one object, and lets others speak', async () => {
    const { clock, calls, dropped, events } = setUp();
    for (let i = 0; i < 100; i++) events.record(event(`loop ${i}`));
    events.record(event('calm', 'other'));
    await clock.run(10);
    assert.equal(calls.length, 51);
    assert.equal(dropped.filter((why) => why === 'rate').length, 50);
    await clock.run(61_000);
    for (let i = 0; i < 5; i++) events.record(event(`later ${i}`));
    await clock.run(10);
    assert.equal(calls.length, 53);
  });

  it('takes a refusal as final and goes on with the next', async () => {
    const { clock, calls, dropped, events } = setUp((_, nth) =>
      nth === 1 ? Promise.reject(new ApiError(403, { message: 'events is forbidden' })) : Promise.resolve({}),
    );
    events.record(event('a'));
    events.record(event('b'));
    await clock.run(60_000);
    assert.equal(calls.length, 2);
    assert.deepEqual(dropped, ['refused']);
  });

  it('tries a few times when the server is away, then lets the event go', async () => {
    const { clock, calls, dropped, events } = setUp(() => Promise.reject(new NetworkError('hang up', 'ECONNRESET')));
    events.record(event('a'));
    await clock.run(600_000);
    assert.equal(calls.length, 4);
    assert.deepEqual(dropped, ['failed']);
  });

  it('holds a bounded number back while the server is slow', async () => {
    const { clock, calls, dropped, events } = setUp(() => new Promise(() => {}));
    for (let i = 0; i < 1_200; i++) events.record(event('a', `rollout-${i}`));
    await clock.run(10);
    assert.equal(calls.length, 1);
    assert.equal(dropped.filter((why) => why === 'full').length, 199);
  });

  it('stops within two seconds even when the server does not answer', async () => {
    const { clock, events, calls } = setUp(
      (call) => new Promise((_, reject) => call.signal!.addEventListener('abort', () => reject(new Error('aborted')))),
    );
    events.record(event('a'));
    events.record(event('b'));
    await clock.run(10);
    let stopped = false;
    void events.stop().then(() => (stopped = true));
    await clock.run(1_900);
    assert.equal(stopped, false);
    await clock.run(200);
    assert.equal(stopped, true);
    assert.equal(calls.length, 1);
    events.record(event('c'));
    await clock.run(1_000);
    assert.equal(calls.length, 1);
  });

  it('shortens a message that the server would refuse', async () => {
    const { clock, calls, events } = setUp();
    events.record(event('x'.repeat(5_000)));
    await clock.run(10);
    assert.equal((calls[0]!.body as { message: string }).message.length, 1_024);
  });
});
