// Approvals of a step: who may approve, how many have approved, and the record of approvals.
import type { ApprovalRules, ReleasePolicy } from '../../api/policy.ts';
import type { Approval, CanaryStatus, Deployment, Rollout, RolloutId } from '../../api/types.ts';
import { enforcementOf, type Finding } from './policy.ts';
import { isMachine, originOf, requiredBy, type Origin } from './origin.ts';
import { planDigest } from './plan.ts';
import { sameJson, type Sha256 } from '../lib/template.ts';
import { formatTime, parseTime } from '../lib/time.ts';
import { show } from '../validate/violation.ts';

export interface Approver {
  readonly user: string;
  readonly groups: readonly string[];
}

/** Identifies the waiting step of a release in approvals. */
export interface WaitingStep {
  readonly step: number;
  readonly rolloutID: RolloutId;
  readonly revision: string;
}

export const waitingStepOf = (status: CanaryStatus): WaitingStep => ({
  step: status.currentStepIndex,
  rolloutID: status.observedRolloutID ?? '',
  revision: status.canaryRevision ?? '',
});

/** Approvals of the current step. Approvals of another release, another revision or an earlier visit of the step do not count. */
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

/** Number of different people who must approve a step: the maximum over all enforced policies. */
export const requiredApprovals = (policies: readonly ReleasePolicy[], origin?: Origin): number =>
  Math.max(1, ...approvalPolicies(policies).map((policy) => requiredBy(policy, origin)));

/** The enforced policies that require an approval for each step. */
export const approvalPolicies = (policies: readonly ReleasePolicy[]): ReleasePolicy[] =>
  policies.filter((policy) => policy.spec.approval !== undefined && enforcementOf(policy) === 'Deny');

/** Findings about a person who approves a release of this origin. */
export function judgeApprover(
  policies: readonly ReleasePolicy[],
  approver: Approver,
  { authors, planners }: Origin,
): Finding[] {
  const { user } = approver;
  return policies.flatMap((policy) => {
    const rules = policy.spec.approval;
    if (rules === undefined) return [];
    const common = { policy, rule: 'approval', rank: 0, value: user, type: 'Forbidden' } as const;
    const name = policy.metadata.name;
    const found: Finding[] = [];
    const { users = [], groups: allowed = [] } = rules;
    const anybody = users.length === 0 && allowed.length === 0;
    const ask = anybody ? 'a person with the verb approve on Rollouts' : whoMay(users, allowed);
    if (!isNamed(rules, approver)) {
      found.push({
        ...common,
        field: 'approval',
        reason: isMachine(user)
          ? `policy ${name} does not list the machine account ${show(user)} as an approver`
          : `policy ${name} does not list ${show(user)} as an approver`,
        remedy: `ask ${ask}`,
      });
    }
    const remedy = anybody ? 'ask another person' : `ask ${whoMay(users, allowed)}`;
    const own = { ...common, field: 'approval by the author', remedy } as const;
    if (rules.notAuthor === true && authors.includes(user)) {
      found.push({
        ...own,
        reason: `${show(user)} changed the template, and policy ${name} requires another approver`,
      });
    } else if (rules.notAuthor === true && planners.includes(user)) {
      found.push({
        ...own,
        reason: `${show(user)} changed the plan during this release, and policy ${name} requires another approver`,
      });
    }
    return found;
  });
}

/** Without users and groups, everybody but machine accounts may approve. */
const isNamed = (rules: People, approver: Approver): boolean =>
  isListed(rules, approver) ||
  (!isMachine(approver.user) && (rules.users ?? []).length === 0 && (rules.groups ?? []).length === 0);

type People = Pick<ApprovalRules, 'users' | 'groups'>;

/** A machine account counts only if the policy names it or a group of machine accounts. Every account is a member of system:authenticated. */
export function isListed({ users = [], groups = [] }: People, { user, groups: of }: Approver): boolean {
  if (users.includes(user)) return true;
  const named = groups.filter((group) => of.includes(group));
  return isMachine(user) ? named.some(ofMachines) : named.length > 0;
}

