// The scale subresource: autoscaling/v1 Scale as another face of a Deployment, a ReplicaSet, or a custom resource that has one.
import { applyPatch, type PatchType } from '../patch/index.ts';
import { badRequest, conflict, field, generic, internal, invalid, notFound } from './errors.ts';
import { collectionOf } from './resources.ts';
import { clone } from './objects.ts';
import { readOptions } from './options.ts';
import { formatLabelSelector, labelSelectorOf } from './select.ts';
import { fromStored, groupResource, isBytes, type Call, type Machinery, type Result } from './call.ts';
import { updateObject } from './update.ts';
import type { KubeObject, ResourceType } from './types.ts';

const PATCHES = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];
export const SCALE_KIND = { group: 'autoscaling', version: 'v1', kind: 'Scale' };

const at = (object: unknown, path: string): unknown =>
  path
    .split('.')
    .filter(Boolean)
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], object);

export function scaleOf(type: ResourceType, object: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const { specReplicasPath, statusReplicasPath, labelSelectorPath } = type.scale!;
  const selector = labelSelectorPath ? at(object, labelSelectorPath) : labelSelectorText(object);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp } as KubeObject['metadata'],
    spec: { ...(at(object, specReplicasPath) ? { replicas: at(object, specReplicasPath) } : {}) },
    status: { replicas: at(object, statusReplicasPath) ?? 0, ...(selector ? { selector } : {}) },
  };
}

const labelSelectorText = (object: KubeObject): string =>
  object.spec?.selector ? formatLabelSelector(labelSelectorOf(object.spec.selector)) : '';

export async function getScale(m: Machinery, call: Call): Promise<Result> {
  const { type, info } = call;
  const stored = m.store.get(collectionOf(type), info.namespace, info.name);
  if (!stored) throw notFound(groupResource(type), info.name);
  const object = (await fromStored(type, [stored]))[0]!;
  const { specReplicasPath } = type.scale!;
  if (type.custom && at(object, specReplicasPath) === undefined) {
    throw internal(`the spec replicas field ${JSON.stringify(specReplicasPath)} does not exist`);
  }
  return { kind: 'object', code: 200, object: scaleOf(type, object) };
}

export async function putScale(m: Machinery, call: Call): Promise<Result> {
  return writeScale(m, call, 'UpdateOptions', () => readScale(call));
}

export async function patchScale(m: Machinery, call: Call): Promise<Result> {
  const contentType = (call.headers['content-type'] ?? '').split(';')[0]!.trim();
  if (!PATCHES.includes(contentType)) throw generic(415);
  const patchType = (
    contentType === 'application/apply-patch+yaml' ? 'application/merge-patch+json' : contentType
  ) as PatchType;
  return writeScale(m, call, 'PatchOptions', (object) => {
    const body = call.body ?? new Uint8Array();
    const type = { ...call.type, ...SCALE_KIND, custom: false };
    return applyPatch({ type, object, patchType, body, validation: 'Ignore', trusted: !isBytes(body) }).object;
  });
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
      const before = scaleOf(type, old!);
      const scale = next(before);
      if (scale.metadata?.name && scale.metadata.name !== info.name) {
        throw badRequest(
          `the name of the object (${scale.metadata.name}) does not match the name on the URL (${info.name})`,
        );
      }
      const { resourceVersion, uid } = scale.metadata ?? {};
      if (resourceVersion && resourceVersion !== old!.metadata.resourceVersion)
        throw conflict(groupResource(type), info.name);
      if (uid && uid !== old!.metadata.uid) {
        throw conflict(
          groupResource(type),
          info.name,
          `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old!.metadata.uid}`,
        );
      }
      const replicas: unknown = scale.spec?.replicas ?? 0;
      if (typeof replicas !== 'number' || !Number.isInteger(replicas)) {
        throw badRequest(`Scale in version "v1" cannot be handled as a Scale: spec.replicas must be an integer`);
      }
      if (replicas < 0) {
        throw invalid({ group: 'autoscaling', kind: 'Scale' }, info.name, [
          field.invalid('spec.replicas', replicas, 'must be greater than or equal to 0'),
        ]);
      }
      return { object: withReplicas(type, old!, replicas), tracked: false };
    },
  });
  if (result.kind === 'object') result.object = scaleOf(type, result.object);
  delete (result as { type?: unknown }).type;
  return result;
}

export function withReplicas(type: ResourceType, object: KubeObject, replicas: number): KubeObject {
  const copy: KubeObject = { ...object, metadata: { ...object.metadata } };
  const keys = type.scale!.specReplicasPath.split('.').filter(Boolean);
  let parent: Record<string, unknown> = copy;
  for (const key of keys.slice(0, -1)) {
    parent[key] = { ...(parent[key] as Record<string, unknown> | undefined) };
    parent = parent[key] as Record<string, unknown>;
  }
  parent[keys.at(-1)!] = replicas;
  return copy;
}
