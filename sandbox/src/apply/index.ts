// Server-side apply and field ownership (metadata.managedFields).
import { ApiError } from '../core/types.ts';
import type { KubeObject, ManagedFieldsEntry, ResourceType } from '../core/types.ts';
import { deepEqual } from '../patch/values.ts';
import { otherVersion } from '../crd/index.ts';
import { badRequest, definitionName, readObject } from '../schema/index.ts';
import { zero } from '../schema/read.ts';
import { typeOf } from '../schema/types.ts';
import { apiVersionOf, atomOf } from './atoms.ts';
import type { Atom } from './atoms.ts';
import { conflictError, Conflicts } from './conflict.ts';
import { withLastApplied, withoutLastApplied } from './kubectl.ts';
import { capUpdaters, decodeManaged, encodeManaged, identify, isReset } from './managers.ts';
import type { Managed, Manager } from './managers.ts';
import { FieldSet } from './set.ts';
import { Updater } from './update.ts';
import type { Filter, Versions } from './update.ts';
import { validateTyped } from './validate.ts';

export { parseApply } from './parse.ts';

export interface Change {
  type: ResourceType;
  manager: string;
  subresource: string;
  /** RFC 3339, with seconds. */
  time: string;
}

/** Fields that a request cannot change and therefore does not own: the status without /status, all other fields with it. */
function filterOf(type: ResourceType, subresource: string): Filter {
  const without =
    subresource === 'status' ? (type.custom ? CUSTOM_STATUS : NATIVE_STATUS) : type.status ? STATUS : undefined;
  return without ? (fields) => fields.recursiveDifference(without) : (fields) => fields;
}

const STATUS = FieldSet.of(['f:status']);
const CUSTOM_STATUS = FieldSet.of(['f:metadata'], ['f:spec']);
/** Controllers write annotations together with the status. */
const NATIVE_STATUS = FieldSet.of(['f:spec'], ['f:metadata', 'f:labels']);

/** Fields that identify the object. They have no owners. */
const ofNobody = FieldSet.of(
  ['f:apiVersion'],
  ['f:kind'],
  ['f:metadata'],
  ...[
    'name',
    'namespace',
    'creationTimestamp',
    'selfLink',
    'uid',
    'clusterName',
    'generation',
    'managedFields',
    'resourceVersion',
  ].map((name) => ['f:metadata', `f:${name}`]),
);

function strip(managed: Managed, id: string): void {
  const owned = managed.get(id);
  if (!owned) return;
  const fields = owned.fields.difference(ofNobody);
  if (fields.empty) managed.delete(id);
  else managed.set(id, { ...owned, fields });
}

/** Entries may use another version of a custom resource. */
function versionsOf({ type }: Change): Versions {
  const own = apiVersionOf(type);
  const rowOf = (apiVersion: string): ResourceType | undefined =>
    apiVersion === own ? type : otherVersion(type, apiVersion.slice(apiVersion.indexOf('/') + 1));
  return {
    type(apiVersion): Atom | undefined {
      const row = rowOf(apiVersion);
      return row && atomOf(row);
    },
    keeps: (apiVersion) => !type.custom && apiVersion.startsWith(`${type.group}/`),
    async convert(object, apiVersion) {
      if (object.apiVersion === apiVersion) return object;
      const row = rowOf(object.apiVersion);
      if (!row?.convert) return { ...object, apiVersion };
      return (await row.convert([object], apiVersion.slice(apiVersion.indexOf('/') + 1)))[0]!;
    },
  };
}

/** The empty object before a create. For native kinds, the zero value of Go. */
function emptyObject(type: ResourceType): KubeObject {
  const name = definitionName(type.group, type.version, type.kind);
  const head = { apiVersion: apiVersionOf(type), kind: type.kind };
  return { ...((name ? zero(typeOf(name)) : {}) as object), ...head } as KubeObject;
}

