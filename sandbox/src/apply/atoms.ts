// How server-side apply merges the values of a schema: as a whole, or field by field.
import type { ResourceType, Schema } from '../core/types.ts';
import { definitionName, definitions } from '../schema/index.ts';

export type ScalarKind = 'numeric' | 'string' | 'boolean' | 'untyped';

/** The possible forms of a value of this type. */
export interface Atom {
  scalar?: ScalarKind;
  list?: ListAtom;
  map?: MapAtom;
}

export interface ListAtom {
  atomic: boolean;
  /** The keys of a list map. Sets have none. */
  keys: string[];
  element: () => Atom;
}

export interface MapAtom {
  atomic: boolean;
  fields: Map<string, { type: () => Atom; default?: unknown }>;
  /** The type of fields that are not listed. Absent if other fields are not allowed. */
  element?: () => Atom;
}

/** Any value, owned as a whole. */
const untyped: Atom = {
  scalar: 'untyped',
  list: { atomic: true, keys: [], element: () => untyped },
  map: { atomic: true, fields: new Map(), element: () => untyped },
};

/** Any value. Objects are owned field by field. */
const deduced: Atom = {
  scalar: 'untyped',
  list: { atomic: true, keys: [], element: () => deduced },
  map: { atomic: false, fields: new Map(), element: () => deduced },
};

export const apiVersionOf = ({ group, version }: Pick<ResourceType, 'group' | 'version'>): string =>
  group ? `${group}/${version}` : version;

const OBJECT_META = '#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
const QUANTITY = /\.(Quantity|IntOrString)$/;

const atoms = new WeakMap<Schema, Atom>();

/** The type of objects of a resource. */
export function atomOf(type: Pick<ResourceType, 'group' | 'version' | 'kind' | 'schema'>): Atom {
  const native = definitionName(type.group, type.version, type.kind);
  return convert(native ? definitions[native]! : type.schema, native === undefined);
}

function convert(schema: Schema, isResource = false): Atom {
  const known = atoms.get(schema);
  if (known) return known;
  const atom = schema.$ref ? resolve(schema) : make(schema, isResource);
  atoms.set(schema, atom);
  return atom;
}

function resolve(schema: Schema): Atom {
  const name = schema.$ref!.slice('#/definitions/'.length);
  if (QUANTITY.test(name)) return { scalar: 'untyped' };
  const target = convert(definitions[name]!);
  return schema['x-kubernetes-map-type'] && target.map
    ? { map: { ...target.map, atomic: schema['x-kubernetes-map-type'] === 'atomic' } }
    : target;
}

function make(schema: Schema, isResource: boolean): Atom {
  if (schema['x-kubernetes-int-or-string']) return { scalar: 'untyped' };
  switch (schema.type) {
    case 'string':
      return { scalar: schema.format === 'int-or-string' ? 'untyped' : 'string' };
    case 'integer':
    case 'number':
      return { scalar: 'numeric' };
    case 'boolean':
      return { scalar: 'boolean' };
    case 'array':
      return makeList(schema);
    case 'object':
      return makeMap(schema, isResource);
    default:
      return schema['x-kubernetes-preserve-unknown-fields'] ? deduced : untyped;
  }
}

function makeList(schema: Schema): Atom {
  const type = schema['x-kubernetes-list-type'];
  const { items } = schema;
  return {
    list: {
      atomic: type !== 'set' && type !== 'map',
      keys: type === 'map' ? (schema['x-kubernetes-list-map-keys'] ?? []) : [],
      element: () => (items ? convert(items) : untyped),
    },
  };
}

function makeMap(schema: Schema, isResource: boolean): Atom {
  const { additionalProperties } = schema;
  const properties: Record<string, Schema> = { ...schema.properties };
  if (isResource || schema['x-kubernetes-embedded-resource']) {
    properties['apiVersion'] = { type: 'string' };
    properties['kind'] = { type: 'string' };
    properties['metadata'] = { $ref: OBJECT_META };
  }
  const preserves = schema['x-kubernetes-preserve-unknown-fields'] === true;
  const mapType = schema['x-kubernetes-map-type'];
  if (!Object.keys(properties).length && !additionalProperties) {
    if (!preserves) return { map: { ...untyped.map!, atomic: mapType !== 'granular' } };
    return mapType === 'atomic' ? { map: untyped.map! } : { map: deduced.map! };
  }
  const element = preserves
    ? (): Atom => deduced
    : typeof additionalProperties === 'object'
      ? (): Atom => convert(additionalProperties)
      : additionalProperties
        ? (): Atom => untyped
        : undefined;
  return {
    map: {
      atomic: mapType === 'atomic',
      fields: new Map(
        Object.entries(properties).map(([name, property]) => [
          name,
          { type: () => convert(property), ...(property.default === undefined ? {} : { default: property.default }) },
        ]),
      ),
      ...(element ? { element } : {}),
    },
  };
}
