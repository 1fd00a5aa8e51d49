// Warnings for the author of a ReleasePolicy: settings without effect, and gaps that the policy leaves.
import type { ApprovalRules, ReleasePolicy } from '../../api/policy.ts';
import { enforcementOf } from './policy.ts';

export function advisePolicy(policy: ReleasePolicy): string[] {
  const { spec } = policy;
  return [
    ...selector(policy),
    ...(spec.approval === undefined ? [] : [...enforced(policy), ...around(policy), ...approvers(spec.approval)]),
    ...override(policy),
    ...(spec.breakGlass?.groups ?? [])
      .filter((group) => EVERYBODY.has(group))
      .map(
        (group) =>
          `tranche: spec.breakGlass.groups: ${group} contains every user, so every user can override this policy`,
      ),
  ];
}

const EVERYBODY = new Set(['system:authenticated', 'system:unauthenticated']);

function* selector({ spec }: ReleasePolicy): Generator<string> {
  if (Object.keys(spec.match?.workloadSelector ?? {}).length === 0) return;
  yield 'tranche: spec.match.workloadSelector: users who can edit a workload can remove its labels; to prevent this, select by namespace';
}

function* enforced(policy: ReleasePolicy): Generator<string> {
  const enforcement = enforcementOf(policy);
  if (enforcement === 'Deny') return;
  yield `tranche: spec.approval: has no effect while spec.enforcement is ${enforcement}: no step waits for approval, and nothing is refused; to enforce it, write Deny`;
}

/** Ways to release without an approval. */
function* around({ spec }: ReleasePolicy): Generator<string> {
  if (spec.requireRollout !== true) {
    yield 'tranche: spec.approval: a workload without a Rollout can change without approval; set spec.requireRollout: true';
  }
  if (spec.protectInFlight !== true) {
    yield 'tranche: spec.approval: if a Rollout is deleted or disabled during a release, the remaining Pods are updated without approval; set spec.protectInFlight: true';
  }
  if (spec.rollbackWindow === undefined) {
    yield 'tranche: spec.approval: within the rollbackWindow of a Rollout, a change back to a completed version needs no approval; to limit it, set spec.rollbackWindow, for example maxRevisions: 0';
  }
  if (spec.steps?.maxFirstStep === undefined) {
    yield 'tranche: spec.approval: the first step starts before the first approval, and the author of the Rollout chooses its size; set spec.steps.maxFirstStep';
  }
}

/** Ways around the rule about checks that are Worse. */
function* override({ spec }: ReleasePolicy): Generator<string> {
  const { override } = spec.analysis ?? {};
  if (override === undefined) return;
  if (spec.protectInFlight !== true) {
    yield 'tranche: spec.analysis.override: if a Rollout is deleted or disabled during a release, the remaining Pods are updated although a check is Worse; set spec.protectInFlight: true';
  }
  for (const group of (override.groups ?? []).filter((name) => EVERYBODY.has(name)))
    yield `tranche: spec.analysis.override.groups: ${group} contains every user; name a group of approvers`;
}

function* approvers({ required = 1, users = [], groups = [], notAuthor = false }: ApprovalRules): Generator<string> {
  const anybody = users.length + groups.length === 0;
  if (anybody && required > 1) {
    yield `tranche: spec.approval.required: approvals of any ${required} accounts with the verb approve count, and a person may have several accounts; set spec.approval.groups`;
  }
  if (!notAuthor && required === 1) {
    yield 'tranche: spec.approval: the author of a change can approve it alone; set spec.approval.notAuthor: true, or required: 2';
  }
  if (notAuthor) {
    yield 'tranche: spec.approval.notAuthor: the person behind a ServiceAccount is unknown; if a ServiceAccount (such as a CI system) changes the template, or no webhook saw the author, one more approval is required';
  }
  for (const user of users.filter((name) => name.startsWith('system:serviceaccount:'))) {
    yield `tranche: spec.approval.users: users with the role edit in the namespace of ${user} can approve as this ServiceAccount`;
  }
  for (const group of groups.filter((name) => EVERYBODY.has(name) || name.startsWith('system:serviceaccounts'))) {
    yield EVERYBODY.has(group)
      ? `tranche: spec.approval.groups: ${group} contains every user; name a group of approvers`
      : `tranche: spec.approval.groups: users with the role edit in a namespace can approve as a ServiceAccount of ${group}`;
  }
}
