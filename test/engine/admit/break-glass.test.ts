import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import { misuseOf, standingMark, usedUp, type MarkFacts } from '../../../src/engine/admit/break-glass.ts';
import { sentence } from '../../../src/engine/validate/violation.ts';
import { policy } from '../policy/support.ts';
import { annotated, as, demo, digestOf, held, sha256, web } from './support.ts';

const deployment = web('v2', {}, { labels: { [keys.ROLLOUT_ID]: 'r1' } });
const mark = {
  user: 'eve',
  reason: 'outage',
  time: 't',
  policies: ['p'],
  rolloutID: 'r1',
  uid: 'd-1',
  template: digestOf(deployment),
  step: 1,
};
const marked = (more: object = {}) =>
  annotated(demo({}), { [keys.GLASS_BROKEN]: JSON.stringify({ ...mark, ...more }) });
const facts = (more: Partial<MarkFacts> = {}): MarkFacts => ({
  stored: demo({}),
  deployment,
  by: as('eve', 'sre'),
  sha256,
  ...more,
});

describe('a mark of broken glass on a Rollout', () => {
  it('stands for its person, its release and its step', () => {
    assert.equal(standingMark(marked(), facts())?.reason, 'outage');
  });

  for (const [when, rollout, more] of [
    ['another person', marked(), { by: as('mallory', 'sre') }],
    ['a later step', marked(), { stored: demo({ currentStepIndex: 2 }) }],
    ['another release', marked({ rolloutID: 'r0' }), {}],
    ['a newer template', marked(), { deployment: web('v3', {}, deployment.metadata) }],
    ['another Deployment of this name', marked({ uid: 'd-0' }), {}],
    ['no Deployment', marked(), { deployment: undefined }],
    ['no release', marked(), { stored: demo() }],
    ['no mark', demo({}), {}],
    ['a mark that cannot be read', annotated(demo({}), { [keys.GLASS_BROKEN]: '{' }), {}],
  ] as const) {
    it(`does not stand with ${when}`, () => assert.equal(standingMark(rollout, facts(more)), undefined));
  }
});

describe('a reason to go past policy, written on a Rollout', () => {
  const policies = [policy('p', { breakGlass: { groups: ['sre'] } })];
  const misuse = (reason: string | undefined, more: Partial<MarkFacts> = {}, among = policies): string => {
    const next = reason === undefined ? demo({}) : annotated(demo({}), { [keys.BREAK_GLASS]: reason });
    const found = misuseOf(next, facts({ deployment: held(), ...more }), among);
    return found === undefined ? '' : sentence(found);
  };

  it('counts in the middle of a release, from a group that a policy names', () => {
    assert.equal(misuse('outage'), '');
    assert.equal(misuse(undefined), '');
  });

  it('is refused where it would do nothing', () => {
    assert.match(misuse(' '), /must not be empty; write the reason/);
    assert.match(
      misuse('outage', { stored: demo(), deployment: web('v1') }),
      /no release is in progress; set it on the Deployment/,
    );
    assert.match(misuse('outage', { stored: undefined }), /no release is in progress/);
    assert.match(misuse('outage', { by: as('ed', 'dev') }), /accepted only from a member of sre; remove it/);
    assert.match(misuse('outage', {}, []), /no policy for this namespace allows an override/);
  });

  it('is good for one change', () => {
    assert.equal(misuse('outage', { stored: marked() }), sentence(usedUp('outage')));
  });
});
