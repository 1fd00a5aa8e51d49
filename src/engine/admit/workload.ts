// The decision on an edit of a workload: what happens to its template, and whether policies allow it.
import * as keys from '../../api/keys.ts';
import type { Rollout } from '../../api/types.ts';
import { replicasOf } from '../lib/replicas.ts';
import type { Sha256 } from '../lib/template.ts';
import { formatTime } from '../lib/time.ts';
import { breakableBy, readBreakGlass } from '../policy/break-glass.ts';
import { judgeChange } from '../policy/rules.ts';
import type { Tracing } from '../trace/trace.ts';
import { deploymentKind } from '../workload/deployment/kind.ts';
import { managedFieldsOf } from '../workload/edits.ts';
import { disownedAtOnce } from '../workload/disown.ts';
import { usedUp } from './break-glass.ts';
import {
  ifAllowed,
  isWrite,
  notReady,
  pass,
  personOf,
  type AdmissionDecision,
  type Decided,
  type Facts,
  type Policies,
} from './decision.ts';
import { annotationOf, isMarkedAsOurs, isOperators, type Context, type Edit, type Ruling } from './edit.ts';
import { carriedOut, contextOf, ruleOn } from './intercept.ts';
import type { PastPolicy } from './marks.ts';
import { deny, EVERY_OUTCOME, nothingSaid, outcomesOf, type Said } from './outcomes.ts';

export interface WorkloadFacts extends Facts {
  readonly edit: Edit;
  readonly namespace: string;
  /** "" if the API server has not generated the name yet. */
  readonly name: string;
  /** The Rollout that governs this workload. Undefined if none names it. */
  readonly rollout: Rollout | undefined;
  /** Undefined if tracing is disabled. */
  readonly tracing?: Tracing | undefined;
  readonly sha256: Sha256;
}

export function admitWorkload(facts: WorkloadFacts): AdmissionDecision {
  const { edit, rollout, operatorUser, sha256, tracing } = facts;
  if (!isWrite(facts)) return pass;
  if (isOperators(edit, operatorUser)) return ownWrite(edit);
  if (facts.notReady !== undefined) return isEnrolled(edit) ? notReady(facts.notReady) : pass;
  const context = contextOf(edit, rollout, { operatorUser, sha256, tracing, ...grantingOf(facts) });
  const ruling = ruleOn(context);
  const said = judgeEdit(facts, context, ruling);
  const { verdict, patch, refusal, warnings } = carriedOut(context, ruling, said.past);
  if (refusal !== undefined) return { verdict, violations: [refusal], ...decided(facts, verdict) };
  if (said.violations.length > 0) return { ...deny(said), ...decided(facts, 'Denied') };
  if (verdict === 'TakenOver' && rollout !== undefined) {
    // The record names the stable version, which users must not choose. A takeover therefore needs its own verb.
    const decision = ifAllowed(facts, { verb: 'takeover', rollout }, { verdict });
    return { ...decision, ...decided(facts, decision.violations === undefined ? verdict : 'Refused') };
  }
  const told = facts.warns ? [...warnings, ...said.warnings] : [];
  return { verdict, patch, warnings: told, reports: said.reports, ...decided(facts, verdict) };
}

/** The fields go to their owners in the operator's own write. Without this answer, that costs the operator another write. */
function ownWrite(edit: Edit): AdmissionDecision {
  const { kind = deploymentKind, operation, next } = edit;
  const patch = operation === 'CREATE' ? [] : disownedAtOnce(kind, next, managedFieldsOf(edit).next);
  return patch.length === 0 ? pass : { ...pass, patch };
}

const grantingOf = ({ policies, edit: { old, next } }: WorkloadFacts): Pick<Context, 'granting'> =>
  policies === undefined
    ? {}
    : {
        granting: () => ({
          policies: policies.matching([old?.metadata.labels, next.metadata.labels]),
          now: policies.now,
        }),
      };

