// The workload that a Rollout names, as a key of queues and indexes. An invalid name is never used as the name of a workload.
import type { Rollout } from '../api/types.ts';
import { misnamedWorkload } from '../engine/validate/names.ts';
import type { WorkloadKind } from '../engine/workload/kind.ts';
import { groupOf, kindName, resourceName } from '../api/resources.ts';
import { kindOf, KINDS, OPTIONAL_KINDS } from '../engine/workload/registry.ts';
import { splitKey } from '../kube/store.ts';

/** `StatefulSets`, or `StatefulSets of apps.kruise.io`. */
export const workloadsIn = (kind: WorkloadKind): string => {
  const { resource } = kind;
  return `${resource.kind}s${OPTIONAL_KINDS.includes(kind) ? ` of ${groupOf(resource.apiVersion)}` : ''}`;
};

/** Prefix of keys without a workload. Names contain no colon. */
const MISNAMED = 'rollout:';
const [first] = KINDS;

/** Key of the work on a workload: `namespace/name` for a Deployment, `namespace/<resource>:name` for other kinds. */
export const keyFor = (kind: WorkloadKind, namespace: string, name: string): string =>
  `${namespace}/${kind === first ? '' : `${resourceName(kind.resource)}:`}${name}`;

export interface WorkloadName {
  readonly kind: WorkloadKind;
  readonly namespace: string;
  readonly name: string;
}

/** Parses a key. `misnamed`: name of a Rollout that names no workload. */
export function readKey(key: string): WorkloadName | { readonly namespace: string; readonly misnamed: string } {
  const { namespace, name } = splitKey(key);
  if (name.startsWith(MISNAMED)) return { namespace, misnamed: name.slice(MISNAMED.length) };
  const kind = KINDS.find(({ resource }) => name.startsWith(`${resourceName(resource)}:`));
  return kind
    ? { kind, namespace, name: name.slice(resourceName(kind.resource).length + 1) }
    : { kind: first!, namespace, name };
}

/** The key of the workload that a Rollout names. If the name is invalid or the kind is not supported, a key of the Rollout itself. */
export function workloadKey(rollout: Rollout): string {
  const { name, namespace = '' } = rollout.metadata;
  const kind = kindOf(rollout.spec.workloadRef);
  return misnamedWorkload(rollout) || !kind
    ? `${namespace}/${MISNAMED}${name}`
    : keyFor(kind, namespace, rollout.spec.workloadRef.name);
}

/** Value of {@link workloadIndex} for a workload. */
export const indexOf = ({ resource }: WorkloadKind, namespace: string, name: string): string =>
  `${namespace}/${kindName(resource)}/${name}`;

/** Index of Rollouts by their workload: `<namespace>/<kind>/<name>`. A name with a slash is rejected, so that the value is unambiguous. */
export function workloadIndex({ metadata, spec }: Rollout): string[] {
  const name: unknown = spec.workloadRef.name;
  const kind = kindOf(spec.workloadRef);
  return kind === undefined || typeof name !== 'string' || name.includes('/')
    ? []
    : [indexOf(kind, metadata.namespace ?? '', name)];
}

/** Index of Rollouts by the kind of their workload. */
export function kindIndex({ spec }: Rollout): string[] {
  const kind = kindOf(spec.workloadRef);
  return kind === undefined ? [] : [kindName(kind.resource)];
}
