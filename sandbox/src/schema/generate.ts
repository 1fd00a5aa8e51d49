// Generates generated/definitions.json, the schemas of native kinds, from the models of the installed Kubernetes client and merging.ts.
// Run: npm run generate -w sandbox [-- --check]. Only this script reads the client's files. The sandbox reads the result.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Schema } from '../core/types.ts';
import { atomicMaps, atomicTypes, keyDefaults, lists, patchStrategies, quantities } from './merging.ts';
import { metaTypes, roots } from './roots.ts';

type Definition = Schema & { 'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string }[] };

interface Attribute {
  baseName: string;
  type: string;
  format: string;
}

const models = new URL('gen/models/', import.meta.resolve('@kubernetes/client-node'));
const target = fileURLToPath(new URL('generated/definitions.json', import.meta.url));
const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const apiextensions = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1';

/** Definitions without a model in the client. */
const handWritten: Record<string, Definition> = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': {
    description: 'Quantity is a fixed-point number with an optional suffix, e.g. 500m, 1.5, 64Mi.',
    type: 'string',
  },
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': {
    description: 'IntOrString holds an integer or a string, e.g. 3 or "25%".',
    type: 'string',
    format: 'int-or-string',
  },
  'io.k8s.apimachinery.pkg.runtime.RawExtension': { description: 'Any object, kept as it is.', type: 'object' },
  [`${meta}.Time`]: {
    description: 'Time as RFC 3339, in seconds.',
    type: 'string',
    format: 'date-time',
  },
  [`${meta}.MicroTime`]: { description: 'Time as RFC 3339, in microseconds.', type: 'string', format: 'date-time' },
  [`${meta}.FieldsV1`]: {
    description:
      'FieldsV1 stores a set of fields in a data structure like a trie: f:<name> is a field, k:<keys> an item of a list map, v:<value> an item of a set, "." the thing itself.',
    type: 'object',
  },
  [`${meta}.Patch`]: { description: 'Patch is a body of a PATCH request.', type: 'object' },
  [`${apiextensions}.JSON`]: { description: 'Any JSON value.' },
  [`${apiextensions}.JSONSchemaPropsOrArray`]: { description: 'A schema, or an array of schemas.' },
  [`${apiextensions}.JSONSchemaPropsOrBool`]: { description: 'A schema, or a boolean.' },
  [`${apiextensions}.JSONSchemaPropsOrStringArray`]: { description: 'A schema, or an array of names.' },
  [`${apiextensions}.CustomResourceSubresourceStatus`]: {
    description: 'CustomResourceSubresourceStatus says that custom resources have the status subresource.',
    type: 'object',
  },
};

/** Fields that have the type `any` in the client. */
const anyTypes: Record<string, string> = {
  'ManagedFieldsEntry.fieldsV1': `${meta}.FieldsV1`,
  'ControllerRevision.data': 'io.k8s.apimachinery.pkg.runtime.RawExtension',
  'CustomResourceSubresources.status': `${apiextensions}.CustomResourceSubresourceStatus`,
  'JSONSchemaProps.default': `${apiextensions}.JSON`,
  'JSONSchemaProps.example': `${apiextensions}.JSON`,
  'JSONSchemaProps.enum': `${apiextensions}.JSON`,
  'JSONSchemaProps.items': `${apiextensions}.JSONSchemaPropsOrArray`,
  'JSONSchemaProps.additionalItems': `${apiextensions}.JSONSchemaPropsOrBool`,
  'JSONSchemaProps.additionalProperties': `${apiextensions}.JSONSchemaPropsOrBool`,
  'JSONSchemaProps.dependencies': `${apiextensions}.JSONSchemaPropsOrStringArray`,
};

const modelFiles = new Set(readdirSync(models).filter((name) => name.endsWith('.js')));
/** Class of a client model → name of the definition. */
const names = new Map<string, string>();
const definitions: Record<string, Definition> = { ...handWritten };

