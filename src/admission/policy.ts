// Policies at admission: what is judged, what is said and reported of it, and the marks that only we may write.
import * as keys from '../api/keys.ts';
import type { BrokenGlass, ReleasePolicy } from '../api/policy.ts';
import type { Approval, Deployment, KubeObject, Rollout } from '../api/types.ts';
import { replicasOf } from '../engine/batch.ts';
import type { Decision } from '../engine/intercept.ts';
import { count, gateOf, approvalBy, judgeApprover, judgeSingleHanded } from '../engine/policy-approval.ts';
import { isInFlight } from '../engine/in-flight.ts';
import { judgeChange, judgePlan, judgeProtection } from '../engine/policy-rules.ts';
import type { Calendar } from '../engine/policy-windows.ts';
import {
  breakableBy,
  judge,
  mayBreak,
  readGlass,
  type Finding,
  type Judgement,
  type Labels,
  type Person,
} from '../engine/policy.ts';
import { isRestartOnly } from '../engine/revision.ts';
import { formatTime } from '../engine/time.ts';
import { sentence, type Violation } from '../engine/validate-violation.ts';
import type { PatchOp } from '../engine/intercept-patch.ts';
import type { AdmissionRequest } from './shapes.ts';

export type Outcome = 'denied' | 'warned' | 'audited' | 'broken';

/** A rule that did not hold, and what came of it; not called for a dry run. */
export interface PolicyReport {
  readonly outcome: Outcome;
  readonly finding: Finding;
  readonly about: KubeObject;
  readonly user: string;
  /** The review's uid. */
  readonly request: string;
  /** The reason of whoever went past it. */
  readonly breakGlass: string | undefined;
}

/** What judging needs of the rest of the program. Lookups in caches, none of them asks the API server. */
export interface PolicyDeps {
  /** Policies that select this Deployment by its namespace and any of these sets of labels; by its namespace alone when there are none. */
  readonly policiesFor: (namespace: string, workloadLabels: readonly Labels[]) => readonly ReleasePolicy[];
  /** Deployments of the namespace in a release, but for this one. */
  readonly inFlight: (namespace: string, except: string) => number;
  readonly calendar: Calendar;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly report?: (report: PolicyReport) => void;
}

/** A person in one request, by the review's uid. */
export interface Asker extends Person {
  readonly request: string;
}

export const personOf = ({ uid, userInfo }: AdmissionRequest, breakGlass: string | undefined): Asker => ({
  request: uid,
  user: userInfo?.username ?? '',
  groups: userInfo?.groups ?? [],
  breakGlass,
});

const annotation = (object: KubeObject | undefined, key: string): string | undefined =>
  object?.metadata.annotations?.[key] ?? undefined;

/** Violations to refuse with, and warnings. */
export interface Said {
  readonly violations: readonly Violation[];
  readonly warnings: readonly string[];
  /** The person went past a policy, and may. */
  readonly broken: boolean;
  /** To be noted on the Deployment then. */
  readonly glass?: BrokenGlass;
}
export const nothingSaid: Said = { violations: [], warnings: [], broken: false };

/** `reported`: which outcomes this webhook reports, lest two report the same. */
export function say(
  { denied, warned, audited, broken }: Judgement,
  about: KubeObject,
  { request, user, breakGlass }: Asker,
  deps: PolicyDeps,
  reported: readonly Outcome[],
): Said {
  const byOutcome = { denied, warned, audited, broken };
  for (const outcome of reported) {
    for (const finding of byOutcome[outcome]) {
      deps.report?.({ outcome, finding, about, user, request, breakGlass });
    }
  }
  const warnings = [
    ...warned.map((finding) => `tranche: policy ${finding.policy.metadata.name} only warns: ${sentence(finding)}`),
    ...(broken.length > 0
      ? [`tranche: past policy ${policyNames(broken)}, for the reason you gave; it is recorded, and good for this once`]
      : []),
  ];
  return { violations: denied, warnings, broken: broken.length > 0 };
}

const policyNames = (findings: readonly Finding[]): string =>
  [...new Set(findings.map(({ policy }) => policy.metadata.name))].join(', ');

// Deployments ----------------------------------------------------------------------------------------------------------

