// Selects Pods of a ReplicaSet: which count, which are ready or available, and which to delete first.
import type { KubeObject } from '../../core/types.ts';
import { findCondition, parseTime } from '../framework/meta.ts';

export const isTerminating = (pod: KubeObject): boolean => pod.metadata.deletionTimestamp !== undefined;

export const isFinished = (pod: KubeObject): boolean =>
  pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

export const isActive = (pod: KubeObject): boolean => !isTerminating(pod) && !isFinished(pod);

export const isReady = (pod: KubeObject): boolean => findCondition(pod.status?.conditions, 'Ready')?.status === 'True';

/** 0 if the Pod is not ready. */
const readySince = (pod: KubeObject): number => {
  const ready = findCondition(pod.status?.conditions, 'Ready');
  return ready?.status === 'True' ? parseTime(ready.lastTransitionTime) : 0;
};

/** Milliseconds until a Pod becomes available. 0 if it is available, undefined if it is not ready. */
export const untilAvailableMs = (pod: KubeObject, minReadySeconds: number, nowMs: number): number | undefined => {
  if (!isReady(pod)) return undefined;
  if (minReadySeconds === 0) return 0;
  return Math.max(0, readySince(pod) + minReadySeconds * 1000 - nowMs);
};

const phases: Record<string, number> = { Pending: 0, Unknown: 1, Running: 2 };

const deletionCost = (pod: KubeObject): number => {
  const cost = pod.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'];
  return cost !== undefined && /^-?(0|[1-9]\d*)$/.test(cost) ? Number(cost) : 0;
};

const restarts = (pod: KubeObject): number =>
  Math.max(
    0,
    ...(pod.status?.containerStatuses ?? []).map((status: { restartCount?: number }) => status.restartCount ?? 0),
  );

/** Compares ages by order of magnitude only, so that the choice among similar Pods is random. */
const magnitude = (ageMs: number): number => (ageMs > 0 ? Math.floor(Math.log2(ageMs * 1e6)) : -1);

interface Candidate {
  pod: KubeObject;
  scheduled: boolean;
  phase: number;
  ready: boolean;
  cost: number;
  /** The number of Pods of the same owner on its node. */
  neighbours: number;
  readySince: number;
  restarts: number;
  createdAt: number;
}

/**
 * The Pods to delete, in the order of the real controller: unassigned before assigned, pending before running, not ready before ready,
 * lower deletion cost first, crowded nodes first, shorter ready time first, more restarts first, newer first.
 */
export const podsToDelete = (
  pods: readonly KubeObject[],
  related: readonly KubeObject[],
  count: number,
  nowMs: number,
): KubeObject[] => {
  if (count >= pods.length) return [...pods];
  const onNode = new Map<string, number>();
  for (const pod of related) {
    if (isActive(pod)) onNode.set(pod.spec.nodeName, (onNode.get(pod.spec.nodeName) ?? 0) + 1);
  }
  return pods
    .map((pod) => candidate(pod, onNode))
    .sort((a, b) => compare(a, b, nowMs))
    .slice(0, count)
    .map(({ pod }) => pod);
};

const candidate = (pod: KubeObject, onNode: ReadonlyMap<string, number>): Candidate => ({
  pod,
  scheduled: Boolean(pod.spec.nodeName),
  phase: phases[pod.status?.phase as string] ?? 0,
  ready: isReady(pod),
  cost: deletionCost(pod),
  neighbours: onNode.get(pod.spec.nodeName) ?? 0,
  readySince: readySince(pod),
  restarts: restarts(pod),
  createdAt: parseTime(pod.metadata.creationTimestamp),
});

const compare = (a: Candidate, b: Candidate, nowMs: number): number => {
  if (a.scheduled !== b.scheduled) return a.scheduled ? 1 : -1;
  if (a.phase !== b.phase) return a.phase - b.phase;
  if (a.ready !== b.ready) return a.ready ? 1 : -1;
  if (a.cost !== b.cost) return a.cost - b.cost;
  if (a.neighbours !== b.neighbours) return b.neighbours - a.neighbours;
  if (a.ready && a.readySince !== b.readySince) return byMagnitude(a, b, a.readySince, b.readySince, nowMs);
  if (a.restarts !== b.restarts) return b.restarts - a.restarts;
  if (a.createdAt !== b.createdAt) return byMagnitude(a, b, a.createdAt, b.createdAt, nowMs);
  return 0;
};

const byMagnitude = (a: Candidate, b: Candidate, x: number, y: number, nowMs: number): number =>
  magnitude(nowMs - x) - magnitude(nowMs - y) || (a.pod.metadata.uid! < b.pod.metadata.uid! ? -1 : 1);
