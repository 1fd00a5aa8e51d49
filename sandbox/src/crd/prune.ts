// Pruning: a custom resource keeps what its structural schema names, and nothing else.
import type { Schema } from '../core/types.ts';

type Values = Record<string, unknown>;

/** Copies the object without what the schema does not name; `pruned` are the paths of what went, sorted. */
export function prune(
  value: Values,
  schema: Schema,
  { root = false }: { root?: boolean } = {},
): { object: Values; pruned: string[] } {
  const pruned: string[] = [];
  const whole: Schema = root ? { ...schema, 'x-kubernetes-embedded-resource': true } : schema;
  const object = pruneValue(value, whole, '', pruned) as Values;
  return { object, pruned: pruned.sort() };
}

const ofEveryResource = new Set(['apiVersion', 'kind', 'metadata']);

/** No schema keeps scalars, and empties objects. */
function pruneValue(value: unknown, schema: Schema | undefined, path: string, pruned: string[]): unknown {
  const preserve = schema?.['x-kubernetes-preserve-unknown-fields'] === true;
  if (Array.isArray(value)) {
    if (preserve && !schema.items) return value;
    return value.map((item, i) =>
      pruneValue(item, preserve ? keepAll(schema.items!) : schema?.items, `${path}[${i}]`, pruned),
    );
  }
  if (typeof value !== 'object' || value === null) return value;
  const result: Values = {};
  for (const [key, child] of Object.entries(value)) {
    const place = path ? `${path}.${key}` : key;
    const property = schema?.properties && Object.hasOwn(schema.properties, key) ? schema.properties[key] : undefined;
    const additional = schema?.additionalProperties;
    if (schema?.['x-kubernetes-embedded-resource'] && ofEveryResource.has(key)) result[key] = child;
    else if (property) result[key] = pruneValue(child, property, place, pruned);
    else if (additional) result[key] = pruneValue(child, additional === true ? undefined : additional, place, pruned);
    else if (preserve) result[key] = child;
    else pruned.push(place);
  }
  return result;
}

/** The items of a list that preserves what it does not know do so too. */
const keepAll = (schema: Schema): Schema => ({ ...schema, 'x-kubernetes-preserve-unknown-fields': true });
