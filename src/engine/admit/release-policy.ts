// The decision on a ReleasePolicy: an invalid policy is refused.
import type { ReleasePolicy } from '../../api/policy.ts';
import { validatePolicy } from '../policy/validate.ts';
import type { Violation } from '../validate/violation.ts';
import { isWrite, pass, refuse, type AdmissionDecision, type Facts } from './decision.ts';

export interface ReleasePolicyFacts extends Facts {
  /** Undefined if the object is too malformed to be read as a policy. */
  readonly policy: ReleasePolicy | undefined;
  /** Schema errors. */
  readonly shape: readonly Violation[];
}

export function admitReleasePolicy(facts: ReleasePolicyFacts): AdmissionDecision {
  const { policy, shape, policies } = facts;
  if (!isWrite(facts) || policies === undefined) return pass;
  if (policy === undefined) return shape.length > 0 ? refuse(shape) : pass;
  if (policy.metadata.deletionTimestamp != null) return pass;
  const { violations, warnings } = validatePolicy(policy, policies.now, policies.calendar);
  const said = new Set(violations.map(({ field }) => field));
  const all = [...violations, ...shape.filter(({ field }) => !said.has(field))];
  if (all.length > 0) return refuse(all);
  return { ...pass, warnings: facts.warns ? warnings : [] };
}
