// The entry point of admission: Pod security, policies and webhooks, in the order of the API server.
import type { Auth } from '../auth/index.ts';
import { authorizerOf } from '../cel/authorizer.ts';
import type { Registry } from '../core/resources.ts';
import type { Store } from '../core/store.ts';
import type { AdmissionRequest, Attributes, Clock } from '../core/types.ts';
import { isExempt, matchesResource } from './match.ts';
import { MutatingPolicies } from './mutating-policy.ts';
import { PodSecurity } from './pod-security.ts';
import type { PolicyList, PolicySpec } from './policies.ts';
import { Transport, type ResolveService } from './transport.ts';
import { ValidatingPolicies } from './validating-policy.ts';
import { newReinvocation, Webhooks, type InProcessWebhook } from './webhooks.ts';

export { policyChecks } from './check.ts';
export type { AdmissionReview, ReviewRequest, ReviewResponse } from './review.ts';
export { Transport, type Address, type ClientConfig, type ResolveService } from './transport.ts';
export type { InProcessWebhook } from './webhooks.ts';

export interface AdmissionOptions {
  store: Pick<Store, 'get' | 'list'>;
  registry: Registry;
  clock: Clock;
  /** Evaluates `authorizer` in expressions. */
  auth?: Pick<Auth, 'authorize'>;
  /** The addresses of Services. Without it, calls to Services fail. */
  resolveService?: ResolveService | undefined;
  /** Webhooks in this process. They are called after the configured ones. */
  inProcess?: readonly InProcessWebhook[] | undefined;
}

export interface Admission {
  /** May replace request.object. Throws the error for the client. */
  mutate(request: AdmissionRequest): Promise<void>;
  validate(request: AdmissionRequest): Promise<void>;
  /** Fast check: whether any webhook or policy is registered for such a request. */
  concerns(attributes: Attributes): boolean;
  /** Closes idle connections. */
  close(): void;
}

export const createAdmission = (options: AdmissionOptions): Admission => {
  const { store, registry, clock, auth, inProcess = [] } = options;
  const transport = new Transport(store, options.resolveService);
  const authorizerFor = (request: AdmissionRequest): unknown => auth && authorizerOf(auth, request.attributes);
  const webhooks = new Webhooks({ store, registry, clock, transport, inProcess, authorizerFor });
  const mutating = new MutatingPolicies({ store, registry, authorizerFor });
  const validating = new ValidatingPolicies({ store, registry, authorizerFor });
  const podSecurity = new PodSecurity(store);
  const lists: PolicyList<PolicySpec>[] = [mutating.list, validating.list];

  return {
    async mutate(request) {
      if (isExempt(request)) return;
      const reinvocation = newReinvocation();
      await mutating.mutate(request, reinvocation);
      await webhooks.mutate(request, reinvocation);
      if (!reinvocation.needed || reinvocation.outdated.size === 0) return;
      reinvocation.round = 1;
      await mutating.mutate(request, reinvocation);
      await webhooks.mutate(request, reinvocation);
    },
    async validate(request) {
      if (isExempt(request)) return;
      podSecurity.validate(request);
      await validating.validate(request);
      await webhooks.validate(request);
    },
    concerns: (attributes) =>
      webhooks.concern(attributes) ||
      podSecurity.concerns(attributes) ||
      lists.some((list) => policiesConcern(list, attributes)),
    close: () => transport.close(),
  };
};

const policiesConcern = (list: PolicyList<PolicySpec>, { group, resource, subresource }: Attributes): boolean =>
  list
    .current()
    .some(({ spec, bindings }) =>
      bindings.length === 0
        ? false
        : spec.matchConstraints?.resourceRules?.some(
            (rule) =>
              (rule.apiGroups?.includes('*') || rule.apiGroups?.includes(group)) &&
              matchesResource(rule.resources, resource, subresource),
          ),
    );
