// Decodes and encodes metadata.managedFields.
import type { ManagedFieldsEntry } from '../core/types.ts';
import { isObject } from '../patch/values.ts';
import { FieldSet } from './set.ts';
import type { FieldsV1 } from './set.ts';

/** Identifies a manager: appliers by name, updaters by name and version. */
export interface Manager {
  name: string;
  operation: 'Apply' | 'Update';
  apiVersion: string;
  subresource: string;
}

export interface Owned {
  manager: Manager;
  apiVersion: string;
  fields: FieldSet;
  time?: string;
}

/** By identifier. */
export type Managed = Map<string, Owned>;

/** The identifier in the format of the API server, which sorts conflicts by it. */
export const identify = ({ name, operation, apiVersion, subresource }: Manager): string =>
  JSON.stringify({
    manager: name,
    operation,
    ...(operation === 'Update' ? { apiVersion } : {}),
    ...(subresource ? { subresource } : {}),
  });

/** Undefined if an entry is invalid. The API server then behaves as if there were none. */
export function decodeManaged(entries: readonly ManagedFieldsEntry[] | undefined): Managed | undefined {
  const managed: Managed = new Map();
  for (const { manager: name, operation, apiVersion, fieldsType, fieldsV1, subresource = '', time } of entries ?? []) {
    if ((operation !== 'Apply' && operation !== 'Update') || !apiVersion || fieldsType !== 'FieldsV1') return undefined;
    const manager: Manager = { name: name ?? '', operation, apiVersion, subresource };
    const fields = FieldSet.parse(isObject(fieldsV1) ? (fieldsV1 as unknown as FieldsV1) : {});
    managed.set(identify(manager), { manager, apiVersion, fields, ...(time ? { time } : {}) });
  }
  return managed;
}

const seconds = (entry: ManagedFieldsEntry): number => (entry.time ? Date.parse(entry.time) / 1000 : 0);

/** Sorts appliers first, then by time, then by name. */
export function encodeManaged(managed: Managed): ManagedFieldsEntry[] {
  const entries = [...managed.values()].map(({ manager, apiVersion, fields, time }): ManagedFieldsEntry => ({
    manager: manager.name,
    operation: manager.operation,
    apiVersion,
    ...(time ? { time } : {}),
    fieldsType: 'FieldsV1',
    fieldsV1: fields.toJSON(),
    ...(manager.subresource ? { subresource: manager.subresource } : {}),
  }));
  const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  return entries.sort(
    (a, b) =>
      order(a.operation, b.operation) ||
      seconds(a) - seconds(b) ||
      order(a.manager, b.manager) ||
      order(a.apiVersion, b.apiVersion) ||
      order(a.subresource ?? '', b.subresource ?? ''),
  );
}

/** A client resets the ownership with an empty list, or with a list of one empty entry. */
export const isReset = (entries: readonly ManagedFieldsEntry[] | undefined): boolean =>
  entries !== undefined && (entries.length === 0 || (entries.length === 1 && Object.keys(entries[0]!).length === 0));

const MAX_UPDATERS = 10;
const OLD_UPDATERS = 'ancient-changes';

/** Merges the oldest updaters per version until ten remain. Changes the managers. */
export function capUpdaters(managed: Managed): void {
  const updaters = [...managed.entries()].filter(([, { manager }]) => manager.operation === 'Update');
  if (updaters.length <= MAX_UPDATERS) return;
  const age = ({ time }: Owned): number => (time ? Date.parse(time) : 0);
  updaters.sort(([a, left], [b, right]) => age(left) - age(right) || (a < b ? -1 : 1));
  const firstOfVersion = new Map<string, string>();
  let count = updaters.length;
  for (const [id, owned] of updaters) {
    if (count <= MAX_UPDATERS) break;
    const { apiVersion } = owned;
    const manager: Manager = { name: OLD_UPDATERS, operation: 'Update', apiVersion, subresource: '' };
    const bucket = identify(manager);
    const first = firstOfVersion.get(apiVersion);
    if (first === undefined) {
      firstOfVersion.set(apiVersion, id);
      continue;
    }
    const before = managed.get(bucket) ?? managed.get(first)!;
    managed.delete(first);
    managed.delete(id);
    managed.set(bucket, {
      manager,
      apiVersion,
      fields: owned.fields.union(before.fields),
      ...(owned.time ? { time: owned.time } : {}),
    });
    count--;
  }
}