const unescape = (text: string): string =>
  text
    .replace(/^\s*\* ?/gm, '')
    .replace(/\\(['"`])/g, '$1')
    .replace(/\\\\/g, '\\')
    .trim();

/** Comments in the declaration of a model: of the class under "", of each field under its name. Also its optional fields. */
function readDeclaration(model: string): { comments: Map<string, string>; optional: Set<string> } {
  const text = readFileSync(new URL(`${model}.d.ts`, models), 'utf8');
  const comments = new Map<string, string>();
  const optional = new Set<string>();
  comments.set('', unescape(/\/\*\*\n((?:\*.*\n)+?)\*\/\nexport declare class/.exec(text)?.[1] ?? ''));
  for (const [, comment, name, mark] of text.matchAll(
    /(?:\/\*\*\n((?: *\*(?!\/).*\n)*) *\*\/\n)? {4}'([^']+)'(\??):/g,
  )) {
    comments.set(name!, unescape(comment ?? ''));
    if (mark) optional.add(name!);
  }
  return { comments, optional };
}

function readAttributes(model: string): Attribute[] {
  const text = readFileSync(new URL(`${model}.js`, models), 'utf8');
  const found = /\.attributeTypeMap = (\[[\s\S]*?\n?\]);\n/.exec(text);
  if (!found) throw new Error(`${model}.js has no attributeTypeMap: has the client's generator changed?`);
  return JSON.parse(found[1]!) as Attribute[];
}

/** `AuthenticationV1TokenRequest`, `V1Pod` → `TokenRequest`, `Pod`. */
const bareName = (model: string): string => model.replace(/^(?:[A-Z][a-z]+)?V\d+(?:(?:alpha|beta)\d+)?/, '');

/** Tables contain `Type.field`, or `package.version.Type.field` if two types have the same name. */
const keysOf = (definition: string, field?: string): [string, string] => {
  const parts = definition.split('.');
  const tail = field === undefined ? '' : `.${field}`;
  return [`${parts.at(-1)}${tail}`, `${parts.slice(-3).join('.')}${tail}`];
};
const used = new Set<string>();
const lookUp = <T>(table: Record<string, T>, definition: string, field: string): T | undefined => {
  const key = keysOf(definition, field).find((candidate) => candidate in table);
  if (key === undefined) return undefined;
  used.add(key);
  return table[key];
};
const isIn = (set: Set<string>, definition: string, field?: string): boolean => {
  const key = keysOf(definition, field).find((candidate) => set.has(candidate));
  if (key !== undefined) used.add(key);
  return key !== undefined;
};

const refer = (name: string): Schema => ({ $ref: `#/definitions/${name}` });

/** The schema of a value of a client type. `inPackage`: the package of unknown types. */
function schemaOf(attribute: Attribute, owner: string, inPackage: string): Schema {
  const field = attribute.baseName;
  const array = /^Array<(.+)>$/.exec(attribute.type);
  if (array) return { type: 'array', items: schemaOf({ ...attribute, type: array[1]! }, owner, inPackage) };
  const map = /^\{ \[key: string\]: (.+); \}$/.exec(attribute.type);
  if (map) return { type: 'object', additionalProperties: schemaOf({ ...attribute, type: map[1]! }, owner, inPackage) };
  switch (attribute.type) {
    case 'string':
      if (isIn(quantities, owner, field)) return refer('io.k8s.apimachinery.pkg.api.resource.Quantity');
      return attribute.format ? { type: 'string', format: attribute.format } : { type: 'string' };
    case 'number':
      return { type: attribute.format === 'double' ? 'number' : 'integer', format: attribute.format };
    case 'boolean':
      return { type: 'boolean' };
    case 'Date':
      return refer(`${meta}.Time`);
    case 'V1MicroTime':
      return refer(`${meta}.MicroTime`);
    case 'IntOrString':
      return refer('io.k8s.apimachinery.pkg.util.intstr.IntOrString');
    case 'any': {
      const name = lookUp(anyTypes, owner, field);
      if (!name) throw new Error(`${owner}.${field} is of any type: say which in anyTypes`);
      return refer(name);
    }
    default:
      return refer(define(attribute.type, inPackage));
  }
}

/** Adds the entries of merging.ts for a field. */
function addMerging(schema: Schema, owner: string, field: string): void {
  const strategy = lookUp(patchStrategies, owner, field);
  if (strategy) schema['x-kubernetes-patch-strategy'] = strategy;
  if (isIn(atomicMaps, owner, field)) schema['x-kubernetes-map-type'] = 'atomic';
  if (schema.type !== 'array') return;
  const [merging = 'atomic', patch] = (lookUp(lists, owner, field) ?? '').split(/\s*\|\s*/);
  const [type = '', ...keys] = merging.split(' ');
  if (field !== 'items' || type) schema['x-kubernetes-list-type'] = (type || 'atomic') as 'map' | 'set' | 'atomic';
  if (keys.length) schema['x-kubernetes-list-map-keys'] = keys;
  if (patch === '-' || (!patch && !keys.length)) return;
  const [patchStrategy = 'merge', patchKey] = patch ? patch.split(' ') : ['merge', keys[0]];
  schema['x-kubernetes-patch-strategy'] = patchStrategy;
  if (patchKey) schema['x-kubernetes-patch-merge-key'] = patchKey;
}

/** Creates the definitions of a model and of all models that it refers to. Returns its name. */
function define(model: string, inPackage: string): string {
  const known = names.get(model);
  if (known) return known;
  if (!modelFiles.has(`${model}.js`)) throw new Error(`${model}: the client has no such model`);
  const bare = bareName(model);
  const name = `${metaTypes.includes(bare) ? meta : inPackage}.${bare}`;
  names.set(model, name);
  const { comments, optional } = readDeclaration(model);
  const definition: Definition = { description: comments.get('')!, type: 'object', properties: {} };
  definitions[name] = definition;
  const required: string[] = [];
  for (const attribute of readAttributes(model)) {
    const field = attribute.baseName;
    const inDeclaration = (attribute as unknown as { name: string }).name;
    const value = schemaOf(attribute, name, inPackage);
    const description = comments.get(inDeclaration);
    const property: Schema = description ? { description, ...value } : value;
    addMerging(property, name, field);
    const byDefault = lookUp(keyDefaults, name, field);
    if (byDefault !== undefined) property.default = byDefault;
    definition.properties![field] = property;
    if (!optional.has(inDeclaration)) required.push(field);
  }
  if (required.length) definition.required = required;
  if (isIn(atomicTypes, name)) definition['x-kubernetes-map-type'] = 'atomic';
  return name;
}

/** If two groups have a type of the same name, the client puts the group before the version. */
function modelOf(group: string, version: string, kind: string): string {
  const plain = `${version.charAt(0).toUpperCase()}${version.slice(1)}${kind}`;
  if (modelFiles.has(`${plain}.js`)) return plain;
  const first = (group || 'core').split('.')[0]!;
  return `${first.charAt(0).toUpperCase()}${first.slice(1)}${plain}`;
}

for (const root of roots) {
  const gvk = (kind: string) => [{ group: root.group, version: root.version, kind }];
  for (const kind of root.kinds) {
    const name = define(modelOf(root.group, root.version, kind), root.package);
    const definition = definitions[name]!;
    if (!definition.properties?.['kind']) continue;
    definition['x-kubernetes-group-version-kind'] = gvk(kind);
    const list = modelOf(root.group, root.version, `${kind}List`);
    if (!definition.properties['metadata'] || !modelFiles.has(`${list}.js`)) continue;
    definitions[define(list, root.package)]!['x-kubernetes-group-version-kind'] = gvk(`${kind}List`);
  }
}

const unused = [
  ...Object.keys(lists),
  ...Object.keys(patchStrategies),
  ...atomicTypes,
  ...atomicMaps,
  ...Object.keys(keyDefaults),
  ...quantities,
].filter((key) => !used.has(key));
if (unused.length) throw new Error(`merging.ts names what no schema has: ${unused.join(', ')}`);

const sorted = Object.fromEntries(Object.entries(definitions).sort(([a], [b]) => (a < b ? -1 : 1)));
const text = `{\n${Object.entries(sorted)
  .map(([name, definition]) => `${JSON.stringify(name)}:${JSON.stringify(definition)}`)
  .join(',\n')}\n}\n`;
if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== text) {
    process.stderr.write(
      'sandbox/src/schema/generated/definitions.json is not what the installed client gives: run npm run generate -w sandbox\n',
    );
    process.exitCode = 1;
  }
} else {
  writeFileSync(target, text);
}
