// Computes the status of a DaemonSet from its nodes and Pods.
import { isReady } from '../replicaset/pods.ts';
import type { Situation } from './plan.ts';
import { byScheduleAndAge, isAvailable, isUpdated, judge } from './pods.ts';

/** Zeros that Go's JSON leaves out. */
const OMITTED = ['updatedNumberScheduled', 'numberAvailable', 'numberUnavailable'];

/** The status, without collisionCount. Nodes count, not Pods. */
export const countNodes = (situation: Situation, observedGeneration: number): Record<string, number> => {
  const { daemonSet, hash, nodes, pods, nowMs } = situation;
  const status = {
    currentNumberScheduled: 0,
    numberMisscheduled: 0,
    desiredNumberScheduled: 0,
    numberReady: 0,
    updatedNumberScheduled: 0,
    numberAvailable: 0,
    numberUnavailable: 0,
    observedGeneration,
  };
  for (const node of nodes) {
    const [pod] = (pods.get(node.metadata.name) ?? []).toSorted(byScheduleAndAge);
    if (!judge(node, daemonSet).start) {
      if (pod) status.numberMisscheduled++;
      continue;
    }
    status.desiredNumberScheduled++;
    if (!pod) continue;
    status.currentNumberScheduled++;
    if (isReady(pod)) status.numberReady++;
    if (isAvailable(pod, daemonSet, nowMs)) status.numberAvailable++;
    if (isUpdated(pod, daemonSet, hash)) status.updatedNumberScheduled++;
  }
  status.numberUnavailable = status.desiredNumberScheduled - status.numberAvailable;
  return Object.fromEntries(Object.entries(status).filter(([key, value]) => value !== 0 || !OMITTED.includes(key)));
};
