// ValidatingAdmissionPolicy: CEL rules that refuse, warn or audit.
import { CelCompileError, CelRuntimeError, compile } from '../cel/index.ts';
import { forbidden } from '../core/errors.ts';
import type { AdmissionRequest, ApiError } from '../core/types.ts';
import { ConditionError, evaluate, EvaluationError, POLICY_VARIABLES, type Variables } from './conditions.ts';
import { isWanted, PolicyList, type Invocation, type PolicyDependencies, type PolicySpec } from './policies.ts';
import { Versions } from './versions.ts';

interface Validation {
  expression: string;
  message?: string;
  messageExpression?: string;
  reason?: string;
}

interface ValidatingSpec extends PolicySpec {
  validations?: Validation[];
}

interface Denial {
  message: string;
  reason: string;
}

const CODES: Record<string, number> = { Forbidden: 403, Unauthorized: 401, RequestEntityTooLarge: 413, Invalid: 422 };

export class ValidatingPolicies {
  readonly list: PolicyList<ValidatingSpec>;

  constructor(dependencies: PolicyDependencies) {
    this.list = new PolicyList(dependencies, 'validatingadmissionpolicies');
  }

  async validate(request: AdmissionRequest): Promise<void> {
    const { invocations, problems } = this.list.invocations(request);
    const versions = new Versions(request);
    const refusals: ApiError[] = problems
      .filter(({ policy }) => policy.spec.failurePolicy !== 'Ignore')
      .map(({ policy, binding, message }) => refusal(request, policy.name, binding?.name, { message, reason: '' }));
    for (const invocation of invocations) {
      const { policy, binding } = invocation;
      for (const denial of await this.denials(request, invocation, versions)) {
        for (const action of binding.spec.validationActions ?? []) {
          if (action === 'Deny') refusals.push(refusal(request, policy.name, binding.name, denial));
          else if (action === 'Warn') {
            request.warnings.push(
              `Validation failed for ValidatingAdmissionPolicy '${policy.name}' with binding '${binding.name}': ${denial.message}`,
            );
          }
        }
      }
    }
    if (refusals[0]) throw refusals[0];
  }

  private async denials(
    request: AdmissionRequest,
    invocation: Invocation<ValidatingSpec>,
    versions: Versions,
  ): Promise<Denial[]> {
    const { spec } = invocation.policy;
    const onError = (message: string): Denial[] => (spec.failurePolicy === 'Ignore' ? [] : [{ message, reason: '' }]);
    const { values } = await this.list.variables(request, invocation, versions);
    try {
      if (!isWanted(spec, values)) return [];
    } catch (error) {
      if (error instanceof ConditionError) return onError(error.message);
      throw error;
    }
    return (spec.validations ?? []).flatMap((validation) => {
      try {
        const program = compile(validation.expression, { variables: POLICY_VARIABLES });
        if (evaluate(program, validation.expression, values) === true) return [];
      } catch (error) {
        if (error instanceof EvaluationError) return onError(error.message);
        throw error;
      }
      return [{ message: messageOf(validation, values), reason: validation.reason ?? 'Invalid' }];
    });
  }
}

const messageOf = ({ expression, message, messageExpression }: Validation, values: Variables): string => {
  if (messageExpression) {
    try {
      const text = compile(messageExpression, { variables: POLICY_VARIABLES }).run(values);
      if (typeof text === 'string' && text.trim() !== '' && !text.includes('\n')) return text.trim();
    } catch (error) {
      // Use the fixed message instead.
      if (!(error instanceof CelRuntimeError) && !(error instanceof CelCompileError)) throw error;
    }
  }
  return message?.trim() || `failed expression: ${expression.trim()}`;
};

const refusal = (request: AdmissionRequest, policy: string, binding: string | undefined, denial: Denial): ApiError => {
  const through = binding === undefined ? '' : ` with binding '${binding}'`;
  const text = `ValidatingAdmissionPolicy '${policy}'${through} denied request: ${denial.message}`;
  const error = forbidden(request.attributes, nameOf(request), text);
  error.status.reason = denial.reason || 'Invalid';
  error.status.code = CODES[error.status.reason] ?? 422;
  error.status.details = { ...error.status.details, causes: [{ message: text }] };
  return error;
};

/** The object may not have a name yet. */
export const nameOf = ({ attributes, object }: AdmissionRequest): string =>
  attributes.name || object?.metadata?.name || object?.metadata?.generateName || 'Unknown';
