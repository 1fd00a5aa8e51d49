// Checks list maps and sets for duplicates, and embedded resources for apiVersion, kind and metadata.
import { field } from '../core/errors.ts';
import type { FieldError, Schema } from '../core/types.ts';
import { isObject } from '../patch/values.ts';
import { canonical } from '../core/objects.ts';

/** Duplicates in lists of type set and map. */
export function validateLists(value: unknown, schema: Schema, path = ''): FieldError[] {
  const errors: FieldError[] = [];
  if (Array.isArray(value)) {
    errors.push(...duplicates(value, schema, path));
    if (schema.items) value.forEach((item, i) => errors.push(...validateLists(item, schema.items!, `${path}[${i}]`)));
  }
  forEachField(value, schema, path, (child, property, place) => errors.push(...validateLists(child, property, place)));
  return errors;
}

function duplicates(list: unknown[], schema: Schema, path: string): FieldError[] {
  const type = schema['x-kubernetes-list-type'];
  if (type !== 'set' && type !== 'map') return [];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  if (type === 'map') {
    const stranger = list.findIndex((item) => item !== null && !isObject(item));
    if (stranger >= 0)
      return [field.invalid(`${path}[${stranger}]`, list[stranger], 'must be an object for an array of list-type map')];
  }
  const identity = (item: unknown): unknown =>
    type === 'set'
      ? item
      : Object.fromEntries(
          keys
            .filter((key) => isObject(item) && key in item)
            .map((key) => [key, (item as Record<string, unknown>)[key]]),
        );
  const times = new Map<string, number>();
  return list.flatMap((item, i) => {
    const value = identity(item);
    const seen = times.get(canonical(value)) ?? 0;
    times.set(canonical(value), seen + 1);
    return seen === 1 ? [field.duplicate(`${path}[${i}]`, value)] : [];
  });
}

/** Missing fields in embedded resources. */
export function validateEmbedded(value: unknown, schema: Schema, path = ''): FieldError[] {
  const errors: FieldError[] = [];
  if (Array.isArray(value) && schema.items)
    value.forEach((item, i) => errors.push(...validateEmbedded(item, schema.items!, `${path}[${i}]`)));
  if (isObject(value) && schema['x-kubernetes-embedded-resource']) {
    for (const key of ['apiVersion', 'kind']) {
      const place = path ? `${path}.${key}` : key;
      if (!(key in value)) errors.push(field.required(place));
      else if (typeof value[key] !== 'string') errors.push(field.invalid(place, value[key], 'must be a string'));
      else if (value[key] === '') errors.push(field.invalid(place, '', 'must not be empty'));
    }
  }
  forEachField(value, schema, path, (child, property, place) =>
    errors.push(...validateEmbedded(child, property, place)),
  );
  return errors;
}

/** Calls visit for each field of an object that the schema names. */
export function forEachField(
  value: unknown,
  schema: Schema,
  path: string,
  visit: (child: unknown, schema: Schema, path: string, key: string) => void,
): void {
  if (!isObject(value)) return;
  for (const [key, child] of Object.entries(value)) {
    const { properties, additionalProperties } = schema;
    if (properties && Object.hasOwn(properties, key))
      visit(child, properties[key]!, path ? `${path}.${key}` : key, key);
    else if (typeof additionalProperties === 'object') visit(child, additionalProperties, `${path}[${key}]`, key);
  }
}
