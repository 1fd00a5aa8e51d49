// The difference between two statuses as a merge patch.
import { isObject } from '../api/json.ts';

/** Undefined if nothing differs. Lists are replaced as a whole, and removed fields become null. */
export function mergeDiff(before: unknown, after: unknown): Record<string, unknown> | undefined {
  const patch: Record<string, unknown> = {};
  const [old, next] = [fieldsOf(before), fieldsOf(after)];
  for (const key of new Set([...Object.keys(old), ...Object.keys(next)])) {
    const [a, b] = [old[key], next[key]];
    if (b === undefined || b === null) {
      if (a !== undefined && a !== null) patch[key] = null;
    } else if (isObject(a) && isObject(b)) {
      const inner = mergeDiff(a, b);
      if (inner) patch[key] = inner;
    } else if (!same(a, b)) patch[key] = b;
  }
  return Object.keys(patch).length > 0 ? patch : undefined;
}
const fieldsOf = (value: unknown): Record<string, unknown> => (isObject(value) ? value : {});

function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => same(item, b[i]));
  return isObject(a) && isObject(b) && mergeDiff(a, b) === undefined;
}
