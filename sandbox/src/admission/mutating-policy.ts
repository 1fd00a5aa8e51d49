// MutatingAdmissionPolicy: CEL expressions that change objects with apply configurations or JSON patches.
import { CelCompileError, compile, JsonPatch, Message, resultToJson } from '../cel/index.ts';
import { forbidden } from '../core/errors.ts';
import { same } from '../core/objects.ts';
import type { AdmissionRequest, ApiError, KubeObject, ResourceType } from '../core/types.ts';
import { ConditionError, evaluate, EvaluationError, POLICY_VARIABLES, type Variables } from './conditions.ts';
import { checkNames, mergeConfiguration } from './configuration.ts';
import { asKind, patched, PatchProblem } from './patched.ts';
import { isWanted, PolicyList, type Invocation, type PolicyDependencies, type PolicySpec } from './policies.ts';
import { Versions } from './versions.ts';
import { nameOf } from './validating-policy.ts';
import { changedBy, type Reinvocation } from './webhooks.ts';

interface Mutation {
  patchType: string;
  applyConfiguration?: { expression: string };
  jsonPatch?: { expression: string };
}

interface MutatingSpec extends PolicySpec {
  mutations?: Mutation[];
  reinvocationPolicy?: string;
}

/** A mutation that failed. failurePolicy decides what happens. */
export class MutationError extends Error {
  override readonly name = 'MutationError';
}

export class MutatingPolicies {
  readonly list: PolicyList<MutatingSpec>;

  constructor(dependencies: PolicyDependencies) {
    this.list = new PolicyList(dependencies, 'mutatingadmissionpolicies');
  }

  async mutate(request: AdmissionRequest, reinvocation: Reinvocation): Promise<void> {
    const { invocations, problems } = this.list.invocations(request);
    const versions = new Versions(request);
    const failures: { text: string; reason: string }[] = [];
    const fail = (
      { policy, binding }: Pick<Invocation<MutatingSpec>, 'policy'> & { binding?: { name: string } | undefined },
      message: string,
      reason = 'Invalid',
    ): void => {
      if (policy.spec.failurePolicy === 'Ignore') return;
      const through = binding
        ? `policy '${policy.name}' with binding '${binding.name}'`
        : `policy ${JSON.stringify(policy.name)}`;
      failures.push({ text: `${through} denied request: ${message}`, reason });
    };
    for (const problem of problems) fail(problem, problem.message, 'Forbidden');
    for (const invocation of invocations) {
      const key = keyOf(invocation);
      try {
        const { values } = await this.list.variables(request, invocation, versions);
        if (!isWanted(invocation.policy.spec, values)) continue;
        if (reinvocation.round === 1 && !reinvocation.outdated.has(key)) continue;
        if (await this.apply(request, invocation, versions)) changedBy(reinvocation);
      } catch (error) {
        if (!(error instanceof ConditionError) && !(error instanceof MutationError)) throw error;
        fail(invocation, error.message);
      }
      if (invocation.policy.spec.reinvocationPolicy === 'IfNeeded') reinvocation.called.add(key);
    }
    if (failures[0]) throw refusal(request, failures);
  }

  /** Applies all mutations in order. Each one sees the result of the previous ones. Returns true if the object changed. */
  private async apply(
    request: AdmissionRequest,
    invocation: Invocation<MutatingSpec>,
    versions: Versions,
  ): Promise<boolean> {
    let changed = false;
    for (const mutation of invocation.policy.spec.mutations ?? []) {
      const { values, versioned } = await this.list.variables(request, invocation, versions);
      if (!versioned.object) continue;
      const next = asKind(
        versioned.type,
        request.attributes.subresource,
        mutated(mutation, versioned.object, versioned.type, values),
      );
      if (same(next, versioned.object)) continue;
      await versions.update(versioned.type, next);
      changed = true;
    }
    return changed;
  }
}

const mutated = (mutation: Mutation, object: KubeObject, type: ResourceType, values: Variables): KubeObject => {
  const expression = (mutation.applyConfiguration ?? mutation.jsonPatch)?.expression ?? '';
  let result: unknown;
  try {
    result = evaluate(compile(expression, { variables: POLICY_VARIABLES }), expression, values);
  } catch (error) {
    if (error instanceof EvaluationError || error instanceof CelCompileError) throw new MutationError(error.message);
    throw error;
  }
  return mutation.patchType === 'ApplyConfiguration' ? configured(result, object, type) : jsonPatched(result, object);
};

const configured = (result: unknown, object: KubeObject, type: ResourceType): KubeObject => {
  if (!(result instanceof Message) || result.type !== 'Object') {
    throw new MutationError('unsupported return type from ApplyConfiguration expression: it must be Object{…}');
  }
  const mismatch = checkNames(result);
  if (mismatch) throw new MutationError(`type mismatch: ${mismatch}`);
  const { merged, problem } = mergeConfiguration(object, resultToJson(result) as object, type);
  if (problem !== undefined) throw new MutationError(`error applying patch: ${problem}`);
  return merged;
};

const jsonPatched = (result: unknown, object: KubeObject): KubeObject => {
  if (!Array.isArray(result) || !result.every((item) => item instanceof JsonPatch)) {
    throw new MutationError('type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch');
  }
  try {
    return patched(object, resultToJson(result) as object[]);
  } catch (error) {
    if (!(error instanceof PatchProblem)) throw error;
    // If a test operation fails, the mutation does not apply.
    if (error.isFailedTest) return object;
    throw new MutationError(`JSONPath: ${error.message}`);
  }
};

const keyOf = ({ policy, binding, param }: Invocation<MutatingSpec>): string =>
  JSON.stringify([policy.name, binding.name, param?.metadata.namespace, param?.metadata.name]);

const refusal = (request: AdmissionRequest, failures: { text: string; reason: string }[]): ApiError => {
  const error = forbidden(request.attributes, nameOf(request), '');
  error.message = failures[0]!.text;
  error.status.message = failures[0]!.text;
  error.status.reason = failures[0]!.reason;
  error.status.details = { ...error.status.details, causes: failures.map(({ text }) => ({ message: text })) };
  return error;
};
