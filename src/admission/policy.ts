// Policies at admission: what is judged, what is said and reported of it, and the marks that only we may write.
import { hash } from 'node:crypto';
import * as keys from '../api/keys.ts';
import type { BrokenGlass, ReleasePolicy } from '../api/policy.ts';
import type { Approval, Deployment, KubeObject, PodTemplate, Rollout } from '../api/types.ts';
import { replicasOf } from '../engine/lib/replicas.ts';
import type { Decision } from '../engine/admit/intercept.ts';
import { isInFlight } from '../engine/release/in-flight.ts';
import {
  approvalBy,
  approvalPolicies,
  count,
  gateOf,
  judgeApprover,
  judgeJumpAlone,
  judgeSingleHanded,
  saysTheSame,
  type Approving,
} from '../engine/policy/approval.ts';
import { isAbout, releaseOf } from '../engine/policy/break-glass.ts';
import { originOf } from '../engine/policy/origin.ts';
import { changesPlan, withPlanChange } from '../engine/policy/plan.ts';
import { judgeChange, judgePlan, judgeProtection } from '../engine/policy/rules.ts';
import type { Calendar } from '../engine/policy/windows.ts';
import {
  breakableBy,
  judge,
  mayBreak,
  readGlass,
  type Finding,
  type Judgement,
  type Labels,
  type Person,
} from '../engine/policy/policy.ts';
import { isRestartOnly, sameJson, templateDigest } from '../engine/lib/template.ts';
import { formatTime, parseTime } from '../engine/lib/time.ts';
import { sentence, type Violation } from '../engine/validate/violation.ts';
import type { PatchOp } from '../engine/admit/patch.ts';
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

const sha256 = (text: string): string => hash('sha256', text);
const digest = (template: PodTemplate): string => templateDigest(template, sha256);

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
  const written = annotation(next, keys.BREAK_GLASS) ?? notedAlready(old, next, request);
  const person = personOf(request, written);
  const used = [
    readGlass(annotation(old, keys.GLASS_BROKEN))?.reason,
    ...(rollout?.status?.history ?? []).flatMap(({ brokenGlass = [] }) => brokenGlass.map(({ reason }) => reason)),
  ];
  if (written !== undefined && written.trim() !== '' && used.includes(written.trim())) {
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

/** Called again for the same edit, since another webhook has changed it after us: then the reason is in our note already. */
function notedAlready(old: Deployment, next: Deployment, request: AdmissionRequest): string | undefined {
  const [before, noted] = [old, next].map((one) => annotation(one, keys.GLASS_BROKEN));
  const glass = noted === before ? undefined : readGlass(noted);
  return glass?.user === (request.userInfo?.username ?? '') ? glass.reason : undefined;
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
    const origin = originOf(next, deployment);
    findings.push(...judgeApprover(policies, person, origin), ...judgeSingleHanded(policies, way, origin));
  }
  const judged = judge(findings, person);
  const warnings = phase === 'validate' && next !== undefined && changesInFlight(edit) ? adviseOnPlan(policies) : [];
  const last: readonly Outcome[] = phase === 'mutate' ? [] : ['warned', 'audited', 'broken'];
  const reported: readonly Outcome[] = judged.denied.length > 0 ? ['denied'] : last;
  const said = say(judged, next ?? old!, person, deps, request.dryRun === true ? [] : reported);
  return { ...said, warnings: [...said.warnings, ...warnings] };
}

/** A policy protects releases in flight here: then what counts is the Deployment as it is, not as a cache has it. */
export const protects = (request: AdmissionRequest, deployment: Deployment | undefined, deps: PolicyDeps): boolean =>
  policiesOf(request, deployment, deps).some(({ spec }) => spec.protectInFlight === true);

/** The plan of a release in flight becomes another one, beside an approval that the edit may be. */
function changesInFlight({ old, next, deployment }: RolloutEdit): boolean {
  if (old === undefined || next === undefined) return false;
  if (!isInFlight(old, deployment)) return false;
  return changesPlan(old, asWaiting(old, next));
}

