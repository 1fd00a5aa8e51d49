// Delete and deletecollection: finalizers, grace periods, propagation policies, preconditions.
import { badRequest, conflict, field, forbidden, invalid, notFound } from './errors.ts';
import { FOREGROUND, ORPHAN } from './meta.ts';
import { collectionOf } from './resources.ts';
import { fromStored, groupResource, isBytes, type Call, type Machinery, type Result } from './call.ts';
import { list } from './read.ts';
import { admissionRequest, concerned } from './admit.ts';
import { checkDryRun, integerOf } from './options.ts';
import { timestamp } from './names.ts';
import { clone, same } from './objects.ts';
import type { KubeObject, ResourceType } from './types.ts';

export interface DeleteOptions {
  gracePeriodSeconds?: number;
  propagationPolicy?: string;
  orphanDependents?: boolean;
  preconditions?: { uid?: string; resourceVersion?: string };
  dryRun?: string[];
}

/** Namespaces that NamespaceLifecycle protects. */
const IMMORTAL = ['default', 'kube-public', 'kube-system'];
const POLICIES = ['Foreground', 'Background', 'Orphan'];

function readDeleteOptions(call: Call): DeleteOptions {
  const { body, query } = call;
  let options: DeleteOptions = {};
  if (body && (!isBytes(body) || body.length)) {
    if (isBytes(body)) {
      const text = new TextDecoder().decode(body);
      try {
        options = JSON.parse(text) as DeleteOptions;
      } catch {
        throw badRequest(`couldn't get version/kind; json parse error: ${text.slice(0, 100)}`);
      }
    } else options = { ...(body as DeleteOptions) };
    delete (options as Record<string, unknown>).kind;
    delete (options as Record<string, unknown>).apiVersion;
  } else {
    const grace = query.get('gracePeriodSeconds');
    const policy = query.get('propagationPolicy');
    const orphan = query.get('orphanDependents');
    const dryRun = query.getAll('dryRun');
    if (grace !== null) options.gracePeriodSeconds = integerOf(query, 'gracePeriodSeconds');
    if (policy !== null) options.propagationPolicy = policy;
    if (orphan !== null) options.orphanDependents = orphan === 'true';
    if (dryRun.length) options.dryRun = dryRun;
  }
  const errors = checkDryRun(options.dryRun ?? []);
  if (options.propagationPolicy !== undefined && options.orphanDependents !== undefined) {
    errors.push(
      field.invalid(
        'propagationPolicy',
        options.propagationPolicy,
        'orphanDependents and deletionPropagation cannot be both set',
      ),
    );
  }
  if (options.propagationPolicy !== undefined && !POLICIES.includes(options.propagationPolicy)) {
    errors.push(field.notSupported('propagationPolicy', options.propagationPolicy, [...POLICIES, 'nil']));
  }
  if (errors.length) throw invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', errors);
  if (options.gracePeriodSeconds !== undefined && options.gracePeriodSeconds < 0) options.gracePeriodSeconds = 1;
  return options;
}

export async function remove(m: Machinery, call: Call): Promise<Result> {
  return removeObject(m, call, readDeleteOptions(call));
}

export async function removeObject(m: Machinery, call: Call, options: DeleteOptions): Promise<Result> {
  const { type, info } = call;
  const collection = collectionOf(type);
  if (type.group === '' && type.plural === 'namespaces' && IMMORTAL.includes(info.name)) {
    throw forbidden(groupResource(type), info.name, 'this namespace may not be deleted');
  }
  const dryRun = options.dryRun !== undefined && options.dryRun.length > 0;
  for (;;) {
    const stored = m.store.get(collection, type.namespaced ? info.namespace : '', info.name);
    if (!stored) throw notFound(groupResource(type), info.name);
    checkPreconditions(type, stored, options);
    if (concerned(m, call)) {
      const before = (await fromStored(type, [stored]))[0]!;
      const request = admissionRequest(call, 'DELETE', null, before, {
        dryRun,
        object: { kind: 'DeleteOptions', apiVersion: 'meta.k8s.io/v1', ...options },
      });
      await m.admission.mutate(request);
      await m.admission.validate(request);
      if (m.store.get(collection, stored.metadata.namespace ?? '', info.name) !== stored) continue;
    }
    const next = markForDeletion(m, type, stored, options);
    if (next === stored) return { kind: 'object', code: 200, object: (await fromStored(type, [stored]))[0]!, type };
    if (next) {
      const saved = dryRun ? next : m.store.commit(collection, stored, next);
      if (!saved) continue;
      return { kind: 'object', code: 200, object: (await fromStored(type, [saved]))[0]!, type };
    }
    const last = type.graceSeconds ? withoutGrace(m, stored) : stored;
    if (!dryRun) removeNow(m, type, stored, last);
    return answer(type, last);
  }
}

/** Sets the deletion fields on a Pod that is deleted at once, as on one with a grace period. */
function withoutGrace(m: Machinery, stored: KubeObject): KubeObject {
  const { metadata } = stored;
  const going = metadata.deletionTimestamp;
  const left = metadata.deletionGracePeriodSeconds ?? 0;
  const since = going ? Date.parse(going) - left * 1000 : m.clock.now();
  return {
    ...stored,
    metadata: {
      ...metadata,
      deletionTimestamp: timestamp(since),
      deletionGracePeriodSeconds: 0,
      ...(!going && metadata.generation ? { generation: metadata.generation + 1 } : {}),
    },
  };
}

