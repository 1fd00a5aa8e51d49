// The difference between two JSON values as data, and laying it over a value that may have changed since: never over such a change.
import { isObject, type Json } from './json.ts';

/** How to get from one value to another. Where `was` is missing the value was absent; where `is` is missing it is to be. */
export type Difference =
  | { readonly was?: unknown; readonly is?: unknown }
  | { readonly fields: Readonly<Record<string, Difference>> }
  | { readonly items: readonly ItemDifference[] };

/** An element of a list: where it stood, and what it looked like, so that it is found again in a list that was edited. */
interface ItemDifference {
  readonly index: number;
  readonly item: unknown;
  readonly change: Difference;
}

/** What leads from `was` to `is`; undefined when they are equal. */
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

/** `value` with the difference laid over it, but for the places that are not what they were. */
export function mend(value: unknown, change: Difference): unknown {
  if (!isObject(change)) return value;
  if ('fields' in change) {
    if (!isObject(value) || !isObject(change.fields)) return value;
    const result = new Map(Object.entries(value));
    for (const [key, field] of Object.entries(change.fields)) {
      const mended = mend(own(value, key), field);
      if (mended === undefined) result.delete(key);
      else result.set(key, mended);
    }
    return fromEntries([...result]);
  }
  if ('items' in change) {
    if (!Array.isArray(value) || !Array.isArray(change.items)) return value;
    const result: unknown[] = [...value];
    for (const { index, item, change: inner } of change.items.filter(isItem)) {
      const at = equal(value[index], item) ? index : value.findIndex((candidate) => equal(candidate, item));
      // Edited in place: what the other version cannot see stays with it.
      const place = at >= 0 ? at : index < value.length ? index : undefined;
      if (place !== undefined) result[place] = mend(result[place], inner);
    }
    return result;
  }
  return equal(value, change.was) ? change.is : value;
}

const isItem = (item: unknown): item is ItemDifference =>
  isObject(item) && Number.isInteger(item['index']) && (item['index'] as number) >= 0;

/** Equal as JSON, whatever the order of fields. */
function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => equal(item, b[i]));
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]));
}

/** A key such as `__proto__` is a key like any other. */
const own = (object: Json, key: string): unknown => (Object.hasOwn(object, key) ? object[key] : undefined);
const fromEntries = (entries: readonly (readonly [string, unknown])[]): Json => Object.fromEntries(entries);
