// The shared part of validating and mutating policies: bindings, parameters, variables.
import { compile, toCel } from '../cel/index.ts';
import { collectionOf } from '../core/resources.ts';
import type { AdmissionRequest, KubeObject, ResourceType } from '../core/types.ts';
import {
  conditionsHold,
  evaluate,
  EvaluationError,
  POLICY_VARIABLES,
  requestVariables,
  type Condition,
  type Variables,
} from './conditions.ts';
import {
  ADMISSION_GROUP,
  matchesSelector,
  matchingType,
  type Match,
  type Rule,
  type Selector,
  type Surroundings,
} from './match.ts';
import type { Versioned, Versions } from './versions.ts';

interface MatchResources {
  resourceRules?: Rule[];
  excludeResourceRules?: Rule[];
  matchPolicy?: string;
  namespaceSelector?: Selector;
  objectSelector?: Selector;
}

interface ParamRef {
  name?: string;
  namespace?: string;
  selector?: Selector;
  parameterNotFoundAction?: string;
}

export interface PolicySpec {
  failurePolicy?: string;
  paramKind?: { apiVersion: string; kind: string };
  matchConstraints?: MatchResources;
  matchConditions?: Condition[];
  variables?: Condition[];
}

interface BindingSpec {
  policyName?: string;
  paramRef?: ParamRef;
  matchResources?: MatchResources;
  validationActions?: string[];
}

export interface Policy<Spec extends PolicySpec> {
  name: string;
  spec: Spec;
  bindings: { name: string; spec: BindingSpec }[];
}

/** One policy with one binding and one parameter. */
export interface Invocation<Spec extends PolicySpec> {
  policy: Policy<Spec>;
  binding: Policy<Spec>['bindings'][number];
  type: ResourceType;
  param: KubeObject | null;
}

/** The configuration of the policy prevents its evaluation. */
export interface ConfigurationProblem<Spec extends PolicySpec> {
  policy: Policy<Spec>;
  binding: Policy<Spec>['bindings'][number] | undefined;
  message: string;
}

export interface PolicyDependencies extends Surroundings {
  authorizerFor(request: AdmissionRequest): unknown;
}

/** The policies of one resource with their bindings, sorted by name. */
export class PolicyList<Spec extends PolicySpec> {
  private readonly dependencies: PolicyDependencies;
  private readonly resource: string;
  private policies: Policy<Spec>[] = [];
  private from: readonly (readonly KubeObject[])[] = [];

  constructor(dependencies: PolicyDependencies, resource: string) {
    this.dependencies = dependencies;
    this.resource = resource;
  }

  current(): Policy<Spec>[] {
    const { store } = this.dependencies;
    const definitions = store.list(`${ADMISSION_GROUP}/${this.resource}`);
    const bindings = store.list(`${ADMISSION_GROUP}/${this.resource.replace(/ies$/, 'ybindings')}`);
    if (this.from[0] !== definitions || this.from[1] !== bindings) {
      this.from = [definitions, bindings];
      this.policies = definitions.map(({ metadata: { name }, spec }) => ({
        name,
        spec: spec as Spec,
        bindings: bindings
          .filter((binding) => (binding.spec as BindingSpec).policyName === name)
          .map((binding) => ({ name: binding.metadata.name, spec: binding.spec as BindingSpec })),
      }));
    }
    return this.policies;
  }

  /** All invocations for a request. Match conditions are not evaluated yet. */
  invocations(request: AdmissionRequest): { invocations: Invocation<Spec>[]; problems: ConfigurationProblem<Spec>[] } {
    const invocations: Invocation<Spec>[] = [];
    const problems: ConfigurationProblem<Spec>[] = [];
    for (const policy of this.current()) {
      if (policy.bindings.length === 0) continue;
      const type = matchingType(request, matchOf(policy.spec.matchConstraints), this.dependencies);
      if (!type) continue;
      for (const binding of policy.bindings) {
        const { matchResources, paramRef } = binding.spec;
        if (matchResources && !matchingType(request, matchOf(matchResources, EVERYTHING), this.dependencies)) continue;
        const params = this.params(policy.spec.paramKind, paramRef, request.attributes.namespace);
        if (typeof params === 'string')
          problems.push({ policy, binding, message: `failed to configure binding: ${params}` });
        else invocations.push(...params.map((param) => ({ policy, binding, type, param })));
      }
    }
    return { invocations, problems };
  }