function withoutManagedFields(object: KubeObject): KubeObject {
  if (!object.metadata || !('managedFields' in object.metadata)) return object;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** Returns metadata.managedFields after a request that is not an apply. Empty if ownership is not tracked. */
export async function trackUpdate(
  change: Change & { old: KubeObject | undefined; next: KubeObject },
): Promise<ManagedFieldsEntry[]> {
  const { old, next, type, subresource, time } = change;
  const given = subresource ? undefined : next.metadata.managedFields;
  if (old && isReset(given)) return [];
  const fromNext = given?.length ? decodeManaged(given) : undefined;
  const managed = fromNext?.size ? fromNext : (decodeManaged(old?.metadata.managedFields) ?? new Map());
  // Objects without tracked ownership stay untracked until the first apply.
  if (!managed.size && old) return [];
  await noteUpdate(change, old ?? emptyObject(type), next, managed, change.manager, time);
  capUpdaters(managed);
  return encodeManaged(managed);
}

async function noteUpdate(
  change: Change,
  live: KubeObject,
  next: KubeObject,
  managed: Managed,
  name: string,
  time: string,
): Promise<void> {
  const { type, subresource } = change;
  const updater = new Updater(versionsOf(change), filterOf(type, subresource));
  const manager: Manager = {
    name: name || 'unknown',
    operation: 'Update',
    apiVersion: apiVersionOf(type),
    subresource,
  };
  // Uses a temporary manager first, to find out whether this request changed anything.
  const current: Manager = { ...manager, name: 'current-operation', subresource: '' };
  const id = identify(current);
  await updater.update(withoutManagedFields(live), withoutManagedFields(next), managed, current);
  strip(managed, id);
  const owned = managed.get(id);
  if (!owned) return;
  managed.delete(id);
  const before = managed.get(identify(manager));
  managed.set(identify(manager), {
    manager,
    apiVersion: owned.apiVersion,
    fields: before ? owned.fields.union(before.fields) : owned.fields,
    time,
  });
}

export interface Apply extends Change {
  live: KubeObject | undefined;
  /** The body as the client wrote it (parseApply): not decoded, without defaults. */
  applied: KubeObject;
  force: boolean;
}

/** The functions that the pipeline uses. */
export const fieldTracker = { trackUpdate, apply: serverSideApply, keepTimes };

/** Restores the old times of entries if a write changes nothing else. Changes next's metadata. */
export function keepTimes(old: KubeObject, next: KubeObject): void {
  const [before, after] = [old.metadata.managedFields, next.metadata.managedFields];
  if (!before?.length || before.length !== after?.length) return;
  const timeless = (entries: ManagedFieldsEntry[]): object[] => entries.map(({ time: _, ...entry }) => entry);
  if (!deepEqual(timeless(before), timeless(after))) return;
  if (deepEqual(withoutManagedFields(old), withoutManagedFields(next))) next.metadata.managedFields = before;
}

/** Returns the new object with its owners. Throws ApiError: 409 for conflicts, 400 for another kind. */
export async function serverSideApply(request: Apply): Promise<KubeObject> {
  const { type, applied, manager: name } = request;
  check(request);
  const live = request.live ?? emptyObject(type);
  const managed = decodeManaged(live.metadata?.managedFields) ?? new Map();
  let result: KubeObject;
  let owners = managed;
  try {
    ({ object: result, managed: owners } = await applyTo(request, live, new Map(managed), request.force));
  } catch (error) {
    if (!(error instanceof Conflicts)) throw error;
    const serious = name === 'kubectl' ? withoutLastApplied(error, live, type) : error.conflicts;
    if (serious.length) throw conflictError(serious);
    ({ object: result, managed: owners } = await applyTo(request, live, new Map(managed), true));
  }
  if (name === 'kubectl') result = withLastApplied(result, applied);
  const object = readObject(type, result as unknown as Record<string, unknown>);
  object.apiVersion = apiVersionOf(type);
  object.kind = type.kind;
  const entries = encodeManaged(owners);
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata: { ...metadata, ...(entries.length ? { managedFields: entries } : {}) } };
}

function check({ type, applied }: Apply): void {
  const expected = apiVersionOf(type);
  const [group, version] = (applied.apiVersion ?? '').includes('/')
    ? applied.apiVersion.split('/', 2)
    : ['', applied.apiVersion ?? ''];
  if (applied.apiVersion !== expected || applied.kind !== type.kind)
    throw badRequest(`invalid object type: ${group}/${version}, Kind=${applied.kind ?? ''}`);
  if (applied.metadata?.managedFields != null) throw badRequest('metadata.managedFields must be nil');
  const problems = validateTyped(applied, atomOf(type), false);
  if (!problems.length) return;
  const { namespace = '', name = '' } = applied.metadata ?? {};
  const text = problems.length === 1 ? problems[0]! : ['errors:', ...problems.map((each) => `  ${each}`)].join('\n');
  throw new ApiError({
    code: 500,
    reason: '',
    message: `failed to create typed patch object (${namespace}/${name}; ${group ? `${group}/` : '/'}${version}, Kind=${applied.kind}): ${text}`,
  });
}

async function applyTo(
  request: Apply,
  live: KubeObject,
  managed: Managed,
  force: boolean,
): Promise<{ object: KubeObject; managed: Managed }> {
  const { type, applied, subresource, time } = request;
  const bare = withoutManagedFields(live);
  // Fields from before the first apply get the manager "before-first-apply".
  if (!managed.size && request.live) {
    await noteUpdate({ ...request, subresource }, emptyObject(type), bare, managed, 'before-first-apply', time);
    capUpdaters(managed);
  }
  const manager: Manager = {
    name: request.manager || 'unknown',
    operation: 'Apply',
    apiVersion: apiVersionOf(type),
    subresource,
  };
  const id = identify(manager);
  const updater = new Updater(versionsOf(request), filterOf(type, subresource));
  const object = await updater.apply(bare, applied, managed, manager, force);
  strip(managed, id);
  const owned = managed.get(id);
  if (object && owned) managed.set(id, { ...owned, time });
  return { object: object ?? bare, managed };
}
