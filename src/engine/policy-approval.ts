// Who may approve a step, how many have, and the record of it.
import type { ReleasePolicy } from '../api/policy.ts';
import type { Approval, CanaryStatus, Rollout } from '../api/types.ts';
import { enforcementOf, type Finding } from './policy.ts';
import { formatTime, parseTime } from './time.ts';

export interface Approver {
  readonly user: string;
  readonly groups: readonly string[];
}

/** What the waiting step of this release is, as approvals name it. */
export interface Gate {
  readonly step: number;
  readonly rolloutID: string;
  readonly revision: string;
}

export const gateOf = (status: CanaryStatus): Gate => ({
  step: status.currentStepIndex,
  rolloutID: status.observedRolloutID ?? '',
  revision: status.canaryRevision ?? '',
});

/** Those that count for the step as it waits now: another id, another revision, or an earlier visit of the step does not. */
export function approvalsOf(status: CanaryStatus): Approval[] {
  const { step, rolloutID, revision } = gateOf(status);
  const since = parseTime(status.lastUpdateTime) ?? 0;
  return (status.approvals ?? []).filter(
    (approval) =>
      approval.step === step &&
      approval.rolloutID === rolloutID &&
      approval.revision === revision &&
      (parseTime(approval.time) ?? 0) >= since,
  );
}

/** Different people whom a step needs: the most that any policy which enforces asks for. */
export const requiredApprovals = (policies: readonly ReleasePolicy[]): number =>
  Math.max(
    1,
    ...policies
      .filter((policy) => enforcementOf(policy) === 'Deny')
      .map(({ spec }) => (spec.approval === undefined ? 1 : (spec.approval.required ?? 1))),
  );

/** May this person approve? `author` is who changed the template, as the webhook noted it. */
export function judgeApprover(
  policies: readonly ReleasePolicy[],
  { user, groups }: Approver,
  author: string | undefined,
): Finding[] {
  return policies.flatMap((policy) => {
    const rules = policy.spec.approval;
    if (rules === undefined) return [];
    const common = { policy, rule: 'approval', rank: 0, value: user } as const;
    const name = policy.metadata.name;
    const found: Finding[] = [];
    const { users = [], groups: allowed = [] } = rules;
    const anybody = users.length === 0 && allowed.length === 0;
    if (!anybody && !users.includes(user) && !allowed.some((group) => groups.includes(group))) {
      found.push({
        ...common,
        field: 'approval by',
        reason: `may not approve under policy ${name}`,
        remedy: `ask ${whoMay(users, allowed)}`,
      });
    }
    if (rules.notAuthor === true && author !== undefined && author === user) {
      found.push({
        ...common,
        field: 'approval by the author',
        reason: `changed the template, and policy ${name} wants another person to approve it`,
        remedy: anybody ? 'ask somebody else' : `ask another person: ${whoMay(users, allowed)}`,
      });
    }
    return found;
  });
}

const whoMay = (users: readonly string[], groups: readonly string[]): string =>
  [...users, ...groups.map((group) => `a member of ${group}`)].join(', or ');

/** Findings about a way to approve that counts one person only. */
export const judgeSingleHanded = (
  policies: readonly ReleasePolicy[],
  what: { field: string; value: unknown },
): Finding[] =>
  policies.flatMap((policy): Finding[] => {
    const required = policy.spec.approval?.required ?? 1;
    if (required < 2) return [];
    const reason = `lets the step go on alone, and policy ${policy.metadata.name} wants ${required} people`;
    const remedy = 'approve by status.canaryStatus.currentStepState: StepReady, each of you';
    return [{ ...what, policy, rule: 'approval', rank: required, reason, remedy }];
  });

/** An entry for the record. Never older than the wait it ends, whatever clocks say. */
export const approvalBy = (user: string, status: CanaryStatus, now: number): Approval => ({
  ...gateOf(status),
  user,
  time: formatTime(Math.max(now, parseTime(status.lastUpdateTime) ?? 0)),
});

export interface Counted {
  readonly approvals: readonly Approval[];
  readonly given: number;
  readonly required: number;
  /** This person had approved the step before. */
  readonly again: boolean;
}

/** The record with this person in it, once. */
export function count(rollout: Rollout, policies: readonly ReleasePolicy[], user: string, now: number): Counted {
  const status = rollout.status!.canaryStatus!;
  const given = approvalsOf(status);
  const again = given.some((approval) => approval.user === user);
  const people = new Set([...given.map((approval) => approval.user), user]);
  return {
    approvals: again ? (status.approvals ?? []) : [...(status.approvals ?? []), approvalBy(user, status, now)],
    given: people.size,
    required: requiredApprovals(policies),
    again,
  };
}
