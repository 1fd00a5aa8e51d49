// Helpers that set defaults.
import type { ResourceType } from '../core/types.ts';

/** Sets missing fields only, because stored parts are frozen. */
export function fill<T extends object>(object: T, values: Partial<T>): void {
  for (const key in values) if (object[key] === undefined) object[key] = values[key] as T[typeof key];
}

/** A new object starts with the zero value of its Go status. */
export const startWith =
  (status: Record<string, unknown>): NonNullable<ResourceType['prepare']> =>
  (object, old) => {
    if (!old) object.status = { ...status };
  };
