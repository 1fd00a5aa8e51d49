// Sets the defaults of a structural schema. Removes nulls that are not allowed first.
import type { Schema } from '../core/types.ts';
import { isObject } from '../patch/values.ts';

/** Sets defaults. Changes the value. */
export function applyDefaults(value: unknown, schema: Schema): void {
  dropNulls(value, schema);
  fillIn(value, schema);
}

const mayNotBeNull = (schema: Schema | undefined): schema is Schema => schema !== undefined && schema.nullable !== true;

function schemaOfField(schema: Schema | undefined, key: string): Schema | undefined {
  if (schema?.properties && Object.hasOwn(schema.properties, key)) return schema.properties[key];
  return typeof schema?.additionalProperties === 'object' ? schema.additionalProperties : undefined;
}

function dropNulls(value: unknown, schema: Schema | undefined): void {
  if (Array.isArray(value)) for (const item of value) dropNulls(item, schema?.items);
  if (!isObject(value)) return;
  for (const [key, child] of Object.entries(value)) {
    const property = schemaOfField(schema, key);
    if (child === null && mayNotBeNull(property) && property.default === undefined) delete value[key];
    else dropNulls(child, property);
  }
}

function fillIn(value: unknown, schema: Schema): void {
  if (Array.isArray(value) && schema.items) {
    const { items } = schema;
    value.forEach((item: unknown, i) => {
      if (item === null && mayNotBeNull(items) && items.default !== undefined)
        value[i] = structuredClone(items.default);
      fillIn(value[i], items);
    });
  }
  if (!isObject(value)) return;
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    if (property.default === undefined) continue;
    if (!Object.hasOwn(value, key) || (value[key] === null && mayNotBeNull(property)))
      value[key] = structuredClone(property.default);
  }
  for (const key of Object.keys(value)) {
    const property = schemaOfField(schema, key);
    if (!property) continue;
    if (value[key] === null && mayNotBeNull(property) && property.default !== undefined)
      value[key] = structuredClone(property.default);
    fillIn(value[key], property);
  }
}
