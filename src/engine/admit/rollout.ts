// The decision on an edit or deletion of a Rollout: errors, policy findings and warnings.
import type { Version } from '../../api/convert.ts';
import type { Json } from '../../api/json.ts';
import { GROUP } from '../../api/keys.ts';
import { rolloutV1alpha1, rolloutV1beta1 } from '../../api/schema/rollout.ts';
import type { TrafficRoutingObject } from '../../api/traffic.ts';
import type { Deployment, Rollout } from '../../api/types.ts';
import { sameJson, type Sha256 } from '../lib/template.ts';
import { isHeld } from '../release/in-flight.ts';
import { adviseOnLeaving } from '../validate/advice.ts';
import { nameInVersion, validateRollout } from '../validate/rollout.ts';
import { unknownFields } from '../validate/unknown.ts';
import { sentence, type Violation } from '../validate/violation.ts';
import { approvalByEdit } from './approval-by-edit.ts';
import type { PolicyContext } from './approvals.ts';
import {
  byOperator,
  ifAllowed,
  isWrite,
  need,
  notReady,
  pass,
  policiesFor,
  refuse,
  type AdmissionDecision,
  type Facts,
  type Needs,
} from './decision.ts';
import { kindOf } from '../workload/registry.ts';
import { asksAbout, missing, rivals, routedFacts } from './routing.ts';
import { deny, nothingSaid } from './outcomes.ts';
import { judgeDeletion, judgeRolloutEdit, marksOf, type Phase, type PolicedEdit } from './rollout-policy.ts';

const SCHEMAS = { v1alpha1: rolloutV1alpha1, v1beta1: rolloutV1beta1 };

/** A received Rollout, converted to the storage version. */
export interface WrittenRollout {
  readonly json: Json;
  /** Undefined if the object is too malformed to be read as a Rollout. */
  readonly rollout: Rollout | undefined;
  /** Schema errors. */
  readonly shape: readonly Violation[];
}

export interface RolloutFacts extends Facts {
  readonly phase: Phase;
  /** The version that the user wrote. Errors name the fields of this version. */
  readonly version: Version;
  /** Undefined on CREATE. */
  readonly old: WrittenRollout | undefined;
  /** Undefined on DELETE. */
  readonly next: WrittenRollout | undefined;
  /** The workloads that the old and the new Rollout name, from the cache. */
  readonly deployments: { readonly old: Deployment | undefined; readonly next: Deployment | undefined };
  /** The Rollout that governs the same workload. */
  readonly other: Rollout | undefined;
  /** Other Rollouts that route the same route or Service. */
  readonly routers: readonly Rollout[];
  /** TrafficRoutings that change the same route. */
  readonly routings: readonly TrafficRoutingObject[];
  /** The TrafficRouting that it names. Null if it does not exist. */
  readonly routing: TrafficRoutingObject | null | undefined;
  /** The installation changes routes. Undefined: not known. */
  readonly gatewayApi: boolean | undefined;
  /** Why changes in the namespace are not held. Undefined if the webhooks select it. */
  readonly unreached: Violation | undefined;
  /** What the user wrote: the object, and the last-applied configuration of kubectl if it changed. */
  readonly texts: () => readonly Json[];
  readonly sha256: Sha256;
}

/** False if the request passes without checks. */
export const concernsRollout = (facts: Facts): boolean =>
  facts.operation === 'DELETE' || (isWrite(facts) && !byOperator(facts));

export function admitRollout(facts: RolloutFacts): AdmissionDecision {
  if (!concernsRollout(facts)) return pass;
  const { deployments } = facts;
  const asked = liveWorkload(facts);
  if (asked === undefined) return admitWith(facts, deployments);
  const { workload: live } = facts.answers;
  if (live === undefined) return need({ workload: asked });
  if (live === 'NoAnswer') return notReady('the API server did not answer whether a release is in progress');
  return admitWith(facts, live === 'NobodyToAsk' ? deployments : { old: live.found, next: live.found });
}

/**
 * The workload to read live. If a policy protects releases in progress, the cache may not have a release that has just started. This
 * costs one GET for an edit or deletion of a Rollout under such a policy, and none if the cache already shows the release.
 */
function liveWorkload(facts: RolloutFacts): Needs['workload'] {
  const ref = facts.old?.rollout?.spec.workloadRef;
  const kind = ref && kindOf(ref);
  const cached = facts.deployments.old;
  if (kind === undefined || byOperator(facts) || isHeld(cached)) return undefined;
  const isProtected = policiesFor(facts, cached).some(({ spec }) => spec.protectInFlight === true);
  return isProtected ? { kind, name: ref!.name } : undefined;
}

function admitWith(facts: RolloutFacts, deployments: RolloutFacts['deployments']): AdmissionDecision {
  if (facts.operation === 'DELETE') return admitDeletion(facts, deployments.old);
  const decision = admitEdit(facts, deployments.next);
  const [old, next] = [facts.old?.rollout, facts.next?.rollout];
  const allowed = decision.violations === undefined && decision.notReady === undefined;
  if (facts.phase !== 'validate' || !allowed || old === undefined || next === undefined) return decision;
  // A shorter pause in the waiting step is an approval and needs the same verb.
  return approvalByEdit(old, next) === undefined
    ? decision
    : ifAllowed(facts, { verb: 'approve', rollout: old }, decision);
}

