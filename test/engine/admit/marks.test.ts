import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import { patchOf } from '../../../src/engine/admit/marks.ts';
import { applyOps } from '../../support/json-patch.ts';
import { annotated, contextFor, digestOf, web, withSpec, withVersion } from './support.ts';

const MARK = '{"user":"eve"}';
const past = { user: 'eve', reason: 'outage', time: '2026-01-05T10:05:00Z', policies: ['production'] };
const old = annotated(web('v1'), { [keys.GLASS_BROKEN]: MARK });
const marksAfter = (next: typeof old, wanted = {}, who?: typeof past): Record<string, string> => ({
  ...applyOps(next, patchOf(contextFor(old, next), wanted, who)).metadata.annotations,
});

describe('the marks on a Deployment that only we may write', () => {
  it('stay as they were, whatever the edit says', () => {
    const forged = annotated(withSpec(old, { replicas: 3 }), {
      [keys.GLASS_BROKEN]: 'x',
      [keys.BREAK_GLASS]: 'reason',
      [keys.PAUSED_UNSEEN]: 'true',
      [keys.FIELD_OWNERS]: '[]',
    });
    assert.deepEqual(marksAfter(forged), { [keys.GLASS_BROKEN]: MARK });
  });

  it('go with the release that they were about: with another template, and with its end', () => {
    assert.deepEqual(marksAfter(withVersion(old, 'v2')), {});
    assert.deepEqual(marksAfter(old, { annotations: { [keys.HELD]: null } }), {});
  });

  it('name who goes past policy, and the release that it is good for', () => {
    const next = withVersion(old, 'v2');
    const mark = marksAfter(next, { labels: { [keys.ROLLOUT_ID]: 'r2' } }, past)[keys.GLASS_BROKEN];
    assert.deepEqual(JSON.parse(mark ?? ''), { ...past, rolloutID: 'r2', uid: 'd-1', template: digestOf(next) });
  });
});