/** Removes the object from the store. `last`: its final state. */
export function removeNow(m: Machinery, type: ResourceType, stored: KubeObject, last: KubeObject): void {
  m.store.remove(collectionOf(type), stored, last);
}

/** Throws a conflict. */
export function checkPreconditions(
  type: ResourceType,
  { metadata }: KubeObject,
  { preconditions }: DeleteOptions,
): void {
  const about = { group: type.group, resource: type.kind };
  if (preconditions?.uid !== undefined && preconditions.uid !== metadata.uid) {
    throw conflict(
      about,
      metadata.name,
      `the UID in the precondition (${preconditions.uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`,
    );
  }
  if (preconditions?.resourceVersion !== undefined && preconditions.resourceVersion !== metadata.resourceVersion) {
    throw conflict(
      about,
      metadata.name,
      `the ResourceVersion in the precondition (${preconditions.resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`,
    );
  }
}

/** The object after the request. The same object if nothing changes, undefined if it can be removed at once. */
function markForDeletion(
  m: Machinery,
  type: ResourceType,
  stored: KubeObject,
  options: DeleteOptions,
): KubeObject | undefined {
  const { metadata } = stored;
  const now = m.clock.now();
  if (type.terminate) {
    const next = type.terminate(clone(stored), timestamp(now));
    return next && same(next, stored) ? stored : next;
  }
  const asked = options.gracePeriodSeconds;
  const going = metadata.deletionTimestamp !== undefined;
  let marked: Partial<KubeObject['metadata']> | undefined;
  let grace = 0;
  if (type.graceSeconds && going && metadata.deletionGracePeriodSeconds) {
    const left = metadata.deletionGracePeriodSeconds;
    if (asked === undefined || asked >= left) return stored;
    grace = asked;
    const since = Date.parse(metadata.deletionTimestamp!) - left * 1000;
    marked = { deletionTimestamp: timestamp(since + grace * 1000), deletionGracePeriodSeconds: grace };
  } else if (type.graceSeconds && !going) {
    grace = type.graceSeconds(stored, asked);
    marked = {
      deletionTimestamp: timestamp(now + grace * 1000),
      deletionGracePeriodSeconds: grace,
      ...(metadata.generation ? { generation: metadata.generation + 1 } : {}),
    };
  }
  const finalizers = finalizersFor(type, stored, options);
  if (finalizers.length === 0 && grace === 0) return undefined;
  if (!marked) {
    if (going && sameList(finalizers, metadata.finalizers ?? [])) return stored;
    marked = {
      deletionTimestamp: going ? metadata.deletionTimestamp! : timestamp(now),
      deletionGracePeriodSeconds: 0,
      ...(!going && metadata.generation ? { generation: metadata.generation + 1 } : {}),
    };
  }
  const next: KubeObject = { ...stored, metadata: { ...metadata, ...marked } };
  if (finalizers.length) next.metadata.finalizers = finalizers;
  else delete next.metadata.finalizers;
  return next;
}

const sameList = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((each, i) => each === b[i]);

/** Adds or removes the finalizers orphan and foregroundDeletion as the propagation policy specifies. */
function finalizersFor(type: ResourceType, { metadata }: KubeObject, options: DeleteOptions): string[] {
  const present = metadata.finalizers ?? [];
  if (type.garbageCollected === false) return present;
  const { propagationPolicy: policy, orphanDependents } = options;
  let orphan = present.includes(ORPHAN);
  let foreground = present.includes(FOREGROUND);
  if (orphanDependents !== undefined) {
    orphan = orphanDependents;
    foreground = false;
  } else if (policy !== undefined) {
    orphan = policy === 'Orphan';
    foreground = policy === 'Foreground';
  }
  const others = present.filter((each) => each !== ORPHAN && each !== FOREGROUND);
  const wanted = [...others, ...(orphan ? [ORPHAN] : []), ...(foreground ? [FOREGROUND] : [])];
  return wanted.length === present.length && wanted.every((each) => present.includes(each)) ? present : wanted;
}

async function answer(type: ResourceType, object: KubeObject): Promise<Result> {
  if (type.returnsDeleted) {
    return { kind: 'object', code: 200, object: (await fromStored(type, [object]))[0]!, type };
  }
  return {
    kind: 'object',
    code: 200,
    object: {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {} as KubeObject['metadata'],
      status: 'Success',
      details: {
        name: object.metadata.name,
        ...(type.group ? { group: type.group } : {}),
        kind: type.plural,
        uid: object.metadata.uid,
      },
    },
  };
}

/** Deletes the objects of a list one by one, as DELETE would. Answers with the list. */
export async function removeCollection(m: Machinery, call: Call): Promise<Result> {
  const options = readDeleteOptions(call);
  const found = await list(m, call);
  if (found.kind !== 'list') return found;
  for (const { metadata } of found.items) {
    const info = { ...call.info, name: metadata.name, namespace: metadata.namespace ?? '' };
    try {
      await removeObject(m, { ...call, info }, options);
    } catch (error) {
      if ((error as { status?: { code?: number } }).status?.code !== 404) throw error;
    }
  }
  return found;
}
