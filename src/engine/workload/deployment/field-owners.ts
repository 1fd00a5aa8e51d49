// Who owns the fields that we borrow (metadata.managedFields): noted while a Deployment is held, and given back at the end.
import { FIELD_MANAGER } from '../../../api/keys.ts';
import { FIELDS, type Settings } from './hold.ts';
import { sameJson } from '../../lib/template.ts';

export type Field = keyof Settings;

/** One field manager: an entry of metadata.managedFields, as far as it is about our fields. */
export interface Owner {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  /** Of the fields' paths. */
  readonly apiVersion: string;
  readonly fields: readonly Field[];
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
type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const API_VERSION = 'apps/v1';
/** A Deployment has about ten managers at most: the API server joins older ones. */
const MAX_OWNERS = 20;
const MAX_NAME = 128;

const PATHS: Readonly<Record<Field, readonly string[]>> = {
  paused: ['f:spec', 'f:paused'],
  minReadySeconds: ['f:spec', 'f:minReadySeconds'],
  progressDeadlineSeconds: ['f:spec', 'f:progressDeadlineSeconds'],
  maxSurge: ['f:spec', 'f:strategy', 'f:rollingUpdate', 'f:maxSurge'],
  maxUnavailable: ['f:spec', 'f:strategy', 'f:rollingUpdate', 'f:maxUnavailable'],
};

const owns = ({ fieldsV1 }: ManagedFields, field: Field): boolean => {
  let at: unknown = fieldsV1;
  for (const step of PATHS[field]) at = isObject(at) && Object.hasOwn(at, step) ? at[step] : undefined;
  return at !== undefined;
};

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

/** Nobody but us, and nobody of a subresource. */
const ownersIn = (managedFields: unknown): Owner[] =>
  entriesOf(managedFields).map((entry) => {
    const { manager, operation, apiVersion = API_VERSION } = entry;
    return { manager, operation, apiVersion, fields: FIELDS.filter((field) => owns(entry, field)) };
  });

/** The annotation; what cannot be read, names nobody. */
export function readOwners(text: string | undefined): readonly Owner[] {
  if (text === undefined) return [];
  try {
    const owners: unknown = JSON.parse(text);
    if (!Array.isArray(owners)) return [];
    return owners.filter(isRecord).slice(0, MAX_OWNERS);
  } catch {
    return [];
  }
}

const isRecord = (owner: unknown): owner is Owner => {
  if (!isObject(owner)) return false;
  const { apiVersion, fields, ...entry } = owner as unknown as Owner;
  return (
    isOwner(entry) &&
    typeof apiVersion === 'string' &&
    Array.isArray(fields) &&
    fields.every((field) => FIELDS.includes(field))
  );
};

/** The annotation's value; `null`: nobody is to be noted. */
export const writeOwners = (owners: readonly Owner[]): string | null => {
  const noted = owners.filter(({ fields }) => fields.length > 0).slice(0, MAX_OWNERS);
  return noted.length > 0 ? JSON.stringify(noted) : null;
};

/** The annotation's value for who owns what now, and what was noted before. */
export function ownersNow(managedFields: unknown, noted: string | undefined): string | null {
  const edit = { old: managedFields, next: managedFields, manager: '', edited: [] };
  return writeOwners(ownersAfter(readOwners(noted), edit).owners);
}

export interface OwnedEdit {
  /** metadata.managedFields before the edit, and with it. */
  readonly old: unknown;
  readonly next: unknown;
  /** Who edits. */
  readonly manager: string;
  /** Fields to which it gives another value than the user's settings have. */
  readonly edited: readonly Field[];
}

export interface Owned {
  readonly owners: readonly Owner[];
  /** Fields that the only manager who applied them applies no longer: the API server would take them off. */
  readonly dropped: readonly Field[];
}

/**
 * The record after an edit, by the rules of the API server. Who writes a field owns it; who gives it another value takes it from the
 * others; who applies, owns what he applies and nothing else.
 */
export function ownersAfter(record: readonly Owner[], { old, next, manager, edited }: OwnedEdit): Owned {
  const before = entriesOf(old);
  const after = entriesOf(next);
  const present = ownersIn(next);
  const applied = (owner: Owner): boolean => {
    if (owner.operation !== 'Apply' || owner.manager !== manager) return false;
    const entry = after.find((one) => isOf(owner, one));
    return (
      entry !== undefined &&
      !sameJson(
        entry,
        before.find((one) => isOf(owner, one)),
      )
    );
  };
  const known = [...record, ...present.filter((owner) => !record.some((one) => isOf(owner, one)))];
  const owners = known.map((owner) => {
    const now = present.find((one) => isOf(owner, one))?.fields ?? [];
    const noted = record.find((one) => isOf(owner, one))?.fields ?? [];
    const keeps = (field: Field): boolean => !applied(owner) && !edited.includes(field) && noted.includes(field);
    return { ...owner, fields: FIELDS.filter((field) => now.includes(field) || keeps(field)) };
  });
  const isOwned = (by: readonly Owner[], field: Field): boolean => by.some(({ fields }) => fields.includes(field));
  const letGo = record.filter(applied).flatMap(({ fields }) => fields);
  return { owners, dropped: FIELDS.filter((field) => letGo.includes(field) && !isOwned(owners, field)) };
}

/** metadata.managedFields in which they own these fields, as far as the fields are there, and we own nothing. */
export function withOwners(
  managedFields: readonly ManagedFields[],
  owners: readonly Owner[],
  settings: Settings,
  time: string,
): readonly ManagedFields[] {
  const list = managedFields.filter((entry) => !isOurs(entry));
  for (const owner of owners) {
    const { manager, operation, apiVersion } = owner;
    const fields = owner.fields.filter((field) => settings[field] !== null);
    if (fields.length === 0) continue;
    const index = list.findIndex((entry) => !entry.subresource && isOf(owner, entry));
    const entry = list[index] ?? { manager, operation, apiVersion, time, fieldsType: 'FieldsV1', fieldsV1: {} };
    const fieldsV1 = fields.reduce((all, field) => withPath(all, PATHS[field]), entry.fieldsV1 ?? {});
    list.splice(index < 0 ? list.length : index, 1, { ...entry, fieldsV1 });
  }
  return list;
}

export const isOurs = ({ manager, operation, subresource }: ManagedFields): boolean =>
  manager === FIELD_MANAGER && operation === 'Update' && !subresource;

function withPath(fields: Json, [step, ...rest]: readonly string[]): Json {
  if (step === undefined) return fields;
  const below = Object.hasOwn(fields, step) && isObject(fields[step]) ? (fields[step] as Json) : {};
  return { ...fields, [step]: withPath(below, rest) };
}
