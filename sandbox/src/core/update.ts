// Update: replaces an object, unless it changed in the meantime.
import { admissionRequest, concerned, scaleFace, wholeFace, type Face } from './admit.ts';
import { apiVersionOf, collectionOf } from './resources.ts';
import { checkName, checkNamespace, readBody } from './body.ts';
import { clone, same, share } from './objects.ts';
import { conflict, field, invalid, notFound } from './errors.ts';
import { createObject } from './create.ts';
import { dedupeOwners, validateMeta, validateMetaChange, warningsOf } from './meta.ts';
import {
  fromStored,
  groupKind,
  groupResource,
  isBytes,
  toStored,
  type Call,
  type Machinery,
  type Result,
} from './call.ts';
import { readOptions, type WriteOptions } from './options.ts';
import { removeNow } from './remove.ts';
import { withoutScaleTimes } from './scale-object.ts';
import { track } from './owners.ts';
import type { AdmissionRequest, FieldError, KubeObject, ResourceType } from './types.ts';

const MAX_ATTEMPTS = 5;

export async function update(m: Machinery, call: Call): Promise<Result> {
  const options = readOptions(call, 'UpdateOptions');
  let decoded: KubeObject | undefined;
  return updateObject(m, call, options, {
    createsMissing: call.type.createOnUpdate === true,
    next: (old) => {
      const object = decoded && isBytes(call.body) ? clone(decoded) : readBody(call, options, old);
      decoded ??= object;
      checkNamespace(call, object);
      checkName(call, object);
      const { uid } = object.metadata;
      if (uid && old && uid !== old.metadata.uid) {
        throw conflict(
          groupResource(call.type),
          call.info.name,
          `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid}`,
        );
      }
      return { object: isBytes(call.body) ? clone(object) : object, tracked: false };
    },
  });
}

interface Next {
  object: KubeObject;
  /** The owners are already recorded. */
  tracked: boolean;
}

interface Change {
  createsMissing: boolean;
  /** Retries if the object changed in the meantime, unless the change names a resourceVersion. */
  retries?: boolean;
  /** Returns the new object from the current one, in the version of the request. */
  next(old: KubeObject | undefined): Next | Promise<Next>;
}

export async function updateObject(m: Machinery, call: Call, options: WriteOptions, change: Change): Promise<Result> {
  const { type, info } = call;
  const collection = collectionOf(type);
  for (let attempt = 1; ; attempt++) {
    const stored = m.store.get(collection, type.namespaced ? info.namespace : '', info.name);
    if (!stored) {
      if (!change.createsMissing || info.subresource) throw notFound(groupResource(type), info.name);
      const { object, tracked } = await change.next(undefined);
      const code = 201;
      return { kind: 'object', code, object: await createObject(m, call, object, options, tracked), type };
    }
    const old =
      stored.apiVersion === apiVersionOf(type.group, type.version) ? stored : (await fromStored(type, [stored]))[0]!;
    const result = await replace({ m, call, options, stored, old }, await change.next(old));
    if (result) return { kind: 'object', code: 200, object: result, type };
    const unconditional = change.retries || type.unconditionalUpdate !== false;
    if (!unconditional || attempt >= MAX_ATTEMPTS) throw conflict(groupResource(type), info.name);
  }
}

/** One try at replacing an object. */
interface Attempt {
  readonly m: Machinery;
  readonly call: Call;
  readonly options: WriteOptions;
  /** The stored object. */
  readonly stored: KubeObject;
  /** The stored object in the version of the request. */
  readonly old: KubeObject;
}

/** The new object. Undefined if it changed during admission and the request may be retried. */
async function replace(attempt: Attempt, asked: Next): Promise<KubeObject | undefined> {
  const { m, call, old } = attempt;
  const conditional = checkVersion(call, asked.object, old);
  const face = call.info.subresource === 'scale' ? scaleFace(call.type) : wholeFace;
  const { object, request } = await mutate(attempt, asked, face);
  const next = prepare(attempt, object);
  if (next !== old || request) validate(call, next, old);
  if (request) {
    request.object = face.show(next);
    await m.admission.validate(request);
  }
  if (next === old) return old;
  return store(attempt, call.info.subresource === 'scale' ? withoutScaleTimes(next) : next, conditional);
}

/** Whether the request is only for this resourceVersion. Throws if it is for another one. */
function checkVersion(call: Call, next: KubeObject, old: KubeObject): boolean {
  const { type, info } = call;
  const version = next.metadata.resourceVersion;
  if (version && version !== '0') {
    if (version !== old.metadata.resourceVersion) throw conflict(groupResource(type), info.name);
    return isPut(call) || mentionsVersion(call);
  }
  if (type.unconditionalUpdate === false || type.custom) {
    throw invalid({ group: type.group, kind: type.plural }, info.name, [
      field.invalid('metadata.resourceVersion', 0, 'must be specified for an update'),
    ]);
  }
  next.metadata.resourceVersion = old.metadata.resourceVersion!; // The store gives every object one.
  return false;
}

