import assert from 'node:assert/strict';
import type { Pod } from '../../../../src/api/types.ts';
import { readySince } from '../../../../src/engine/workload/pods.ts';

const NOW = Date.UTC(2026, 0, 1, 12);
const pod = (status: string, lastTransitionTime: string): Pod => ({
  metadata: { name: 'demo-1' },
  status: { conditions: [{ type: 'Ready', status, lastTransitionTime }] },
});

describe('since when a Pod is Ready', () => {
  it('is what it says, and nothing when it is not', () => {
    assert.equal(readySince(pod('True', '2026-01-01T11:59:00Z'), NOW), NOW - 60_000);
    assert.equal(readySince(pod('False', '2026-01-01T11:59:00Z'), NOW), undefined);
  });

  it('is now where our clock is behind: a Pod without minReadySeconds is available at once', () => {
    assert.equal(readySince(pod('True', '2026-01-01T17:00:00Z'), NOW), NOW);
  });
});
