// The schemas in OpenAPI documents: those of a group version's kinds, and all schemas that they refer to.
import type { ResourceType, Schema } from '../core/types.ts';
import { definitionName, definitions } from '../schema/index.ts';

/** A schema with references in the format of the document. */
export type Published = Record<string, unknown>;

const REFERENCE = '#/definitions/';
const POD = 'io.k8s.api.core.v1.Pod';
const METADATA =
  "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";
const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';

/** A reference in the format of the document. OpenAPI 3 allows no other fields next to `$ref`, so it is wrapped if there are any. */
export interface Dialect {
  readonly prefix: string;
  readonly wrap: boolean;
}

/** The schemas of the kinds by name, with all schemas that they refer to. */
export function publish(types: readonly ResourceType[], dialect: Dialect): Record<string, Published> {
  const published: Record<string, Published> = {};
  const pending: string[] = [];
  const convert = (schema: Schema): Published => {
    const { $ref, properties, items, additionalProperties, ...rest } = schema;
    const more: Published = { ...rest };
    if (properties) more.properties = mapValues(properties, convert);
    if (items) more.items = convert(items);
    if (additionalProperties !== undefined)
      more.additionalProperties =
        typeof additionalProperties === 'object' ? convert(additionalProperties) : additionalProperties;
    if ($ref === undefined) return more;
    const name = $ref.slice(REFERENCE.length);
    pending.push(name);
    // The client models have no description for fields that refer to a type, so use the description of the type.
    const description = more.description ?? definitions[name]?.description;
    if (description !== undefined) more.description = description;
    const link = { $ref: dialect.prefix + name };
    return dialect.wrap && Object.keys(more).length > 0 ? { ...more, allOf: [link] } : { ...link, ...more };
  };
  for (const type of types) {
    const native = definitionName(type.group, type.version, type.kind);
    if (native) pending.push(native);
    else published[customName(type)] = convert(customSchema(type));
  }
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const definition = definitions[name];
    if (definition && !(name in published)) published[name] = convert(definition);
  }
  return published;
}

/** The schema name of a kind. */
export const schemaName = (type: ResourceType): string =>
  definitionName(type.group, type.version, type.kind) ?? customName(type);

/** The format of the API server: the parts of the group in reverse order. */
const customName = ({ group, version, kind }: ResourceType): string =>
  [...group.split('.').toReversed(), version, kind].join('.');

/** A definition, with the fields that all objects have. */
function customSchema({ schema, group, version, kind }: ResourceType): Schema {
  const { apiVersion, kind: kindOfAny } = definitions[POD]!.properties!;
  return {
    ...schema,
    properties: {
      apiVersion: apiVersion!,
      kind: kindOfAny!,
      ...schema.properties,
      metadata: { description: METADATA, $ref: REFERENCE + OBJECT_META },
    },
    ...{ 'x-kubernetes-group-version-kind': [{ group, kind, version }] },
  };
}

function mapValues<T, U>(object: Record<string, T>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}
