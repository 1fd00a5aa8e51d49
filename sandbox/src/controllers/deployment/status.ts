// The status of a Deployment: counts from its ReplicaSets, availability and progress.
import type { KubeObject } from '../../core/types.ts';
import { findCondition, parseTime, timestamp, type Condition } from '../framework/meta.ts';
import { available, desired, maxUnavailable, specReplicas, sum } from './replicas.ts';

const NO_DEADLINE = 2147483647;

export interface DeploymentStatus {
  observedGeneration?: number;
  replicas?: number;
  updatedReplicas?: number;
  readyReplicas?: number;
  availableReplicas?: number;
  unavailableReplicas?: number;
  terminatingReplicas?: number;
  collisionCount?: number;
  conditions?: Condition[];
}

export const statusOf = (deployment: KubeObject): DeploymentStatus => (deployment.status ?? {}) as DeploymentStatus;

export const progressing = (status: DeploymentStatus): Condition | undefined =>
  findCondition(status.conditions, 'Progressing');

export const hasDeadline = (deployment: KubeObject): boolean =>
  deployment.spec.progressDeadlineSeconds !== undefined && deployment.spec.progressDeadlineSeconds !== NO_DEADLINE;

/** Appends the condition to the list if its status or reason changes. Otherwise returns the same list. */
export const setCondition = (
  status: DeploymentStatus,
  condition: Pick<Condition, 'type' | 'status' | 'reason' | 'message'>,
  nowMs: number,
): void => {
  const current = findCondition(status.conditions, condition.type);
  if (current && current.status === condition.status && current.reason === condition.reason) return;
  const now = timestamp(nowMs);
  status.conditions = [
    ...without(status.conditions, condition.type),
    {
      ...condition,
      lastUpdateTime: now,
      lastTransitionTime: current?.status === condition.status ? current.lastTransitionTime! : now,
    },
  ];
};

const without = (conditions: readonly Condition[] | undefined, type: string): Condition[] =>
  (conditions ?? []).filter((condition) => condition.type !== type);

const removeCondition = (status: DeploymentStatus, type: string): void => {
  if (findCondition(status.conditions, type)) status.conditions = without(status.conditions, type);
};

/** Fields with the value 0 are omitted, as in Go's JSON. */
export const countStatus = (
  deployment: KubeObject,
  all: readonly KubeObject[],
  newReplicaSet: KubeObject | undefined,
  nowMs: number,
): DeploymentStatus => {
  const before = statusOf(deployment);
  const count = (field: string): number => sum(all, (replicaSet) => replicaSet.status?.[field] ?? 0);
  const availableReplicas = sum(all, available);
  const status: DeploymentStatus = {
    ...nonZero({
      observedGeneration: deployment.metadata.generation ?? 0,
      replicas: count('replicas'),
      updatedReplicas: newReplicaSet?.status?.replicas ?? 0,
      readyReplicas: count('readyReplicas'),
      availableReplicas,
      unavailableReplicas: Math.max(0, specReplicas(all) - availableReplicas),
    }),
    ...(all.every((replicaSet) => replicaSet.status?.terminatingReplicas !== undefined)
      ? { terminatingReplicas: count('terminatingReplicas') }
      : {}),
    ...(before.collisionCount === undefined ? {} : { collisionCount: before.collisionCount }),
    ...(before.conditions ? { conditions: before.conditions } : {}),
  };
  const enough = availableReplicas >= desired(deployment) - maxUnavailable(deployment);
  setCondition(
    status,
    enough
      ? {
          type: 'Available',
          status: 'True',
          reason: 'MinimumReplicasAvailable',
          message: 'Deployment has minimum availability.',
        }
      : {
          type: 'Available',
          status: 'False',
          reason: 'MinimumReplicasUnavailable',
          message: 'Deployment does not have minimum availability.',
        },
    nowMs,
  );
  return status;
};

const nonZero = <T extends Record<string, number>>(counts: T): Partial<T> => {
  for (const key in counts) if (counts[key] === 0) delete counts[key];
  return counts;
};

