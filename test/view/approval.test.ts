// The approvers of a step and the approvals so far.
import assert from 'node:assert/strict';
import type { ApprovalRules, ReleasePolicy } from '../../src/api/policy.ts';
import { approvalRuleOf, approvedBy } from '../../src/view/approval.ts';
import { ago, deployment, progressing, rollout } from './support.ts';

const policy = (name: string, approval?: ApprovalRules, enforcement: 'Deny' | 'Warn' = 'Deny'): ReleasePolicy => ({
  metadata: { name },
  spec: { enforcement, ...(approval ? { approval } : {}) },
});

describe('who may approve a step', () => {
  it('is not said by policies without a rule, nor by those that only warn', () => {
    assert.equal(approvalRuleOf([policy('a'), policy('b', { required: 3 }, 'Warn')]), undefined);
  });

  it('is what all policies ask for together: the most people, and somebody of each', () => {
    const rule = approvalRuleOf([
      policy('a', { required: 2, groups: ['managers'] }),
      policy('b', { users: ['anna', 'bea'], notAuthor: true }),
      policy('c', {}),
    ]);
    assert.deepEqual(rule, {
      required: 2,
      approvers: [
        { users: [], groups: ['managers'] },
        { users: ['anna', 'bea'], groups: [] },
      ],
      notAuthor: true,
      policies: ['a', 'b', 'c'],
    });
  });
});

describe('who has approved', () => {
  const by = (user: string, step = 1): object => ({ step, rolloutID: 'r1', revision: 'v2', user, time: ago(30) });
  const approved = (...approvals: readonly object[]): ReturnType<typeof rollout> =>
    rollout(progressing({ canaryRevision: 'v2', approvals: approvals as never }));

  it('are different people, of the step that waits', () => {
    const { people } = approvedBy(approved(by('anna'), by('bea'), by('anna'), by('cleo', 2)), deployment(), []);
    assert.deepEqual(people, ['anna', 'bea']);
    assert.deepEqual(approvedBy(rollout(), undefined, []).people, []);
  });

  it('are enough when they are as many as the policies ask for, which not everybody may read', () => {
    const policies = [policy('a', { required: 2 })];
    assert.equal(approvedBy(approved(), deployment(), policies).required, 2);
    assert.equal(approvedBy(approved(), deployment(), []).required, 1);
    assert.equal(approvedBy(approved(), deployment(), undefined).required, undefined);
  });
});
