// How kinds fill in what an object leaves out.
import type { ResourceType } from '../core/types.ts';

/** Writes what is missing, and only that: parts that were stored before come frozen. */
export function fill<T extends object>(object: T, values: Partial<T>): void {
  for (const key in values) if (object[key] === undefined) object[key] = values[key] as T[typeof key];
}

/** A new object starts with the status a Go struct has when nobody filled it. */
export const startWith =
  (status: Record<string, unknown>): NonNullable<ResourceType['prepare']> =>
  (object, old) => {
    if (!old) object.status = { ...status };
  };
