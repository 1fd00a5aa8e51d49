// JSON merge patch (RFC 7386).
import { isObject } from './values.ts';

/** Returns a patched copy. Unchanged parts are shared with the original. */
export function applyMergePatch<T>(object: T, patch: unknown): T {
  return merge(object, patch) as T;
}

function merge(current: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return isObject(current) ? patch : withoutNulls(patch);
  if (!isObject(current)) return withoutNulls(patch);
  const result: Record<string, unknown> = { ...current };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else if (result[key] == null) result[key] = withoutNulls(value);
    else result[key] = isObject(value) || isObject(result[key]) ? merge(result[key], value) : value;
  }
  return result;
}

/** Removes nulls from added values. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, child]) => child !== null)
      .map(([key, child]) => [key, withoutNulls(child)]),
  );
}
