// Pods, whatever kind of workload they are of: whose they are, and how they are.
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

/** Of Deployments and ReplicaSets: what was made before Kubernetes 1.9 names the older group, and the native controller counts it. */
const OWNER_GROUPS = new Set(['apps', 'extensions']);
const groupOf = (apiVersion: string): string => apiVersion.split('/', 1)[0] ?? '';

export const isFailed = ({ metadata, status }: Pod): boolean =>
  status?.phase === 'Failed' && metadata.deletionTimestamp === undefined;

/** Deleted and finished Pods are nobody's capacity; evicted ones are finished. */
export const isAlive = (pod: Pod): boolean =>
  pod.metadata.deletionTimestamp === undefined && pod.status?.phase !== 'Failed' && pod.status?.phase !== 'Succeeded';

/**
 * Since when the Pod is Ready; undefined when it is not. Never later than now: who is Ready is so already, and our clock is behind the
 * kubelet's.
 */
export function readySince(pod: Pod, now: number): number | undefined {
  const ready = pod.status?.conditions?.find((condition) => condition.type === 'Ready');
  return ready?.status === 'True' ? Math.min(parseTime(ready.lastTransitionTime) ?? 0, now) : undefined;
}
