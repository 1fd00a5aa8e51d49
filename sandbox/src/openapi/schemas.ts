// Schemas as OpenAPI documents name and link them: those of a group version's kinds, and all they reach.
import type { ResourceType, Schema } from '../core/types.ts';
import { definitionName, definitions } from '../schema/index.ts';

/** A schema with references as the document wants them. */
export type Published = Record<string, unknown>;

const REFERENCE = '#/definitions/';
const POD = 'io.k8s.api.core.v1.Pod';
const METADATA =
  "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";
const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';

/** How a document refers to a schema. OpenAPI 3 allows nothing beside a `$ref`, so it is wrapped where there is more. */
export interface Dialect {
  readonly prefix: string;
  readonly wrap: boolean;
}

/** The schemas of the kinds, by name, with all that they refer to. */
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
    // The models that the definitions are made from do not describe fields that refer to a type: say what the type says.
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

/** The name of a kind's schema. */
export const schemaName = (type: ResourceType): string =>
  definitionName(type.group, type.version, type.kind) ?? customName(type);

/** As the API server names them: the group's words from the last to the first. */
const customName = ({ group, version, kind }: ResourceType): string =>
  [...group.split('.').toReversed(), version, kind].join('.');

/** What a definition says, with what every object has. */
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
