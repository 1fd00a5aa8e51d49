// What a Rollout must look like, by its published schema: for the webhook, and for whoever checks files without a cluster.
import { Ajv, type ErrorObject } from 'ajv';
import type { Rollout } from '../api/types.ts';
import type { JsonSchema } from '../api/schema/json-schema.ts';
import { NAME_RULES } from '../api/names.ts';
import { KUBERNETES_KEYWORDS } from '../api/schema/json-schema.ts';
import { rolloutV1alpha1, rolloutV1beta1 } from '../api/schema/rollout.ts';
import type { Violation } from '../engine/validate/violation.ts';

const INT32 = 2 ** 31;
/** Far above every length that a schema allows: an expression need not be tried on megabytes. */
const MAX_TRIED = 10_000;
const regExp = Object.assign(
  (pattern: string, flags: string) => {
    const expression = new RegExp(pattern, flags);
    // ajv tells expressions apart by their text.
    return {
      test: (text: string) => text.length <= MAX_TRIED && expression.test(text),
      toString: () => String(expression),
    };
  },
  { code: 'new RegExp' },
);
export const ajv = new Ajv({
  strict: true,
  // int-or-string has its limits beside `anyOf`, where Kubernetes wants them: they count for the type they fit.
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

/** The published schema, and what every object has. */
export const withMetadata = (schema: JsonSchema): object => ({
  ...schema,
  properties: { ...schema.properties, metadata },
  required: ['metadata', 'spec'],
});
const rolloutShapes = {
  v1alpha1: ajv.compile(withMetadata(rolloutV1alpha1)),
  v1beta1: ajv.compile(withMetadata(rolloutV1beta1)),
};

export interface RolloutShape {
  readonly violations: readonly Violation[];
  /** Undefined when fields have the wrong type or the essential ones are missing: nothing more can be said about it then. */
  readonly rollout: Rollout | undefined;
}

const ESSENTIAL = new Set(['metadata', 'spec', 'workloadRef', 'strategy', 'apiVersion', 'kind', 'name']);

export function checkRollout(object: unknown, version: 'v1alpha1' | 'v1beta1'): RolloutShape {
  const check = rolloutShapes[version];
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

/** For a user, in our four parts. The alternatives of an int-or-string are one error. */
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
      return { field, value: undefined, reason: 'must be there', remedy: 'add it' };
    case 'type':
      return say(`is not of type ${type}`, `write ${/^[aeio]/.test(type) ? 'an' : 'a'} ${type}`);
    case 'anyOf':
      return say('is neither a number nor a text', 'write a number of Pods such as 1, or a percent such as "50%"');
    case 'enum':
      return say('is not a choice', `write ${(params as { allowedValues: string[] }).allowedValues.join(' or ')}`);
    case 'minimum':
      return say('is too small', `use ${limit} or more`);
    case 'minItems':
      return say('has too few items', `write at least ${limit}`);
    case 'maxItems':
      return say('has too many items', `write at most ${limit}`, 'set');
    case 'minLength':
      return say('is too short', `write at least ${limit} character${limit === '1' ? '' : 's'}`);
    case 'maxLength':
      return say('is too long', `write at most ${limit} characters`);
    case 'pattern': {
      const rule = NAME_RULES.find(({ pattern }) => pattern === (params as { pattern: string }).pattern);
      if (rule) return say(`is not a name: ${rule.must}`, `write a name such as "${rule.example}"`);
      return say('has not the right form', 'write a percent such as "50%"');
    }
    case 'format':
      return say('is out of range', `write ${(params as { format: string }).format}`);
    default:
      return say(
        `is not valid (${keyword})`,
        'see kubectl explain rollouts.spec --api-version=rollouts.kruise.io/v1beta1',
      );
  }
}

/** `/spec/steps/0/replicas` → `spec.steps[0].replicas`; the missing field's own path when one is missing. */
export function pathOf({ instancePath, keyword, params }: ErrorObject): string {
  const parts = instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (keyword === 'required') parts.push(String((params as { missingProperty: unknown }).missingProperty));
  return parts.reduce((path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : path ? `${path}.${part}` : part), '');
}
