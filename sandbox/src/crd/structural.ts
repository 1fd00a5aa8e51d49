// Checks whether a schema is structural: all fields have a type outside of anyOf, allOf, oneOf and not, which may only add constraints.
import { field } from '../core/errors.ts';
import type { FieldError, Schema } from '../core/types.ts';
import { deepEqual } from '../patch/values.ts';
import { goPattern } from '../core/pattern.ts';

type Level = 'root' | 'item' | 'field';

/** All violations of the structural form, in alphabetical order. */
export function validateStructural(schema: Schema, path: string): FieldError[] {
  const errors = [...checkShape(schema, 'root', path), ...checkCompleteness(schema, schema, path, path)];
  return errors.sort((a, b) => (text(a) < text(b) ? -1 : 1));
}

const text = (error: FieldError): string => `${error.field}: ${error.message}`;

const INT_OR_STRING = [{ type: 'integer' }, { type: 'string' }];
const junctors = ['anyOf', 'allOf', 'oneOf'] as const;

function checkShape(schema: Schema, level: Level, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { type, items, properties = {}, additionalProperties } = schema;
  const embedded = schema['x-kubernetes-embedded-resource'] === true;
  const preserves = schema['x-kubernetes-preserve-unknown-fields'] === true;
  const intOrString = schema['x-kubernetes-int-or-string'] === true;
  if (type === 'array' && !items) errors.push(field.required(`${path}.items`, 'must be specified'));
  if (items) errors.push(...checkShape(items, 'item', `${path}.items`));
  for (const [key, property] of Object.entries(properties))
    errors.push(...checkShape(property, 'field', `${path}.properties[${key}]`));
  if (additionalProperties !== undefined) {
    const place = `${path}.additionalProperties`;
    if (level === 'root') errors.push(field.forbidden(place, 'must not be used at the root'));
    if (typeof additionalProperties === 'object') errors.push(...checkShape(additionalProperties, 'field', place));
    if (embedded) errors.push(field.forbidden(place, 'must not be used if x-kubernetes-embedded-resource is set'));
  }
  if (intOrString && preserves)
    errors.push(
      field.invalid(
        `${path}.x-kubernetes-preserve-unknown-fields`,
        true,
        'must be false if x-kubernetes-int-or-string is true',
      ),
    );
  if (intOrString && embedded)
    errors.push(
      field.invalid(
        `${path}.x-kubernetes-embedded-resource`,
        true,
        'must be false if x-kubernetes-int-or-string is true',
      ),
    );
  errors.push(...checkJunctors(schema, path));
  if (embedded && type !== 'object') {
    const problem = 'must be object if x-kubernetes-embedded-resource is true';
    errors.push(type ? field.invalid(`${path}.type`, type, problem) : field.required(`${path}.type`, problem));
  } else if (!type && !intOrString && !preserves) {
    const where = { root: 'at the root', item: 'for specified array items', field: 'for specified object fields' };
    errors.push(field.required(`${path}.type`, `must not be empty ${where[level]}`));
  }
  if (level === 'root' && type && type !== 'object')
    errors.push(field.invalid(`${path}.type`, type, 'must be object at the root'));
  if (level === 'root' || embedded) errors.push(...checkMetadata(properties, level, path));
  if (embedded && !preserves && !Object.keys(properties).length)
    errors.push(
      field.required(
        `${path}.properties`,
        'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
      ),
    );
  return errors;
}

/** The allowed content of the schema for the fields that all objects have. */
function checkMetadata(properties: Record<string, Schema>, level: Level, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const key of ['kind', 'apiVersion']) {
    const property = properties[key];
    if (property && property.type !== 'string')
      errors.push(field.invalid(`${path}.properties[${key}].type`, property.type ?? '', 'must be string'));
  }
  const { metadata } = properties;
  if (!metadata) return errors;
  const place = `${path}.properties[metadata]`;
  if (metadata.type !== 'object') errors.push(field.invalid(`${place}.type`, metadata.type ?? '', 'must be object'));
  if (level !== 'root') return errors;
  const { type: _, description: __, properties: named = {}, ...rest } = metadata;
  const others = Object.keys(named).filter((key) => key !== 'name' && key !== 'generateName');
  if (others.length || Object.keys(rest).length)
    errors.push(
      field.forbidden(
        place,
        'must not specify anything other than name and generateName, but metadata is implicitly specified',
      ),
    );
  return errors;
}

