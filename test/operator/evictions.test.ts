// Evictions cannot be repeated: what is remembered of them until the watch shows them, and what an answer, a refusal or silence means.
import assert from 'node:assert/strict';
import type { Pod } from '../../src/api/types.ts';
import type { Api, ApiCall } from '../../src/kube/api.ts';
import { ApiError, NetworkError } from '../../src/kube/errors.ts';
import { Evictions } from '../../src/operator/evictions.ts';

const KEY = 'shop/daemonsets:agent';
const NOW = Date.parse('2026-01-01T12:00:00Z');
const pod: Pod = {
  metadata: { name: 'agent-1', namespace: 'shop', uid: 'u1', resourceVersion: '7' },
  spec: { nodeName: 'n1' },
};
const terminating: Pod = { metadata: { ...pod.metadata, resourceVersion: '9', deletionTimestamp: 'now' } };
const clock = { now: () => NOW, random: () => 0, after: () => () => undefined };

/** `answers`: for each eviction, an error or nothing; `there`: what a list finds afterwards. */
function stage(answers: (Error | undefined)[], there: readonly Pod[] | Error = []) {
  const calls: ApiCall[] = [];
  const api: Api = {
    async request(call) {
      calls.push(call);
      if (call.method === 'GET') {
        if (there instanceof Error) throw there;
        return { items: there };
      }
      const answer = answers.shift();
      if (answer) throw answer;
      return { kind: 'Status' };
    },
    watch: async () => undefined,
  };
  return { evictions: new Evictions(api, clock), calls };
}
const budget = new ApiError(429, {
  code: 429,
  reason: 'TooManyRequests',
  message: 'Cannot evict pod as it would violate the pod’s disruption budget.',
  details: { causes: [{ reason: 'DisruptionBudget', message: 'The disruption budget agent needs 3' }] },
});
const isTerminating = (evictions: Evictions, one = pod): boolean =>
  evictions.see(KEY, one).metadata.deletionTimestamp !== undefined;

describe('an eviction', () => {
  it('is of exactly this Pod in this state, and the Pod counts as terminating until the watch shows it', async () => {
    const { evictions, calls } = stage([undefined]);
    assert.deepEqual(await evictions.evict(KEY, pod), { kind: 'Evicted' });
    assert.deepEqual(calls[0], {
      method: 'POST',
      path: '/api/v1/namespaces/shop/pods/agent-1/eviction',
      body: {
        apiVersion: 'policy/v1',
        kind: 'Eviction',
        metadata: { name: 'agent-1', namespace: 'shop' },
        deleteOptions: { preconditions: { uid: 'u1', resourceVersion: '7' } },
      },
    });
    const emptied = [{ uid: 'u1', node: 'n1', at: NOW }];
    assert.deepEqual(evictions.get(KEY), { startedAt: NOW, lastAt: NOW, emptied });
    assert.equal(isTerminating(evictions), true);
    const marked = { metadata: { ...pod.metadata, resourceVersion: '8' } };
    assert.equal(isTerminating(evictions, marked), true, 'the API server writes a condition before it deletes the Pod');
    assert.equal(evictions.see(KEY, terminating), terminating);
    assert.equal(isTerminating(evictions, { metadata: { ...pod.metadata, uid: 'u2' } }), false, 'another Pod');
  });

  it('refused by a budget changes nothing, and is news once', async () => {
    const { evictions } = stage([budget, budget]);
    const said = 'The disruption budget agent needs 3';
    assert.deepEqual(await evictions.evict(KEY, pod), { kind: 'Refused', said, isNews: true });
    assert.equal(isTerminating(evictions), false);
    assert.deepEqual(await evictions.evict(KEY, pod), { kind: 'Refused', said, isNews: false });
    assert.deepEqual(evictions.get(KEY).refused, { uid: 'u1', pod: 'agent-1', said, at: NOW, times: 2 });
  });

  it('of a Pod that has changed or is gone is not refused', async () => {
    const changed = new ApiError(409, { code: 409, reason: 'Conflict', message: 'precondition' });
    const gone = new ApiError(404, { code: 404, reason: 'NotFound', message: 'not found' });
    const { evictions } = stage([changed, gone]);
    for (let i = 0; i < 2; i++) assert.deepEqual(await evictions.evict(KEY, pod), { kind: 'Stale' });
    assert.equal(evictions.get(KEY).refused?.stale, '7');
  });

  it('without an answer counts as done until the API server is asked', async () => {
    const lost = (): Error => new NetworkError('timed out', 'ETIMEDOUT');
    const done = stage([lost()], [terminating]);
    await assert.rejects(done.evictions.evict(KEY, pod), NetworkError);
    assert.equal(isTerminating(done.evictions), true);
    await done.evictions.settle(KEY);
    assert.deepEqual(done.calls.at(-1), {
      method: 'GET',
      path: '/api/v1/namespaces/shop/pods',
      query: { fieldSelector: 'metadata.name=agent-1' },
    });
    assert.deepEqual([isTerminating(done.evictions), done.evictions.get(KEY).lastAt], [true, NOW]);

    const undone = stage([lost()], [pod]);
    await assert.rejects(undone.evictions.evict(KEY, pod), NetworkError);
    await undone.evictions.settle(KEY);
    assert.equal(isTerminating(undone.evictions), false);

    const silent = stage([lost()], lost());
    await assert.rejects(silent.evictions.evict(KEY, pod), NetworkError);
    await assert.rejects(silent.evictions.settle(KEY), NetworkError);
    assert.equal(isTerminating(silent.evictions), true, 'still in doubt');
  });

  it('that fails in the server is looked at', async () => {
    const error = (): Error =>
      new ApiError(500, { code: 500, message: 'This pod has more than one PodDisruptionBudget' });
    assert.deepEqual(await stage([error()], []).evictions.evict(KEY, pod), { kind: 'Evicted' });
    const refused = await stage([error()], [pod]).evictions.evict(KEY, pod);
    assert.deepEqual(refused, {
      kind: 'Refused',
      said: 'This pod has more than one PodDisruptionBudget',
      isNews: true,
    });
  });

  it('costs nothing where there are none, and is forgotten with the release', async () => {
    const { evictions, calls } = stage([undefined]);
    await evictions.settle(KEY);
    assert.deepEqual([calls, evictions.see(KEY, pod)], [[], pod]);
    assert.deepEqual(evictions.get(KEY), { startedAt: NOW, emptied: [] });
    await evictions.evict(KEY, pod);
    evictions.forget(KEY);
    assert.equal(isTerminating(evictions), false);
  });
});
