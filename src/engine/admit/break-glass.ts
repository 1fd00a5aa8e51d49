// Breaking the glass at admission: whose reason counts, for which step of which release, and the error if it does not.
import * as keys from '../../api/keys.ts';
import type { BrokenGlass, ReleasePolicy } from '../../api/policy.ts';
import type { Deployment, Rollout } from '../../api/types.ts';
import { kindOf } from '../workload/registry.ts';
import { templateDigest, type Sha256 } from '../lib/template.ts';
import { waitingStepOf } from '../policy/approval.ts';
import { isAbout, mayBreak, readBreakGlass, releaseOf, type Release } from '../policy/break-glass.ts';
import { isInFlight } from '../release/in-flight.ts';
import type { Violation } from '../validate/violation.ts';
import type { Requester } from './decision.ts';

const FIELD = `metadata.annotations[${keys.BREAK_GLASS}]`;

export const markOf = (rollout: Rollout | undefined): string | undefined =>
  rollout?.metadata.annotations?.[keys.GLASS_BROKEN] ?? undefined;

/** The reason that this edit gives. */
export const reasonIn = (rollout: Rollout | undefined): string | undefined =>
  rollout?.metadata.annotations?.[keys.BREAK_GLASS] ?? undefined;

/** The release of a workload, as a mark identifies it. */
export const releaseMarked = (deployment: Deployment, sha256: Sha256): Release =>
  releaseOf(deployment, (template) => templateDigest(template, sha256));

/** The facts that decide whether a mark is valid. `stored`: the Rollout with the status of the current step. */
export interface MarkFacts {
  readonly stored: Rollout | undefined;
  readonly deployment: Deployment | undefined;
  readonly by: Requester;
  readonly sha256: Sha256;
}

/** The mark on a Rollout, if it belongs to this person, this release and the current step. */
export function standingMark(marked: Rollout | undefined, facts: MarkFacts): BrokenGlass | undefined {
  const { stored, deployment, by, sha256 } = facts;
  const mark = readBreakGlass(markOf(marked));
  const status = stored?.status?.canaryStatus;
  if (mark === undefined || status === undefined || deployment === undefined || mark.user !== by.user) return undefined;
  const { rolloutID, step } = waitingStepOf(status);
  const fits = mark.rolloutID === rolloutID && mark.step === step;
  return fits && isAbout(mark, releaseMarked(deployment, sha256)) ? mark : undefined;
}

/** The error if the annotation on a Rollout would have no effect. Without an error, users would believe that it had. */
export function misuseOf(
  next: Rollout | undefined,
  { stored, deployment, by }: MarkFacts,
  policies: readonly ReleasePolicy[],
): Violation | undefined {
  const value = reasonIn(next);
  if (value === undefined) return undefined;
  const field = FIELD;
  if (value.trim() === '') return { field, value, reason: 'must not be empty', remedy: 'write the reason' };
  if (stored === undefined || !isInFlight(stored, deployment)) {
    const reason = 'no release is in progress';
    const workload = kindOf(next?.spec.workloadRef ?? {})?.resource.kind ?? 'workload';
    const remedy = `set it on the ${workload}, in the change that starts a release`;
    return { field, value, type: 'Forbidden', reason, remedy };
  }
  if (readBreakGlass(markOf(stored))?.reason === value.trim()) return usedUp(value);
  if (policies.some((policy) => mayBreak(policy, by.groups))) return undefined;
  const groups = [...new Set(policies.flatMap(({ spec }) => spec.breakGlass?.groups ?? []))];
  const reason =
    groups.length > 0
      ? `accepted only from a member of ${groups.join(' or ')}`
      : 'no policy for this namespace allows an override';
  return { field, value, type: 'Forbidden', reason, remedy: 'remove it' };
}

export const usedUp = (value: string): Violation => ({
  field: FIELD,
  value,
  reason: 'was already used for an earlier change',
  remedy: 'remove it, or write the reason of this change',
});
