// The id of a release: one that a release has used names no other one.
import assert from 'node:assert/strict';
import type { CanaryStatus } from '../../../src/api/types.ts';
import { isGenerated, isUsedId, lastReleaseId } from '../../../src/engine/release/release-id.ts';
import { ago, healthy, rollout, rows } from '../build.ts';

describe('the id of the last release', () => {
  const of = (canary: Partial<CanaryStatus>): string => lastReleaseId({ ...healthy().canaryStatus!, ...canary });
  it('is the one observed, or the one kept beside an id that was set after it', () => {
    assert.equal(of({ observedRolloutID: 'r1' }), 'r1');
    assert.equal(of({ observedRolloutID: 'mine', releasedRolloutID: 'r1' }), 'r1');
    assert.equal(of({ observedRolloutID: undefined! }), '');
  });
});

it('an id of sixteen hexadecimal digits was generated', () => {
  const table = { '0123456789abcdef': true, '0123456789abcdeF': false, '0123456789abcde': false, 'build-77': false };
  for (const [id, generated] of Object.entries(table)) assert.equal(isGenerated(id), generated, id);
});

describe('an id is used', () => {
  const history = [{ rolloutID: 'old', revision: 'v0', startTime: ago(900) }];
  const table: readonly (readonly [what: string, canary: Partial<CanaryStatus>, id: string, used: boolean])[] = [
    ['by the last release', { observedRolloutID: 'r1' }, 'r1', true],
    ['by the last release, which was rolled back', { observedRolloutID: 'rollback-r1' }, 'r1', true],
    ['by one in the history', {}, 'old', true],
    ['not when it was only set at rest', { observedRolloutID: 'mine', releasedRolloutID: 'r1' }, 'mine', false],
    ['not when nobody had it', {}, 'new', false],
  ];
  rows(table, (canary, id, used) =>
    assert.equal(isUsedId(rollout({ status: healthy('v1', { canary, history }) }), id), used),
  );

  it('by nobody where nothing is known', () => {
    assert.equal(isUsedId(rollout(), 'r1'), false);
  });
});
