// The entry point of authentication and authorization.
import type { Store } from '../core/store.ts';
import type { AdmissionRequest, ApiRequest, Attributes, Clock, User } from '../core/types.ts';
import { accessDenied, authenticate, impersonate } from './authenticate.ts';
import { checkEscalation } from './escalation.ts';
import { Rbac, type Decision } from './rbac.ts';
import { reviewHandlers, type ReviewHandler } from './reviews.ts';
import { Tokens } from './tokens.ts';

export { startAggregation } from './aggregation.ts';
export { userFromCertificate, type ClientCertificate } from './authenticate.ts';
export { bootstrapObjects } from './bootstrap.ts';
export type { Decision } from './rbac.ts';
export type { ReviewContext, ReviewHandler } from './reviews.ts';
export { serviceAccountUser, signingKeyText } from './tokens.ts';

export interface Auth {
  /** The user of a request, after impersonation. Throws 401, or 403 if impersonation is not allowed. */
  authenticate(request: ApiRequest): User;
  authorize(attributes: Attributes): Decision;
  /** Throws the API server's 403 error if authorize denies. */
  check(attributes: Attributes): void;
  /** Throws 403 if a write of a role or binding grants more than the author has. Runs before validating admission. */
  checkEscalation(request: AdmissionRequest): void;
  /** By resource: `subjectaccessreviews`, `selfsubjectreviews`, `serviceaccounts/token`, … */
  readonly reviews: Readonly<Record<string, ReviewHandler>>;
}

export interface AuthOptions {
  store: Pick<Store, 'get' | 'list'>;
  clock: Clock;
  /** PEM key that signs service account tokens. Absent: a new key. */
  signingKey?: string | undefined;
}

export const createAuth = ({ store, clock, signingKey }: AuthOptions): Auth => {
  const rbac = new Rbac(store);
  const tokens = new Tokens(store, clock, signingKey);
  const authorize = (attributes: Attributes): Decision => rbac.authorize(attributes);
  return {
    authenticate: (request) => impersonate(request, authenticate(request, tokens), authorize),
    authorize,
    check(attributes) {
      const decision = authorize(attributes);
      if (!decision.allowed) throw accessDenied(attributes, decision.reason);
    },
    checkEscalation: (request) => checkEscalation(rbac, request),
    reviews: reviewHandlers({ rbac, tokens, objects: store, clock }),
  };
};
