// What the author of a policy reads when its combination is hollow.
import assert from 'node:assert/strict';
import type { ReleasePolicySpec } from '../../../src/api/policy.ts';
import { advisePolicy } from '../../../src/engine/policy/advice.ts';
import { policy } from './support.ts';

const WHOLE: ReleasePolicySpec = {
  requireRollout: true,
  protectInFlight: true,
  rollbackWindow: { maxRevisions: 0 },
  steps: { maxFirstStep: '10%' },
  approval: { required: 2, groups: ['managers'] },
};

describe('advice about a policy', () => {
  const advice = (spec: ReleasePolicySpec): string[] => advisePolicy(policy('p', spec));

  it('is none for one that holds, and none where nobody has to approve', () => {
    assert.deepEqual(advice(WHOLE), []);
    assert.deepEqual(advice({ requireRollout: true, windows: {} }), []);
    assert.deepEqual(advice({ protectInFlight: true, analysis: { override: { groups: ['sre'] } } }), []);
  });

  const rules: readonly (readonly [string, ReleasePolicySpec, RegExp])[] = [
    ['that does not enforce', { ...WHOLE, enforcement: 'Warn' }, /has no effect while spec\.enforcement is Warn/],
    ['without requireRollout', { ...WHOLE, requireRollout: false }, /without a Rollout can change without approval/],
    ['without protectInFlight', { ...WHOLE, protectInFlight: false }, /deleted or disabled during a release/],
    [
      'without a limit of the window',
      (({ rollbackWindow: _, ...rest }) => rest)(WHOLE),
      /within the rollbackWindow of a Rollout/,
    ],
    ['with a first step of any size', { ...WHOLE, steps: { manual: 'All' } }, /set spec\.steps\.maxFirstStep/],
    [
      'that wants several, of whoever may',
      { ...WHOLE, approval: { required: 2 } },
      /spec\.approval\.required: approvals of any 2 accounts/,
    ],
    [
      'whose author may approve alone',
      { ...WHOLE, approval: { groups: ['managers'] } },
      /the author of a change can approve it alone/,
    ],
    [
      'that cannot know the author',
      { ...WHOLE, approval: { ...WHOLE.approval, notAuthor: true } },
      /the person behind a ServiceAccount is unknown/,
    ],
    [
      'that names a ServiceAccount',
      { ...WHOLE, approval: { required: 2, users: ['system:serviceaccount:ci:bot', 'bob'] } },
      /role edit in the namespace of system:serviceaccount:ci:bot can approve as this ServiceAccount/,
    ],
    [
      'that names ServiceAccounts',
      { ...WHOLE, approval: { required: 2, groups: ['system:serviceaccounts:ci'] } },
      /as a ServiceAccount of system:serviceaccounts:ci/,
    ],
    [
      'without protectInFlight, with an override',
      { analysis: { override: {} } },
      /spec\.analysis\.override: if a Rollout is deleted or disabled .* although a check is Worse; set spec\.protectInFlight: true/,
    ],
    [
      'whose override is open to all',
      { protectInFlight: true, analysis: { override: { groups: ['system:authenticated'] } } },
      /spec\.analysis\.override\.groups: system:authenticated contains every user/,
    ],
    [
      'that names everybody',
      { ...WHOLE, approval: { required: 2, groups: ['system:authenticated'] } },
      /system:authenticated contains every user; name a group/,
    ],
    [
      'past which everybody may go',
      { ...WHOLE, breakGlass: { groups: ['system:authenticated'] } },
      /system:authenticated contains every user, so every user can override this policy/,
    ],
    [
      'that selects by labels of Deployments',
      { ...WHOLE, match: { workloadSelector: { matchLabels: { tier: 'gold' } } } },
      /can remove its labels/,
    ],
  ];
  for (const [what, spec, expected] of rules) {
    it(`tells of one ${what}, and of nothing else`, () => {
      const said = advice(spec);
      assert.equal(said.length, 1, said.join('\n'));
      assert.match(said[0]!, expected);
      assert.match(said[0]!, /^tranche: spec\./, 'with the field: the linter finds its line');
    });
  }
});