const adviseOnPlan = (policies: readonly ReleasePolicy[]): string[] => {
  const names = approvalPolicies(policies).map(({ metadata }) => metadata.name);
  return names.length === 0
    ? []
    : [
        `tranche: the plan changes in the middle of a release: approvals given for this step do not count any more, and its Pods do not grow before the next (policy ${names.join(', ')})`,
      ];
};

const policiesOf = (
  request: AdmissionRequest,
  deployment: Deployment | undefined,
  deps: PolicyDeps,
): readonly ReleasePolicy[] =>
  deps.policiesFor(request.namespace ?? '', deployment === undefined ? [] : [deployment.metadata.labels]);

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
function glassOf({ old, next, deployment }: RolloutEdit, request: AdmissionRequest, phase: string): string | undefined {
  const written = phase === 'mutate' ? annotation(next, keys.BREAK_GLASS) : undefined;
  return written ?? standingGlass(next ?? old, old, deployment, request)?.reason;
}

/** The mark on a Rollout, as far as it is this person's, and about this very release and the step that is there now. */
export function standingGlass(
  marked: Rollout | undefined,
  facts: Rollout | undefined,
  deployment: Deployment | undefined,
  request: AdmissionRequest,
): BrokenGlass | undefined {
  const glass = readGlass(annotation(marked, keys.GLASS_BROKEN));
  const status = facts?.status?.canaryStatus;
  if (glass === undefined || status === undefined || glass.user !== (request.userInfo?.username ?? ''))
    return undefined;
  const { rolloutID, step } = gateOf(status);
  const fits = glass.rolloutID === rolloutID && glass.step === step;
  return fits && deployment !== undefined && isAbout(glass, releaseOf(deployment, digest)) ? glass : undefined;
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
  if (reason !== undefined && reason !== '' && status !== undefined && deployment !== undefined) {
    const policies = breakableBy(policiesOf(request, deployment, deps), request.userInfo?.groups ?? []);
    const about = { ...releaseOf(deployment, digest), step: gateOf(status).step };
    glass = JSON.stringify({ user, reason, time: formatTime(now), policies, ...about } satisfies BrokenGlass);
  }
  const changed = changesInFlight(edit) ? withPlanChange(old, user, request.uid) : annotation(old, keys.PLAN_CHANGED);
  let approved = annotation(old, keys.APPROVED);
  if (approvalByEdit(old, next) !== undefined && old !== undefined && status !== undefined) {
    const { [keys.PLAN_CHANGED]: _, ...rest } = next.metadata.annotations ?? {};
    const annotations = { ...rest, ...(changed !== undefined && { [keys.PLAN_CHANGED]: changed }) };
    const rollout = { ...next, metadata: { ...next.metadata, annotations } };
    approved = JSON.stringify(approvalBy(approvingOf({ old, rollout, status, deployment }, request, deps)));
  }
  const wanted = {
    [keys.BREAK_GLASS]: undefined,
    [keys.GLASS_BROKEN]: glass,
    [keys.APPROVED]: approved,
    [keys.PLAN_CHANGED]: changed,
  };
  const received = next.metadata.annotations ?? {};
  const changes = Object.entries(wanted).filter(([key, value]) => received[key] !== value);
  if (changes.length === 0) return [];
  const annotations = Object.fromEntries(
    Object.entries({ ...received, ...wanted }).filter(([, value]) => value !== undefined),
  );
  return [{ op: 'add', path: '/metadata/annotations', value: annotations }];
}

// Approvals in the status ----------------------------------------------------------------------------------------------

interface StatusEdit {
  readonly old: Rollout;
  readonly next: Rollout;
}

/** What is known when this person approves. `rollout`: with the plan that is approved; `status`: with the step that follows. */
function approvingOf(
  facts: Pick<Approving, 'rollout' | 'status' | 'deployment'> & { readonly old: Rollout },
  request: AdmissionRequest,
  deps: PolicyDeps,
): Approving {
  const { old, ...rest } = facts;
  const { user, groups } = personOf(request, undefined);
  const policies = policiesOf(request, rest.deployment, deps);
  const broken = standingGlass(old, old, rest.deployment, request) !== undefined;
  const past = broken ? breakableBy(policies, groups) : [];
  return { ...rest, approver: { user, groups }, policies, past, now: deps.now(), sha256 };
}

