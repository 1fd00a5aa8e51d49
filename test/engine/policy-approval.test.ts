import assert from 'node:assert/strict';
import type { ApprovalRules } from '../../src/api/policy.ts';
import type { Approval } from '../../src/api/types.ts';
import {
  approvalsOf,
  count,
  judgeApprover,
  judgeSingleHanded,
  requiredApprovals,
} from '../../src/engine/policy-approval.ts';
import { sentence } from '../../src/engine/validate-violation.ts';
import { policy, rolloutOf } from './policy-support.ts';

const NOW = Date.parse('2026-01-05T10:05:00Z');
const entry = (more: Partial<Approval> = {}): Approval => ({
  step: 1,
  rolloutID: 'r1',
  revision: 'abc',
  user: 'bob',
  time: '2026-01-05T10:01:00Z',
  ...more,
});
const waiting = (approvals: Approval[] = []) => rolloutOf([{ replicas: 1 }], { approvals });

describe('who may approve', () => {
  const judged = (approval: ApprovalRules, user: string, groups: string[] = [], author = 'alice'): string =>
    judgeApprover([policy('p', { approval })], { user, groups }, author)
      .map(sentence)
      .join('\n');

  it('is a named user, or a member of a named group; others are told who', () => {
    const rules = { users: ['bob'], groups: ['managers'] };
    assert.equal(judged(rules, 'bob'), '');
    assert.equal(judged(rules, 'carol', ['managers']), '');
    assert.equal(
      judged(rules, 'dave', ['dev']),
      'approval by: "dave" may not approve under policy p; ask bob, or a member of managers',
    );
  });

  it('is whoever RBAC allows when nobody is named', () => assert.equal(judged({ required: 2 }, 'dave'), ''));

  it('is not the author, with notAuthor', () => {
    assert.match(
      judged({ notAuthor: true }, 'alice'),
      /"alice" changed the template, and policy p wants another person/,
    );
    assert.match(judged({ notAuthor: true, groups: ['m'] }, 'alice', ['m']), /ask another person: a member of m/);
    assert.equal(judged({ notAuthor: true }, 'bob'), '');
    assert.equal(judged({}, 'alice'), '');
  });

  it('is nobody alone by an edit of the pause, where several are wanted', () => {
    const what = { field: 'spec.strategy.canary.steps[0].pause.duration', value: 0 };
    assert.match(
      judgeSingleHanded([policy('p', { approval: { required: 2 } })], what)
        .map(sentence)
        .join(),
      /wants 2 people/,
    );
    assert.deepEqual(judgeSingleHanded([policy('p', { approval: {} })], what), []);
  });
});

describe('the record of approvals', () => {
  const two = [policy('p', { approval: { required: 2 } })];

  it('needs as many as the policy that enforces and asks for most', () => {
    assert.equal(requiredApprovals([]), 1);
    assert.equal(requiredApprovals([...two, policy('q', { approval: { required: 3 } })]), 3);
    assert.equal(requiredApprovals([policy('w', { enforcement: 'Warn', approval: { required: 3 } })]), 1);
  });

  it('counts people, each once', () => {
    const first = count(waiting(), two, 'bob', NOW);
    assert.deepEqual([first.given, first.required, first.again], [1, 2, false]);
    assert.deepEqual(first.approvals, [entry({ time: '2026-01-05T10:05:00Z' })]);
    const again = count(waiting([entry()]), two, 'bob', NOW);
    assert.deepEqual([again.given, again.again, again.approvals], [1, true, [entry()]]);
    const second = count(waiting([entry()]), two, 'carol', NOW);
    assert.deepEqual([second.given, second.approvals.length], [2, 2]);
  });

  for (const [what, other] of [
    ['another step', { step: 2 }],
    ['another release', { rolloutID: 'r0' }],
    ['another template', { revision: 'old' }],
    ['an earlier visit of the step', { time: '2026-01-05T09:59:59Z' }],
  ] as const) {
    it(`does not count one for ${what}`, () => {
      const rollout = waiting([entry(other)]);
      assert.deepEqual(approvalsOf(rollout.status!.canaryStatus!), []);
      const counted = count(rollout, two, 'bob', NOW);
      assert.deepEqual([counted.given, counted.again, counted.approvals.length], [1, false, 2]);
    });
  }

  it('counts one that a slow clock has stamped', () => {
    const { approvals } = count(waiting(), [], 'bob', NOW - 3_600_000);
    assert.equal(approvalsOf(waiting([...approvals]).status!.canaryStatus!).length, 1);
  });
});
