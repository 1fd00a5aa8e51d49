// Create: from the body of a request to a stored object.
import { alreadyExists, invalid } from './errors.ts';
import { admissionRequest, checkNamespaceLives, concerned } from './admit.ts';
import { checkNamespace, readBody } from './body.ts';
import { collectionOf } from './resources.ts';
import { clone } from './objects.ts';
import { dedupeOwners, validateMeta, warningsOf } from './meta.ts';
import { fromStored, groupKind, groupResource, toStored, type Call, type Machinery, type Result } from './call.ts';
import { generatedName, newUid, timestamp } from './names.ts';
import { readOptions, type WriteOptions } from './options.ts';
import { track } from './owners.ts';
import { ApiError, type KubeObject } from './types.ts';

const MAX_NAME_ATTEMPTS = 8;

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
  delete (metadata as { selfLink?: string }).selfLink;
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
    if (attempt === 1) call.warnings.push(...warningsOf(type, object, undefined));
    if (request) {
      request.object = object;
      if (!request.attributes.name) request.attributes.name = metadata.name;
      await m.admission.validate(request);
    }
    // Defaults of the status: a real server sets them when it reads the object from its storage.
    if (type.custom && type.status) type.default?.(object);
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
