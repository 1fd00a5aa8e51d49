// The numbers of docs/holding.md, computed from a Deployment, its ReplicaSets and Pods.
import { POD_TEMPLATE_HASH, REVISION } from '../../../api/keys.ts';
import type { Deployment, Held, KubeObject, Pod, ReplicaSet } from '../../../api/types.ts';
import { earliestAfter } from '../../lib/time.ts';
import { replicasOf, resolveLimits, type Limits } from '../../lib/replicas.ts';
import { isMoving, MARK, readHeld, settingsOf } from './hold.ts';
import { sameTemplate } from '../../lib/template.ts';
import { stableDigest } from '../../release/stable.ts';
import type { Children } from '../../snapshot.ts';
import { isAlive, isFailed, isOwnedBy, readySince } from '../pods.ts';
import type { Progress, ProgressFacts, Version, WorkloadKind } from '../kind.ts';

export interface View extends Progress {
  readonly deployment: Deployment;
  readonly held: Held | undefined;
  /** s and u: the user's maxSurge and maxUnavailable in Pods. */
  readonly limits: Limits;
  /** The current maxSurge and maxUnavailable of the Deployment in Pods. */
  readonly budget: Limits;
  /** The ReplicaSet of the Deployment's template. */
  readonly newSet: ReplicaSet | undefined;
  readonly oldSets: readonly ReplicaSet[];
  readonly stableSet: ReplicaSet | undefined;
  /** Old ReplicaSets with unavailable Pods, by the user's minReadySeconds and regardless of marks. */
  readonly lacking: readonly ReplicaSet[];
  /** Until then, the ReplicaSet controller may still have to count old Pods that are available. Undefined if it counts all of them. */
  readonly countedUntil: number | undefined;
}

/** The ReplicaSet controller looks about a second after a Pod has been Ready for minReadySeconds. A restarted one may look much later: a release does not wait for it. */
const COUNTING_MS = 5_000;

const versionOf = (set: ReplicaSet): Version => ({
  revision: hashOf(set),
  template: set.spec.template,
  replicas: sizeOf(set),
  available: availableOf(set),
  keeper: set,
  number: set.metadata.annotations?.[REVISION],
  created: set.metadata.creationTimestamp ?? '',
  maker: `ReplicaSet ${set.metadata.name}`,
  conditions: set.status?.conditions,
});

export function viewOf(
  kind: WorkloadKind,
  { now, rollout, digest }: ProgressFacts,
  deployment: Deployment,
  children: Children,
): View {
  const record = readHeld(deployment);
  const sets = children.replicaSets.filter((set) => isOwnedBy(set, deployment)).sort(oldestFirst);
  const versions = new Map(sets.map((set) => [set, versionOf(set)]));
  const version = (set: ReplicaSet | undefined): Version | undefined => set && versions.get(set);
  // The hold belongs to this Rollout now, and the stable version in the record is checked against the status.
  const held = record && {
    ...record,
    rollout: rollout.metadata.name,
    stable: stableDigest(record, rollout, deployment.spec.template, [...versions.values()], digest),
  };
  const user = held?.user ?? settingsOf(deployment);
  const replicas = replicasOf(deployment);
  const newSet = sets.find((set) => sameTemplate(set.spec.template, deployment.spec.template));
  const oldSets = sets.filter((set) => set !== newSet);
  const stableRevision = rollout.status?.canaryStatus?.stableRevision;
  const stableSet =
    (held && sets.find((set) => digest(set.spec.template) === held.stable)) ??
    sets.find((set) => stableRevision && hashOf(set) === stableRevision);
  const updated = sizeOf(newSet);
  const minReadySeconds = user.minReadySeconds ?? 0;
  const podsOf = ownedBy(sets, children.pods);
  const ofNewSet = (newSet && podsOf.get(newSet)) ?? [];
  const pods = ofNewSet.filter(isAlive);
  const dueTimes = (of: readonly Pod[]): number[] =>
    of
      .map((pod) => readySince(pod, now))
      .filter((since) => since !== undefined)
      .map((since) => since + minReadySeconds * 1000);
  const dueIn = (set: ReplicaSet): number[] => dueTimes((podsOf.get(set) ?? []).filter(isAlive));
  const dueAt = dueTimes(pods);
  const availableIn = (set: ReplicaSet): number[] => dueIn(set).filter((at) => at <= now);
  const uncounted = (set: ReplicaSet): number[] => {
    const due = availableIn(set);
    return isMarkedSet(set) || availableOf(set) >= due.length ? [] : [Math.max(...due) + COUNTING_MS];
  };
  const { maxSurge, maxUnavailable } = settingsOf(deployment);
  const view = {
    kind,
    now,
    workload: deployment,
    deployment,
    held,
    replicas,
    limits: resolveLimits(user.maxSurge, user.maxUnavailable, replicas),
    budget: resolveLimits(maxSurge, maxUnavailable, replicas),
    minReadySeconds,
    newSet,
    oldSets,
    stableSet,
    newVersion: version(newSet),
    oldVersions: oldSets.map((set) => versions.get(set)!),
    stableVersion: version(stableSet),
    updated,
    old: oldSets.reduce((sum, set) => sum + sizeOf(set), 0),
    pods,
    failed: ofNewSet.filter(isFailed),
    stopped: deployment.spec.paused === true,
    moving: isMoving(deployment),
    available: Math.min(updated, dueAt.filter((at) => at <= now).length),
    lacking: oldSets.filter(isActive).filter((set) => availableIn(set).length < sizeOf(set)),
    oldAvailableAt: earliestAfter(now, oldSets.flatMap(dueIn)),
    countedUntil: earliestAfter(now, oldSets.filter(isActive).flatMap(uncounted)),
    availableAt: earliestAfter(now, dueAt),
  };
  return { ...view, unsettled: unsettled(view) };
}