/** The status that is approved: as it stands, with the step that follows as the same request wants it. */
function approvedStatus({ old, next }: StatusEdit): NonNullable<NonNullable<Rollout['status']>['canaryStatus']> {
  const status = old.status!.canaryStatus!;
  return { ...status, nextStepIndex: next.status?.canaryStatus?.nextStepIndex ?? status.nextStepIndex };
}

/** Who approves, and what the policies make of it. `recorded`: the mutating webhook has put the approval on record. */
export function judgeApproval(
  { old, next }: StatusEdit,
  recorded: boolean,
  deployment: Deployment | undefined,
  request: AdmissionRequest,
  deps: PolicyDeps,
): Said {
  const policies = policiesOf(request, deployment, deps);
  const person = personOf(request, standingGlass(old, old, deployment, request)?.reason);
  const findings = judgeApprover(policies, person, originOf(old, deployment));
  const [before, after] = [old, next].map(({ status }) => status?.canaryStatus);
  const approves = recorded || after?.currentStepState !== before?.currentStepState;
  if (after?.nextStepIndex !== before?.nextStepIndex && !approves) {
    findings.push(...judgeJumpAlone(policies, after?.nextStepIndex));
  }
  const judged = judge(findings, person);
  const reported: readonly Outcome[] = judged.denied.length > 0 ? ['denied'] : ['warned', 'audited', 'broken'];
  return say(judged, old, person, deps, request.dryRun === true ? [] : reported);
}

/** The record with this approval in it. The step goes on only when it is enough. */
export function recordApproval(
  edit: StatusEdit,
  deployment: Deployment | undefined,
  request: AdmissionRequest,
  deps: PolicyDeps,
): { readonly approvals: readonly Approval[]; readonly enough: boolean; readonly warning: string | undefined } {
  const { old } = edit;
  const facts = { old, rollout: old, status: approvedStatus(edit), deployment };
  const { approvals, given, required, again, enough } = count(approvingOf(facts, request, deps));
  const people = `${given} of ${required} approvals`;
  const warning = again
    ? `tranche: you have approved this step already: ${people}`
    : `tranche: ${people}: the step waits for more`;
  return { approvals, enough, warning: enough ? undefined : warning };
}

/** An approval is made now: one of a later time would count for later visits of the step. */
const CLOCKS_DIFFER_MS = 60_000;

/** The record that the mutating webhook has just added for this person; undefined when it is anything else. */
export function addedApproval(
  edit: StatusEdit,
  deployment: Deployment | undefined,
  request: AdmissionRequest,
  deps: PolicyDeps,
): Approval | undefined {
  const { old, next } = edit;
  const [before, after] = [old, next].map(({ status }) => status?.canaryStatus?.approvals ?? []) as [
    readonly Approval[],
    readonly Approval[],
  ];
  const added = after.at(-1);
  if (added === undefined || old.status?.canaryStatus === undefined || after.length !== before.length + 1)
    return undefined;
  if (!sameJson(after.slice(0, -1), before)) return undefined;
  const status = approvedStatus(edit);
  // An approval of a jump that waits for others: the step that follows is not changed yet.
  const jumps = stepsOf(old).map((_, index) => ({ ...status, nextStepIndex: index + 1 }));
  const expected = [status, ...jumps].map((one) =>
    approvalBy(approvingOf({ old, rollout: old, status: one, deployment }, request, deps)),
  );
  const [time, latest] = [parseTime(added.time), parseTime(expected[0]?.time)];
  const now = time !== undefined && latest !== undefined && time <= latest + CLOCKS_DIFFER_MS;
  return now && expected.some((one) => saysTheSame(added, one)) ? added : undefined;
}
