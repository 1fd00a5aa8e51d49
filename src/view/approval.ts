// The approvers of a step and the approvals so far, according to the policies that select the workload.
import type { ReleasePolicy } from '../api/policy.ts';
import type { Deployment, Rollout } from '../api/types.ts';
import { approvalPolicies, approvalsOf, requiredApprovals } from '../engine/policy/approval.ts';
import { originOf } from '../engine/policy/origin.ts';
import { plural } from '../engine/lib/text.ts';

export interface ApprovalRule {
  /** The number of different people that must approve, at least 1. */
  readonly required: number;
  /** One entry per policy that names approvers. An approver must be in the users or groups of each entry. */
  readonly approvers: readonly { readonly users: readonly string[]; readonly groups: readonly string[] }[];
  /** The author of the change may not approve it. */
  readonly notAuthor: boolean;
  /** Names of the policies with this rule. */
  readonly policies: readonly string[];
}

/** Undefined if no enforced policy requires approvals. */
export function approvalRuleOf(policies: readonly ReleasePolicy[]): ApprovalRule | undefined {
  const asking = approvalPolicies(policies);
  if (asking.length === 0) return undefined;
  return {
    required: requiredApprovals(policies),
    approvers: asking
      .map(({ spec }) => ({ users: spec.approval?.users ?? [], groups: spec.approval?.groups ?? [] }))
      .filter(({ users, groups }) => users.length + groups.length > 0),
    notAuthor: asking.some(({ spec }) => spec.approval?.notAuthor === true),
    policies: asking.map(({ metadata }) => metadata.name),
  };
}

export interface Approved {
  /** The people who have approved the waiting step, in the order of their first approval. */
  readonly people: readonly string[];
  /** The number of people required for this release; undefined if the policies are not known. */
  readonly required: number | undefined;
}

/** `policies`: undefined if the user may not read them. */
export function approvedBy(
  rollout: Rollout,
  deployment: Deployment | undefined,
  policies: readonly ReleasePolicy[] | undefined,
): Approved {
  const status = rollout.status?.canaryStatus;
  return {
    people: [...new Set(status ? approvalsOf(status).map(({ user }) => user) : [])],
    required: policies && requiredApprovals(policies, originOf(rollout, deployment)),
  };
}

/** `2 people, each a member of release-managers, not the author (policy production)`; undefined if no policy requires approvals. */
export function approvalRule(policies: readonly ReleasePolicy[]): string | undefined {
  const rule = approvalRuleOf(policies);
  if (!rule) return undefined;
  const who = rule.approvers.map(({ users, groups }) =>
    [...users, ...groups.map((group) => `a member of ${group}`)].join(' or '),
  );
  const one = rule.required === 1;
  return (
    `${one ? 'one person' : `${rule.required} people`}` +
    `${who.length > 0 ? `, ${one ? '' : 'each '}${who.join(' and also ')}` : ''}` +
    `${rule.notAuthor ? ', not the author' : ''} (policy ${rule.policies.join(', ')})`
  );
}

/** True if the step waits after the approval, too. `answer`: of the server; undefined if nothing was sent. */
export const isStillPaused = (rollout: Rollout, answer: Rollout | undefined): boolean => {
  const status = (answer ?? rollout).status?.canaryStatus;
  return status !== undefined && (answer === undefined || status.currentStepState === 'StepPaused');
};

/**
 * The approvals still required after one more: `1 of 2 approvals; the step requires approval by ...`. Undefined if that one is the last. `policies`:
 * undefined if the user may not read them.
 */
export function stillRequired(
  rollout: Rollout,
  deployment: Deployment | undefined,
  policies: readonly ReleasePolicy[] | undefined,
  answer: Rollout | undefined,
): string | undefined {
  if (!isStillPaused(rollout, answer)) return undefined;
  const { people, required } = approvedBy(answer ?? rollout, deployment, policies);
  const given = answer === undefined ? people.length + 1 : people.length;
  if (answer === undefined && (required === undefined || given >= required)) return undefined;
  const rule = approvalRule(policies ?? []);
  const count = required === undefined ? plural(given, 'approval') : `${given} of ${plural(required, 'approval')}`;
  return `${count}; the step requires approval by ${rule ?? 'as many people as the policies require'}`;
}