/** An edit of a Deployment that brings a template out, in steps or without. */
export function judgeEdit(
  { old, next, decision }: { readonly old: Deployment; readonly next: Deployment; readonly decision: Decision },
  rollout: Rollout | undefined,
  request: AdmissionRequest,
  deps: PolicyDeps,
): Said {
  const namespace = request.namespace ?? '';
  const { verdict, changed } = decision;
  const inSteps = verdict === 'Held' || verdict === 'Superseded';
  if (verdict === 'RolledBack' || verdict === 'Refused' || !(changed || verdict === 'Freed')) return nothingSaid;
  // Asked for by the Rollout's annotation: the same version once more.
  if (verdict === 'Bypassed' && rollout !== undefined && isRestartOnly(old.spec.template, next.spec.template)) {
    return nothingSaid;
  }
  const policies = deps.policiesFor(namespace, [old.metadata.labels, next.metadata.labels]);
  if (policies.length === 0) return nothingSaid;
  const written = annotation(next, keys.BREAK_GLASS);
  const person = personOf(request, written);
  const used = readGlass(annotation(old, keys.GLASS_BROKEN))?.reason;
  if (written !== undefined && written.trim() !== '' && written.trim() === used) {
    return { ...nothingSaid, violations: [usedUp(written)] };
  }
  const findings = judgeChange({
    policies,
    rollout: inSteps ? rollout : undefined,
    bypass: !inSteps && rollout !== undefined ? `Rollout ${rollout.metadata.name} does not release it` : undefined,
    workload: next.metadata.name,
    replicas: replicasOf(next),
    inFlight: deps.inFlight(namespace, next.metadata.name),
    superseding: verdict === 'Superseded',
    now: deps.now(),
    calendar: deps.calendar,
  });
  const judged = judge(findings, person);
  const quiet = request.dryRun === true ? [] : (['denied', 'warned', 'audited', 'broken'] as const);
  const said = say(judged, next, person, deps, judged.denied.length > 0 ? quiet.slice(0, 1) : quiet);
  return {
    ...said,
    ...(said.broken && {
      glass: {
        user: person.user,
        reason: written!.trim(),
        time: formatTime(deps.now()),
        policies: breakableBy(policies, person.groups),
      },
    }),
  };
}

const usedUp = (value: string): Violation => ({
  field: `metadata.annotations[${keys.BREAK_GLASS}]`,
  value,
  reason: 'was the reason of an earlier change: it is good for one',
  remedy: 'remove it, or give the reason of this change',
});

// Rollouts -------------------------------------------------------------------------------------------------------------

interface RolloutEdit {
  readonly old: Rollout | undefined;
  /** Undefined = it is deleted. */
  readonly next: Rollout | undefined;
  readonly deployment: Deployment | undefined;
}

/** What of a Rollout's edit is judged. `phase`: the mutating webhook comes first, and writes our marks. */
export function judgeRolloutEdit(
  edit: RolloutEdit,
  request: AdmissionRequest,
  deps: PolicyDeps,
  phase: 'mutate' | 'validate',
): Said {
  const { old, next, deployment } = edit;
  const policies = policiesOf(request, deployment, deps);
  const person = personOf(request, glassOf(edit, request, phase));
  const misuse = phase === 'mutate' ? misuseOf(edit, request, policies) : undefined;
  if (misuse !== undefined) return { ...nothingSaid, violations: [misuse] };
  const findings: Finding[] = [];
  if (old !== undefined) findings.push(...judgeProtection(policies, old, next, deployment));
  if (next !== undefined && stepsChanged(old, next)) {
    findings.push(...judgePlan(policies, asWaiting(old, next), deployment && replicasOf(deployment)));
  }
  const way = next && approvalByEdit(old, next);
  if (way !== undefined) {
    findings.push(...judgeApprover(policies, person, authorOf(deployment)), ...judgeSingleHanded(policies, way));
  }
  const judged = judge(findings, person);
  const last: readonly Outcome[] = phase === 'mutate' ? [] : ['warned', 'audited', 'broken'];
  const reported: readonly Outcome[] = judged.denied.length > 0 ? ['denied'] : last;
  return say(judged, next ?? old!, person, deps, request.dryRun === true ? [] : reported);
}

/** A policy protects releases in flight here: then what counts is the Deployment as it is, not as a cache has it. */
export const protects = (request: AdmissionRequest, deployment: Deployment | undefined, deps: PolicyDeps): boolean =>
  policiesOf(request, deployment, deps).some(({ spec }) => spec.protectInFlight === true);