/** Sets defaults and owners of fields, and runs mutating admission. Returns the admission request, if any. */
async function mutate(
  { m, call, options, old }: Attempt,
  { object, tracked }: Next,
  face: Face,
): Promise<{ object: KubeObject; request: AdmissionRequest | undefined }> {
  const { type, info } = call;
  const toStatus = info.subresource === 'status';
  const warn = (text: string): number => call.warnings.push(text);
  let next = object;
  dedupeOwners(next, warn);
  if (!toStatus) type.default?.(next);
  if (!tracked) await track(m, call, old, next, options);
  if (!concerned(m, call)) return { object: next, request: undefined };
  const request = { ...admissionRequest(call, 'UPDATE', face.show(next), face.show(old), options), ...face.as };
  const shown = request.object;
  await m.admission.mutate(request);
  if (request.object !== shown) {
    request.object = face.take(request.object!, next);
    next = clone(request.object);
    if (!toStatus) type.default?.(next);
  }
  dedupeOwners(next, warn);
  return { object: next, request };
}

/** Prepares and validates the object. Returns `old` itself if nothing changed. */
function prepare({ m, call, old }: Attempt, object: KubeObject): KubeObject {
  const { type } = call;
  const toStatus = call.info.subresource === 'status';
  keepOld(call, object, old, toStatus);
  if (toStatus) type.prepareStatus?.(object, old);
  else type.prepare?.(object, old);
  m.fields?.keepTimes(old, object);
  const next = share(old, object);
  if (next === old || toStatus || !type.generation || !specChanged(type, next, old)) return next;
  return { ...next, metadata: { ...next.metadata, generation: (old.metadata.generation ?? 0) + 1 } };
}

function validate(call: Call, next: KubeObject, old: KubeObject): void {
  const { type, info } = call;
  const errors = [
    ...validateMeta(type, next, old),
    ...validateMetaChange(next, old),
    ...((info.subresource === 'status' ? statusErrors(type, next, old) : type.validate?.(next, old)) ?? []),
  ];
  if (errors.length) throw invalid(groupKind(type), info.name, errors);
  call.warnings.push(...warningsOf(type, next, old));
}

const statusErrors = (type: ResourceType, next: KubeObject, old: KubeObject): FieldError[] | undefined =>
  type.validateStatus ? type.validateStatus(next, old) : type.custom ? type.validate?.(next, old) : undefined;

/** Stores the object, or removes it if only this change blocked its deletion. */
async function store(
  { m, call, options, stored }: Attempt,
  next: KubeObject,
  conditional: boolean,
): Promise<KubeObject | undefined> {
  const { type, info } = call;
  const collection = collectionOf(type);
  const current = m.store.get(collection, stored.metadata.namespace ?? '', info.name);
  if (current !== stored) {
    if (!current) throw notFound(groupResource(type), info.name);
    if (conditional) throw conflict(groupResource(type), info.name);
    return undefined;
  }
  if (options.dryRun) return next;
  const storable = await toStored(type, next);
  if (isLast(type, next)) {
    removeNow(m, type, stored, storable);
    return next;
  }
  const saved = m.store.commit(collection, stored, storable);
  if (!saved) return undefined;
  return saved.apiVersion === next.apiVersion ? saved : (await fromStored(type, [saved]))[0]!;
}

/** The object is being deleted, and nothing blocks it. */
const isLast = (type: ResourceType, object: KubeObject): boolean => {
  const { deletionTimestamp, finalizers, deletionGracePeriodSeconds } = object.metadata;
  return (
    deletionTimestamp !== undefined && !finalizers?.length && !type.heldBack?.(object) && !deletionGracePeriodSeconds
  );
};

const isPut = (call: Call): boolean => call.info.verb === 'update';

/** Whether the patch contains a resourceVersion. Then it is not retried on a newer one. */
function mentionsVersion(call: Call): boolean {
  const text = isBytes(call.body) ? new TextDecoder().decode(call.body) : JSON.stringify(call.body);
  return text.includes('resourceVersion');
}

/** Restores fields that an update cannot change. */
function keepOld(call: Call, next: KubeObject, old: KubeObject, toStatus: boolean): void {
  const { type } = call;
  const { metadata } = next;
  metadata.uid ??= old.metadata.uid!;
  metadata.creationTimestamp = old.metadata.creationTimestamp!;
  for (const key of ['generation', 'deletionTimestamp', 'generateName'] as const) {
    if (old.metadata[key] === undefined) {
      if (key !== 'generateName') delete metadata[key];
    } else (metadata as unknown as Record<string, unknown>)[key] = old.metadata[key];
  }
  if (old.metadata.deletionGracePeriodSeconds === undefined) delete metadata.deletionGracePeriodSeconds;
  else metadata.deletionGracePeriodSeconds ??= old.metadata.deletionGracePeriodSeconds;
  if (toStatus) {
    for (const key of new Set([...Object.keys(next), ...Object.keys(old)])) {
      if (key === 'metadata' || key === 'status') continue;
      if (key in old) next[key] = old[key];
      else delete next[key];
    }
    if (type.custom) {
      next.metadata = { ...old.metadata };
      if (metadata.managedFields) next.metadata.managedFields = metadata.managedFields;
    }
  } else if (type.status) {
    if ('status' in old) next.status = old.status;
    else delete next.status;
  }
}

function specChanged(type: Call['type'], next: KubeObject, old: KubeObject): boolean {
  for (const key of new Set([...Object.keys(next), ...Object.keys(old)])) {
    if (key === 'metadata' || key === 'apiVersion' || key === 'kind' || (key === 'status' && type.status)) continue;
    if (next[key] !== old[key] && !same(next[key], old[key])) return true;
  }
  const moved = (field: 'annotations' | 'labels'): boolean =>
    !same(next.metadata[field] ?? {}, old.metadata[field] ?? {});
  return (
    (type.annotationsBumpGeneration === true && moved('annotations')) ||
    (type.labelsBumpGeneration === true && moved('labels'))
  );
}
