// CustomResourceDefinitions: their validation, and the rows that they add to the table of resources.
import { compareVersions } from '../core/discovery.ts';
import { field } from '../core/errors.ts';
import type { Column, FieldError, KubeObject, ResourceType, Schema } from '../core/types.ts';
import { convertObjects } from './convert.ts';
import type { Conversion } from './convert.ts';
import { applyDefaults } from './default.ts';
import { specOf } from './definition.ts';
import type { DefinitionSpec, PrinterColumn, Version } from './definition.ts';
import { validateEmbedded, validateLists } from './lists.ts';
import { prune } from './prune.ts';
import { hasRules, validateRules } from './rules.ts';
import { validateValue } from './values.ts';

export { convertObjects } from './convert.ts';
export type { Conversion, SendReview } from './convert.ts';
export { defaultDefinition, prepareDefinition } from './definition.ts';
export { establish, withCondition } from './establish.ts';
export type { Condition, DefinitionSpec, WebhookClientConfig } from './definition.ts';
export { validateDefinition as validateCrd } from './validate.ts';
export { prune } from './prune.ts';

const VERBS = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'];

/** One row for each served version. */
export function resourceTypesOf(crd: KubeObject, conversion?: Conversion): ResourceType[] {
  const spec = specOf(crd);
  const types = spec.versions.filter(({ served }) => served).map((version) => resourceType(spec, version, conversion));
  for (const { schema } of types) siblings.set(schema, types);
  return types;
}

/** All rows of a definition, by the schema of any of them. Also works for copies of a row. */
const siblings = new WeakMap<Schema, ResourceType[]>();

/** The row of another version of the same custom resource. Undefined if it is not served. */
export const otherVersion = (type: ResourceType, version: string): ResourceType | undefined =>
  siblings.get(type.schema)?.find((other) => other.version === version);

function resourceType(spec: DefinitionSpec, version: Version, conversion: Conversion | undefined): ResourceType {
  const { group, names } = spec;
  const schema: Schema = version.schema?.openAPIV3Schema ?? {
    type: 'object',
    'x-kubernetes-preserve-unknown-fields': true,
  };
  const { status, scale } = version.subresources ?? {};
  const checks = new ObjectChecks(group, version.name, names.kind, schema, scale);
  return {
    group,
    version: version.name,
    kind: names.kind,
    listKind: names.listKind ?? `${names.kind}List`,
    plural: names.plural,
    singular: names.singular ?? names.kind.toLowerCase(),
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    namespaced: spec.scope === 'Namespaced',
    verbs: VERBS,
    status: status !== undefined,
    ...(scale ? { scale } : {}),
    generation: true,
    schema,
    definitions: {},
    columns: (version.additionalPrinterColumns ?? [AGE]).map(column),
    storageVersion: spec.versions.find(({ storage }) => storage)!.name,
    strategicMerge: false,
    default: (object) => applyDefaults(object, withoutMetadata(schema)),
    validate: (object, old) => checks.validate(object, old),
    validateStatus: (object, old) => checks.validateStatus(object, old),
    convert: (objects, toVersion) => convertAndPrune(spec, objects, toVersion, conversion),
    fieldSelectors: (version.selectableFields ?? []).map(({ jsonPath }) => jsonPath.replace(/^\./, '')),
    custom: true,
    unconditionalUpdate: false,
    ...(version.deprecated ? { deprecationWarning: version.deprecationWarning ?? deprecation(spec, version) } : {}),
  };
}

/** Names the version to use instead: the newest one that is served and not deprecated. */
function deprecation({ group, names, versions }: DefinitionSpec, { name }: Version): string {
  const better = versions
    .filter((each) => each.served && !each.deprecated && compareVersions(each.name, name) < 0)
    .sort((a, b) => compareVersions(a.name, b.name))[0];
  const text = `${group}/${name} ${names.kind} is deprecated`;
  return better ? `${text}; use ${group}/${better.name} ${names.kind}` : text;
}

/** Removes fields that another version does not have. */
async function convertAndPrune(
  spec: DefinitionSpec,
  objects: KubeObject[],
  toVersion: string,
  conversion: Conversion | undefined,
): Promise<KubeObject[]> {
  const converted = await convertObjects(spec, objects, toVersion, conversion);
  const schema = spec.versions.find(({ name }) => name === toVersion)?.schema?.openAPIV3Schema;
  if (!schema) return converted;
  return converted.map((object) =>
    objects.includes(object)
      ? object
      : (prune(object as unknown as Record<string, unknown>, schema, { root: true }).object as unknown as KubeObject),
  );
}