const policiesOf = (
  request: AdmissionRequest,
  deployment: Deployment | undefined,
  deps: PolicyDeps,
): readonly ReleasePolicy[] =>
  deps.policiesFor(request.namespace ?? '', deployment === undefined ? [] : [deployment.metadata.labels]);

export const authorOf = (deployment: Deployment | undefined): string | undefined =>
  annotation(deployment, keys.CHANGED_BY);

const stepsOf = (rollout: Rollout | undefined) => rollout?.spec.strategy.canary?.steps ?? [];
const stepsChanged = (old: Rollout | undefined, next: Rollout): boolean =>
  old === undefined || JSON.stringify(stepsOf(old)) !== JSON.stringify(stepsOf(next));

/** The step that waits for approval or for its time: its 0-based index. */
function waitingIndex(old: Rollout | undefined): number | undefined {
  const status = old?.status?.canaryStatus;
  return old !== undefined && isInFlight(old, undefined) && status?.currentStepState === 'StepPaused'
    ? status.currentStepIndex - 1
    : undefined;
}

/** A shorter pause in the step that waits is an approval. */
export function approvalByEdit(
  old: Rollout | undefined,
  next: Rollout,
): { readonly field: string; readonly value: unknown } | undefined {
  const index = waitingIndex(old);
  if (index === undefined) return undefined;
  const [before, after] = [old, next].map((rollout) => stepsOf(rollout)[index]?.pause?.duration ?? Infinity) as [
    number,
    number,
  ];
  return after < before ? { field: `spec.strategy.canary.steps[${index}].pause.duration`, value: after } : undefined;
}

/** The plan without that approval, which is judged as one and not as a plan. */
function asWaiting(old: Rollout | undefined, next: Rollout): Rollout {
  if (approvalByEdit(old, next) === undefined) return next;
  const index = waitingIndex(old);
  const { canary, ...strategy } = next.spec.strategy;
  const steps = stepsOf(next).map((step, i) => {
    const { pause: _, ...rest } = step;
    const pause = stepsOf(old)[i]?.pause;
    return i === index ? { ...rest, ...(pause && { pause }) } : step;
  });
  return { ...next, spec: { ...next.spec, strategy: { ...strategy, canary: { ...canary, steps } } } };
}

/** The reason this person gives: written into this edit, or just before, for the step as it stands. */
function glassOf({ old, next }: RolloutEdit, request: AdmissionRequest, phase: string): string | undefined {
  const written = phase === 'mutate' ? annotation(next, keys.BREAK_GLASS) : undefined;
  return written ?? standingGlass(next ?? old, old, request)?.reason;
}

/** The mark on a Rollout, as far as it is this person's, and about the step that is there now. */
export function standingGlass(
  marked: Rollout | undefined,
  facts: Rollout | undefined,
  request: AdmissionRequest,
): BrokenGlass | undefined {
  const glass = readGlass(annotation(marked, keys.GLASS_BROKEN));
  const status = facts?.status?.canaryStatus;
  if (glass === undefined || status === undefined || glass.user !== (request.userInfo?.username ?? ''))
    return undefined;
  const { rolloutID, step } = gateOf(status);
  return glass.rolloutID === rolloutID && glass.step === step ? glass : undefined;
}

/** The annotation where it does nothing would look as if it had done something. */
function misuseOf(
  { old, next, deployment }: RolloutEdit,
  request: AdmissionRequest,
  policies: readonly ReleasePolicy[],
): Violation | undefined {
  const value = annotation(next, keys.BREAK_GLASS);
  if (value === undefined) return undefined;
  const field = `metadata.annotations[${keys.BREAK_GLASS}]`;
  if (value.trim() === '') return { field, value, reason: 'is empty', remedy: 'give the reason' };
  if (old === undefined || !isInFlight(old, deployment)) {
    const reason = 'is for a release in flight, and there is none';
    return { field, value, reason, remedy: 'put it on the change of the Deployment that starts a release' };
  }
  if (readGlass(annotation(old, keys.GLASS_BROKEN))?.reason === value.trim()) return usedUp(value);
  if (policies.some((policy) => mayBreak(policy, request.userInfo?.groups ?? []))) return undefined;
  const groups = [...new Set(policies.flatMap(({ spec }) => spec.breakGlass?.groups ?? []))];
  const who = groups.length > 0 ? `counts only from ${groups.join(' or ')}` : 'is offered by no policy here';
  return { field, value, reason: who, remedy: 'remove it' };
}

