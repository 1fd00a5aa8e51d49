// Create, update and patch: from what a client sent to what is stored.
import { decode } from '../schema/index.ts';
import { parseApply } from '../apply/index.ts';
import { applyPatch, type PatchType } from '../patch/index.ts';
import {
  alreadyExists,
  badRequest,
  conflict,
  field,
  forbidden,
  generic,
  invalid,
  notFound,
  unsupportedMediaType,
} from './errors.ts';
import { apiVersionOf, collectionOf } from './resources.ts';
import { clone, same, share } from './objects.ts';
import { dedupeOwners, validateMeta, validateMetaChange } from './meta.ts';
import { generatedName, newUid, timestamp } from './names.ts';
import { readOptions, type WriteOptions } from './options.ts';
import { SCALE_KIND, scaleOf, withReplicas } from './scale.ts';
import { ApiError, type AdmissionRequest, type KubeObject, type ResourceType } from './types.ts';
import {
  fromStored,
  groupKind,
  groupResource,
  isBytes,
  toStored,
  type Call,
  type FieldTracker,
  type Machinery,
  type Result,
} from './call.ts';
import { removeNow } from './remove.ts';

const MAX_ATTEMPTS = 5;
const MAX_NAME_ATTEMPTS = 8;

/** An object of the call's kind from its body: the caller's own copy. */
export function readBody(call: Call, options: WriteOptions, old?: KubeObject): KubeObject {
  const { type, body } = call;
  if (body === undefined || isBytes(body)) {
    const yaml = isYaml(call);
    const { object, warnings } = decode(type, body ?? new Uint8Array(), { validation: options.validation, yaml });
    call.warnings.push(...warnings);
    return object;
  }
  const object = ownCopy(body as KubeObject, old);
  object.apiVersion ??= apiVersionOf(type.group, type.version);
  object.kind ??= type.kind;
  return object;
}

/** Bodies come as JSON, where nothing else is said, or YAML. */
function isYaml({ headers, type }: Call): boolean {
  const media = (headers['content-type'] ?? '').split(';')[0]!.trim();
  if (media === 'application/yaml') return true;
  if (media === '' || media === 'application/json') return false;
  const protobuf = type.custom ? [] : ['application/vnd.kubernetes.protobuf'];
  throw unsupportedMediaType(['application/json', 'application/yaml', ...protobuf]);
}

/** A copy whose metadata can be changed; what is unchanged since `old` is shared. */
function ownCopy(object: KubeObject, old: KubeObject | undefined): KubeObject {
  const copy = clone(object, old);
  return Object.isFrozen(copy) || !copy.metadata || Object.isFrozen(copy.metadata)
    ? { ...copy, metadata: { ...copy.metadata } }
    : copy;
}

