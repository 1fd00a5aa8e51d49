// Owners of the borrowed fields in metadata.managedFields: recorded while a workload is held, and restored at the end.
import { isObject, type Json } from '../../api/json.ts';
import { FIELD_MANAGER } from '../../api/keys.ts';
import { sameJson } from '../lib/template.ts';

/** A field manager: the part of its entry in metadata.managedFields about the borrowed fields. */
export interface Owner<F extends string = string> {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  /** API version of the field paths. */
  readonly apiVersion: string;
  readonly fields: readonly F[];
}

/** An entry of metadata.managedFields. */
export interface ManagedFields {
  readonly manager?: string;
  readonly operation?: string;
  readonly apiVersion?: string;
  readonly time?: string;
  readonly fieldsType?: string;
  readonly fieldsV1?: Json;
  readonly subresource?: string;
}
/** A Deployment has at most about ten managers, because the API server merges older ones. */
const MAX_OWNERS = 20;
const MAX_NAME = 128;

const isOwner = (
  entry: ManagedFields | null | undefined,
): entry is ManagedFields & Pick<Owner, 'manager' | 'operation'> =>
  isObject(entry) &&
  !entry.subresource &&
  entry.manager !== FIELD_MANAGER &&
  typeof entry.manager === 'string' &&
  entry.manager.length <= MAX_NAME &&
  (entry.operation === 'Apply' || entry.operation === 'Update');

const isOf = (owner: Owner, { manager, operation, apiVersion }: ManagedFields): boolean =>
  manager === owner.manager && operation === owner.operation && apiVersion === owner.apiVersion;

const entriesOf = (managedFields: unknown): readonly (ManagedFields & Pick<Owner, 'manager' | 'operation'>)[] =>
  Array.isArray(managedFields) ? (managedFields as readonly ManagedFields[]).filter(isOwner) : [];

/** The annotation's value. `null` if there are no owners. */
export const writeOwners = (owners: readonly Owner[]): string | null => {
  const noted = owners.filter(({ fields }) => fields.length > 0).slice(0, MAX_OWNERS);
  return noted.length > 0 ? JSON.stringify(noted) : null;
};

export interface OwnedEdit<F extends string = string> {
  /** metadata.managedFields before the edit, which are needed only if there is a record, and with it. */
  readonly old: () => unknown;
  readonly next: unknown;
  /** Field manager of the edit. */
  readonly manager: string;
  /** Fields that the edit sets to another value than the user's settings. */
  readonly edited: readonly F[];
}

export interface Owned<F extends string = string> {
  readonly owners: readonly Owner<F>[];
  /** Fields that their only applier no longer applies. The API server would remove them. */
  readonly dropped: readonly F[];
}

export const isOurs = ({ manager, operation, subresource }: ManagedFields): boolean =>
  manager === FIELD_MANAGER && operation === 'Update' && !subresource;

function withPath(fields: Json, [step, ...rest]: readonly string[]): Json {
  if (step === undefined) return fields;
  const below = Object.hasOwn(fields, step) && isObject(fields[step]) ? (fields[step] as Json) : {};
  return { ...fields, [step]: withPath(below, rest) };
}

