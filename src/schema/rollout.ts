// Validates a Rollout against its published schema, for the webhook and for `kubectl tranche lint`.
import { Ajv, type ErrorObject } from 'ajv';
import type { Rollout } from '../api/types.ts';
import type { JsonSchema } from '../api/schema/json-schema.ts';
import { NAME_RULES } from '../api/names.ts';
import { KUBERNETES_KEYWORDS } from '../api/schema/json-schema.ts';
import { rolloutV1alpha1, rolloutV1beta1 } from '../api/schema/rollout.ts';
import type { Violation } from '../engine/validate/violation.ts';

const INT32 = 2 ** 31;
/** Longer texts never match. Far above each maxLength in the schemas, so that no pattern runs on megabytes of text. */
const MAX_PATTERN_TEXT = 10_000;
const regExp = Object.assign(
  (pattern: string, flags: string) => {
    const expression = new RegExp(pattern, flags);
    // ajv identifies expressions by their text.
    return {
      test: (text: string) => text.length <= MAX_PATTERN_TEXT && expression.test(text),
      toString: () => String(expression),
    };
  },
  { code: 'new RegExp' },
);
export const ajv = new Ajv({
  strict: true,
  // Kubernetes requires the limits of an int-or-string beside `anyOf`. Each limit applies to the type that it fits.
  strictTypes: false,
  allErrors: true,
  verbose: true,
  coerceTypes: false,
  useDefaults: false,
  code: { regExp },
});
ajv.addVocabulary([...KUBERNETES_KEYWORDS]);
ajv.addFormat('int32', { type: 'number', validate: (n: number) => n >= -INT32 && n < INT32 });
ajv.addFormat('int64', { type: 'number', validate: Number.isInteger });
ajv.addFormat('date-time', (text: string) => !Number.isNaN(Date.parse(text)));

export const nullable = (schema: object): object => ({ ...schema, nullable: true });
const text = nullable({ type: 'string' });
const integer = nullable({ type: 'integer' });
const texts = nullable({ type: 'object', additionalProperties: { type: 'string' } });

export const metadata = {
  type: 'object',
  properties: {
    name: text,
    namespace: text,
    uid: text,
    generation: integer,
    deletionTimestamp: text,
    labels: texts,
    annotations: texts,
  },
};

/** Adds the metadata fields to a published schema. */
export const withMetadata = (schema: JsonSchema): object => ({
  ...schema,
  properties: { ...schema.properties, metadata },
  required: ['metadata', 'spec'],
});
const rolloutSchemas = {
  v1alpha1: ajv.compile(withMetadata(rolloutV1alpha1)),
  v1beta1: ajv.compile(withMetadata(rolloutV1beta1)),
};

export interface RolloutShape {
  readonly violations: readonly Violation[];
  /** Undefined if fields have a wrong type or required ones are missing, so that further checks cannot read the object. */
  readonly rollout: Rollout | undefined;
}

const ESSENTIAL = new Set(['metadata', 'spec', 'workloadRef', 'strategy', 'apiVersion', 'kind', 'name']);

export function checkRollout(object: unknown, version: 'v1alpha1' | 'v1beta1'): RolloutShape {
  const check = rolloutSchemas[version];
  if (check(object)) return { violations: [], rollout: object as Rollout };
  const errors = check.errors ?? [];
  const typed = !errors.some(
    ({ keyword, params }) =>
      keyword === 'type' ||
      keyword === 'anyOf' ||
      (keyword === 'required' && ESSENTIAL.has((params as { missingProperty: string }).missingProperty)),
  );
  return { violations: violationsOf(errors), rollout: typed ? (object as Rollout) : undefined };
}

const FORMATS: Readonly<Record<string, string>> = {
  int32: 'a 32-bit integer',
  int64: 'a 64-bit integer',
  'date-time': 'a date and time in RFC 3339 format',
};

/** Converts errors of ajv to Violations. The two alternatives of an int-or-string become one error. */
export function violationsOf(errors: readonly ErrorObject[]): Violation[] {
  const found = new Map<string, Violation>();
  for (const error of errors) {
    const field = pathOf(error);
    const violation = toViolation(field, error);
    if (violation !== undefined && (!found.has(field) || error.keyword === 'anyOf')) found.set(field, violation);
  }
  return [...found.values()];
}

function toViolation(field: string, { keyword, params, data }: ErrorObject): Violation | undefined {
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
  const parts = instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (keyword === 'required') parts.push(String((params as { missingProperty: unknown }).missingProperty));
  return parts.reduce((path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : path ? `${path}.${part}` : part), '');
}
