// Moves the Pods of a StatefulSet: creates missing ones, then deletes surplus ones, then outdated ones.
import type { KubeObject } from '../../core/types.ts';
import { templateOf } from '../framework/history.ts';
import { isFinished, isTerminating } from '../replicaset/pods.ts';
import type { PodControl } from './pod-control.ts';
import {
  isAvailable,
  isCreated,
  isItself,
  isRunningAndReady,
  isUnavailable,
  newPod,
  ordinalOf,
  revisionOf,
  startOf,
} from './pods.ts';
import { countPods, type Revisions, type StatefulSetStatus } from './status.ts';

export interface Move {
  set: KubeObject;
  /** ControllerRevisions. */
  current: KubeObject;
  update: KubeObject;
  names: Revisions;
  pods: readonly KubeObject[];
  control: PodControl;
  nowMs: number;
}

interface Moved {
  status: StatefulSetStatus;
  /** The sync is repeated. */
  error?: unknown;
}

/** One pass. In the order OrderedReady, the first Pod that is not as it should be ends it. */
export const movePods = async (move: Move): Promise<Moved> => {
  const { set, names, pods, nowMs } = move;
  if (set.metadata.deletionTimestamp) return { status: countPods(set, names, pods, nowMs) };
  const replicas = replicasOf(move);
  const condemned = pods
    .filter((pod) => ordinalOf(pod) >= 0 && !replicas.includes(pod))
    .sort((a, b) => ordinalOf(b) - ordinalOf(a));
  const unhealthy = [...replicas, ...condemned.toReversed()].find((pod) => isUnavailable(pod, set, nowMs));
  const ordered = set.spec.podManagementPolicy !== 'Parallel';
  // Counted before the changes: a new Pod counts when the cache shows it, a deleted one until then.
  const status = countPods(set, names, [...replicas, ...condemned], nowMs);
  try {
    const stopped =
      (await forEach(replicas, ordered, (pod) => keepReplica(move, pod, ordered))) ||
      (await forEach(condemned, ordered, (pod) => removeSurplus(move, pod, ordered, unhealthy)));
    if (stopped || set.spec.updateStrategy.type === 'OnDelete') return { status };
    return { status: (await replaceOutdated(move, replicas)) ? lessCurrent(status) : status };
  } catch (error) {
    return { status, error };
  }
};

/** As in Kubernetes, -1 if the deleted Pod had neither revision. The API server refuses it, and the next sync counts again. */
const lessCurrent = (status: StatefulSetStatus): StatefulSetStatus => ({
  ...status,
  currentReplicas: status.currentReplicas - 1,
});

/** The Pods of all ordinals. Missing ones are planned. */
const replicasOf = ({ set, current, update, pods }: Move): KubeObject[] =>
  Array.from({ length: set.spec.replicas as number }, (_, i) => {
    const ordinal = startOf(set) + i;
    const found = pods.find((pod) => ordinalOf(pod) === ordinal);
    if (found) return found;
    const revision = isHeldBack(set, ordinal) ? current : update;
    return newPod(set, ordinal, templateOf(revision), revision.metadata.name);
  });

/** A new Pod below the partition gets the current revision. */
const isHeldBack = ({ spec, status, ...set }: KubeObject, ordinal: number): boolean => {
  const { type, rollingUpdate } = spec.updateStrategy;
  const start = startOf({ spec, ...set });
  if (rollingUpdate) return ordinal < start + (rollingUpdate.partition ?? 0);
  return type === 'RollingUpdate' && ordinal < start + (status?.currentReplicas ?? 0);
};

/** The function returns whether to stop. In parallel, all Pods are moved in batches of 1, 2, 4, …, and an error ends the batches. */
const forEach = async (
  pods: readonly KubeObject[],
  ordered: boolean,
  fn: (pod: KubeObject) => Promise<boolean>,
): Promise<boolean> => {
  if (ordered) {
    for (const pod of pods) if (await fn(pod)) return true;
    return false;
  }
  for (let from = 0, size = 1; from < pods.length; from += size, size *= 2) {
    const results = await Promise.allSettled(pods.slice(from, from + size).map(fn));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  }
  return false;
};

const keepReplica = async ({ set, control, nowMs }: Move, pod: KubeObject, ordered: boolean): Promise<boolean> => {
  if (isFinished(pod)) {
    if (!isTerminating(pod)) await control.delete(set, pod);
    return true;
  }
  if (!isCreated(pod)) {
    await control.create(set, pod);
    if (ordered) return true;
  }
  if (pod.status?.phase === 'Pending') await control.createClaims(set, pod);
  if (ordered && (isTerminating(pod) || !isRunningAndReady(pod) || !isAvailable(pod, set, nowMs))) return true;
  if (!isItself(set, pod)) await control.repair(set, pod);
  return false;
};

/** In order, the Pods with higher ordinals must be gone, and all other Pods available. */
const removeSurplus = async (
  { set, control, nowMs }: Move,
  pod: KubeObject,
  ordered: boolean,
  unhealthy: KubeObject | undefined,
): Promise<boolean> => {
  if (isTerminating(pod)) return ordered;
  const isWell = isRunningAndReady(pod) && isAvailable(pod, set, nowMs);
  if (ordered && !isWell && pod !== unhealthy) return true;
  await control.delete(set, pod);
  return true;
};

/** Deletes the outdated Pod with the highest ordinal, if all Pods above it are available. As in Kubernetes, the partition counts from the first Pod. */
const replaceOutdated = async ({ set, names, control, nowMs }: Move, replicas: KubeObject[]): Promise<boolean> => {
  const partition: number = set.spec.updateStrategy.rollingUpdate?.partition ?? 0;
  for (const pod of replicas.slice(partition).reverse()) {
    if (revisionOf(pod) !== names.update && !isTerminating(pod)) {
      await control.delete(set, pod);
      return true;
    }
    if (isUnavailable(pod, set, nowMs)) return false;
  }
  return false;
};
