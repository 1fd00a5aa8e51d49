// matchConditions: CEL expressions that must all hold before a webhook is called or a policy evaluated.
import { CelCompileError, CelRuntimeError, compile, toCel, type Program } from '../cel/index.ts';
import type { AdmissionRequest } from '../core/types.ts';
import { reviewOf } from './review.ts';
import type { Versioned } from './versions.ts';

export interface Condition {
  name: string;
  expression: string;
}

export type Variables = Record<string, unknown>;

export const WEBHOOK_VARIABLES = ['object', 'oldObject', 'request', 'authorizer'] as const;
export const POLICY_VARIABLES = [...WEBHOOK_VARIABLES, 'params', 'namespaceObject', 'variables'] as const;

/** Values of `object`, `oldObject` and `request` in an expression. */
export const requestVariables = (request: AdmissionRequest, versioned: Versioned, authorizer: unknown): Variables => {
  const { object: _object, oldObject: _oldObject, uid: _uid, ...asked } = reviewOf(request, versioned, '');
  return {
    object: toCel(versioned.object),
    oldObject: toCel(versioned.oldObject),
    request: toCel(asked),
    authorizer: authorizer ?? null,
  };
};

/** Whether all conditions are true. A false condition decides, even if others fail. Otherwise a failure throws ConditionError. */
export const conditionsHold = (
  conditions: readonly Condition[],
  names: readonly string[],
  values: Variables,
): boolean => {
  const errors: string[] = [];
  for (const { expression } of conditions) {
    try {
      if (evaluate(compile(expression, { variables: names, returns: ['bool'] }), expression, values) !== true)
        return false;
    } catch (error) {
      if (!(error instanceof EvaluationError) && !(error instanceof CelCompileError)) throw error;
      errors.push(error.message);
    }
  }
  if (errors.length > 0) throw new ConditionError(errors.length === 1 ? errors[0] : `[${errors.join(', ')}]`);
  return true;
};

export class ConditionError extends Error {
  override readonly name = 'ConditionError';
}

export class EvaluationError extends Error {
  override readonly name = 'EvaluationError';
}

/** Returns a CEL value. The EvaluationError contains the expression. */
export const evaluate = (program: Program, expression: string, values: Variables): unknown => {
  try {
    return program.run(values);
  } catch (error) {
    if (!(error instanceof CelRuntimeError)) throw error;
    throw new EvaluationError(`expression '${expression}' resulted in error: ${error.message}`, { cause: error });
  }
};