/** The marks that only we write, as they must be after this edit: ours when there is reason for it, else as they were. */
export function marksOf(edit: RolloutEdit, request: AdmissionRequest, deps: PolicyDeps): PatchOp[] {
  const { old, next, deployment } = edit;
  if (next === undefined) return [];
  const status = old?.status?.canaryStatus;
  const reason = annotation(next, keys.BREAK_GLASS)?.trim();
  const user = request.userInfo?.username ?? '';
  const now = deps.now();
  let glass = annotation(old, keys.GLASS_BROKEN);
  if (reason !== undefined && reason !== '' && status !== undefined) {
    const { rolloutID, step } = gateOf(status);
    const policies = breakableBy(policiesOf(request, deployment, deps), request.userInfo?.groups ?? []);
    glass = JSON.stringify({ user, reason, time: formatTime(now), policies, rolloutID, step } satisfies BrokenGlass);
  }
  const approved =
    approvalByEdit(old, next) !== undefined && status !== undefined
      ? JSON.stringify(approvalBy(user, status, now))
      : annotation(old, keys.APPROVED);
  const wanted = { [keys.BREAK_GLASS]: undefined, [keys.GLASS_BROKEN]: glass, [keys.APPROVED]: approved };
  const received = next.metadata.annotations ?? {};
  const changes = Object.entries(wanted).filter(([key, value]) => received[key] !== value);
  if (changes.length === 0) return [];
  const annotations = Object.fromEntries(
    Object.entries({ ...received, ...wanted }).filter(([, value]) => value !== undefined),
  );
  return [{ op: 'add', path: '/metadata/annotations', value: annotations }];
}

// Approvals in the status ----------------------------------------------------------------------------------------------

/** Who approves, and what the policies make of it. */
export function judgeApproval(
  { old, next }: { readonly old: Rollout; readonly next: Rollout },
  deployment: Deployment | undefined,
  request: AdmissionRequest,
  deps: PolicyDeps,
): Said {
  const policies = policiesOf(request, deployment, deps);
  const person = personOf(request, standingGlass(old, old, request)?.reason);
  const findings = judgeApprover(policies, person, authorOf(deployment));
  const [before, after] = [old, next].map(({ status }) => status?.canaryStatus);
  if (after?.nextStepIndex !== before?.nextStepIndex && after?.currentStepState === before?.currentStepState) {
    const what = { field: 'status.canaryStatus.nextStepIndex', value: after?.nextStepIndex };
    findings.push(...judgeSingleHanded(policies, what));
  }
  const judged = judge(findings, person);
  const reported: readonly Outcome[] = judged.denied.length > 0 ? ['denied'] : ['warned', 'audited', 'broken'];
  return say(judged, old, person, deps, request.dryRun === true ? [] : reported);
}

/** The record with this approval in it. The step goes on only when it is enough. */
export function recordApproval(
  old: Rollout,
  deployment: Deployment | undefined,
  request: AdmissionRequest,
  deps: PolicyDeps,
): { readonly approvals: readonly Approval[]; readonly enough: boolean; readonly warning: string | undefined } {
  const user = request.userInfo?.username ?? '';
  const broken = standingGlass(old, old, request) !== undefined;
  const groups = request.userInfo?.groups ?? [];
  const asked = policiesOf(request, deployment, deps).filter((policy) => !(broken && mayBreak(policy, groups)));
  const { approvals, given, required, again } = count(old, asked, user, deps.now());
  const enough = given >= required;
  const people = `${given} of ${required} approvals`;
  const warning = again
    ? `tranche: you have approved this step already: ${people}`
    : `tranche: ${people}: the step waits for more`;
  return { approvals, enough, warning: enough ? undefined : warning };
}

/** The record that the mutating webhook has just added for this person; undefined when the record is as it was. */
export function addedApproval(old: Rollout, next: Rollout, user: string): Approval | undefined {
  const [before, after] = [old, next].map(({ status }) => status?.canaryStatus?.approvals ?? []) as [
    readonly Approval[],
    readonly Approval[],
  ];
  const added = after.at(-1);
  const status = old.status?.canaryStatus;
  if (added === undefined || status === undefined || after.length !== before.length + 1) return undefined;
  if (JSON.stringify(after.slice(0, -1)) !== JSON.stringify(before)) return undefined;
  const { step, rolloutID, revision } = gateOf(status);
  const fits = added.step === step && added.rolloutID === rolloutID && added.revision === revision;
  return fits && added.user === user ? added : undefined;
}
