// Server-side apply, and who owns which field (metadata.managedFields).
import { LineCounter, parseDocument } from 'yaml';
import { ApiError } from '../core/types.ts';
import type { KubeObject, ManagedFieldsEntry, ResourceType } from '../core/types.ts';
import { deepEqual, isObject } from '../patch/values.ts';
import { otherVersion } from '../crd/index.ts';
import { badRequest, definitionName, parseJson, readObject } from '../schema/index.ts';
import type { FieldValidation } from '../schema/index.ts';
import { zero } from '../schema/read.ts';
import { typeOf } from '../schema/types.ts';
import { atomOf } from './atoms.ts';
import type { Atom } from './atoms.ts';
import { conflictError, Conflicts } from './conflict.ts';
import { capUpdaters, decodeManaged, encodeManaged, identify, isReset } from './managers.ts';
import type { Managed, Manager } from './managers.ts';
import { FieldSet } from './set.ts';
import { compare, fieldsOf, validateTyped } from './typed.ts';
import { Updater } from './update.ts';
import type { Filter, Versions } from './update.ts';

export interface Change {
  type: ResourceType;
  manager: string;
  subresource: string;
  /** RFC 3339, in seconds. */
  time: string;
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** What clients send mostly is JSON, which reads much faster; undefined for what needs a closer look. */
function asJson(text: string): KubeObject | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    const { value, duplicates } = parseJson(text);
    return duplicates.length ? undefined : (value as KubeObject);
  } catch {
    return undefined;
  }
}

/** The body of an apply patch, and a warning about keys that come twice in it. Throws ApiError (400). */
export function parseApply(
  body: Uint8Array | object,
  validation: FieldValidation,
): { applied: KubeObject; warnings: string[] } {
  if (!(body instanceof Uint8Array)) return { applied: body as KubeObject, warnings: [] };
  const text = new TextDecoder().decode(body);
  const json = asJson(text);
  if (json) return { applied: json, warnings: [] };
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const duplicates = document.errors.filter(({ code }) => code === 'DUPLICATE_KEY');
  const [broken] = document.errors.filter(({ code }) => code !== 'DUPLICATE_KEY');
  const converting = 'error converting YAML to JSON: yaml: ';
  if (broken)
    throw badRequest(`error decoding patch: ${converting}line ${lines.linePos(broken.pos[0]).line}: ${broken.message}`);
  const value: unknown = document.toJS();
  if (!isObject(value)) {
    const what = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
    throw badRequest(
      `error decoding patch: error unmarshaling JSON: json: cannot unmarshal ${what} into Go value of type map[string]interface {}`,
    );
  }
  const applied = value as unknown as KubeObject;
  if (!duplicates.length || validation === 'Ignore') return { applied, warnings: [] };
  const told = duplicates.map(({ pos: [start] }) => {
    const key = /^(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^:\s]+))/.exec(text.slice(start));
    return `\n  line ${lines.linePos(start).line}: key ${JSON.stringify(key?.[1] ?? key?.[2] ?? key?.[3] ?? '')} already set in map`;
  });
  const problem = `${converting}unmarshal errors:${told.join('')}`;
  if (validation === 'Strict') throw badRequest(`error strict decoding patch: ${problem}`);
  return { applied, warnings: [problem] };
}

const apiVersionOf = ({ group, version }: ResourceType): string => (group ? `${group}/${version}` : version);

/** What a request cannot change it does not own: not the status where there is a /status, and there not the rest. */
function filterOf(type: ResourceType, subresource: string): Filter {
  const without =
    subresource === 'status' ? (type.custom ? CUSTOM_STATUS : NATIVE_STATUS) : type.status ? STATUS : undefined;
  return without ? (fields) => fields.recursiveDifference(without) : (fields) => fields;
}

