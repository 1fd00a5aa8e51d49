// The workload that a Rollout names, as a key of queues and indexes. An invalid name is never used as the name of a workload.
import type { Rollout } from '../api/types.ts';
import { misnamedWorkload } from '../engine/validate/names.ts';
import type { WorkloadKind } from '../engine/workload/kind.ts';
import { kindOf, KINDS } from '../engine/workload/registry.ts';
import { splitKey } from '../kube/store.ts';

/** Prefix of keys without a workload. Names contain no colon. */
const MISNAMED = 'rollout:';
const [first] = KINDS;

/** Key of the work on a workload: `namespace/name` for a Deployment, `namespace/<plural>:name` for other kinds. */
export const keyFor = (kind: WorkloadKind, namespace: string, name: string): string =>
  `${namespace}/${kind === first ? '' : `${kind.resource.plural}:`}${name}`;

export interface WorkloadName {
  readonly kind: WorkloadKind;
  readonly namespace: string;
  readonly name: string;
}

/** Parses a key. `misnamed`: name of a Rollout that names no workload. */
export function readKey(key: string): WorkloadName | { readonly namespace: string; readonly misnamed: string } {
  const { namespace, name } = splitKey(key);
  if (name.startsWith(MISNAMED)) return { namespace, misnamed: name.slice(MISNAMED.length) };
  const kind = KINDS.find(({ resource }) => name.startsWith(`${resource.plural}:`));
  return kind
    ? { kind, namespace, name: name.slice(kind.resource.plural.length + 1) }
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

/** Index key of Rollouts: `<namespace>/<kind>/<name>`. Parts with a slash are rejected, so that the key is unambiguous. */
export function workloadIndex({ metadata, spec }: Rollout): string[] {
  const { kind, name } = spec.workloadRef;
  return [kind, name].some((part: unknown) => typeof part !== 'string' || part.includes('/'))
    ? []
    : [`${metadata.namespace}/${kind}/${name}`];
}