/** True if the old or the new object is enrolled: removing the label is an edit of an enrolled workload too. */
const isEnrolled = ({ old, next }: Edit): boolean => isMarkedAsOurs(old?.metadata) || isMarkedAsOurs(next.metadata);

const decided = (
  { by, namespace, name, rollout }: WorkloadFacts,
  verdict: Decided['verdict'],
): Pick<AdmissionDecision, 'decided'> => {
  if (by.dryRun) return {};
  const { request, user } = by;
  return { decided: { request, verdict, namespace, name, rollout: rollout?.metadata.name, user } };
};

/** Checks an edit that releases a template, in steps or without, against policies. `past`: the mark if the user breaks the glass. */
function judgeEdit(facts: WorkloadFacts, context: Context, ruling: Ruling): Said & { readonly past?: PastPolicy } {
  const { policies, by } = facts;
  const { old, next } = context;
  if (policies === undefined || old === undefined || !bringsOut(context, ruling)) return nothingSaid;
  const matching = policies.matching([old.metadata.labels, next.metadata.labels]);
  if (matching.length === 0) return nothingSaid;
  const reason = annotationOf(next, keys.BREAK_GLASS) ?? notedBefore(context, by.user);
  if (reason !== undefined && isSpent(reason, context)) return { ...nothingSaid, violations: [usedUp(reason)] };
  const findings = judgeChange({ policies: matching, ...changeOf(facts, policies, ruling) });
  const said = outcomesOf(findings, personOf(by, reason), next, by, EVERY_OUTCOME);
  if (!said.broken || reason === undefined) return said;
  const time = formatTime(policies.now);
  const past = { user: by.user, reason: reason.trim(), time, policies: breakableBy(matching, by.groups) };
  return { ...said, past };
}

/** True if the edit releases a template. Rollbacks, and restarts without steps because of the Rollout's annotation, do not count. */
function bringsOut({ change, changed, rollout }: Context, { verdict }: Ruling): boolean {
  if (verdict === 'RolledBack' || verdict === 'Restored' || verdict === 'Refused') return false;
  if (verdict === 'Bypassed' && rollout !== undefined && change === 'Restart') return false;
  return changed || verdict === 'Freed';
}

/** The facts about the change that the rules need. */
function changeOf(
  { edit: { old, next, kind = deploymentKind }, rollout }: WorkloadFacts,
  { inFlight, now, calendar }: Policies,
  { verdict }: Ruling,
): Omit<Parameters<typeof judgeChange>[0], 'policies'> {
  const inSteps = verdict === 'Held' || verdict === 'Superseded';
  return {
    rollout: inSteps ? rollout : undefined,
    bypass: !inSteps && rollout !== undefined ? `Rollout ${rollout.metadata.name} does not release it` : undefined,
    atOnce: old && kind.atOnce?.(old, next),
    workload: next.metadata.name,
    kind: kind.resource.kind,
    replicas: replicasOf(next),
    inFlight: inFlight(next.metadata.name, kind),
    superseding: verdict === 'Superseded',
    now,
    calendar,
  };
}

/** The reason from the first call, if the webhook is called again for the same edit (reinvocation). */
function notedBefore({ old, next }: Context, user: string): string | undefined {
  const noted = annotationOf(next, keys.GLASS_BROKEN);
  const mark = noted === annotationOf(old, keys.GLASS_BROKEN) ? undefined : readBreakGlass(noted);
  return mark?.user === user ? mark.reason : undefined;
}

/** True if an earlier change used the reason. */
function isSpent(reason: string, { old, rollout }: Context): boolean {
  const given = reason.trim();
  if (given === '') return false;
  const history = rollout?.status?.history ?? [];
  return (
    readBreakGlass(annotationOf(old, keys.GLASS_BROKEN))?.reason === given ||
    history.some(({ brokenGlass = [] }) => brokenGlass.some((mark) => mark.reason === given))
  );
}
