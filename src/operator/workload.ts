// Which Deployment a Rollout names, as keys of queues and indexes. A name that none can have never becomes one of a Deployment.
import type { Rollout } from '../api/types.ts';
import { misnamedWorkload } from '../engine/validate/names.ts';

/** No name has a colon. */
const MISNAMED = 'rollout:';

/** `namespace/name` of the Deployment; where its name is none, a key of the Rollout's own. */
export function workloadKey(rollout: Rollout): string {
  const { name, namespace = '' } = rollout.metadata;
  return `${namespace}/${misnamedWorkload(rollout) ? `${MISNAMED}${name}` : rollout.spec.workloadRef.name}`;
}

/** The Rollout that the second half of a key stands for, where it is no Deployment's. */
export const misnamedBy = (name: string): string | undefined =>
  name.startsWith(MISNAMED) ? name.slice(MISNAMED.length) : undefined;

/** For an index of Rollouts: `<namespace>/<kind>/<name>`, of which only one Rollout's parts can be read. */
export function workloadIndex({ metadata, spec }: Rollout): string[] {
  const { kind, name } = spec.workloadRef;
  return [kind, name].some((part: unknown) => typeof part !== 'string' || part.includes('/'))
    ? []
    : [`${metadata.namespace}/${kind}/${name}`];
}
