// Helpers for object metadata that all controllers use: names, owners, labels, times, paths.
import type { GroupResource, KubeObject, OwnerReference } from '../../core/types.ts';

/** `namespace/name`, or only the name for cluster-scoped objects. */
export const keyOf = (object: KubeObject): string =>
  object.metadata.namespace ? `${object.metadata.namespace}/${object.metadata.name}` : object.metadata.name;

export const splitKey = (key: string): { namespace: string; name: string } => {
  const slash = key.indexOf('/');
  return slash < 0 ? { namespace: '', name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
};

/** The controller owner, if there is one. */
export const controllerOf = (object: KubeObject): OwnerReference | undefined =>
  object.metadata.ownerReferences?.find((reference) => reference.controller);

export const controllerReference = (owner: KubeObject): OwnerReference => ({
  apiVersion: owner.apiVersion,
  kind: owner.kind,
  name: owner.metadata.name,
  uid: owner.metadata.uid!,
  controller: true,
  blockOwnerDeletion: true,
});

export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

/** As metav1.LabelSelector: undefined selects nothing, an empty one selects everything. */
export const selects = (selector: LabelSelector | undefined, labels: Record<string, string> = {}): boolean => {
  if (!selector) return false;
  for (const key in selector.matchLabels) if (labels[key] !== selector.matchLabels[key]) return false;
  if (!selector.matchExpressions) return true;
  return selector.matchExpressions.every(({ key, operator, values = [] }) => {
    const value = labels[key];
    if (operator === 'Exists') return value !== undefined;
    if (operator === 'DoesNotExist') return value === undefined;
    if (operator === 'In') return value !== undefined && values.includes(value);
    return value === undefined || !values.includes(value);
  });
};

export const isEmptySelector = (selector: LabelSelector | undefined): boolean =>
  selector !== undefined &&
  Object.keys(selector.matchLabels ?? {}).length === 0 &&
  (selector.matchExpressions ?? []).length === 0;

let lastSecond = NaN;
let lastTimestamp = '';
/** metav1.Time: whole seconds. */
export const timestamp = (ms: number): string => {
  const second = Math.floor(ms / 1000);
  if (second !== lastSecond) {
    lastSecond = second;
    lastTimestamp = new Date(second * 1000).toISOString().replace('.000Z', 'Z');
  }
  return lastTimestamp;
};

const parsed = new Map<string, number>();
/** A metav1.Time in milliseconds since the epoch. 0 without a time. */
export const parseTime = (time: string | null | undefined): number => {
  if (!time) return 0;
  let ms = parsed.get(time);
  if (ms === undefined) {
    ms = Date.parse(time);
    if (parsed.size > 10_000) parsed.clear();
    parsed.set(time, ms);
  }
  return ms;
};

export const DEPLOYMENTS: GroupResource = { group: 'apps', resource: 'deployments' };
export const REPLICA_SETS: GroupResource = { group: 'apps', resource: 'replicasets' };
export const STATEFUL_SETS: GroupResource = { group: 'apps', resource: 'statefulsets' };
export const DAEMON_SETS: GroupResource = { group: 'apps', resource: 'daemonsets' };
export const PODS: GroupResource = { group: '', resource: 'pods' };
export const NODES: GroupResource = { group: '', resource: 'nodes' };
export const NAMESPACES: GroupResource = { group: '', resource: 'namespaces' };
export const SERVICES: GroupResource = { group: '', resource: 'services' };

const versions: Record<string, string> = {
  '': 'v1',
  apps: 'v1',
  autoscaling: 'v2',
  policy: 'v1',
  'discovery.k8s.io': 'v1',
};

/** The path of a collection (without name) or of an object of a native kind. */
export const pathOf = (
  type: GroupResource,
  namespace: string | undefined,
  name?: string,
  subresource?: string,
): string => {
  const root = type.group === '' ? '/api/v1' : `/apis/${type.group}/${versions[type.group] ?? 'v1'}`;
  let path = namespace ? `${root}/namespaces/${namespace}/${type.resource}` : `${root}/${type.resource}`;
  if (name) path += `/${name}`;
  return subresource ? `${path}/${subresource}` : path;
};

export const pathOfObject = (type: GroupResource, object: KubeObject, subresource?: string): string =>
  pathOf(type, object.metadata.namespace, object.metadata.name, subresource);

/** Oldest first, then by name. */
export const byAge = (a: KubeObject, b: KubeObject): number => {
  const x = a.metadata.creationTimestamp ?? '';
  const y = b.metadata.creationTimestamp ?? '';
  if (x !== y) return x < y ? -1 : 1;
  return a.metadata.name < b.metadata.name ? -1 : a.metadata.name > b.metadata.name ? 1 : 0;
};

/** A condition of an object of any kind. */
export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
  lastUpdateTime?: string;
}

export const findCondition = (conditions: readonly Condition[] | undefined, type: string): Condition | undefined =>
  conditions?.find((condition) => condition.type === type);

/** Deep equality of plain JSON. Fast for identical objects. */
export const sameJson = (a: unknown, b: unknown): boolean => {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const x = a as Record<string, unknown>;
  const y = b as Record<string, unknown>;
  for (const key in x) if (x[key] !== undefined && !sameJson(x[key], y[key])) return false;
  for (const key in y) if (y[key] !== undefined && x[key] === undefined) return false;
  return true;
};
