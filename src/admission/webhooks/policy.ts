// The webhook for ReleasePolicies: decodes the request, calls the engine, encodes the response.
import { admitReleasePolicy } from '../../engine/admit/release-policy.ts';
import { checkPolicy } from '../../schema/policy.ts';
import { answerOf } from '../decide.ts';
import type { AdmissionDeps } from '../deps.ts';
import { factsOf } from '../facts.ts';
import type { Answer } from '../review.ts';
import type { AdmissionRequest } from '../shapes.ts';

export function validatePolicyRequest(request: AdmissionRequest, deps: AdmissionDeps): Answer {
  const { policy, violations: shape } = checkPolicy(request.object);
  return answerOf(admitReleasePolicy({ ...factsOf(request, deps), policy, shape }), deps);
}
