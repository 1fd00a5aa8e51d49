import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import type { Deployment, Rollout } from '../../../src/api/types.ts';
import { idSet, rolloutId } from '../../../src/engine/admit/release-id.ts';
import { annotated, contextFor, demo, held, web, withVersion } from './support.ts';

const withId = (deployment: Deployment, id: string): Deployment => ({
  ...deployment,
  metadata: { ...deployment.metadata, labels: { ...deployment.metadata.labels, [keys.ROLLOUT_ID]: id } },
});
const idOf = (old: Deployment, next: Deployment, rollout: Rollout = demo()): string =>
  rolloutId(contextFor(old, next, rollout), old);
const v1 = web('v1');
const v2 = withVersion(v1, 'v2');
const MADE = /^[0-9a-f]{16}$/;

describe('the id of a release', () => {
  it('is the user’s when the same edit sets one, as label or annotation', () => {
    assert.equal(idOf(v1, withId(v2, 'build-7')), 'build-7');
    assert.equal(idOf(v1, annotated(v2, { [keys.ROLLOUT_ID]: 'build-7' })), 'build-7');
    assert.match(idOf(v1, withId(v2, 'no label!')), MADE);
    assert.equal(idSet(contextFor(withId(v1, 'a'), withId(v2, 'a')), withId(v1, 'a')), undefined, 'left from before');
  });

  it('is one that was announced before, unless a release has had it', () => {
    const [old, next] = [withId(v1, 'build-7'), withId(v2, 'build-7')];
    assert.equal(idOf(old, next, demo({ observedRolloutID: 'build-6' })), 'build-7');
    assert.match(idOf(old, next, demo({ observedRolloutID: 'build-7' })), MADE);
    assert.match(idOf(old, next, demo()), MADE, 'no status yet: nobody knows which were used');
    assert.match(idOf(withId(held(), 'build-7'), withId(v2, 'build-7'), demo({})), MADE, 'it is that of the release');
  });

  it('is not that of the current release, which an annotation repeats', () => {
    const next = annotated(withId(v2, 'build-7'), { [keys.ROLLOUT_ID]: 'build-7' });
    assert.match(idOf(withId(held(), 'build-7'), next, demo({})), MADE);
  });

  it('is otherwise the same for the same edit, and another for the same way a second time', () => {
    assert.equal(idOf(v1, v2), idOf(v1, v2));
    assert.notEqual(idOf(v1, v2), idOf(withId(v1, 'r2'), withId(v2, 'r2')));
    const elsewhere = web('v1', {}, { uid: 'd-2' });
    assert.notEqual(idOf(v1, v2), idOf(elsewhere, withVersion(elsewhere, 'v2')));
  });
});
