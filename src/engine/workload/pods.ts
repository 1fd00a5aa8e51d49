// Owners and states of Pods, for all workload kinds.
import { KRUISE_IN_PLACE } from '../../api/keys.ts';
import { groupOf } from '../../api/resources.ts';
import type { Condition, KubeObject, Pod } from '../../api/types.ts';
import { parseTime } from '../lib/time.ts';

export const isOwnedBy = (object: KubeObject, owner: KubeObject): boolean => isOf(object, owner, true);

/** True for the copy of a template (stableCopy in release/stable.ts), whose owner may not be its controller. */
export const isCopyOf = (object: KubeObject, owner: KubeObject): boolean => isOf(object, owner, false);

const isOf = (object: KubeObject, owner: KubeObject, controlled: boolean): boolean =>
  object.metadata.namespace === owner.metadata.namespace &&
  owner.metadata.uid !== undefined &&
  (object.metadata.ownerReferences?.some(
    (ref) =>
      (!controlled || ref.controller === true) &&
      ref.uid === owner.metadata.uid &&
      ref.kind === owner.kind &&
      isGroupOf(owner, groupOf(ref.apiVersion)),
  ) ??
    false);

/** API groups of Deployments and ReplicaSets. Objects from before Kubernetes 1.9 name the older group, and the Deployment controller accepts it. */
const OWNER_GROUPS = new Set(['apps', 'extensions']);
const isGroupOf = ({ apiVersion }: KubeObject, group: string): boolean =>
  groupOf(apiVersion) === 'apps' ? OWNER_GROUPS.has(group) : group === groupOf(apiVersion);

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
  if (ready?.status !== 'True' || isUpdating(pod)) return undefined;
  return Math.min(parseTime(ready.lastTransitionTime) ?? 0, now);
}

/** OpenKruise updates the Pod in place. The kubelet sets Ready to False only a moment later. */
export const isUpdating = (pod: Pod): boolean => inPlaceOf(pod)?.status === 'False';

/**
 * When the last update in place began or ended, whichever is known to be later, in milliseconds. Undefined if there was none. Everybody who may edit the
 * Pod may write the annotation, so a time in the future does not count. Only controllers may write the condition.
 */
export function updatedInPlaceAt(pod: Pod, now: number): number | undefined {
  const state = pod.metadata.annotations?.[KRUISE_IN_PLACE];
  const condition = inPlaceOf(pod);
  if (state === undefined || !condition) return undefined;
  const began = parseTime(/"updateTimestamp":"([^"]{1,40})"/.exec(state)?.[1]) ?? 0;
  const changed = Math.min(parseTime(condition.lastTransitionTime) ?? 0, now);
  return began > now ? changed : Math.max(began, changed);
}

const inPlaceOf = ({ status }: Pod): Condition | undefined =>
  status?.conditions?.find(({ type }) => type === 'InPlaceUpdateReady');
