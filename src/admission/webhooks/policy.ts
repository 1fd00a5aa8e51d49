// The webhook for ReleasePolicies: one that could not be kept is refused when it is written.
import { validatePolicy } from '../../engine/policy/validate.ts';
import { checkPolicy } from '../../schema/policy.ts';
import type { AdmissionDeps } from '../deps.ts';
import { pass, refuse, type Answer } from '../review.ts';
import type { AdmissionRequest } from '../shapes.ts';

export function validatePolicyRequest(request: AdmissionRequest, deps: AdmissionDeps): Answer {
  const { operation, subResource } = request;
  if (subResource || (operation !== 'CREATE' && operation !== 'UPDATE') || deps.policy === undefined) return pass;
  const { policy, violations: shape } = checkPolicy(request.object);
  if (policy === undefined) return shape.length > 0 ? refuse('Refused', shape) : pass;
  if (policy.metadata.deletionTimestamp != null) return pass;
  const { violations, warnings } = validatePolicy(policy, deps.policy.now(), deps.policy.calendar);
  const said = new Set(violations.map(({ field }) => field));
  const all = [...violations, ...shape.filter(({ field }) => !said.has(field))];
  if (all.length > 0) return refuse('Refused', all);
  return { ...pass, warnings: deps.warnings ? warnings : [] };
}