/** All desired Pods are of the new version and available. */
export const isComplete = (deployment: KubeObject, status: DeploymentStatus): boolean =>
  (status.updatedReplicas ?? 0) === desired(deployment) &&
  (status.replicas ?? 0) === desired(deployment) &&
  (status.availableReplicas ?? 0) === desired(deployment) &&
  (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0);

const isProgressing = (before: DeploymentStatus, now: DeploymentStatus): boolean => {
  const old = (status: DeploymentStatus): number => (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  const grew = (field: 'updatedReplicas' | 'readyReplicas' | 'availableReplicas'): boolean =>
    (now[field] ?? 0) > (before[field] ?? 0);
  return grew('updatedReplicas') || old(now) < old(before) || grew('readyReplicas') || grew('availableReplicas');
};

const isTimedOut = (deployment: KubeObject, status: DeploymentStatus, nowMs: number): boolean => {
  const condition = progressing(status);
  if (!condition || condition.reason === 'NewReplicaSetAvailable') return false;
  if (condition.reason === 'ProgressDeadlineExceeded') return true;
  return parseTime(condition.lastUpdateTime) + deployment.spec.progressDeadlineSeconds * 1000 < nowMs;
};

/** The status during a rollout: progress, its deadline, and failures to create Pods. */
export const rolloutStatus = (
  deployment: KubeObject,
  all: readonly KubeObject[],
  newReplicaSet: KubeObject | undefined,
  nowMs: number,
): DeploymentStatus => {
  const before = statusOf(deployment);
  const status = countStatus(deployment, all, newReplicaSet, nowMs);
  const subject = newReplicaSet
    ? `ReplicaSet "${newReplicaSet.metadata.name}"`
    : `Deployment "${deployment.metadata.name}"`;
  const current = progressing(before);
  const settled =
    (status.replicas ?? 0) === (status.updatedReplicas ?? 0) && current?.reason === 'NewReplicaSetAvailable';
  if (!hasDeadline(deployment)) removeCondition(status, 'Progressing');
  else if (!settled) {
    if (isComplete(deployment, status)) {
      const message = `${subject} has successfully progressed.`;
      setCondition(status, { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable', message }, nowMs);
    } else if (isProgressing(before, status)) {
      // Progress updates lastUpdateTime even if the reason stays the same: the deadline starts from it.
      removeCondition(status, 'Progressing');
      const condition: Condition = {
        type: 'Progressing',
        status: 'True',
        reason: 'ReplicaSetUpdated',
        message: `${subject} is progressing.`,
        lastUpdateTime: timestamp(nowMs),
        lastTransitionTime: current?.status === 'True' ? current.lastTransitionTime! : timestamp(nowMs),
      };
      status.conditions = [...(status.conditions ?? []), condition];
    } else if (isTimedOut(deployment, status, nowMs)) {
      const message = `${subject} has timed out progressing.`;
      setCondition(
        status,
        { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', message },
        nowMs,
      );
    }
  }
  const failure = failureOf(newReplicaSet) ?? all.map(failureOf).find((condition) => condition !== undefined);
  if (failure) {
    setCondition(
      status,
      {
        type: 'ReplicaFailure',
        status: failure.status,
        ...(failure.reason !== undefined && { reason: failure.reason }),
        ...(failure.message !== undefined && { message: failure.message }),
      },
      nowMs,
    );
  } else removeCondition(status, 'ReplicaFailure');
  return status;
};

const failureOf = (replicaSet: KubeObject | undefined): Condition | undefined =>
  findCondition(replicaSet?.status?.conditions, 'ReplicaFailure');

/** Milliseconds until the next check of the progress deadline. Undefined if there is nothing to wait for. */
export const nextDeadlineCheckMs = (
  deployment: KubeObject,
  status: DeploymentStatus,
  nowMs: number,
): number | undefined => {
  const current = progressing(statusOf(deployment));
  if (!hasDeadline(deployment) || !current) return undefined;
  if (isComplete(deployment, status) || current.reason === 'ProgressDeadlineExceeded') return undefined;
  const left = parseTime(current.lastUpdateTime) + deployment.spec.progressDeadlineSeconds * 1000 - nowMs;
  return left < 1000 ? 0 : left + 1000;
};
