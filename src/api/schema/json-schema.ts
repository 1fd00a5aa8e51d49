// The subset of JSON Schema that both CRDs (structural OpenAPI v3) and ajv support, and helper functions to write schemas.

import type { NameRule } from '../names.ts';

export interface CelRule {
  readonly rule: string;
  readonly message: string;
}

export interface JsonSchema {
  readonly description?: string;
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly format?: 'int32' | 'int64' | 'date-time';
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema;
  readonly items?: JsonSchema;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly anyOf?: readonly JsonSchema[];
  readonly 'x-kubernetes-int-or-string'?: true;
  readonly 'x-kubernetes-list-type'?: 'map' | 'set' | 'atomic';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-validations'?: readonly CelRule[];
}

/** Keywords of Kubernetes that are not part of JSON Schema. ajv ignores them. */
export const KUBERNETES_KEYWORDS = [
  'x-kubernetes-int-or-string',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-validations',
] as const;

type Extra = Omit<JsonSchema, 'description' | 'type' | 'properties' | 'items'>;

export const text = (description: string, extra: Extra = {}): JsonSchema => ({ description, type: 'string', ...extra });
/** A field that contains the name of another object. */
export const nameText = (description: string, { minLength, maxLength, pattern }: NameRule): JsonSchema =>
  text(description, { minLength, maxLength, pattern });
export const flag = (description: string): JsonSchema => ({ description, type: 'boolean' });
export const int32 = (description: string, extra: Extra = {}): JsonSchema => ({
  description,
  type: 'integer',
  format: 'int32',
  ...extra,
});
export const number = (description: string, extra: Extra = {}): JsonSchema => ({
  description,
  type: 'number',
  ...extra,
});
export const int64 = (description: string): JsonSchema => ({ description, type: 'integer', format: 'int64' });
export const time = (description: string): JsonSchema => ({ description, type: 'string', format: 'date-time' });
/** An integer is a number of Pods, a string is a percentage. Kubernetes requires this exact `anyOf`, so `extra` has the limits. */
export const intOrString = (description: string, extra: Extra = {}): JsonSchema => ({
  description,
  anyOf: [{ type: 'integer' }, { type: 'string' }],
  'x-kubernetes-int-or-string': true,
  ...extra,
});
export const object = (
  description: string,
  properties: Readonly<Record<string, JsonSchema>>,
  extra: Extra = {},
): JsonSchema => ({ description, type: 'object', ...extra, properties });
export const list = (description: string, items: JsonSchema, extra: Extra = {}): JsonSchema => ({
  description,
  type: 'array',
  ...extra,
  items,
});
export const stringMap = (description: string): JsonSchema => ({
  description,
  type: 'object',
  additionalProperties: { type: 'string' },
});

export const labelSelector = (what: string): JsonSchema =>
  object(`Label selector for ${what}. Empty selects all.`, {
    matchLabels: stringMap('Labels that the object must have.'),
    matchExpressions: list(
      'Conditions that must all be true.',
      object(
        'A condition on one label.',
        {
          key: text('Key of the label.', { minLength: 1, maxLength: 317 }),
          operator: text('Relation of the label to the values.', {
            enum: ['In', 'NotIn', 'Exists', 'DoesNotExist'],
          }),
          values: list('Values for In and NotIn.', { type: 'string' }, { maxItems: 100 }),
        },
        { required: ['key', 'operator'] },
      ),
      { maxItems: 50 },
    ),
  });
