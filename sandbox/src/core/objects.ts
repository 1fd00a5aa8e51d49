// Copies, compares and freezes plain JSON values, so that stored objects can be shared.

type Json = unknown;

const FIELD = { configurable: true, enumerable: true, writable: true };

const isObject = (value: Json): value is Record<string, Json> => typeof value === 'object' && value !== null;

/**
 * A mutable copy without undefined fields. Values that are identical in `old` (a stored object) are shared: they already have defaults,
 * nothing needs to change them, and they are frozen.
 */
export function clone<T>(value: T, old?: unknown): T {
  if (!isObject(value)) return value;
  if (value === old) return value;
  if (Array.isArray(value)) {
    const list = Array.isArray(old) ? old : undefined;
    return value.map((item, i) => clone(item, list?.[i])) as T;
  }
  const before = isObject(old) ? old : undefined;
  const copy: Record<string, Json> = {};
  for (const key in value) {
    const item = (value as Record<string, Json>)[key];
    if (item === undefined) continue;
    // `__proto__` is a normal key in JSON, but assigning it would change the prototype of the copy.
    if (key === '__proto__') Object.defineProperty(copy, key, { ...FIELD, value: clone(item) });
    else copy[key] = typeof item === 'object' && item !== null ? clone(item, before?.[key]) : item;
  }
  return copy as T;
}

/** Whether both are the same JSON. Keys with undefined values count as absent. */
export function same(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (!isObject(a) || !isObject(b)) return false;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!same(a[i], b[i])) return false;
    return true;
  }
  if (Array.isArray(b)) return false;
  for (const key in a) if (!same(a[key], b[key])) return false;
  for (const key in b) if (b[key] !== undefined && a[key] === undefined) return false;
  return true;
}

/** Returns `next`, with all parts that equal their counterparts in `old` replaced by them. Returns `old` itself if nothing differs. */
export function share<T>(old: unknown, next: T): T {
  if (old === next || !isObject(next) || !isObject(old)) return next;
  if (Object.isFrozen(next)) return same(old, next) ? (old as T) : next;
  const isList = Array.isArray(next);
  if (isList !== Array.isArray(old)) return next;
  const from = old as Record<string, Json>;
  const to = next as Record<string, Json>;
  let equal = true;
  for (const key in to) {
    const item = to[key];
    const before = from[key];
    if (item === before) continue;
    if (isObject(item) && isObject(before)) {
      const shared = share(before, item);
      if (shared === before) {
        to[key] = shared;
        continue;
      }
    }
    equal = false;
  }
  if (equal) {
    for (const key in from) {
      if (!(key in to)) {
        equal = false;
        break;
      }
    }
  }
  return equal ? (old as T) : next;
}

/** Freezes an object deeply. Skips frozen parts, because the store contains only deeply frozen objects. */
export function freeze<T>(value: T): T {
  if (!isObject(value) || Object.isFrozen(value)) return value;
  for (const key in value) {
    const item = value[key];
    if (typeof item === 'object' && item !== null) freeze(item);
  }
  return Object.freeze(value);
}

/** JSON with sorted keys, as Go's encoding/json prints a map. */
export function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value) ?? 'null';
  const keys = Object.keys(value).filter((key) => value[key] !== undefined);
  return `{${keys
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`)
    .join(',')}}`;
}
