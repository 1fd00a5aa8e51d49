import assert from 'node:assert/strict';
import { asDigest } from '../../support/digests.ts';
import * as keys from '../../../src/api/keys.ts';
import { breakableBy, isAbout, mayBreak, readBreakGlass, releaseOf } from '../../../src/engine/policy/break-glass.ts';
import { annotated, digestOf, held, web, withVersion } from '../admit/support.ts';
import { policy } from './support.ts';

const digest = (template: object) => asDigest(`digest of ${JSON.stringify(template).length}`);

describe('who may go past a policy', () => {
  const sre = policy('sre', { breakGlass: { groups: ['sre', 'oncall'] } });
  const nobody = policy('nobody', {});

  it('is in one of its groups', () => {
    assert.deepEqual(
      [mayBreak(sre, ['dev', 'oncall']), mayBreak(sre, ['dev']), mayBreak(nobody, ['sre'])],
      [true, false, false],
    );
    assert.deepEqual(breakableBy([sre, nobody], ['sre']), ['sre']);
  });
});

describe('the mark of it', () => {
  const running = held();
  const release = releaseOf(running, digest);
  const mark = { user: 'eve', reason: 'outage', time: 't', policies: [], ...release };

  it('names the release by id, Deployment and both templates', () => {
    assert.equal(release.rolloutID, running.metadata.labels?.[keys.ROLLOUT_ID]);
    assert.deepEqual([release.uid, release.stable], ['d-1', digestOf(web('v1'))]);
    assert.deepEqual(releaseOf(web('v1', {}, { labels: {} }), digest), { uid: 'd-1', template: release.template });
  });

  it('is about that release and no other', () => {
    assert.equal(isAbout(mark, release), true);
    const next = withVersion(running, 'v3-longer');
    const free = annotated(running, { [keys.HELD]: '' });
    const renamed = { ...running, metadata: { ...running.metadata, labels: { [keys.ROLLOUT_ID]: 'r2' } } };
    for (const other of [next, free, renamed]) assert.equal(isAbout(mark, releaseOf(other, digest)), false);
    const { template: _, ...old } = mark;
    assert.equal(isAbout(old, release), false, 'one that names no release is about none');
  });

  for (const [what, text, expected] of [
    ['ours', '{"user":"eve","reason":"r","time":"t","policies":["p"]}', ['p']],
    ['an older one of ours', '{"user":"eve","reason":"r","time":"t"}', []],
    ['no JSON', '{', undefined],
    ['null', 'null', undefined],
    ['somebody else’s', '{"user":"eve"}', undefined],
    ['none', undefined, undefined],
  ] as const) {
    it(`is read, or not: ${what}`, () => assert.deepEqual(readBreakGlass(text)?.policies, expected));
  }
});
