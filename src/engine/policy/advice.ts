// What the author of a ReleasePolicy should know: a combination that looks as if it held something, and what it leaves open.
import type { ApprovalRules, ReleasePolicy } from '../../api/policy.ts';
import { enforcementOf } from './policy.ts';

export function advisePolicy(policy: ReleasePolicy): string[] {
  const { spec } = policy;
  return [
    ...selector(policy),
    ...(spec.approval === undefined ? [] : [...enforced(policy), ...around(policy), ...approvers(spec.approval)]),
    ...(spec.breakGlass?.groups ?? [])
      .filter((group) => EVERYBODY.has(group))
      .map((group) => `tranche: spec.breakGlass.groups: everybody is in ${group}, and may go past this policy`),
  ];
}

const EVERYBODY = new Set(['system:authenticated', 'system:unauthenticated']);

function* selector({ spec }: ReleasePolicy): Generator<string> {
  if (Object.keys(spec.match?.workloadSelector ?? {}).length === 0) return;
  yield 'tranche: spec.match.workloadSelector: whoever may edit a Deployment may take its labels off; select by namespace where that matters';
}

function* enforced(policy: ReleasePolicy): Generator<string> {
  const enforcement = enforcementOf(policy);
  if (enforcement === 'Deny') return;
  yield `tranche: spec.approval: holds nothing while spec.enforcement is ${enforcement}: no step waits for it, and nothing is refused; write Deny when people are ready`;
}

/** The ways beside the steps. */
function* around({ spec }: ReleasePolicy): Generator<string> {
  if (spec.requireRollout !== true) {
    yield 'tranche: spec.approval: a Deployment without a Rollout changes without approval; set spec.requireRollout: true';
  }
  if (spec.protectInFlight !== true) {
    yield 'tranche: spec.approval: when a Rollout is deleted or disabled during a release, the rest of the Pods follow without approval; set spec.protectInFlight: true';
  }
  if (spec.steps?.maxFirstStep === undefined) {
    yield 'tranche: spec.approval: the first step releases its Pods before anybody approves, and whoever writes the Rollout chooses how many; set spec.steps.maxFirstStep';
  }
}

function* approvers({ required = 1, users = [], groups = [], notAuthor = false }: ApprovalRules): Generator<string> {
  const anybody = users.length + groups.length === 0;
  if (anybody && required > 1) {
    yield `tranche: spec.approval.required: ${required} accounts are counted, whoever has the verb approve; a person who has several counts several times; name spec.approval.groups`;
  }
  if (!notAuthor && required === 1) {
    yield 'tranche: spec.approval: who changes a template may approve it alone; set spec.approval.notAuthor: true, or required: 2';
  }
  if (notAuthor) {
    yield 'tranche: spec.approval.notAuthor: nobody knows the person behind a ServiceAccount, such as that of a CI system: when one changes the template, or when no webhook saw who did, one more approval is required';
  }
  for (const user of users.filter((name) => name.startsWith('system:serviceaccount:'))) {
    yield `tranche: spec.approval.users: whoever has the role edit in the namespace of ${user} may act, and approve, as it`;
  }
  for (const group of groups.filter((name) => EVERYBODY.has(name) || name.startsWith('system:serviceaccounts'))) {
    yield EVERYBODY.has(group)
      ? `tranche: spec.approval.groups: everybody is in ${group}: name a group of those who are to approve`
      : `tranche: spec.approval.groups: whoever has the role edit in a namespace may act, and approve, as a ServiceAccount of ${group}`;
  }
}
