// The native schemas as types with read and write rules, like the struct tags in Go.
import type { Schema } from '../core/types.ts';
import { definitions } from './definitions.ts';
import { alwaysWritten, namedStrings, plainScalars, pointers, valueStructs } from './presence.ts';

export type Scalar =
  | 'string'
  | 'int32'
  | 'int64'
  | 'float64'
  | 'bool'
  | 'bytes'
  | 'quantity'
  | 'time'
  | 'microTime'
  | 'intOrString'
  | 'raw';

export type GoType =
  | { kind: 'struct'; go: string; name: string; fields: Map<string, Field>; written: Field[] }
  | { kind: 'map'; go: string; value: GoType }
  | { kind: 'slice'; go: string; element: GoType }
  /** A schema, a list of schemas, or a boolean, as JSON Schema allows in some places. */
  | { kind: 'schemaOr'; go: string; schema: GoType }
  | { kind: Scalar; go: string };

export interface Field {
  name: string;
  type: GoType;
  /** Zero values are kept. Absent stays absent. */
  pointer: boolean;
  /** Written even if empty. */
  always: boolean;
}

const PREFIX = '#/definitions/';

const wellKnown: Record<string, GoType> = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': { kind: 'quantity', go: 'resource.Quantity' },
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': { kind: 'intOrString', go: 'intstr.IntOrString' },
  'io.k8s.apimachinery.pkg.runtime.RawExtension': { kind: 'raw', go: 'runtime.RawExtension' },
  'io.k8s.apimachinery.pkg.apis.meta.v1.Time': { kind: 'time', go: 'v1.Time' },
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': { kind: 'microTime', go: 'v1.MicroTime' },
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': { kind: 'raw', go: 'v1.FieldsV1' },
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON': { kind: 'raw', go: 'v1.JSON' },
};
const SCHEMA_OR = /\.JSONSchemaPropsOr(Array|Bool|StringArray)$/;
const JSON_SCHEMA = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps';

const compiled = new Map<string, GoType>();

/** The type of a definition. `name`: without `#/definitions/`. */
export function typeOf(name: string): GoType {
  const known = wellKnown[name] ?? compiled.get(name);
  if (known) return known;
  const [version = '', bare = ''] = name.split('.').slice(-2);
  const go = `${version}.${bare}`;
  if (SCHEMA_OR.test(name)) {
    const union: GoType = { kind: 'schemaOr', go, schema: { kind: 'raw', go } };
    compiled.set(name, union);
    union.schema = typeOf(JSON_SCHEMA);
    return union;
  }
  const struct: GoType = { kind: 'struct', go, name: bare, fields: new Map(), written: [] };
  compiled.set(name, struct);
  const definition = definitions[name];
  if (!definition) throw new Error(`no definition ${name}`);
  for (const [fieldName, schema] of Object.entries(definition.properties ?? {})) {
    const field = fieldOf(name, fieldName, schema, definition.required?.includes(fieldName) ?? false);
    struct.fields.set(fieldName, field);
    if (field.always) struct.written.push(field);
  }
  return struct;
}

function fieldOf(owner: string, name: string, schema: Schema, required: boolean): Field {
  const parts = owner.split('.');
  const short = `${parts.at(-1)}.${name}`;
  const long = `${parts.slice(-3).join('.')}.${name}`;
  const isIn = (set: Set<string>): boolean => set.has(short) || set.has(long);
  const type = typeOfSchema(schema, namedStrings[short]);
  if (name === 'apiVersion' || name === 'kind') return { name, type, pointer: false, always: required };
  const always = required || isIn(alwaysWritten);
  switch (type.kind) {
    case 'struct': {
      const value = !isIn(pointers) && (required || /^(metadata|spec|status)$/.test(name) || isIn(valueStructs));
      return { name, type, pointer: !value, always: always || value };
    }
    case 'bool':
    case 'int32':
    case 'int64':
    case 'float64':
      return { name, type, always, pointer: isIn(pointers) || !(required || isPlain(name) || isIn(plainScalars)) };
    case 'time':
    case 'microTime':
      return { name, type, pointer: true, always: !isIn(pointers) };
    case 'quantity':
      return {
        name,
        type,
        pointer: !required && short !== 'ResourceFieldSelector.divisor',
        always: always || short === 'ResourceFieldSelector.divisor',
      };
    case 'intOrString':
      return {
        name,
        type,
        pointer: !required && short !== 'ServicePort.targetPort',
        always: always || short === 'ServicePort.targetPort',
      };
    case 'raw':
    case 'schemaOr':
      return { name, type, pointer: true, always };
    case 'string':
    case 'bytes':
    case 'map':
    case 'slice':
      return { name, type, always, pointer: isIn(pointers) };
  }
}

const isPlain = (name: string): boolean => name === 'observedGeneration';

function typeOfSchema(schema: Schema, namedString?: string): GoType {
  if (schema.$ref) return typeOf(schema.$ref.slice(PREFIX.length));
  switch (schema.type) {
    case 'array': {
      const element = typeOfSchema(schema.items!, namedString);
      return { kind: 'slice', go: `[]${element.go}`, element };
    }
    case 'object': {
      if (typeof schema.additionalProperties !== 'object') return { kind: 'raw', go: 'map[string]interface {}' };
      const value = typeOfSchema(schema.additionalProperties);
      return { kind: 'map', go: `map[string]${value.go}`, value };
    }
    case 'integer':
      return schema.format === 'int64' ? { kind: 'int64', go: 'int64' } : { kind: 'int32', go: 'int32' };
    case 'number':
      return { kind: 'float64', go: 'float64' };
    case 'boolean':
      return { kind: 'bool', go: 'bool' };
    case 'string':
      if (schema.format === 'byte') return { kind: 'bytes', go: '[]uint8' };
      return { kind: 'string', go: namedString ?? 'string' };
    default:
      return { kind: 'raw', go: 'interface {}' };
  }
}
