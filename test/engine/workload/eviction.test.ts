// Evictions, for all kinds: what an effect carries, when a refused one is tried again, and what is said about it.
import assert from 'node:assert/strict';
import { evictAgainAt, evictPod, namesOf, refusalOf, type Refusal } from '../../../src/engine/workload/eviction.ts';
import { NOW, pod } from '../build.ts';

const one = pod('web-1', { ready: 60 });
const refused = (more: Partial<Refusal> = {}): { refused: Refusal } => ({
  refused: {
    uid: one.metadata.uid!,
    pod: 'web-1',
    said: 'The disruption budget web needs 3.',
    at: NOW,
    times: 1,
    ...more,
  },
});

describe('an eviction', () => {
  it('carries the Pod and the words of its event', () => {
    assert.deepEqual(evictPod({ pod: one, says: 'gone' }), {
      kind: 'Evict',
      why: 'evict',
      resource: { apiVersion: 'v1', kind: 'Pod', plural: 'pods' },
      pod: one,
      says: 'gone',
    });
  });

  it('is tried at once if it was not refused, or another was', () => {
    assert.equal(evictAgainAt(one, undefined, NOW), undefined);
    assert.equal(evictAgainAt(one, { lastAt: NOW }, NOW), undefined);
    assert.equal(evictAgainAt(one, refused({ uid: 'other' }), NOW), undefined);
  });

  it('waits longer after each refusal, a minute at most', () => {
    const waits = [1, 2, 3, 4, 50].map((times) => evictAgainAt(one, refused({ times }), NOW)! - NOW);
    assert.deepEqual(waits, [10_000, 20_000, 40_000, 60_000, 60_000]);
    assert.equal(evictAgainAt(one, refused(), NOW + 10_000), undefined);
  });

  it('of a Pod that has changed waits for the watch', () => {
    const { resourceVersion } = one.metadata;
    assert.equal(evictAgainAt(one, refused({ stale: resourceVersion! }), NOW), NOW + 1_000);
    assert.equal(evictAgainAt(one, refused({ stale: '0' }), NOW), undefined);
    assert.equal(refusalOf(one, refused({ stale: '0' })), undefined);
  });

  it('quotes the API server in one line', () => {
    assert.equal(refusalOf(one, refused()), 'The disruption budget web needs 3');
    assert.equal(refusalOf(one, refused({ said: 'a\u001b[31m\nb' })), 'a [31m b');
    assert.equal(refusalOf(one, undefined), undefined);
  });

  it('names Pods', () => {
    const named = (count: number): string => namesOf(Array.from({ length: count }, (_, i) => pod(`w-${i}`)));
    assert.deepEqual([named(1), named(2), named(5)], ['Pod w-0', 'Pods w-0, w-1', 'Pods w-0, w-1, w-2 and 2 more']);
  });
});