function checkJunctors(schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const isIntOrString = deepEqual(schema.anyOf, INT_OR_STRING);
  const firstIsIntOrString = deepEqual(schema.allOf?.[0]?.anyOf, INT_OR_STRING);
  if (!isIntOrString) schema.anyOf?.forEach((part, i) => errors.push(...checkNested(part, `${path}.anyOf[${i}]`)));
  schema.allOf?.forEach((part, i) =>
    errors.push(...checkNested(part, `${path}.allOf[${i}]`, firstIsIntOrString && i === 0)),
  );
  schema.oneOf?.forEach((part, i) => errors.push(...checkNested(part, `${path}.oneOf[${i}]`)));
  if (schema.not) errors.push(...checkNested(schema.not, `${path}.not`));
  if (schema.pattern) {
    try {
      goPattern(schema.pattern);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      errors.push(
        field.invalid(`${path}.pattern`, schema.pattern, `must be a valid regular expression, but isn't: ${why}`),
      );
    }
  }
  return errors;
}

/** Keywords that are only allowed outside of anyOf, allOf, oneOf and not, with the errors of the API server. */
const outsideOnly: [keyof Schema, string][] = [
  ['type', 'must be empty to be structural'],
  ['additionalProperties', 'must be undefined to be structural'],
  ['default', 'must be undefined to be structural'],
  ['title' as keyof Schema, 'must be empty to be structural'],
  ['description', 'must be empty to be structural'],
  ['nullable', 'must be false to be structural'],
  ['x-kubernetes-preserve-unknown-fields', 'must be false to be structural'],
  ['x-kubernetes-embedded-resource', 'must be false to be structural'],
  ['x-kubernetes-int-or-string', 'must be false to be structural'],
  ['x-kubernetes-list-map-keys', 'must be empty to be structural'],
  ['x-kubernetes-list-type', 'must be undefined to be structural'],
  ['x-kubernetes-map-type', 'must be undefined to be structural'],
  ['x-kubernetes-validations', 'must be empty to be structural'],
];

function checkNested(schema: Schema, path: string, skipAnyOf = false): FieldError[] {
  const errors = checkJunctors(skipAnyOf ? { ...schema, anyOf: [] } : schema, path);
  if (schema.items) errors.push(...checkNested(schema.items, `${path}.items`));
  for (const [key, property] of Object.entries(schema.properties ?? {}))
    errors.push(...checkNested(property, `${path}.properties[${key}]`));
  for (const [key, why] of outsideOnly) {
    const value = schema[key];
    if (value !== undefined && value !== false && value !== '' && !(Array.isArray(value) && !value.length))
      errors.push(field.forbidden(`${path}.${key}`, why));
  }
  if (schema.properties?.['metadata'])
    errors.push(field.forbidden(`${path}.properties[metadata]`, 'must not be specified in a nested context'));
  return errors;
}

/** Fields that anyOf, allOf, oneOf and not constrain must also exist outside of them. */
function checkCompleteness(nested: Schema, outside: Schema, place: string, path: string): FieldError[] {
  const parts: [Schema, string][] = junctors.flatMap((key) =>
    (nested[key] ?? []).map((part, i): [Schema, string] => [part, `${path}.${key}[${i}]`]),
  );
  if (nested.not) parts.push([nested.not, `${path}.not`]);
  return parts.flatMap(([part, at]) => checkPart(part, outside, place, at));
}

function checkPart(part: Schema, outside: Schema | undefined, place: string, path: string): FieldError[] {
  if (!outside) return [field.required(place, `because it is defined in ${path}`)];
  const errors = checkCompleteness(part, outside, place, path);
  if (part.items) errors.push(...checkPart(part.items, outside.items, `${place}.items`, `${path}.items`));
  for (const [key, property] of Object.entries(part.properties ?? {})) {
    const at = `.properties[${key}]`;
    errors.push(...checkPart(property, outside.properties?.[key], `${place}${at}`, `${path}${at}`));
  }
  return errors;
}
