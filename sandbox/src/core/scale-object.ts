// autoscaling/v1 Scale as a view of a Deployment, a ReplicaSet, or a custom resource with a scale subresource.
import { formatLabelSelector, labelSelectorOf } from './select.ts';
import type { KubeObject, ResourceType } from './types.ts';

export const SCALE_KIND = { group: 'autoscaling', version: 'v1', kind: 'Scale' };

/** The value at a path such as `.spec.replicas`. Undefined if it does not exist. */
export const valueAt = (object: unknown, path: string): unknown =>
  path
    .split('.')
    .filter(Boolean)
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], object);

export function scaleOf(type: ResourceType, object: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const { specReplicasPath, statusReplicasPath, labelSelectorPath } = type.scale!;
  const selector = labelSelectorPath ? valueAt(object, labelSelectorPath) : labelSelectorText(object);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp } as KubeObject['metadata'],
    spec: { ...(valueAt(object, specReplicasPath) ? { replicas: valueAt(object, specReplicasPath) } : {}) },
    status: { replicas: valueAt(object, statusReplicasPath) ?? 0, ...(selector ? { selector } : {}) },
  };
}

/** The Scale as admission receives it, with the owners of its replicas field. */
export function ownedScaleOf(type: ResourceType, object: KubeObject): KubeObject {
  const scale = scaleOf(type, object);
  const owners = (object.metadata.managedFields ?? []).filter((entry) =>
    keysOf(type).reduce<unknown>((fields, key) => (fields as Fields | undefined)?.[`f:${key}`], entry.fieldsV1),
  );
  if (owners.length === 0) return scale;
  const managedFields = owners.map((entry) => ({
    ...entry,
    apiVersion: scale.apiVersion,
    fieldsV1: { 'f:spec': { 'f:replicas': {} } },
  }));
  return { ...scale, metadata: { ...scale.metadata, managedFields } };
}

type Fields = Record<string, unknown>;
const keysOf = (type: ResourceType): string[] => type.scale!.specReplicasPath.split('.').filter(Boolean);

/** The managed fields of the whole object have no time for the scale. */
export function withoutScaleTimes(object: KubeObject): KubeObject {
  const { managedFields } = object.metadata;
  if (!managedFields) return object;
  const timeless = managedFields.map((entry) => {
    const { time: _, ...rest } = entry;
    return entry.subresource === 'scale' ? rest : entry;
  });
  return { ...object, metadata: { ...object.metadata, managedFields: timeless } };
}

const labelSelectorText = (object: KubeObject): string =>
  object.spec?.selector ? formatLabelSelector(labelSelectorOf(object.spec.selector)) : '';

export function withReplicas(type: ResourceType, object: KubeObject, replicas: number): KubeObject {
  const copy: KubeObject = { ...object, metadata: { ...object.metadata } };
  const keys = keysOf(type);
  let parent: Record<string, unknown> = copy;
  for (const key of keys.slice(0, -1)) {
    parent[key] = { ...(parent[key] as Record<string, unknown> | undefined) };
    parent = parent[key] as Record<string, unknown>;
  }
  parent[keys.at(-1)!] = replicas;
  return copy;
}
