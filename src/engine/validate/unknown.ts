// Finds fields that the schema does not know, and suggests the most similar known field.
import type { JsonSchema } from '../../api/schema/json-schema.ts';

const MAX_WARNINGS = 10;
const MAX_NAME = 64;

/** `unknown field "spec.strategy.canary.setps": did you mean "steps"?` */
export function unknownFields(object: unknown, schema: JsonSchema): string[] {
  const found: string[] = [];
  walk(object, schema, '', found);
  return found;
}

function walk(value: unknown, schema: JsonSchema, path: string, found: string[]): void {
  if (typeof value !== 'object' || value === null || found.length >= MAX_WARNINGS) return;
  if (Array.isArray(value)) {
    const items = schema.items;
    if (items) value.forEach((item, index) => walk(item, items, `${path}[${index}]`, found));
    return;
  }
  const known = schema.properties;
  if (known === undefined) return;
  for (const [name, child] of Object.entries(value)) {
    const at = path === '' ? name : `${path}.${name}`;
    const next = Object.hasOwn(known, name) ? known[name] : undefined;
    if (next) walk(child, next, at, found);
    else if (found.length < MAX_WARNINGS)
      found.push(`unknown field ${JSON.stringify(at)}${suggest(name, Object.keys(known))}`);
  }
}

const suggest = (name: string, known: readonly string[]): string => {
  if (name.length > MAX_NAME) return '';
  const [best] = known
    .map((candidate) => ({ candidate, away: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.away - b.away);
  return best && best.away <= Math.max(2, name.length / 3) ? `: did you mean ${JSON.stringify(best.candidate)}?` : '';
};

/** Edit distance: letters to add, drop, change, or swap with their neighbour. */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = (rows[i - 1]?.[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min((row[j - 1] ?? 0) + 1, (rows[i - 1]?.[j] ?? 0) + 1, changed);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, (rows[i - 2]?.[j - 2] ?? 0) + 1);
      row.push(best);
    }
    rows.push(row);
  }
  return rows[a.length]?.[b.length] ?? 0;
}
