// Computes the difference between two JSON values, and applies it to a value that may have changed since. Changed places are left alone.
import { isObject, type Json } from './json.ts';

/** The difference between two values. An absent `was` or `is` means that the value is absent before or after. */
export type Difference =
  | { readonly was?: unknown; readonly is?: unknown }
  | { readonly fields: Readonly<Record<string, Difference>> }
  | { readonly items: readonly ItemDifference[] };

/** The difference of a list item, with its index and its value, which identify it in an edited list. */
interface ItemDifference {
  readonly index: number;
  readonly item: unknown;
  readonly change: Difference;
}

/** Returns the difference from `was` to `is`, or undefined if they are equal. */
export function difference(was: unknown, is: unknown): Difference | undefined {
  if (equal(was, is)) return undefined;
  if (isObject(was) && isObject(is)) {
    const fields: [string, Difference][] = [];
    for (const key of new Set([...Object.keys(was), ...Object.keys(is)])) {
      const change = difference(own(was, key), own(is, key));
      if (change !== undefined) fields.push([key, change]);
    }
    return { fields: fromEntries(fields) as Readonly<Record<string, Difference>> };
  }
  if (Array.isArray(was) && Array.isArray(is) && was.length === is.length) {
    const items = was.flatMap((item: unknown, index): ItemDifference[] => {
      const change = difference(item, is[index]);
      return change === undefined ? [] : [{ index, item, change }];
    });
    return { items };
  }
  return { ...(was !== undefined && { was }), ...(is !== undefined && { is }) };
}

/** Returns `value` with the difference applied, except at places that have changed. */
export function applyDifference(value: unknown, change: Difference): unknown {
  if (!isObject(change)) return value;
  if ('fields' in change) {
    if (!isObject(value) || !isObject(change.fields)) return value;
    const result = new Map(Object.entries(value));
    for (const [key, field] of Object.entries(change.fields)) {
      const changed = applyDifference(own(value, key), field);
      if (changed === undefined) result.delete(key);
      else result.set(key, changed);
    }
    return fromEntries([...result]);
  }
  if ('items' in change) {
    if (!Array.isArray(value) || !Array.isArray(change.items)) return value;
    const result: unknown[] = [...value];
    for (const { index, item, change: inner } of change.items.filter(isItem)) {
      const at = equal(value[index], item) ? index : value.findIndex((candidate) => equal(candidate, item));
      // The item was edited in place: fields that the other version does not have stay with it.
      const place = at >= 0 ? at : index < value.length ? index : undefined;
      if (place !== undefined) result[place] = applyDifference(result[place], inner);
    }
    return result;
  }
  return equal(value, change.was) ? change.is : value;
}

const isItem = (item: unknown): item is ItemDifference =>
  isObject(item) && Number.isInteger(item['index']) && (item['index'] as number) >= 0;

/** True if two JSON values are equal. The order of fields does not matter. */
function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => equal(item, b[i]));
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]));
}

/** Reads own fields only, so that a key such as `__proto__` has no special meaning. */
const own = (object: Json, key: string): unknown => (Object.hasOwn(object, key) ? object[key] : undefined);
const fromEntries = (entries: readonly (readonly [string, unknown])[]): Json => Object.fromEntries(entries);