function admitEdit(facts: RolloutFacts, deployment: Deployment | undefined): AdmissionDecision {
  const { old, next, version, phase } = facts;
  if (next === undefined) return pass;
  const shape = shapeToMend(old, next);
  if (next.rollout === undefined) return shape.length > 0 ? refuse(named(version, shape)) : pass;
  if (next.rollout.metadata.deletionTimestamp != null) return pass;
  if (facts.notReady !== undefined) return notReady(facts.notReady);
  const { violations, warnings } = wrongWith(facts, next.rollout, shape, deployment);
  const turnsOff = onlyTurnsOff(old?.json, next.json);
  if (violations.length > 0 && !turnsOff) return refuse(violations);
  const asked = phase === 'validate' && !turnsOff ? asksAbout(next.rollout, old?.rollout, facts.answers) : undefined;
  if (asked !== undefined && !sameJson(old?.json['spec'], next.json['spec'])) return need(asked);
  if (facts.answers.routed === 'NoAnswer') return notReady('the API server did not answer what the route is');
  const edit = policedEdit(facts, next.rollout, deployment);
  const said = edit === undefined ? nothingSaid : judgeRolloutEdit(edit);
  if (said.violations.length > 0) return deny({ ...said, violations: named(version, said.violations) });
  const patch = edit !== undefined && phase === 'mutate' ? marksOf(edit) : [];
  return {
    verdict: 'Passed',
    ...(patch.length > 0 && { patch }),
    warnings: facts.warns ? [...idle(facts), ...warnings, ...said.warnings, ...unknownIn(facts)] : [],
    reports: said.reports,
  };
}

/** Schema errors of an unchanged spec are ignored, so that finalizers and labels of a stored Rollout stay editable. */
const shapeToMend = (old: WrittenRollout | undefined, next: WrittenRollout): readonly Violation[] =>
  old !== undefined && JSON.stringify(old.json['spec']) === JSON.stringify(next.json['spec']) ? [] : next.shape;

/** All errors, with the field names of the version. An error of a rule replaces a schema error of the same field. */
function wrongWith(
  facts: RolloutFacts,
  rollout: Rollout,
  shape: readonly Violation[],
  deployment: Deployment | undefined,
): { readonly violations: readonly Violation[]; readonly warnings: readonly string[] } {
  const { old, version, other, unreached, routers, routings, gatewayApi, answers } = facts;
  const routed = routedFacts(answers);
  const edit = { rollout, old: old?.rollout, version, other, deployment, gatewayApi, routed };
  const { violations: found, warnings } = validateRollout(edit);
  const rights = named(version, [...rivals(rollout, routers, routings), ...(answers.rights ?? [])]);
  const violations = [...found, ...rights];
  const said = new Set(violations.map(({ field }) => field));
  const nowhere = old === undefined && unreached !== undefined ? [unreached] : [];
  const unsaid = named(version, shape).filter(({ field }) => !said.has(field));
  return { violations: [...nowhere, ...violations, ...unsaid], warnings: [...warnings, ...missing(rollout, facts)] };
}

/** True if the edit only disables the Rollout. This is allowed even if its spec is not supported. */
function onlyTurnsOff(old: Json | undefined, next: Json): boolean {
  const [before, after] = [old?.['spec'], next['spec']] as (Json | undefined)[];
  return after?.['disabled'] === true && before !== undefined && sameJson({ ...before, disabled: true }, after);
}

const contextOf = (facts: RolloutFacts, deployment: Deployment | undefined, now: number): PolicyContext => {
  const { by, sha256 } = facts;
  return { deployment, by, sha256, now, policies: policiesFor(facts, deployment) };
};

function policedEdit(facts: RolloutFacts, next: Rollout, deployment: Deployment | undefined): PolicedEdit | undefined {
  if (facts.policies === undefined) return undefined;
  return { ...contextOf(facts, deployment, facts.policies.now), phase: facts.phase, old: facts.old?.rollout, next };
}

/** A warning if the spec changes in a namespace that the webhooks do not select. */
const idle = ({ old, next, unreached }: RolloutFacts): string[] =>
  unreached !== undefined && old !== undefined && !sameJson(old.json['spec'], next?.json['spec'])
    ? [`tranche: ${sentence(unreached)}`]
    : [];

/** Warnings about unknown fields. The API server has already dropped them from the object, but `kubectl apply` recorded them. */
function unknownIn({ texts }: RolloutFacts): string[] {
  const found = texts().flatMap((text) => unknownFields(text, SCHEMAS[versionOf(text)]));
  return [...new Set(found)].map((unknown) => `tranche: ${unknown}`);
}

/** The version of a Rollout. Unknown versions count as v1beta1. */
export const versionOf = (object: Json): Version =>
  object['apiVersion'] === `${GROUP}/v1alpha1` ? 'v1alpha1' : 'v1beta1';

const named = (version: Version, violations: readonly Violation[]): Violation[] =>
  violations.map((violation) => nameInVersion(version, violation));

/** Controllers of Kubernetes that delete Rollouts with their namespace or owner. */
const CLEANERS: ReadonlySet<string> = new Set(
  ['namespace-controller', 'generic-garbage-collector'].map((name) => `system:serviceaccount:kube-system:${name}`),
);

/** Refuses a deletion if a policy protects the release. A malformed Rollout can always be deleted. */
function admitDeletion(facts: RolloutFacts, deployment: Deployment | undefined): AdmissionDecision {
  const rollout = facts.old?.rollout;
  const { policies, by } = facts;
  if (rollout === undefined || rollout.metadata.deletionTimestamp != null) return pass;
  const judged = policies !== undefined && !CLEANERS.has(by.user);
  const said = judged ? judgeDeletion(rollout, contextOf(facts, deployment, policies.now)) : nothingSaid;
  if (said.violations.length > 0) return deny(said);
  const warnings = facts.warns ? { warnings: [...adviseOnLeaving(rollout, deployment), ...said.warnings] } : {};
  return { ...pass, ...warnings, reports: said.reports };
}