const AGE: PrinterColumn = {
  name: 'Age',
  type: 'date',
  description:
    'CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata',
  jsonPath: '.metadata.creationTimestamp',
};

const column = ({ name, type, format, description, priority, jsonPath }: PrinterColumn): Column => ({
  name,
  type,
  format: format ?? '',
  description: description ?? `Custom resource definition column (in JSONPath format): ${jsonPath}`,
  priority: priority ?? 0,
  value: jsonPath,
});

/** Metadata has its own defaults and decoder. */
const stripped = new WeakMap<Schema, Schema>();
function withoutMetadata(schema: Schema): Schema {
  let result = stripped.get(schema);
  if (!result) {
    const { metadata: _, ...properties } = schema.properties ?? {};
    result = { ...schema, properties };
    stripped.set(schema, result);
  }
  return result;
}

const BLOCKING = new Set([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
]);

/** All checks of a custom resource, in the order of the API server. */
class ObjectChecks {
  private readonly apiVersion: string;
  private readonly kind: string;
  private readonly schema: Schema;
  private readonly scale: NonNullable<Version['subresources']>['scale'];
  private readonly rules: boolean;

  constructor(
    group: string,
    version: string,
    kind: string,
    schema: Schema,
    scale: NonNullable<Version['subresources']>['scale'],
  ) {
    this.apiVersion = `${group}/${version}`;
    this.kind = kind;
    this.schema = schema;
    this.scale = scale;
    this.rules = hasRules(schema);
  }

  validate(object: KubeObject, old: KubeObject | undefined): FieldError[] {
    const errors = this.checkType(object);
    if (!errors.length) {
      errors.push(...validateValue(object, this.schema, '', old && { value: old }));
      errors.push(...this.checkScale(object, ['specReplicasPath', 'statusReplicasPath']));
    }
    errors.push(...validateEmbedded(object, this.schema), ...this.checkLists(object, old));
    errors.push(...this.checkRules(object, old, errors));
    return errors;
  }

  validateStatus(object: KubeObject, old: KubeObject): FieldError[] {
    const errors = this.checkType(object);
    const status = this.schema.properties?.['status'];
    if (!errors.length) {
      if (status && 'status' in object) {
        const before = old['status'] === undefined ? undefined : { value: old['status'] as unknown };
        errors.push(...validateValue(object['status'], status, 'status', before));
      }
      errors.push(...this.checkScale(object, ['statusReplicasPath']));
    }
    errors.push(...validateEmbedded(object, this.schema), ...this.checkLists(object, old));
    errors.push(...this.checkRules(object, old, errors));
    return errors;
  }

  private checkType({ kind, apiVersion }: KubeObject): FieldError[] {
    const errors: FieldError[] = [];
    if (kind !== this.kind) errors.push(field.invalid('kind', kind, `must be ${this.kind}`));
    if (apiVersion !== this.apiVersion)
      errors.push(field.invalid('apiVersion', apiVersion, `must be ${this.apiVersion}`));
    return errors;
  }

  private checkLists(object: KubeObject, old: KubeObject | undefined): FieldError[] {
    if (old && validateLists(old, this.schema).length) return [];
    return validateLists(object, this.schema);
  }

  private checkRules(object: KubeObject, old: KubeObject | undefined, errors: FieldError[]): FieldError[] {
    if (!this.rules) return [];
    if (errors.some(({ reason }) => BLOCKING.has(reason)))
      return [
        field.invalid(
          '<nil>',
          null,
          'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
        ),
      ];
    return validateRules(object, this.schema, old);
  }

  private checkScale(object: KubeObject, keys: ('specReplicasPath' | 'statusReplicasPath')[]): FieldError[] {
    const { scale } = this;
    if (!scale) return [];
    return keys.flatMap((key) => {
      const path = scale[key];
      let value: unknown = object;
      for (const name of path.split('.').slice(1)) value = (value as Record<string, unknown> | undefined)?.[name];
      if (typeof value !== 'number') return [];
      if (value < 0) return [field.invalid(path, value, 'should be a non-negative integer')];
      if (value > 2147483647) return [field.invalid(path, value, 'should be less than or equal to 2147483647')];
      return [];
    });
  }
}