/** The namespace of the path goes for the object too. */
export function checkNamespace(call: Call, object: KubeObject): void {
  const { namespace } = object.metadata;
  if (!call.type.namespaced) return;
  if (namespace && namespace !== call.info.namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  object.metadata.namespace = call.info.namespace;
}

function checkName(call: Call, object: KubeObject): void {
  const { name } = object.metadata;
  if (!name) {
    throw badRequest(
      `the name of the object (${call.info.name} based on URL) was undeterminable: name must be provided`,
    );
  }
  if (name !== call.info.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${call.info.name})`);
  }
}

/** NamespaceLifecycle: nothing is created where there is no namespace, or in one that is going. */
function checkNamespaceLives(m: Machinery, call: Call): void {
  const { type, info } = call;
  if (!type.namespaced || type.virtual) return;
  const namespace = m.store.get('/namespaces', '', info.namespace);
  if (!namespace) throw notFound({ group: '', resource: 'namespaces' }, info.namespace);
  if (!namespace.metadata.deletionTimestamp) return;
  const error = forbidden(
    groupResource(type),
    info.name,
    `unable to create new content in namespace ${info.namespace} because it is being terminated`,
  );
  error.status.details!.causes = [
    {
      reason: 'NamespaceTerminating',
      message: `namespace ${info.namespace} is being terminated`,
      field: 'metadata.namespace',
    },
  ];
  throw error;
}

export const admissionRequest = (
  call: Call,
  operation: AdmissionRequest['operation'],
  object: KubeObject | null,
  oldObject: KubeObject | null,
  options: { dryRun: boolean; object: Record<string, unknown> },
): AdmissionRequest => ({
  attributes: { ...call.info, user: call.user },
  type: call.type,
  kind: { group: call.type.group, version: call.type.version, kind: call.type.kind },
  operation,
  object,
  oldObject,
  options: optionsFor(operation, options.object),
  dryRun: options.dryRun,
  warnings: call.warnings,
});

/** Admission knows no patches: what a patch comes to is a create or an update, and has the options of one. */
const optionsFor = (
  operation: AdmissionRequest['operation'],
  { force, ...options }: Record<string, unknown>,
): Record<string, unknown> => {
  if (operation === 'CREATE') return { ...options, kind: 'CreateOptions' };
  if (operation === 'UPDATE') return { ...options, kind: 'UpdateOptions' };
  return { ...options, ...(force === undefined ? {} : { force }) };
};

export const concerned = (m: Machinery, call: Call): boolean =>
  m.admission.concerns?.({ ...call.info, user: call.user }) ?? true;

export async function create(m: Machinery, call: Call): Promise<Result> {
  const options = readOptions(call, 'CreateOptions');
  const object = readBody(call, options);
  checkNamespace(call, object);
  return { kind: 'object', code: 201, object: await createObject(m, call, object, options), type: call.type };
}

export async function createObject(
  m: Machinery,
  call: Call,
  decoded: KubeObject,
  options: WriteOptions,
  tracked = false,
): Promise<KubeObject> {
  const { type } = call;
  const warn = (text: string): number => call.warnings.push(text);
  let object = decoded;
  dedupeOwners(object, warn);
  type.default?.(object);
  if (!tracked) await track(m, call, undefined, object, options);
  checkNamespaceLives(m, call);
  const admitted = concerned(m, call);
  const request = admitted ? admissionRequest(call, 'CREATE', object, null, options) : undefined;
  if (request) {
    if (!request.attributes.name) request.attributes.name = object.metadata.name ?? '';
    await m.admission.mutate(request);
    if (request.object !== object) {
      object = clone(request.object!);
      type.default?.(object);
    }
    dedupeOwners(object, warn);
  }

  const { metadata } = object;
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  if (metadata.resourceVersion && metadata.resourceVersion !== '0') {
    throw new ApiError({
      code: 500,
      reason: '',
      message: 'resourceVersion should not be set on objects to be created',
    });
  }
  delete metadata.resourceVersion;
  metadata.uid = newUid(() => m.clock.random());
  metadata.creationTimestamp = timestamp(m.clock.now());
  if (type.generation) metadata.generation = 1;
  else if (!type.custom) delete metadata.generation;
  if (type.status) delete object.status;
  const generate = !metadata.name && metadata.generateName ? metadata.generateName : undefined;

  for (let attempt = 1; ; attempt++) {
    if (generate) metadata.name = generatedName(generate, () => m.clock.random());
    type.prepare?.(object, undefined);
    const errors = [...validateMeta(type, object), ...(type.validate?.(object, undefined) ?? [])];
    if (errors.length) throw invalid(groupKind(type), metadata.name ?? '', errors);
    if (request) {
      request.object = object;
      if (!request.attributes.name) request.attributes.name = metadata.name;
      await m.admission.validate(request);
    }
    const stored = await toStored(type, object);
    const collection = collectionOf(type);
    if (options.dryRun) {
      if (!m.store.get(collection, metadata.namespace ?? '', metadata.name)) return object;
    } else {
      const saved = m.store.commit(collection, undefined, stored);
      if (saved) return saved.apiVersion === object.apiVersion ? saved : (await fromStored(type, [saved]))[0]!;
    }
    if (!generate || attempt >= MAX_NAME_ATTEMPTS) throw alreadyExists(groupResource(type), metadata.name);
  }
}

/** Writes down who owns what the request changed; undefined at once where nobody keeps books. */
function track(
  m: Machinery,
  call: Call,
  old: KubeObject | undefined,
  next: KubeObject,
  options: WriteOptions,
): Promise<void> | undefined {
  if (m.fields) return writeOwners(m.fields, m, call, old, next, options);
  delete next.metadata.managedFields;
  return undefined;
}

async function writeOwners(
  fields: FieldTracker,
  m: Machinery,
  call: Call,
  old: KubeObject | undefined,
  next: KubeObject,
  options: WriteOptions,
): Promise<void> {
  const entries = await fields.trackUpdate({
    old,
    next,
    manager: options.manager,
    type: call.type,
    subresource: call.info.subresource,
    time: timestamp(m.clock.now()),
  });
  if (entries.length) next.metadata.managedFields = entries;
  else delete next.metadata.managedFields;
}

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

const JSON_PATCH = 'application/json-patch+json';
const MERGE_PATCH = 'application/merge-patch+json';
const STRATEGIC_PATCH = 'application/strategic-merge-patch+json';
const APPLY_PATCH = 'application/apply-patch+yaml';
const PATCH_TYPES = [JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH, 'application/apply-patch+cbor'];

export async function patch(m: Machinery, call: Call): Promise<Result> {
  const { type, info } = call;
  const contentType = (call.headers['content-type'] ?? '').split(';')[0]!.trim();
  if (!type.custom && !PATCH_TYPES.includes(contentType)) throw generic(415);
  const accepted = [JSON_PATCH, MERGE_PATCH, ...(type.strategicMerge ? [STRATEGIC_PATCH] : []), APPLY_PATCH];
  if (!accepted.includes(contentType)) throw unsupportedMediaType(accepted);
  const applying = contentType === APPLY_PATCH;
  const options = readOptions(call, 'PatchOptions', applying);

  if (applying) {
    const { applied, warnings } = parseApply(call.body ?? new Uint8Array(), options.validation);
    call.warnings.push(...warnings);
    const { fields } = m;
    if (!fields) throw badRequest('server-side apply is not available: this cluster does not track managed fields');
    return updateObject(m, call, options, {
      createsMissing: true,
      retries: true,
      next: async (old) => {
        const object = await fields.apply({
          live: old,
          applied,
          manager: options.manager,
          force: options.force,
          type,
          subresource: info.subresource,
          time: timestamp(m.clock.now()),
        });
        checkNamespace(call, object);
        checkName(call, object);
        return { object, tracked: true };
      },
    });
  }

  const trusted = !isBytes(call.body);
  return updateObject(m, call, options, {
    createsMissing: false,
    retries: true,
    next: (old) => {
      const { object: patched, warnings } = applyPatch({
        type,
        object: old!,
        patchType: contentType as PatchType,
        body: call.body ?? new Uint8Array(),
        validation: options.validation,
        trusted,
      });
      for (const text of warnings) if (!call.warnings.includes(text)) call.warnings.push(text);
      const object = ownCopy(patched, old);
      checkNamespace(call, object);
      checkName(call, object);
      return { object, tracked: false };
    },
  });
}

interface Next {
  object: KubeObject;
  /** Its owners are written down already. */
  tracked: boolean;
}

interface Change {
  createsMissing: boolean;
  /** Starts over when the object changed meanwhile, unless the change names a resourceVersion. */
  retries?: boolean;
  /** What the object is to become, from what it is, in the version of the request. */
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
    const { object: asked, tracked } = await change.next(old);
    const result = await replace(m, call, options, stored, old, asked, tracked);
    if (result) return { kind: 'object', code: 200, object: result, type };
    const unconditional = change.retries || type.unconditionalUpdate !== false;
    if (!unconditional || attempt >= MAX_ATTEMPTS) throw conflict(groupResource(type), info.name);
  }
}

/** One attempt; undefined when the object changed while admission looked at it and the request does not mind. */
async function replace(
  m: Machinery,
  call: Call,
  options: WriteOptions,
  stored: KubeObject,
  old: KubeObject,
  asked: KubeObject,
  tracked: boolean,
): Promise<KubeObject | undefined> {
  const { type, info } = call;
  const toStatus = info.subresource === 'status';
  let next = asked;
  const version = next.metadata.resourceVersion;
  if (!version || version === '0') {
    if (type.unconditionalUpdate === false || type.custom) {
      throw invalid({ group: type.group, kind: type.plural }, info.name, [
        field.invalid('metadata.resourceVersion', 0, 'must be specified for an update'),
      ]);
    }
    next.metadata.resourceVersion = old.metadata.resourceVersion;
  } else if (version !== old.metadata.resourceVersion) throw conflict(groupResource(type), info.name);
  const conditional = version !== undefined && version !== '0' && (isPut(call) || mentionsVersion(call));

  dedupeOwners(next, (text) => call.warnings.push(text));
  if (!toStatus) type.default?.(next);
  if (!tracked) await track(m, call, old, next, options);
  const admitted = concerned(m, call);
  const face = info.subresource === 'scale' ? scaleFace(type) : wholeFace;
  const request = admitted
    ? { ...admissionRequest(call, 'UPDATE', face.show(next), face.show(old), options), ...face.as }
    : undefined;
  if (request) {
    const shown = request.object;
    await m.admission.mutate(request);
    if (request.object !== shown) {
      request.object = face.take(request.object!, next);
      next = clone(request.object!);
      if (!toStatus) type.default?.(next);
    }
    dedupeOwners(next, (text) => call.warnings.push(text));
  }

  keepOld(call, next, old, toStatus);
  if (toStatus) type.prepareStatus?.(next, old);
  else type.prepare?.(next, old);
  m.fields?.keepTimes(old, next);
  next = share(old, next);
  if (next !== old && !toStatus && type.generation && specChanged(type, next, old)) {
    next = { ...next, metadata: { ...next.metadata, generation: (old.metadata.generation ?? 0) + 1 } };
  }
  if (next !== old || request) {
    const errors = [
      ...validateMeta(type, next, old),
      ...validateMetaChange(next, old),
      ...((toStatus ? (type.validateStatus ?? (type.custom ? type.validate : undefined)) : type.validate)?.(
        next,
        old,
      ) ?? []),
    ];
    if (errors.length) throw invalid(groupKind(type), info.name, errors);
  }
  if (request) {
    request.object = face.show(next);
    await m.admission.validate(request);
  }
  if (next === old) return old;
  const collection = collectionOf(type);
  const current = m.store.get(collection, stored.metadata.namespace ?? '', info.name);
  if (current !== stored) {
    if (!current) throw notFound(groupResource(type), info.name);
    if (conditional) throw conflict(groupResource(type), info.name);
    return undefined;
  }
  if (options.dryRun) return next;
  const isLast =
    next.metadata.deletionTimestamp !== undefined &&
    !next.metadata.finalizers?.length &&
    !type.heldBack?.(next) &&
    !next.metadata.deletionGracePeriodSeconds;
  const storable = await toStored(type, next);
  if (isLast) {
    removeNow(m, type, stored, storable);
    return next;
  }
  const saved = m.store.commit(collection, stored, storable);
  if (!saved) return undefined;
  return saved.apiVersion === next.apiVersion ? saved : (await fromStored(type, [saved]))[0]!;
}

/** What admission sees of an object: itself, or its Scale. */
interface Face {
  as: { kind?: AdmissionRequest['kind'] };
  show(object: KubeObject): KubeObject;
  take(shown: KubeObject, object: KubeObject): KubeObject;
}
const wholeFace: Face = { as: {}, show: (object) => object, take: (shown) => shown };
const scaleFace = (type: ResourceType): Face => ({
  as: { kind: SCALE_KIND },
  show: (object) => scaleOf(type, object),
  take: (shown, object) => withReplicas(type, object, shown.spec.replicas ?? 0),
});

const isPut = (call: Call): boolean => call.info.verb === 'update';

/** Does the patch name a resourceVersion itself? Then it must not be tried again on a newer one. */
function mentionsVersion(call: Call): boolean {
  const text = isBytes(call.body) ? new TextDecoder().decode(call.body) : JSON.stringify(call.body);
  return text.includes('resourceVersion');
}

/** What an update cannot touch stays as it was. */
function keepOld(call: Call, next: KubeObject, old: KubeObject, toStatus: boolean): void {
  const { type } = call;
  const { metadata } = next;
  metadata.uid ??= old.metadata.uid;
  metadata.creationTimestamp = old.metadata.creationTimestamp;
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
  return (
    type.annotationsBumpGeneration === true && !same(next.metadata.annotations ?? {}, old.metadata.annotations ?? {})
  );
}
