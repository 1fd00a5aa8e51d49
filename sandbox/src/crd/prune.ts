// Pruning: a custom resource keeps only the fields of its structural schema.
import type { Schema } from '../core/types.ts';

type Values = Record<string, unknown>;

/** Returns a copy without unknown fields. `pruned`: their paths, sorted. */
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

/** Without a schema, scalars are kept and objects are emptied. */
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

/** Items of a list inherit x-kubernetes-preserve-unknown-fields. */
const keepAll = (schema: Schema): Schema => ({ ...schema, 'x-kubernetes-preserve-unknown-fields': true });