/** Reads and writes the owners of these fields. `paths`: path of each field in metadata.managedFields. */
export function fieldOwners<F extends string>(
  ofVersion: string,
  paths: Readonly<Record<F, readonly string[]>>,
): FieldOwners<F> {
  const all = Object.keys(paths) as F[];

  const owns = ({ fieldsV1 }: ManagedFields, field: F): boolean => {
    let at: unknown = fieldsV1;
    for (const step of paths[field]) at = isObject(at) && Object.hasOwn(at, step) ? at[step] : undefined;
    return at !== undefined;
  };

  /** Owners except Tranche and managers of subresources. */
  const ownersIn = (managedFields: unknown): Owner<F>[] =>
    entriesOf(managedFields).map((entry) => {
      const { manager, operation, apiVersion = ofVersion } = entry;
      return { manager, operation, apiVersion, fields: all.filter((field) => owns(entry, field)) };
    });

  /** Parses the annotation. Empty if it is invalid. */
  function readOwners(text: string | undefined): readonly Owner<F>[] {
    if (text === undefined) return [];
    try {
      const owners: unknown = JSON.parse(text);
      if (!Array.isArray(owners)) return [];
      return owners.filter(isRecord).slice(0, MAX_OWNERS);
    } catch {
      return [];
    }
  }

  const isRecord = (owner: unknown): owner is Owner<F> => {
    if (!isObject(owner)) return false;
    const { apiVersion, fields, ...entry } = owner as unknown as Owner<F>;
    return (
      isOwner(entry) &&
      typeof apiVersion === 'string' &&
      Array.isArray(fields) &&
      fields.every((field) => all.includes(field))
    );
  };

  /** The annotation's value from the current owners and the recorded ones. */
  function ownersNow(managedFields: unknown, noted: string | undefined): string | null {
    const edit = { old: () => managedFields, next: managedFields, manager: '', edited: [] };
    return writeOwners(ownersAfter(readOwners(noted), edit).owners);
  }

  /**
   * The record after an edit, by the rules of the API server: a manager that writes a field owns it, a manager that changes its value removes the
   * other owners, and an applier owns exactly the fields that it applies.
   */
  function ownersAfter(record: readonly Owner<F>[], { old, next, manager, edited }: OwnedEdit<F>): Owned<F> {
    let known: ReturnType<typeof entriesOf> | undefined;
    const before = (): ReturnType<typeof entriesOf> => (known ??= entriesOf(old()));
    const after = entriesOf(next);
    const present = ownersIn(next);
    const applied = (owner: Owner<F>): boolean => {
      if (owner.operation !== 'Apply' || owner.manager !== manager) return false;
      const entry = after.find((one) => isOf(owner, one));
      return (
        entry !== undefined &&
        !sameJson(
          entry,
          before().find((one) => isOf(owner, one)),
        )
      );
    };
    const every = [...record, ...present.filter((owner) => !record.some((one) => isOf(owner, one)))];
    const owners = every.map((owner) => {
      const now = present.find((one) => isOf(owner, one))?.fields ?? [];
      const noted = record.find((one) => isOf(owner, one))?.fields ?? [];
      const keeps = (field: F): boolean => noted.includes(field) && !edited.includes(field) && !applied(owner);
      return { ...owner, fields: all.filter((field) => now.includes(field) || keeps(field)) };
    });
    const isOwned = (by: readonly Owner<F>[], field: F): boolean => by.some(({ fields }) => fields.includes(field));
    const letGo = record.filter(applied).flatMap(({ fields }) => fields);
    return { owners, dropped: all.filter((field) => letGo.includes(field) && !isOwned(owners, field)) };
  }

  /** metadata.managedFields in which the owners own their existing fields, and Tranche owns nothing. */
  function withOwners(
    managedFields: readonly ManagedFields[],
    owners: readonly Owner<F>[],
    values: Readonly<Record<F, unknown>>,
    time: string,
  ): readonly ManagedFields[] {
    const list = managedFields.filter((entry) => !isOurs(entry));
    for (const owner of owners) {
      const { manager, operation, apiVersion } = owner;
      const fields = owner.fields.filter((field) => values[field] !== null);
      if (fields.length === 0) continue;
      const index = list.findIndex((entry) => !entry.subresource && isOf(owner, entry));
      const entry = list[index] ?? { manager, operation, apiVersion, time, fieldsType: 'FieldsV1', fieldsV1: {} };
      const fieldsV1 = fields.reduce((json, field) => withPath(json, paths[field]), entry.fieldsV1 ?? {});
      list.splice(index < 0 ? list.length : index, 1, { ...entry, fieldsV1 });
    }
    return list;
  }

  return { readOwners, ownersNow, ownersAfter, withOwners };
}

export interface FieldOwners<F extends string = string> {
  /** Parses the annotation. Empty if it is invalid. */
  readOwners(text: string | undefined): readonly Owner<F>[];
  /** The annotation's value from the current owners and the recorded ones. */
  ownersNow(managedFields: unknown, noted: string | undefined): string | null;
  /** The record after an edit. */
  ownersAfter(record: readonly Owner<F>[], edit: OwnedEdit<F>): Owned<F>;
  /** metadata.managedFields in which the owners own their existing fields, and Tranche owns nothing. */
  withOwners(
    managedFields: readonly ManagedFields[],
    owners: readonly Owner<F>[],
    values: Readonly<Record<F, unknown>>,
    time: string,
  ): readonly ManagedFields[];
}
