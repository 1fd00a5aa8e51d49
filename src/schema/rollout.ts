// Validates a Rollout against its published schema, for the webhook and for `kubectl tranche lint`.
import { NAME_RULES } from '../api/names.ts';
import type { Rollout } from '../api/types.ts';
import type { Violation } from '../engine/validate/violation.ts';
import { checkQueries } from './analysis.ts';
import { rollout as isRollout, type ErrorObject } from './validators.ts';

export interface RolloutShape {
  readonly violations: readonly Violation[];
  /** Undefined if fields have a wrong type or required ones are missing, so that further checks cannot read the object. */
  readonly rollout: Rollout | undefined;
}

const ESSENTIAL = new Set(['metadata', 'spec', 'workloadRef', 'strategy', 'apiVersion', 'kind', 'name']);

/** `object`: of v1beta1. */
export function checkRollout(object: unknown): RolloutShape {
  if (isRollout(object)) return { violations: checkQueries(object as Rollout), rollout: object as Rollout };
  const errors = isRollout.errors ?? [];
  const typed = !errors.some(
    ({ keyword, params }) =>
      keyword === 'type' ||
      keyword === 'anyOf' ||
      (keyword === 'required' && ESSENTIAL.has((params as { missingProperty: string }).missingProperty)),
  );
  if (!typed) return { violations: violationsOf(object, errors), rollout: undefined };
  const violations = violationsOf(object, errors);
  const said = new Set(violations.map(({ field }) => field));
  const rollout = object as Rollout;
  return { violations: [...violations, ...checkQueries(rollout).filter(({ field }) => !said.has(field))], rollout };
}

const FORMATS: Readonly<Record<string, string>> = {
  int32: 'a 32-bit integer',
  int64: 'a 64-bit integer',
  'date-time': 'a date and time in RFC 3339 format',
};

/** Converts errors of ajv for an object to Violations. The two alternatives of an int-or-string become one error. */
export function violationsOf(object: unknown, errors: readonly ErrorObject[]): Violation[] {
  const found = new Map<string, Violation>();
  for (const error of errors) {
    const field = pathOf(error);
    const violation = toViolation(field, error, valueAt(object, error));
    if (violation !== undefined && (!found.has(field) || error.keyword === 'anyOf')) found.set(field, violation);
  }
  return [...found.values()];
}

function toViolation(field: string, { keyword, params }: ErrorObject, data: unknown): Violation | undefined {
  const limit = String((params as { limit?: unknown }).limit);
  const type = String((params as { type?: unknown }).type);
  const say = (reason: string, remedy: string, value: unknown = data): Violation => ({ field, value, reason, remedy });
  switch (keyword) {
    case 'required':
      return { field, value: undefined, reason: '', remedy: 'add it' };
    case 'type':
      return say(`must be of type ${type}`, `write ${/^[aeio]/.test(type) ? 'an' : 'a'} ${type}`);
    case 'anyOf':
      return say('must be an integer or a string', 'write a number of Pods such as 1, or a percentage such as "50%"');
    case 'enum':
      return {
        ...say('', `write ${(params as { allowedValues: string[] }).allowedValues.join(' or ')}`),
        type: 'Unsupported',
      };
    case 'minimum':
      return say(`must be greater than or equal to ${limit}`, `write ${limit} or more`);
    case 'maximum':
      return say(`must be less than or equal to ${limit}`, `write ${limit} or less`);
    case 'minItems':
      return say(`must have at least ${limit} item${limit === '1' ? '' : 's'}`, 'add items');
    case 'maxItems':
      return say(`must have at most ${limit} items`, 'remove items', 'set');
    case 'minLength':
      return say(`must have at least ${limit} character${limit === '1' ? '' : 's'}`, 'write a longer value');
    case 'maxLength':
      return say(`must have at most ${limit} characters`, 'write a shorter value');
    case 'pattern': {
      const rule = NAME_RULES.find(({ pattern }) => pattern === (params as { pattern: string }).pattern);
      if (rule) return say(rule.must, `write a name such as "${rule.example}"`);
      if ((params as { pattern: string }).pattern === '^/')
        return say('must start with "/"', 'write a path such as "/api"');
      return say('must be a percentage', 'write a percentage such as "50%"');
    }
    case 'format':
      return say(`must be ${FORMATS[(params as { format: string }).format]}`, 'write a valid value');
    default:
      return say(
        `is not valid (${keyword})`,
        'see kubectl explain rollouts.spec --api-version=rollouts.kruise.io/v1beta1',
      );
  }
}

/** `/spec/steps/0/replicas` → `spec.steps[0].replicas`. For a missing field, the path of that field. */
export function pathOf({ instancePath, keyword, params }: ErrorObject): string {
  const parts = partsOf(instancePath);
  if (keyword === 'required') parts.push(String((params as { missingProperty: unknown }).missingProperty));
  return parts.reduce((path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : path ? `${path}.${part}` : part), '');
}

const partsOf = (instancePath: string): string[] =>
  instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));

const valueAt = (object: unknown, { instancePath }: ErrorObject): unknown =>
  partsOf(instancePath).reduce((value, part) => (value as Readonly<Record<string, unknown>>)[part], object);
