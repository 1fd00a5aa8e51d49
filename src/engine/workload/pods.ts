// Owners and states of Pods, for all workload kinds.
import type { KubeObject, Pod } from '../../api/types.ts';
import { parseTime } from '../lib/time.ts';

export const isOwnedBy = (object: KubeObject, owner: KubeObject): boolean =>
  object.metadata.namespace === owner.metadata.namespace &&
  owner.metadata.uid !== undefined &&
  (object.metadata.ownerReferences?.some(
    (ref) =>
      ref.controller === true &&
      ref.uid === owner.metadata.uid &&
      ref.kind === owner.kind &&
      OWNER_GROUPS.has(groupOf(ref.apiVersion)),
  ) ??
    false);

/** API groups of Deployments and ReplicaSets. Objects from before Kubernetes 1.9 name the older group, and the Deployment controller accepts it. */
const OWNER_GROUPS = new Set(['apps', 'extensions']);
const groupOf = (apiVersion: string): string => apiVersion.split('/', 1)[0] ?? '';

export const isFailed = ({ metadata, status }: Pod): boolean =>
  status?.phase === 'Failed' && metadata.deletionTimestamp === undefined;

/** False for terminating and finished Pods, which do not count as capacity. Evicted Pods are finished. */
export const isAlive = (pod: Pod): boolean =>
  pod.metadata.deletionTimestamp === undefined && pod.status?.phase !== 'Failed' && pod.status?.phase !== 'Succeeded';

/**
 * When the Pod became Ready, in milliseconds. Undefined if it is not Ready. Never later than now, because the kubelet's clock may be ahead.
 */
export function readySince(pod: Pod, now: number): number | undefined {
  const ready = pod.status?.conditions?.find((condition) => condition.type === 'Ready');
  return ready?.status === 'True' ? Math.min(parseTime(ready.lastTransitionTime) ?? 0, now) : undefined;
}