  /** The values for the expressions of an invocation. Variables are evaluated once, on first use. */
  async variables(
    request: AdmissionRequest,
    invocation: Invocation<Spec>,
    versions: Versions,
  ): Promise<{ values: Variables; versioned: Versioned }> {
    const versioned = await versions.in(invocation.type);
    const { attributes } = request;
    const isNamespace = attributes.group === '' && attributes.resource === 'namespaces';
    const namespace =
      attributes.namespace && !isNamespace
        ? this.dependencies.store.get('/namespaces', '', attributes.namespace)
        : undefined;
    const values: Variables = {
      ...requestVariables(request, versioned, this.dependencies.authorizerFor(request)),
      params: toCel(invocation.param),
      namespaceObject: toCel(namespace ?? null),
    };
    values['variables'] = lazily(invocation.policy.spec.variables ?? [], values);
    return { values, versioned };
  }

  /** The parameter objects; null means none. Returns an error text if they are missing and required. */
  private params(
    kind: PolicySpec['paramKind'],
    ref: ParamRef | undefined,
    namespace: string,
  ): (KubeObject | null)[] | string {
    if (!kind || !ref) return [null];
    const [group, version] = kind.apiVersion.includes('/')
      ? (kind.apiVersion.split('/') as [string, string])
      : ['', kind.apiVersion];
    const { registry, store } = this.dependencies;
    const type = registry.findKind(group, version, kind.kind);
    if (!type) return `paramKind kind \`${kind.apiVersion}, Kind=${kind.kind}\` not known`;
    if (!type.namespaced && ref.namespace)
      return 'paramRef.namespace must not be provided for a cluster-scoped `paramKind`';
    const where = type.namespaced ? ref.namespace || namespace : '';
    if (type.namespaced && !where)
      return 'cannot use namespaced paramRef in policy binding that matches cluster-scoped resources';
    const found = ref.name
      ? [store.get(collectionOf(type), where, ref.name)].filter((param) => param !== undefined)
      : store
          .list(collectionOf(type), type.namespaced ? where : undefined)
          .filter((param) => matchesSelector(ref.selector, param.metadata.labels));
    if (found.length === 0 && ref.parameterNotFoundAction === 'Deny') {
      return 'no params found for policy binding with `Deny` parameterNotFoundAction';
    }
    return found;
  }
}

/** Throws ConditionError. */
export const isWanted = (spec: PolicySpec, values: Variables): boolean =>
  conditionsHold(spec.matchConditions ?? [], POLICY_VARIABLES, values);

const EVERYTHING: Rule[] = [{ operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*'] }];

const matchOf = (from: MatchResources | undefined, rulesByDefault: Rule[] = []): Match => ({
  rules: from?.resourceRules?.length ? from.resourceRules : rulesByDefault,
  ...(from?.excludeResourceRules && { excludeRules: from.excludeResourceRules }),
  ...(from?.matchPolicy && { matchPolicy: from.matchPolicy }),
  ...(from?.namespaceSelector && { namespaceSelector: from.namespaceSelector }),
  ...(from?.objectSelector && { objectSelector: from.objectSelector }),
});

/** An object with lazily computed fields. The CEL library reads only the fields that the expression uses. */
const lazily = (variables: readonly Condition[], values: Variables): object => {
  const result = {};
  for (const { name, expression } of variables) {
    let outcome: { value: unknown } | { error: EvaluationError } | undefined;
    Object.defineProperty(result, name, {
      enumerable: true,
      get() {
        outcome ??= attempt(name, expression, values);
        if ('error' in outcome) throw outcome.error;
        return outcome.value;
      },
    });
  }
  return result;
};

const attempt = (
  name: string,
  expression: string,
  values: Variables,
): { value: unknown } | { error: EvaluationError } => {
  try {
    return { value: evaluate(compile(expression, { variables: POLICY_VARIABLES }), expression, values) };
  } catch (error) {
    const why = ((error as Error).cause as Error | undefined)?.message ?? (error as Error).message;
    return { error: new EvaluationError(`composited variable ${JSON.stringify(name)} fails to evaluate: ${why}`) };
  }
};
