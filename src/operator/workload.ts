// Which workload a Rollout names, as keys of queues and indexes. A name that none can have never becomes one of a workload.
import type { Rollout } from '../api/types.ts';
import { misnamedWorkload } from '../engine/validate/names.ts';
import type { WorkloadKind } from '../engine/workload/kind.ts';
import { kindOf, KINDS } from '../engine/workload/registry.ts';
import { splitKey } from '../kube/store.ts';

/** No name has a colon. */
const MISNAMED = 'rollout:';
const [first] = KINDS;

/** `namespace/name` of a Deployment, `namespace/<plural>:name` of any other workload: under it all work on the workload is done. */
export const keyFor = (kind: WorkloadKind, namespace: string, name: string): string =>
  `${namespace}/${kind === first ? '' : `${kind.resource.plural}:`}${name}`;

export interface WorkloadName {
  readonly kind: WorkloadKind;
  readonly namespace: string;
  readonly name: string;
}

/** What a key stands for; undefined: the Rollout `misnamed`, which names nothing. */
export function readKey(key: string): WorkloadName | { readonly namespace: string; readonly misnamed: string } {
  const { namespace, name } = splitKey(key);
  if (name.startsWith(MISNAMED)) return { namespace, misnamed: name.slice(MISNAMED.length) };
  const kind = KINDS.find(({ resource }) => name.startsWith(`${resource.plural}:`));
  return kind
    ? { kind, namespace, name: name.slice(kind.resource.plural.length + 1) }
    : { kind: first!, namespace, name };
}

/** The key of the workload that a Rollout names; where its name is none, or its kind is not released, a key of the Rollout's own. */
export function workloadKey(rollout: Rollout): string {
  const { name, namespace = '' } = rollout.metadata;
  const kind = kindOf(rollout.spec.workloadRef);
  return misnamedWorkload(rollout) || !kind
    ? `${namespace}/${MISNAMED}${name}`
    : keyFor(kind, namespace, rollout.spec.workloadRef.name);
}

/** For an index of Rollouts: `<namespace>/<kind>/<name>`, of which only one Rollout's parts can be read. */
export function workloadIndex({ metadata, spec }: Rollout): string[] {
  const { kind, name } = spec.workloadRef;
  return [kind, name].some((part: unknown) => typeof part !== 'string' || part.includes('/'))
    ? []
    : [`${metadata.namespace}/${kind}/${name}`];
}
