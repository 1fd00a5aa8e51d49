// The scale subresource: reads and writes of a Scale.
import { parseApply } from '../apply/index.ts';
import { applyPatch, type PatchType } from '../patch/index.ts';
import { badRequest, conflict, field, generic, internal, invalid, notFound } from './errors.ts';
import { apiVersionOf, collectionOf } from './resources.ts';
import { timestamp } from './names.ts';
import { clone } from './objects.ts';
import { readOptions } from './options.ts';
import { fromStored, groupResource, isBytes, type Call, type Machinery, type Result } from './call.ts';
import { SCALE_KIND, scaleOf, valueAt, withReplicas } from './scale-object.ts';
import { updateObject } from './update.ts';
import type { KubeObject, ResourceType } from './types.ts';

const PATCHES = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
];
const APPLY_PATCH = 'application/apply-patch+yaml';
export async function getScale(m: Machinery, call: Call): Promise<Result> {
  const { type, info } = call;
  const stored = m.store.get(collectionOf(type), info.namespace, info.name);
  if (!stored) throw notFound(groupResource(type), info.name);
  const object = (await fromStored(type, [stored]))[0]!;
  const { specReplicasPath } = type.scale!;
  if (type.custom && valueAt(object, specReplicasPath) === undefined) {
    throw internal(`the spec replicas field ${JSON.stringify(specReplicasPath)} does not exist`);
  }
  return { kind: 'object', code: 200, object: scaleOf(type, object) };
}

export async function putScale(m: Machinery, call: Call): Promise<Result> {
  return writeScale(m, call, 'UpdateOptions', () => readScale(call));
}

export async function patchScale(m: Machinery, call: Call): Promise<Result> {
  const contentType = (call.headers['content-type'] ?? '').split(';')[0]!.trim();
  if (contentType === APPLY_PATCH) return applyScale(m, call);
  if (!PATCHES.includes(contentType)) throw generic(415);
  const patchType = contentType as PatchType;
  return writeScale(m, call, 'PatchOptions', (object) => {
    const body = call.body ?? new Uint8Array();
    const type = { ...call.type, ...SCALE_KIND, custom: false };
    return applyPatch({ type, object, patchType, body, validation: 'Ignore', trusted: !isBytes(body) }).object;
  });
}

/** Applies the replicas to the object itself, with the manager of the Scale. */
async function applyScale(m: Machinery, call: Call): Promise<Result> {
  const { type, info } = call;
  const options = readOptions(call, 'PatchOptions', true);
  const { applied, warnings } = parseApply(call.body ?? new Uint8Array(), options.validation);
  call.warnings.push(...warnings);
  const { fields } = m;
  if (!fields) throw badRequest('server-side apply is not available: this cluster does not track managed fields');
  const [group, version] = (applied.apiVersion ?? '').split('/');
  if (group !== SCALE_KIND.group || version !== SCALE_KIND.version || applied.kind !== SCALE_KIND.kind) {
    throw badRequest(`invalid object type: ${group}/${version ?? ''}, Kind=${applied.kind ?? ''}`);
  }
  const result = await updateObject(m, call, options, {
    createsMissing: false,
    retries: true,
    next: async (old) => {
      const replicas = wantedReplicas(type, info.name, applied, old!);
      const head = {
        apiVersion: apiVersionOf(type.group, type.version),
        kind: type.kind,
        metadata: { name: info.name, namespace: old!.metadata.namespace },
      } as KubeObject;
      const object = await fields.apply({
        live: old,
        applied: withReplicas(type, head, replicas),
        manager: options.manager,
        force: options.force,
        type,
        subresource: info.subresource,
        time: timestamp(m.clock.now()),
      });
      return { object, tracked: true };
    },
  });
  return asScale(type, result);
}

function readScale(call: Call): KubeObject {
  if (!isBytes(call.body)) return clone(call.body as KubeObject);
  try {
    return JSON.parse(new TextDecoder().decode(call.body)) as KubeObject;
  } catch (error) {
    throw badRequest((error as Error).message);
  }
}

async function writeScale(
  m: Machinery,
  call: Call,
  kind: 'UpdateOptions' | 'PatchOptions',
  next: (old: KubeObject) => KubeObject,
): Promise<Result> {
  const { type, info } = call;
  const options = readOptions(call, kind);
  const result = await updateObject(m, call, options, {
    createsMissing: false,
    retries: true,
    next: (old) => {
      const replicas = wantedReplicas(type, info.name, next(scaleOf(type, old!)), old!);
      return { object: withReplicas(type, old!, replicas), tracked: false };
    },
  });
  return asScale(type, result);
}

function asScale(type: ResourceType, result: Result): Result {
  if (result.kind !== 'object') return result;
  return { kind: 'object', code: result.code, object: scaleOf(type, result.object) };
}

/** The replicas of a Scale. Throws if it belongs to another object, is outdated or is invalid. */
function wantedReplicas(type: ResourceType, name: string, scale: KubeObject, old: KubeObject): number {
  if (scale.metadata?.name && scale.metadata.name !== name) {
    throw badRequest(`the name of the object (${scale.metadata.name}) does not match the name on the URL (${name})`);
  }
  const { resourceVersion, uid } = scale.metadata ?? {};
  if (resourceVersion && resourceVersion !== old.metadata.resourceVersion) throw conflict(groupResource(type), name);
  if (uid && uid !== old.metadata.uid) {
    throw conflict(
      groupResource(type),
      name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid}`,
    );
  }
  const replicas: unknown = scale.spec?.replicas ?? 0;
  if (typeof replicas !== 'number' || !Number.isInteger(replicas)) {
    throw badRequest(`Scale in version "v1" cannot be handled as a Scale: spec.replicas must be an integer`);
  }
  if (replicas < 0) {
    throw invalid({ group: 'autoscaling', kind: 'Scale' }, name, [
      field.invalid('spec.replicas', replicas, 'must be greater than or equal to 0'),
    ]);
  }
  return replicas;
}
