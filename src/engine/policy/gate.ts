// What policies require of one release: whether the next step may start, and how many people must approve.
import { APPROVED, GLASS_BROKEN } from '../../api/keys.ts';
import type { BrokenGlass, ReleasePolicy } from '../../api/policy.ts';
import type { Approval, CanaryStatus, Deployment, Rollout } from '../../api/types.ts';
import { approvalPolicies, approvalsOf, waitingStepOf, requiredApprovals } from './approval.ts';
import type { DigestOf } from '../lib/template.ts';
import { isAbout, readBreakGlass, releaseOf } from './break-glass.ts';
import { originOf } from './origin.ts';
import { enforcementOf } from './policy.ts';
import { plural } from '../lib/text.ts';
import { closedPolicies, opens, type Calendar } from './windows.ts';

export type BlockedReason = 'WindowClosed' | 'TooManyReleases';

export interface Blocked {
  readonly reason: BlockedReason;
  readonly message: string;
  /** Milliseconds since the epoch. Undefined if it does not depend on time. */
  readonly opensAt: number | undefined;
}

export interface Gate {
  /** Why no step may start now. */
  readonly blocked: Blocked | undefined;
  /** Number of people who must approve a step. */
  readonly required: number;
  /** Name of the policy that protects releases in progress: a release that loses its Rollout rolls back instead of finishing. */
  readonly protects?: string;
  /** The policies that match the workload. Absent if they are not needed. */
  readonly policies?: readonly ReleasePolicy[];
  /** Policies that require an approval for each step. Absent if there are none. */
  readonly approval?: readonly ReleasePolicy[];
}

export const openGate: Gate = { blocked: undefined, required: 1 };

export interface GateFacts {
  /** The policies that match the workload. */
  readonly policies: readonly ReleasePolicy[];
  readonly rollout: Rollout;
  readonly deployment: Deployment;
  readonly now: number;
  readonly calendar: Calendar;
  readonly digest: DigestOf;
  /** Number of other releases in the namespace that have started. Called only if needed. */
  readonly running: () => number;
}

/** Only policies with enforcement Deny block a release. */
export function gateFor(facts: GateFacts): Gate {
  const policies = facts.policies.filter((policy) => enforcementOf(policy) === 'Deny');
  if (policies.length === 0) return openGate;
  const protects = protectedBy(facts, policies);
  const approval = approvalPolicies(policies);
  return {
    blocked: closed(facts, policies) ?? tooMany(facts, policies),
    required: requiredApprovals(policies, originOf(facts.rollout, facts.deployment)),
    policies,
    ...(approval.length > 0 && { approval }),
    ...(protects === undefined ? {} : { protects }),
  };
}

/** The gate of a workload without a Rollout. There is no Rollout on which somebody could break the glass. */
export function orphanGate(policies: readonly ReleasePolicy[]): Gate {
  const protects = policies.find((policy) => enforcementOf(policy) === 'Deny' && policy.spec.protectInFlight === true);
  return protects === undefined ? openGate : { ...openGate, protects: protects.metadata.name };
}

/** Name of a policy that protects the release, unless the glass was broken on the Rollout. */
function protectedBy(
  { rollout, deployment, digest }: GateFacts,
  policies: readonly ReleasePolicy[],
): string | undefined {
  const opened = new Set(breakGlassOnStep(rollout, deployment, digest).flatMap(({ policies }) => policies));
  return policies.find(({ metadata, spec }) => spec.protectInFlight === true && !opened.has(metadata.name))?.metadata
    .name;
}

function closed(
  { rollout, deployment, now, calendar, digest }: GateFacts,
  policies: readonly ReleasePolicy[],
): Blocked | undefined {
  const opened = new Set(breakGlassFor(rollout, deployment, digest).flatMap(({ policies }) => policies));
  const asked = policies.filter(({ metadata, spec }) => spec.breakGlass === undefined || !opened.has(metadata.name));
  const longest = closedPolicies(asked, now, calendar)[0];
  if (longest === undefined) return undefined;
  const { policy, why, opensAt } = longest;
  return {
    reason: 'WindowClosed',
    message: `policy ${policy.metadata.name} is closed ${opens(opensAt)} (${why})`,
    opensAt,
  };
}

/** The limit blocks only a release that has not started. */
function tooMany({ rollout, running }: GateFacts, policies: readonly ReleasePolicy[]): Blocked | undefined {
  const limits = policies.flatMap(({ metadata, spec }) =>
    spec.maxConcurrentReleases === undefined ? [] : [{ name: metadata.name, limit: spec.maxConcurrentReleases }],
  );
  const strictest = limits.toSorted((a, b) => a.limit - b.limit)[0];
  if (strictest === undefined || hasBegun(rollout)) return undefined;
  const others = running();
  if (others < strictest.limit) return undefined;
  const { name, limit } = strictest;
  const message = `policy ${name} allows ${plural(limit, 'release')} at a time in this namespace (running: ${others})`;
  return { reason: 'TooManyReleases', message, opensAt: undefined };
}

/** True if the operator may have updated Pods for the release in the status. */
export const hasBegun = ({ status }: Rollout): boolean =>
  status?.phase === 'Progressing' && status.canaryStatus?.currentStepState !== 'BeforeStepUpgrade';

/** Marks of broken glass for this release (on the workload) and for its current step (on the Rollout). */
export function breakGlassFor(rollout: Rollout, deployment: Deployment, digest: DigestOf): BrokenGlass[] {
  const change = readBreakGlass(deployment.metadata.annotations?.[GLASS_BROKEN]);
  const onChange = change !== undefined && isAbout(change, releaseOf(deployment, digest)) ? [change] : [];
  return [...onChange, ...breakGlassOnStep(rollout, deployment, digest)];
}

function breakGlassOnStep(rollout: Rollout, deployment: Deployment, digest: DigestOf): BrokenGlass[] {
  const step = readBreakGlass(rollout.metadata.annotations?.[GLASS_BROKEN]);
  const current = rollout.status?.canaryStatus?.currentStepIndex;
  return step !== undefined && step.step === current && isAbout(step, releaseOf(deployment, digest)) ? [step] : [];
}

/** The recorded approvals, including an approval by an edit of the pause. */
export function withApprovalByEdit(status: CanaryStatus, rollout: Rollout): readonly Approval[] | undefined {
  const approval = readApproval(rollout.metadata.annotations?.[APPROVED]);
  if (approval === undefined) return status.approvals;
  const { step, rolloutID, revision } = waitingStepOf(status);
  const fits = approval.step === step && approval.rolloutID === rolloutID && approval.revision === revision;
  const known = approvalsOf(status).some(({ user }) => user === approval.user);
  return fits && !known ? [...(status.approvals ?? []), approval] : status.approvals;
}

function readApproval(text: string | undefined): Approval | undefined {
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as Partial<Approval> | null;
    return typeof value?.user === 'string' && typeof value.time === 'string' && Number.isInteger(value.step)
      ? (value as Approval)
      : undefined;
  } catch {
    return undefined;
  }
}