const EVERYBODY = new Set(['system:authenticated', 'system:unauthenticated']);
const ofMachines = (group: string): boolean => group.startsWith('system:') && !EVERYBODY.has(group);

export const whoMay = (users: readonly string[], groups: readonly string[]): string =>
  [...users, ...groups.map((group) => `a member of ${group}`)].join(', or ');

/** Findings about a way to approve that counts as a single approval. */
export const judgeSingleHanded = (
  policies: readonly ReleasePolicy[],
  what: { field: string; value: unknown },
  origin?: Origin,
): Finding[] =>
  policies.flatMap((policy): Finding[] => {
    const required = policy.spec.approval === undefined ? 1 : requiredBy(policy, origin);
    if (required < 2) return [];
    const name = policy.metadata.name;
    const reason = what.field.endsWith('.analysis')
      ? `less analysis is one approval, and policy ${name} requires ${required}`
      : `a shorter pause is one approval, and policy ${name} requires ${required}`;
    const remedy = 'each approver must set status.canaryStatus.currentStepState to StepReady';
    return [{ ...what, type: 'Forbidden', policy, rule: 'approval', rank: required, reason, remedy }];
  });

/** Findings about a change of the next step without an approval. The next approver would approve the jump without knowing it. */
export const judgeJumpAlone = (policies: readonly ReleasePolicy[], value: unknown): Finding[] =>
  policies.flatMap((policy): Finding[] => {
    if (policy.spec.approval === undefined) return [];
    const reason = `a jump to another step requires an approval (policy ${policy.metadata.name})`;
    const remedy = 'set status.canaryStatus.currentStepState to StepReady in the same request';
    const field = 'status.canaryStatus.nextStepIndex';
    return [{ field, value, type: 'Forbidden', policy, rule: 'approval', rank: 0, reason, remedy }];
  });

/** The facts about an approval. */
export interface Approving {
  readonly approver: Approver;
  /** The Rollout with the approved plan. `status` has the next step. */
  readonly rollout: Rollout;
  readonly status: CanaryStatus;
  readonly deployment: Deployment | undefined;
  readonly policies: readonly ReleasePolicy[];
  /** Names of the policies that this person bypasses. */
  readonly past: readonly string[];
  readonly now: number;
  readonly sha256: Sha256;
}

/** A record of the approval. Its time is never before the start of the wait, even if clocks differ. */
export function approvalBy({ approver, rollout, status, policies, past, now, sha256 }: Approving): Approval {
  const named = new Set(
    policies.flatMap(({ spec }) => [...(spec.approval?.groups ?? []), ...(spec.analysis?.override?.groups ?? [])]),
  );
  const groups = approver.groups.filter((group) => named.has(group)).toSorted();
  const gone = policies.filter(
    ({ metadata, spec }) =>
      (spec.approval !== undefined || spec.analysis?.override !== undefined) && past.includes(metadata.name),
  );
  return {
    ...waitingStepOf(status),
    user: approver.user,
    time: formatTime(Math.max(now, parseTime(status.lastUpdateTime) ?? 0)),
    plan: planDigest(rollout, status, sha256),
    ...(groups.length > 0 && { groups }),
    ...(gone.length > 0 && { past: gone.map(({ metadata }) => metadata.name) }),
  };
}

/** How many approvals a step has and needs. */
export interface Standing {
  readonly given: number;
  readonly required: number;
  readonly enough: boolean;
}

/** Computed from the recorded approvals and the current policies. The operator trusts this, not the state of the step. */
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
  /** This person has already approved the step with this plan. */
  readonly again: boolean;
}

/** The recorded approvals with the one of this person, added once. */
export function count(approving: Approving): Counted {
  const { status, policies } = approving;
  const entry = approvalBy(approving);
  const again = approvalsOf(status).some((known) => saysTheSame(known, entry));
  const approvals = again ? (status.approvals ?? []) : [...(status.approvals ?? []), entry];
  return { approvals, again, ...standingOf(policies, { ...approving, status: { ...status, approvals } }) };
}

/** True if the approvals differ at most in their time. */
export const saysTheSame = ({ time: _, ...a }: Approval, { time: __, ...b }: Approval): boolean => sameJson(a, b);