const STATUS = FieldSet.of(['f:status']);
const CUSTOM_STATUS = FieldSet.of(['f:metadata'], ['f:spec']);
/** Controllers write annotations together with the status. */
const NATIVE_STATUS = FieldSet.of(['f:spec'], ['f:metadata', 'f:labels']);

/** Fields that say what and where the object is: nobody owns them. */
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

/** Entries may have been written in another version of a custom resource. */
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

/** What is there before anything is: for native kinds, what Go writes of nothing. */
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

/** The owners after a request that is no apply: what to write into metadata.managedFields. Empty when nobody is tracked. */
export async function trackUpdate(
  change: Change & { old: KubeObject | undefined; next: KubeObject },
): Promise<ManagedFieldsEntry[]> {
  const { old, next, type, subresource, time } = change;
  const given = subresource ? undefined : next.metadata.managedFields;
  if (old && isReset(given)) return [];
  const fromNext = given?.length ? decodeManaged(given) : undefined;
  const managed = fromNext?.size ? fromNext : (decodeManaged(old?.metadata.managedFields) ?? new Map());
  // Objects that were never tracked stay so until somebody applies them.
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
  // Under a name of its own first, to see whether this request changed anything.
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
  /** As the client wrote it (parseApply): not decoded, nothing added. */
  applied: KubeObject;
  force: boolean;
}

/** What the pipeline asks of this room. */
export const fieldTracker = { trackUpdate, apply: serverSideApply, keepTimes };

/** A write that changes nothing but the times of entries is none: puts back the old times. Changes next's metadata. */
export function keepTimes(old: KubeObject, next: KubeObject): void {
  const [before, after] = [old.metadata.managedFields, next.metadata.managedFields];
  if (!before?.length || before.length !== after?.length) return;
  const timeless = (entries: ManagedFieldsEntry[]): object[] => entries.map(({ time: _, ...entry }) => entry);
  if (!deepEqual(timeless(before), timeless(after))) return;
  if (deepEqual(withoutManagedFields(old), withoutManagedFields(next))) next.metadata.managedFields = before;
}

/** What the object becomes, owners included. Throws ApiError: 409 for conflicts, 400 for another kind. */
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
  if (name === 'kubectl' && result.metadata?.annotations?.[LAST_APPLIED]) result = withLastApplied(result, applied);
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
  // What was there before the first apply belongs to those who made it, as far as anybody knows.
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

/** kubectl moves from client-side to server-side apply: fields that its annotation has as they are live are no conflict. */
function withoutLastApplied({ conflicts }: Conflicts, live: KubeObject, type: ResourceType): Conflicts['conflicts'] {
  const annotation = live.metadata?.annotations?.[LAST_APPLIED];
  if (!annotation) return conflicts;
  let lastApplied: unknown;
  try {
    lastApplied = JSON.parse(annotation);
  } catch {
    return conflicts;
  }
  if (!isObject(lastApplied) || lastApplied['apiVersion'] !== apiVersionOf(type)) return conflicts;
  const atom = atomOf(type);
  const { modified, added, removed } = compare(lastApplied, live, atom);
  const allowed = fieldsOf(lastApplied, atom).difference(modified).difference(added).difference(removed);
  return conflicts.filter(({ path }) => !allowed.has(path));
}

/** The annotation follows what kubectl applied, so that going back to client-side apply works. */
function withLastApplied(object: KubeObject, applied: KubeObject): KubeObject {
  const { [LAST_APPLIED]: _, ...annotations } = applied.metadata?.annotations ?? {};
  const { annotations: __, ...metadata } = applied.metadata ?? { name: '' };
  const bare = {
    ...applied,
    metadata: { ...metadata, ...(Object.keys(annotations).length ? { annotations } : {}) },
  };
  return {
    ...object,
    metadata: {
      ...object.metadata,
      annotations: { ...object.metadata.annotations, [LAST_APPLIED]: `${JSON.stringify(sorted(bare))}\n` },
    },
  };
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  );
}
