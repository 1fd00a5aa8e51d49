// Checks x-kubernetes-list-type and x-kubernetes-map-type of a schema.
import { field } from '../core/errors.ts';
import type { FieldError, Schema } from '../core/types.ts';

export function checkMapType(schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const mapType = schema['x-kubernetes-map-type'];
  if (!mapType) return errors;
  if (schema.type !== 'object') {
    const why = 'must be object if x-kubernetes-map-type is specified';
    errors.push(schema.type ? field.invalid(`${path}.type`, schema.type, why) : field.required(`${path}.type`, why));
  }
  if (mapType !== 'atomic' && mapType !== 'granular')
    errors.push(field.notSupported(`${path}.x-kubernetes-map-type`, mapType, ['atomic', 'granular']));
  return errors;
}

export function checkListType(schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const bad = (error: FieldError): number => errors.push(error);
  const { type, items } = schema;
  const listType = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  if (listType && type !== 'array') {
    const why = 'must be array if x-kubernetes-list-type is specified';
    bad(type ? field.invalid(`${path}.type`, type, why) : field.required(`${path}.type`, why));
  } else if (listType === 'set' && items) {
    const why = 'must be atomic as item of a list with x-kubernetes-list-type=set';
    if (items.type === 'array' && (items['x-kubernetes-list-type'] ?? 'atomic') !== 'atomic')
      bad(field.invalid(`${path}.items.x-kubernetes-list-type`, items['x-kubernetes-list-type'], why));
    if (items.type === 'object' && items['x-kubernetes-map-type'] !== 'atomic')
      bad(field.invalid(`${path}.items.x-kubernetes-map-type`, items['x-kubernetes-map-type'] ?? null, why));
  }
  if (listType && !['atomic', 'set', 'map'].includes(listType))
    bad(field.notSupported(`${path}.x-kubernetes-list-type`, listType, ['atomic', 'set', 'map']));
  if (keys.length && listType !== 'map') {
    const why = 'must be map if x-kubernetes-list-map-keys is non-empty';
    const place = `${path}.x-kubernetes-list-type`;
    bad(listType ? field.invalid(place, listType, why) : field.required(place, why));
  }
  if (listType === 'map') errors.push(...checkListMap(schema, keys, path));
  if ((listType === 'map' || listType === 'set') && items?.nullable)
    bad(field.forbidden(`${path}.items.nullable`, `cannot be nullable when x-kubernetes-list-type is ${listType}`));
  return errors;
}

function checkListMap(schema: Schema, keys: string[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  const bad = (error: FieldError): number => errors.push(error);
  const { items } = schema;
  const place = `${path}.x-kubernetes-list-map-keys`;
  if (!keys.length) bad(field.required(place, 'must not be empty if x-kubernetes-list-type is map'));
  if (!items) {
    bad(field.required(`${path}.items`, 'must have a schema if x-kubernetes-list-type is map'));
    return errors;
  }
  if (items.type !== 'object') {
    bad(
      field.invalid(
        `${path}.items.type`,
        items.type ?? '',
        "must be object if parent array's x-kubernetes-list-type is map",
      ),
    );
    return errors;
  }
  keys.forEach((key, i) => {
    const property = items.properties?.[key];
    const at = `${path}.items.properties[${key}]`;
    if (!property) bad(field.invalid(place, keys, 'entries must all be names of item properties'));
    else if (property.type === 'array' || property.type === 'object')
      bad(
        field.invalid(
          `${at}.type`,
          items.type,
          "must be a scalar type if parent array's x-kubernetes-list-type is map",
        ),
      );
    if (keys.indexOf(key) < i) bad(field.invalid(place, keys, 'must not contain duplicate entries'));
    if (!property) return;
    if (!items.required?.includes(key) && property.default === undefined)
      bad(
        field.required(
          `${at}.default`,
          'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
        ),
      );
    if (property.nullable)
      bad(
        field.forbidden(`${at}.nullable`, 'this property is in x-kubernetes-list-map-keys, so it cannot be nullable'),
      );
  });
  return errors;
}
