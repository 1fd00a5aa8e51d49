// Who may approve a step, how many have, and the record of it.
import type { ApprovalRules, ReleasePolicy } from '../../api/policy.ts';
import type { Approval, CanaryStatus, Deployment, Rollout } from '../../api/types.ts';
import { enforcementOf, type Finding } from './policy.ts';
import { isMachine, originOf, requiredBy, type Origin } from './origin.ts';
import { planDigest } from './plan.ts';
import { sameJson, type Sha256 } from '../lib/template.ts';
import { formatTime, parseTime } from '../lib/time.ts';

export interface Approver {
  readonly user: string;
  readonly groups: readonly string[];
}

/** What the waiting step of this release is, as approvals name it. */
export interface WaitingStep {
  readonly step: number;
  readonly rolloutID: string;
  readonly revision: string;
}

export const waitingStepOf = (status: CanaryStatus): WaitingStep => ({
  step: status.currentStepIndex,
  rolloutID: status.observedRolloutID ?? '',
  revision: status.canaryRevision ?? '',
});

/** Those that count for the step as it waits now: another id, another revision, or an earlier visit of the step does not. */
export function approvalsOf(status: CanaryStatus): Approval[] {
  const { step, rolloutID, revision } = waitingStepOf(status);
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
export const requiredApprovals = (policies: readonly ReleasePolicy[], origin?: Origin): number =>
  Math.max(1, ...approvalPolicies(policies).map((policy) => requiredBy(policy, origin)));

/** Those that let no step end without approval. */
export const approvalPolicies = (policies: readonly ReleasePolicy[]): ReleasePolicy[] =>
  policies.filter((policy) => policy.spec.approval !== undefined && enforcementOf(policy) === 'Deny');

/** May this person approve a release of this origin? */
export function judgeApprover(
  policies: readonly ReleasePolicy[],
  approver: Approver,
  { authors, planners }: Origin,
): Finding[] {
  const { user } = approver;
  return policies.flatMap((policy) => {
    const rules = policy.spec.approval;
    if (rules === undefined) return [];
    const common = { policy, rule: 'approval', rank: 0, value: user } as const;
    const name = policy.metadata.name;
    const found: Finding[] = [];
    const { users = [], groups: allowed = [] } = rules;
    const anybody = users.length === 0 && allowed.length === 0;
    const ask = anybody ? 'a person who has the verb approve on Rollouts' : whoMay(users, allowed);
    if (!isNamed(rules, approver)) {
      found.push({
        ...common,
        field: 'approval by',
        reason: isMachine(user)
          ? `is a machine account, which policy ${name} does not name as an approver`
          : `may not approve under policy ${name}`,
        remedy: `ask ${ask}`,
      });
    }
    const remedy = anybody ? 'ask somebody else' : `ask another person: ${whoMay(users, allowed)}`;
    const own = { ...common, field: 'approval by the author', remedy } as const;
    if (rules.notAuthor === true && authors.includes(user)) {
      found.push({ ...own, reason: `changed the template, and policy ${name} wants another person to approve it` });
    } else if (rules.notAuthor === true && planners.includes(user)) {
      found.push({
        ...own,
        reason: `changed the plan during this release, and policy ${name} wants another person to approve it`,
      });
    }
    return found;
  });
}

/** A machine account counts only when it, or a group of machine accounts, is named: every account is in groups such as system:authenticated. */
function isNamed({ users = [], groups = [] }: ApprovalRules, { user, groups: of }: Approver): boolean {
  if (users.includes(user)) return true;
  const named = groups.filter((group) => of.includes(group));
  if (isMachine(user)) return named.some(ofMachines);
  return named.length > 0 || (users.length === 0 && groups.length === 0);
}

const EVERYBODY = new Set(['system:authenticated', 'system:unauthenticated']);
const ofMachines = (group: string): boolean => group.startsWith('system:') && !EVERYBODY.has(group);

const whoMay = (users: readonly string[], groups: readonly string[]): string =>
  [...users, ...groups.map((group) => `a member of ${group}`)].join(', or ');

/** Findings about a way to approve that counts one person only. */
export const judgeSingleHanded = (
  policies: readonly ReleasePolicy[],
  what: { field: string; value: unknown },
  origin?: Origin,
): Finding[] =>
  policies.flatMap((policy): Finding[] => {
    const required = policy.spec.approval === undefined ? 1 : requiredBy(policy, origin);
    if (required < 2) return [];
    const reason = `lets the step go on alone, and policy ${policy.metadata.name} wants ${required} people`;
    const remedy = 'approve by status.canaryStatus.currentStepState: StepReady, each of you';
    return [{ ...what, policy, rule: 'approval', rank: required, reason, remedy }];
  });

/** Findings about a jump that nobody approves: whoever approves next would let it happen without having asked for it. */
export const judgeJumpAlone = (policies: readonly ReleasePolicy[], value: unknown): Finding[] =>
  policies.flatMap((policy): Finding[] => {
    if (policy.spec.approval === undefined) return [];
    const reason = `changes the step that follows without approving it, and policy ${policy.metadata.name} requires approval`;
    const remedy =
      'write status.canaryStatus.currentStepState: StepReady in the same request: then it is your approval of it';
    const field = 'status.canaryStatus.nextStepIndex';
    return [{ field, value, policy, rule: 'approval', rank: 0, reason, remedy }];
  });

/** What is known when somebody approves. */
export interface Approving {
  readonly approver: Approver;
  /** The Rollout with the plan that is approved, and its status with the step that follows. */
  readonly rollout: Rollout;
  readonly status: CanaryStatus;
  readonly deployment: Deployment | undefined;
  readonly policies: readonly ReleasePolicy[];
  /** Names of the policies past which this person goes. */
  readonly past: readonly string[];
  readonly now: number;
  readonly sha256: Sha256;
}

/** An entry for the record. Never older than the wait it ends, whatever clocks say. */
export function approvalBy({ approver, rollout, status, policies, past, now, sha256 }: Approving): Approval {
  const named = new Set(policies.flatMap(({ spec }) => spec.approval?.groups ?? []));
  const groups = approver.groups.filter((group) => named.has(group)).toSorted();
  const gone = policies.filter(({ metadata, spec }) => spec.approval !== undefined && past.includes(metadata.name));
  return {
    ...waitingStepOf(status),
    user: approver.user,
    time: formatTime(Math.max(now, parseTime(status.lastUpdateTime) ?? 0)),
    plan: planDigest(rollout, status, sha256),
    ...(groups.length > 0 && { groups }),
    ...(gone.length > 0 && { past: gone.map(({ metadata }) => metadata.name) }),
  };
}

/** How far a step is from what policies require. */
export interface Standing {
  readonly given: number;
  readonly required: number;
  readonly enough: boolean;
}

/** Judged from the record alone, by the policies as they are now: what the operator believes, whatever the state of the step says. */
export function standingOf(
  policies: readonly ReleasePolicy[],
  { rollout, status, deployment, sha256 }: Pick<Approving, 'rollout' | 'status' | 'deployment' | 'sha256'>,
): Standing {
  const recorded = approvalsOf(status);
  const digest = recorded.length > 0 ? planDigest(rollout, status, sha256) : '';
  const valid = recorded.filter(({ plan }) => plan === digest);
  const asking = approvalPolicies(policies);
  if (asking.length === 0) return sum(valid, 1);
  const origin = originOf(rollout, deployment);
  const standings = asking.map((policy): Standing => {
    const counting = valid.filter(({ user, groups = [] }) => {
      return judgeApprover([policy], { user, groups }, origin).length === 0;
    });
    const standing = sum(counting, requiredBy(policy, origin));
    return valid.some(({ past = [] }) => past.includes(policy.metadata.name))
      ? { ...standing, enough: true }
      : standing;
  });
  const missing = ({ given, required }: Standing): number => required - given;
  return standings.toSorted((a, b) => Number(a.enough) - Number(b.enough) || missing(b) - missing(a))[0]!;
}

function sum(approvals: readonly Approval[], required: number): Standing {
  const given = new Set(approvals.map(({ user }) => user)).size;
  return { given, required, enough: given >= required };
}

export interface Counted extends Standing {
  readonly approvals: readonly Approval[];
  /** This person had approved the step, and this plan, before. */
  readonly again: boolean;
}

/** The record with this person in it, once. */
export function count(approving: Approving): Counted {
  const { status, policies } = approving;
  const entry = approvalBy(approving);
  const again = approvalsOf(status).some((known) => saysTheSame(known, entry));
  const approvals = again ? (status.approvals ?? []) : [...(status.approvals ?? []), entry];
  return { approvals, again, ...standingOf(policies, { ...approving, status: { ...status, approvals } }) };
}

/** But for the time. */
export const saysTheSame = ({ time: _, ...a }: Approval, { time: __, ...b }: Approval): boolean => sameJson(a, b);
