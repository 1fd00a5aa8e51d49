// Converts numbers and percentages, maxSurge and maxUnavailable to numbers of Pods.
import type { CanaryStep, DaemonSet, IntOrString, Workload } from '../../api/types.ts';

/** maxSurge and maxUnavailable in Pods. */
export interface Limits {
  readonly surge: number;
  readonly unavailable: number;
}

/** The maximum number of Pods that the API server accepts. A manifest from a file may have any number. */
export const MAX_PODS = 2 ** 31 - 1;
const bounded = (pods: number): number => (pods >= 0 ? Math.min(Math.floor(pods), MAX_PODS) : 0);

/** Kubernetes' default of maxSurge and maxUnavailable. */
const DEFAULT_LIMIT = '25%';

/** 25 for "25%". Undefined if the string is not a percentage. */
export function percentOf(text: string): number | undefined {
  return /^\d+%$/.test(text) ? Number(text.slice(0, -1)) : undefined;
}

/** Number of Pods for an integer or a percentage of `replicas`. Other values count as 0. Admission refuses them. */
export function podsOf(value: IntOrString, replicas: number, round: 'up' | 'down'): number {
  if (typeof value === 'number') return Number.isInteger(value) ? bounded(value) : 0;
  const percent = percentOf(value);
  if (percent === undefined) return 0;
  return bounded(round === 'up' ? Math.ceil((percent * replicas) / 100) : (percent * replicas) / 100);
}

/** `spec.replicas`. Absent is 1, as in Kubernetes. A DaemonSet has as many Pods as nodes. */
export const replicasOf = (workload: Workload): number =>
  workload.kind === 'DaemonSet' ? nodesOf(workload) : bounded(workload.spec.replicas ?? 1);

/** Undefined for a DaemonSet that is not in a cluster yet: only its controller knows the number of nodes. */
export const knownReplicas = (workload: Workload): number | undefined =>
  workload.kind === 'DaemonSet' && workload.status?.observedGeneration === undefined ? undefined : replicasOf(workload);

/** Number of nodes that should run a Pod of a DaemonSet. 1 until its controller has seen it. */
export const nodesOf = ({ status }: DaemonSet): number =>
  status?.observedGeneration === undefined ? 1 : bounded(status.desiredNumberScheduled ?? 0);

/**
 * True if no Pod should run, and no Pod runs. Pods of a DaemonSet stay on nodes that accept no new ones, for example because of a taint, and its
 * controller deletes them after a change of the template, although it creates no others there.
 */
export const isEmpty = (workload: Workload): boolean => replicasOf(workload) === 0 && strayPods(workload) === 0;

/** Pods of a DaemonSet on nodes that should run none. */
export const strayPods = (workload: Workload): number =>
  workload.kind === 'DaemonSet' ? ((workload as DaemonSet).status?.numberMisscheduled ?? 0) : 0;

/**
 * Number of updated Pods in a step, at most `replicas`. Percentages round up, so more than 0% is at least one Pod. With more than one replica, a
 * percentage below 100%, or a number in a step that is not the last, leaves at least one old Pod.
 */
export function stepTarget(value: IntOrString | undefined, replicas: number, last = true): number {
  if (value === undefined) return 0;
  const pods = Math.min(podsOf(value, replicas, 'up'), replicas);
  const percent = typeof value === 'string' ? percentOf(value) : undefined;
  const leavesSome = percent === undefined ? !last : percent < 100;
  return leavesSome && replicas > 1 ? Math.min(pods, replicas - 1) : pods;
}

/** The targets of all steps of a plan. */
export const stepTargets = (steps: readonly CanaryStep[], replicas: number): number[] =>
  steps.map((step, i) => stepTarget(step.replicas, replicas, i === steps.length - 1));

/** True if the step updates all Pods. It then needs neither pause nor approval. */
export const isWhole = (step: CanaryStep | undefined, replicas: number, last = true): boolean =>
  step !== undefined && stepTarget(step.replicas, replicas, last) >= replicas;

/**
 * True if the Deployment was scaled down during a step that leaves old Pods. The step must then still leave one, so that scaling down does not
 * complete the release.
 */
export const hasFallen = (step: CanaryStep, replicas: number, before: number | undefined, last: boolean): boolean =>
  before !== undefined && replicas < before && !isWhole(step, before, last);

/** Resolves the limits like the Deployment controller: surge rounds up, unavailable rounds down, and both 0 means one unavailable Pod. */
export function resolveLimits(
  maxSurge: IntOrString | null | undefined,
  maxUnavailable: IntOrString | null | undefined,
  replicas: number,
): Limits {
  const surge = podsOf(maxSurge ?? DEFAULT_LIMIT, replicas, 'up');
  const unavailable = Math.min(podsOf(maxUnavailable ?? DEFAULT_LIMIT, replicas, 'down'), replicas);
  return surge === 0 && unavailable === 0 ? { surge: 0, unavailable: 1 } : { surge, unavailable };
}

/** Up to this number of replicas, a percentage identifies each number of Pods. */
const MOST_FOR_A_PERCENT = 100;

/**
 * The percentage of `replicas` that Kubernetes rounds to exactly this number of Pods, or the number itself if there is none.
 */
export function shareOf(pods: number, replicas: number, round: 'up' | 'down'): IntOrString {
  if (pods < 1 || pods > replicas || replicas > MOST_FOR_A_PERCENT) return pods;
  const percent = (100 * pods) / replicas;
  return `${round === 'up' ? Math.floor(percent) : Math.ceil(percent)}%`;
}
