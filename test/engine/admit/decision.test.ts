import assert from 'node:assert/strict';
import { byOperator, ifAllowed, isWrite, personOf, policiesFor } from '../../../src/engine/admit/decision.ts';
import { policy } from '../policy/support.ts';
import { alice, demo, facts, operator, policiesOf, web } from './support.ts';

describe('the facts about a request', () => {
  it('tell a write of the object from everything else', () => {
    for (const [operation, subResource, expected] of [
      ['CREATE', '', true],
      ['UPDATE', '', true],
      ['DELETE', '', false],
      ['CONNECT', '', false],
      ['UPDATE', 'status', false],
    ] as const)
      assert.equal(isWrite({ operation, subResource }), expected, `${operation} ${subResource}`);
  });

  it('tell the operator by name and by field manager', () => {
    assert.equal(byOperator(facts({ by: operator })), true);
    assert.equal(byOperator(facts({ by: { ...operator, fieldManager: 'kubectl' } })), false);
    assert.equal(byOperator(facts({ by: { ...operator, user: 'alice' } })), false);
  });

  it('tell the policies of a Deployment; of one that is not known, those of its whole namespace', () => {
    const ours = policy('ours', { match: { workloadSelector: { matchLabels: { app: 'web' } } } });
    const all = facts({ policies: policiesOf(ours, policy('all', {})) });
    const names = (deployment?: ReturnType<typeof web>) =>
      policiesFor(all, deployment).map(({ metadata }) => metadata.name);
    assert.deepEqual([names(web('v1')), names()], [['all', 'ours'], ['all']]);
    assert.deepEqual(policiesFor(facts(), web('v1')), []);
  });

  it('tell a person by name, groups and reason', () => {
    assert.deepEqual(personOf(alice, 'outage'), { user: 'alice', groups: ['dev'], breakGlass: 'outage' });
  });
});

describe('a decision that needs a right', () => {
  const access = { verb: 'approve', rollout: demo() } as const;
  const reports = [{ outcome: 'warned' }] as never;

  it('asks first, and is taken when nobody objects', () => {
    assert.deepEqual(ifAllowed(facts(), access, { verdict: 'Approved' }).needs, { access });
    assert.deepEqual(ifAllowed(facts({ answers: { access: [] } }), access, { verdict: 'Approved' }), {
      verdict: 'Approved',
    });
  });

  it('is refused with the objections, and what policies said is reported all the same', () => {
    const objections = [{ field: 'approval by', value: 'alice', reason: 'may not', remedy: 'ask' }];
    const decision = ifAllowed(facts({ answers: { access: objections } }), access, { verdict: 'Approved', reports });
    assert.deepEqual(decision, { verdict: 'Refused', violations: objections, reports });
  });
});
