// Going past policy at admission: whose reason counts, for which step of which release, and what is wrong with one that does not.
import * as keys from '../../api/keys.ts';
import type { BrokenGlass, ReleasePolicy } from '../../api/policy.ts';
import type { Deployment, Rollout } from '../../api/types.ts';
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

/** The release that a Deployment is in, as a mark names it. */
export const releaseMarked = (deployment: Deployment, sha256: Sha256): Release =>
  releaseOf(deployment, (template) => templateDigest(template, sha256));

/** What tells whether a mark stands. `stored`: the Rollout whose status says which step is there. */
export interface MarkFacts {
  readonly stored: Rollout | undefined;
  readonly deployment: Deployment | undefined;
  readonly by: Requester;
  readonly sha256: Sha256;
}

/** The mark on a Rollout, as far as it is this person's, and about this very release and the step that is there now. */
export function standingMark(marked: Rollout | undefined, facts: MarkFacts): BrokenGlass | undefined {
  const { stored, deployment, by, sha256 } = facts;
  const mark = readBreakGlass(markOf(marked));
  const status = stored?.status?.canaryStatus;
  if (mark === undefined || status === undefined || deployment === undefined || mark.user !== by.user) return undefined;
  const { rolloutID, step } = waitingStepOf(status);
  const fits = mark.rolloutID === rolloutID && mark.step === step;
  return fits && isAbout(mark, releaseMarked(deployment, sha256)) ? mark : undefined;
}

/** The annotation on a Rollout where it does nothing would look as if it had done something. */
export function misuseOf(
  next: Rollout | undefined,
  { stored, deployment, by }: MarkFacts,
  policies: readonly ReleasePolicy[],
): Violation | undefined {
  const value = reasonIn(next);
  if (value === undefined) return undefined;
  const field = FIELD;
  if (value.trim() === '') return { field, value, reason: 'is empty', remedy: 'give the reason' };
  if (stored === undefined || !isInFlight(stored, deployment)) {
    const reason = 'is for a release in flight, and there is none';
    return { field, value, reason, remedy: 'put it on the change of the Deployment that starts a release' };
  }
  if (readBreakGlass(markOf(stored))?.reason === value.trim()) return usedUp(value);
  if (policies.some((policy) => mayBreak(policy, by.groups))) return undefined;
  const groups = [...new Set(policies.flatMap(({ spec }) => spec.breakGlass?.groups ?? []))];
  const who = groups.length > 0 ? `counts only from ${groups.join(' or ')}` : 'is offered by no policy here';
  return { field, value, reason: who, remedy: 'remove it' };
}

export const usedUp = (value: string): Violation => ({
  field: FIELD,
  value,
  reason: 'was the reason of an earlier change: it is good for one',
  remedy: 'remove it, or give the reason of this change',
});
