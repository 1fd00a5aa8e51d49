// Who may approve a step, and who has: as the policies say that select its Deployment.
import type { ReleasePolicy } from '../api/policy.ts';
import type { Deployment, Rollout } from '../api/types.ts';
import { approvalPolicies, approvalsOf, requiredApprovals } from '../engine/policy/approval.ts';
import { originOf } from '../engine/policy/origin.ts';

export interface ApprovalRule {
  /** Different people that a step needs, at least 1. */
  readonly required: number;
  /** Of each policy that names anybody. Whoever approves has to be among the users or groups of every one of them. */
  readonly approvers: readonly { readonly users: readonly string[]; readonly groups: readonly string[] }[];
  /** Whoever made the change may not approve it. */
  readonly notAuthor: boolean;
  /** Names of the policies that say so. */
  readonly policies: readonly string[];
}

/** Undefined when no policy that enforces asks for approvals. */
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
  /** Different people who have approved the step that waits, in the order of their first approval. */
  readonly people: readonly string[];
  /** So many people are needed for this release; undefined when the policies are not known. */
  readonly required: number | undefined;
}

/** `policies`: undefined for whoever may not read them. */
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
