// What policies say to the operator about one release: may the next step begin, and how many people must approve.
import { APPROVED, GLASS_BROKEN } from '../../api/keys.ts';
import type { BrokenGlass, ReleasePolicy } from '../../api/policy.ts';
import type { Approval, CanaryStatus, Deployment, Rollout } from '../../api/types.ts';
import { approvalPolicies, approvalsOf, waitingStepOf, requiredApprovals } from './approval.ts';
import type { DigestOf } from '../lib/template.ts';
import { isAbout, readBreakGlass, releaseOf } from './break-glass.ts';
import { originOf } from './origin.ts';
import { enforcementOf } from './policy.ts';
import { closedPolicies, opens, type Calendar } from './windows.ts';

export type BlockedReason = 'WindowClosed' | 'TooManyReleases';

export interface Blocked {
  readonly reason: BlockedReason;
  readonly message: string;
  /** Milliseconds since the epoch; undefined = something else must change. */
  readonly opensAt: number | undefined;
}

export interface Gate {
  /** Why no step may begin now. */
  readonly blocked: Blocked | undefined;
  /** People who must approve a step. */
  readonly required: number;
  /** The policy that protects releases in flight: one that is left before its end goes back, not forward. */
  readonly protects?: string;
  /** Policies that let no step end without approval; absent when there are none. */
  readonly approval?: readonly ReleasePolicy[];
}

export const openGate: Gate = { blocked: undefined, required: 1 };

export interface GateFacts {
  /** Those that match. */
  readonly policies: readonly ReleasePolicy[];
  readonly rollout: Rollout;
  readonly deployment: Deployment;
  readonly now: number;
  readonly calendar: Calendar;
  readonly digest: DigestOf;
  /** Releases of the namespace that have begun, but for this one. Asked only where it matters. */
  readonly running: () => number;
}

/** Policies that only warn or tell block nothing. */
export function gateFor(facts: GateFacts): Gate {
  const policies = facts.policies.filter((policy) => enforcementOf(policy) === 'Deny');
  if (policies.length === 0) return openGate;
  const protects = protectedBy(facts, policies);
  const approval = approvalPolicies(policies);
  return {
    blocked: closed(facts, policies) ?? tooMany(facts, policies),
    required: requiredApprovals(policies, originOf(facts.rollout, facts.deployment)),
    ...(approval.length > 0 && { approval }),
    ...(protects === undefined ? {} : { protects }),
  };
}

/** With nobody's Rollout, nobody can have broken its glass. */
export function orphanGate(policies: readonly ReleasePolicy[]): Gate {
  const protects = policies.find((policy) => enforcementOf(policy) === 'Deny' && policy.spec.protectInFlight === true);
  return protects === undefined ? openGate : { ...openGate, protects: protects.metadata.name };
}

/** Somebody who may has broken the glass on the Rollout: then it ends as they decide. */
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

/** Only a release that has not begun can be one too many. */
function tooMany({ rollout, running }: GateFacts, policies: readonly ReleasePolicy[]): Blocked | undefined {
  const limits = policies.flatMap(({ metadata, spec }) =>
    spec.maxConcurrentReleases === undefined ? [] : [{ name: metadata.name, limit: spec.maxConcurrentReleases }],
  );
  const strictest = limits.toSorted((a, b) => a.limit - b.limit)[0];
  if (strictest === undefined || hasBegun(rollout)) return undefined;
  const others = running();
  if (others < strictest.limit) return undefined;
  const { name, limit } = strictest;
  const message = `policy ${name} allows ${limit} at the same time in this namespace, and ${others} are running`;
  return { reason: 'TooManyReleases', message, opensAt: undefined };
}

/** Pods may have been moved for the release that its status is about. */
export const hasBegun = ({ status }: Rollout): boolean =>
  status?.phase === 'Progressing' && status.canaryStatus?.currentStepState !== 'BeforeStepUpgrade';

/** Marks of broken glass that are about this release (on the Deployment), or about its step as it is now (on the Rollout). */
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

/** The record, with the approval that an edit of the pause was. */
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