/** The Pods of each ReplicaSet that has any. */
function ownedBy(sets: readonly ReplicaSet[], pods: readonly Pod[]): ReadonlyMap<ReplicaSet, readonly Pod[]> {
  const byUid = new Map(sets.map((set) => [set.metadata.uid, set]));
  const owned = new Map<ReplicaSet, Pod[]>();
  for (const pod of pods) {
    const owners = pod.metadata.ownerReferences?.map(({ uid }) => byUid.get(uid));
    const set = owners?.find((one) => one && isOwnedBy(pod, one));
    if (set) owned.set(set, [...(owned.get(set) ?? []), pod]);
  }
  return owned;
}

/** `spec.replicas`, which the API server always sets. */
export const sizeOf = (set: ReplicaSet | undefined): number => set?.spec.replicas ?? 0;
export const hashOf = (set: ReplicaSet | undefined): string => set?.metadata.labels?.[POD_TEMPLATE_HASH] ?? '';
/** Number of its available Pods, according to the ReplicaSet controller. */
export const availableOf = (set: ReplicaSet | undefined): number => set?.status?.availableReplicas ?? 0;
export const isActive = (set: ReplicaSet): boolean => sizeOf(set) > 0;
export const isMarkedSet = (set: ReplicaSet): boolean => set.spec.minReadySeconds === MARK.minReadySeconds;

/** Available Pods of all versions. Those of old versions are counted by their ReplicaSets. */
export const availableInAll = (view: View): number =>
  view.oldSets.reduce((sum, set) => sum + availableOf(set), view.available);

function oldestFirst(a: KubeObject, b: KubeObject): number {
  const [x, y] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  return x === y ? compare(a.metadata.name, b.metadata.name) : compare(x, y);
}

const compare = (x: string, y: string): number => (x < y ? -1 : x > y ? 1 : 0);

/** What the controllers of a Deployment have not observed or counted yet. `sets`: its ReplicaSets. */
export function unobserved({ metadata, status }: Deployment, sets: readonly ReplicaSet[]): string | undefined {
  if ((status?.observedGeneration ?? 0) < (metadata.generation ?? 0))
    return 'the Deployment controller to observe the last change';
  const late = sets.find((set) => (set.status?.observedGeneration ?? 0) < (set.metadata.generation ?? 0));
  if (late) return `the ReplicaSet controller to observe the last change of ${late.metadata.name}`;
  const differs = (count: 'availableReplicas' | 'readyReplicas' | 'replicas'): boolean =>
    (status?.[count] ?? 0) !== sets.reduce((sum, set) => sum + (set.status?.[count] ?? 0), 0);
  if (differs('availableReplicas')) return 'the Deployment controller to count the available Pods';
  // A Pod that became Ready before the mark was available for a moment. The Ready Pods show that the controller has observed its end.
  if (differs('readyReplicas')) return 'the Deployment controller to count the Ready Pods';
  return differs('replicas') ? 'the Deployment controller to count the Pods' : undefined;
}

/**
 * The status of the Deployment shows what the Deployment controller's cache contains. If it matches the ReplicaSets, the controller has observed the
 * same state as this snapshot. Otherwise this says what it has not observed yet.
 */
function unsettled(view: Omit<View, 'unsettled'>): string | undefined {
  const { deployment, newSet, oldSets, replicas, budget, updated, old } = view;
  const sets = newSet ? [newSet, ...oldSets] : oldSets;
  const late = unobserved(deployment, sets);
  if (late !== undefined) return late;
  // A ReplicaSet that was scaled down still counts the Pods that it deletes. Until then the counts cannot be compared.
  const shrinking = oldSets.find((set) => (set.status?.replicas ?? 0) > sizeOf(set));
  if (shrinking) return `${shrinking.metadata.name} to delete its Pods`;
  if (deployment.spec.paused !== true) return undefined;
  // A single active ReplicaSet gets all Pods, and so does a complete, available new one. Several ReplicaSets share the Pods including the surge.
  const shared = sets.filter(isActive).length > 1 && !(updated === replicas && availableOf(newSet) === replicas);
  const expected = replicas > 0 && shared ? replicas + budget.surge : replicas;
  return updated + old === expected
    ? undefined
    : `the ReplicaSet sizes to add up to ${expected} (now ${updated + old})`;
}
