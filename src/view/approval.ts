// The approvers of a step and the approvals so far, according to the policies that select the Deployment.
import type { ReleasePolicy } from '../api/policy.ts';
import type { Deployment, Rollout } from '../api/types.ts';
import { approvalPolicies, approvalsOf, requiredApprovals } from '../engine/policy/approval.ts';
import { originOf } from '../engine/policy/origin.ts';

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
