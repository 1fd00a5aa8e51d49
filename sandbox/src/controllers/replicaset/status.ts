// Computes the status of a ReplicaSet from its Pods.
import type { KubeObject } from '../../core/types.ts';
import { findCondition, timestamp, type Condition } from '../framework/meta.ts';
import { isReady, untilAvailableMs } from './pods.ts';

export interface ReplicaSetStatus {
  replicas: number;
  fullyLabeledReplicas?: number;
  readyReplicas?: number;
  availableReplicas?: number;
  terminatingReplicas: number;
  observedGeneration?: number;
  conditions?: readonly Condition[];
}

/** The status, and the time when the next Pod becomes available (no event announces it). Counts of 0 are omitted, as in Go's JSON. */
export const countPods = (
  replicaSet: KubeObject,
  active: readonly KubeObject[],
  terminating: number,
  failure: Error | undefined,
  nowMs: number,
): { status: ReplicaSetStatus; nextMs: number | undefined } => {
  const minReadySeconds: number = replicaSet.spec.minReadySeconds ?? 0;
  const labels = Object.entries<string>(replicaSet.spec.template.metadata?.labels ?? {});
  let labeled = 0;
  let ready = 0;
  let available = 0;
  let nextMs: number | undefined;
  for (const pod of active) {
    if (labels.every(([key, value]) => pod.metadata.labels?.[key] === value)) labeled++;
    if (!isReady(pod)) continue;
    ready++;
    const wait = untilAvailableMs(pod, minReadySeconds, nowMs)!;
    if (wait === 0) available++;
    else if (nextMs === undefined || wait < nextMs) nextMs = wait;
  }
  const conditions = withFailure(replicaSet, active.length, failure, nowMs);
  const status: ReplicaSetStatus = {
    replicas: active.length,
    ...(labeled > 0 ? { fullyLabeledReplicas: labeled } : {}),
    ...(ready > 0 ? { readyReplicas: ready } : {}),
    ...(available > 0 ? { availableReplicas: available } : {}),
    terminatingReplicas: terminating,
    observedGeneration: replicaSet.metadata.generation ?? 0,
    ...(conditions.length > 0 ? { conditions } : {}),
  };
  return { status, nextMs };
};

const withFailure = (
  replicaSet: KubeObject,
  active: number,
  failure: Error | undefined,
  nowMs: number,
): readonly Condition[] => {
  const conditions: readonly Condition[] = replicaSet.status?.conditions ?? [];
  const current = findCondition(conditions, 'ReplicaFailure');
  if (!failure) return current ? conditions.filter((condition) => condition !== current) : conditions;
  if (current) return conditions;
  const reason = active < replicaSet.spec.replicas ? 'FailedCreate' : 'FailedDelete';
  const lastTransitionTime = timestamp(nowMs);
  return [
    ...conditions,
    { type: 'ReplicaFailure', status: 'True', lastTransitionTime, reason, message: failure.message },
  ];
};
