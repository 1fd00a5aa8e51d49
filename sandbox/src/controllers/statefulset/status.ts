// Computes the status of a StatefulSet from its Pods.
import type { KubeObject } from '../../core/types.ts';
import { isTerminating } from '../replicaset/pods.ts';
import { isAvailable, isCreated, isRunningAndReady, revisionOf } from './pods.ts';

export interface StatefulSetStatus {
  replicas: number;
  readyReplicas: number;
  availableReplicas: number;
  currentReplicas: number;
  updatedReplicas: number;
  currentRevision: string;
  updateRevision: string;
  observedGeneration: number;
  collisionCount: number;
}

export interface Revisions {
  /** The names of the ControllerRevisions. */
  current: string;
  update: string;
  collisions: number;
}

export const countPods = (
  set: KubeObject,
  { current, update, collisions }: Revisions,
  pods: readonly KubeObject[],
  nowMs: number,
): StatefulSetStatus => {
  const ready = pods.filter(isRunningAndReady);
  const living = pods.filter((pod) => isCreated(pod) && !isTerminating(pod));
  return {
    replicas: pods.filter(isCreated).length,
    readyReplicas: ready.length,
    availableReplicas: ready.filter((pod) => isAvailable(pod, set, nowMs)).length,
    currentReplicas: living.filter((pod) => revisionOf(pod) === current).length,
    updatedReplicas: living.filter((pod) => revisionOf(pod) === update).length,
    currentRevision: current,
    updateRevision: update,
    observedGeneration: set.metadata.generation!,
    collisionCount: collisions,
  };
};

/** A rolling update is complete when all Pods are updated and ready: the update revision becomes the current one. */
export const completed = (set: KubeObject, status: StatefulSetStatus): StatefulSetStatus => {
  const { replicas } = set.spec;
  const { updatedReplicas, readyReplicas, updateRevision } = status;
  return set.spec.updateStrategy.type === 'RollingUpdate' &&
    updatedReplicas === replicas &&
    readyReplicas === replicas &&
    status.replicas === replicas
    ? { ...status, currentReplicas: updatedReplicas, currentRevision: updateRevision }
    : status;
};

/** Zeros that Go's JSON leaves out. */
const OMITTED = new Set(['readyReplicas', 'currentReplicas', 'updatedReplicas']);

export const asWritten = (status: StatefulSetStatus): object =>
  Object.fromEntries(Object.entries(status).filter(([key, value]) => value !== 0 || !OMITTED.has(key)));

const COMPARED = [
  'replicas',
  'readyReplicas',
  'availableReplicas',
  'currentReplicas',
  'updatedReplicas',
  'currentRevision',
  'updateRevision',
] as const;

/** As in Kubernetes, a new collisionCount alone is not written. */
export const isNews = (set: KubeObject, status: StatefulSetStatus): boolean => {
  const before: Partial<StatefulSetStatus> = set.status ?? {};
  return (
    status.observedGeneration > (before.observedGeneration ?? 0) ||
    COMPARED.some((key) => status[key] !== (before[key] ?? (typeof status[key] === 'number' ? 0 : '')))
  );
};
