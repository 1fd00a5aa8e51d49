// The figures of traffic, out of numbers.
import assert from 'node:assert/strict';
import { describeTraffic } from '../../../../tools/bench/traffic/describe.ts';
import type { TrafficFigures } from '../../../../tools/bench/traffic/measure.ts';

const KIB = 1024;
const phase = (requests: Record<string, number>) => ({ phase: 'to the end' as const, requests });
const figures: TrafficFigures = {
  releases: 10,
  graceSeconds: 1,
  requests: {
    None: [phase({ 'tranche patch deployments': 2, 'tranche create events': 1 })],
    Shared: [phase({ 'tranche get services': 3, 'tranche list httproutes': 1, 'tranche patch httproutes': 2 })],
    Apart: [phase({ 'tranche watch endpointslices': 1, 'tranche delete services': 0.5 })],
  },
  reactionMs: { count: 10, p50: 5, p95: 9, p99: 9, max: 12 },
  memory: {
    rollouts: 50,
    ...{ plainHeapBytes: 1000 * KIB, routedHeapBytes: 1500 * KIB, plainRssBytes: 0, routedRssBytes: 0 },
  },
};

describe('the figures of traffic', () => {
  const [requests, reaction, memory] = describeTraffic(figures);

  it('count the requests of a release by mode and phase', () => {
    assert.deepEqual(requests?.table?.head.slice(2), [
      ...['all', 'reads', 'lists and watches', 'writes', 'of them to routes', 'to Services'],
    ]);
    assert.deepEqual(requests?.table?.rows, [
      ['without traffic', 'to the end', 3, 0, 0, 3, 0, 0],
      ['Shared', 'to the end', 6, 3, 1, 2, 3, 3],
      ['Apart', 'to the end', 1.5, 0, 1, 0.5, 0, 0.5],
    ]);
  });

  it('show the reaction, and what a routed Rollout adds', () => {
    assert.deepEqual(reaction?.table?.rows, [[10, 5, 9, 12]]);
    assert.match(memory?.text?.[0] ?? '', /a routed Rollout adds 10 KiB to the heap/);
  });
});
