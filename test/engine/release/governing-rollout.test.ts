import assert from 'node:assert/strict';
import type { Rollout } from '../../../src/api/types.ts';
import { ownerOf } from '../../../src/engine/release/governing-rollout.ts';

const rollout = (name: string, creationTimestamp: string, deletionTimestamp?: string): Rollout => ({
  metadata: { name, creationTimestamp, ...(deletionTimestamp ? { deletionTimestamp } : {}) },
  spec: { workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, strategy: {} },
});
const owner = (...rollouts: Rollout[]): string | undefined => ownerOf(rollouts)?.metadata.name;
const early = '2026-01-01T00:00:00Z';
const late = '2026-01-01T00:00:01Z';

describe('of several Rollouts for one Deployment', () => {
  it('the first made works, whatever order they are in; by name within one second', () => {
    assert.equal(owner(), undefined);
    assert.equal(owner(rollout('a', late), rollout('b', early)), 'b');
    assert.equal(owner(rollout('b', early), rollout('a', early)), 'a');
  });

  it('one that is being deleted works only while there is no other', () => {
    assert.equal(owner(rollout('a', early, late), rollout('b', late)), 'b');
    assert.equal(owner(rollout('a', early, late)), 'a');
  });
});
