// Numbers of Pods: what "1", "50%" and the Deployment's own maxSurge and maxUnavailable come to at a given size.
import type { CanaryStep, Deployment, IntOrString } from '../../api/types.ts';

/** maxSurge and maxUnavailable in Pods. */
export interface Limits {
  readonly surge: number;
  readonly unavailable: number;
}

/** The API server's numbers of Pods. A manifest that it has not seen may have any. */
export const MAX_PODS = 2 ** 31 - 1;
const bounded = (pods: number): number => (pods >= 0 ? Math.min(Math.floor(pods), MAX_PODS) : 0);

/** Kubernetes' default where a Deployment says nothing. */
const DEFAULT_LIMIT = '25%';

/** The percentage of "25%"; undefined when the string is not one. */
export function percentOf(text: string): number | undefined {
  return /^\d+%$/.test(text) ? Number(text.slice(0, -1)) : undefined;
}

/** An integer is Pods, a string a percent of `replicas`. What is neither counts as 0: admission refuses it. */
export function podsOf(value: IntOrString, replicas: number, round: 'up' | 'down'): number {
  if (typeof value === 'number') return Number.isInteger(value) ? bounded(value) : 0;
  const percent = percentOf(value);
  if (percent === undefined) return 0;
  return bounded(round === 'up' ? Math.ceil((percent * replicas) / 100) : (percent * replicas) / 100);
}

/** `spec.replicas`; absent is 1, as in Kubernetes. */
export const replicasOf = (deployment: Deployment): number => bounded(deployment.spec.replicas ?? 1);

/**
 * Pods of the new version in a step. Percents round up; less than 100%, or a number in a step that is not the last, is never all Pods, when
 * there is more than one; more than nothing is at least one Pod; never more than there are.
 */
export function stepTarget(value: IntOrString | undefined, replicas: number, last = true): number {
  if (value === undefined) return 0;
  const pods = Math.min(podsOf(value, replicas, 'up'), replicas);
  const percent = typeof value === 'string' ? percentOf(value) : undefined;
  const leavesSome = percent === undefined ? !last : percent < 100;
  return leavesSome && replicas > 1 ? Math.min(pods, replicas - 1) : pods;
}

/** The same of each step of a plan. */
export const stepTargets = (steps: readonly CanaryStep[], replicas: number): number[] =>
  steps.map((step, i) => stepTarget(step.replicas, replicas, i === steps.length - 1));

/** True when nothing is left to release after this step: then it needs neither pause nor approval. */
export const isWhole = (step: CanaryStep | undefined, replicas: number, last = true): boolean =>
  step !== undefined && stepTarget(step.replicas, replicas, last) >= replicas;

/**
 * The Deployment has become smaller since a step that was to leave something. It still leaves something: no step becomes the whole release
 * because spec.replicas fell.
 */
export const hasFallen = (step: CanaryStep, replicas: number, before: number | undefined, last: boolean): boolean =>
  before !== undefined && replicas < before && !isWhole(step, before, last);

/** Surge rounds up, unavailable rounds down, both 0 means one Pod unavailable: as the native controller resolves them. */
export function resolveLimits(
  maxSurge: IntOrString | null | undefined,
  maxUnavailable: IntOrString | null | undefined,
  replicas: number,
): Limits {
  const surge = podsOf(maxSurge ?? DEFAULT_LIMIT, replicas, 'up');
  const unavailable = Math.min(podsOf(maxUnavailable ?? DEFAULT_LIMIT, replicas, 'down'), replicas);
  return surge === 0 && unavailable === 0 ? { surge: 0, unavailable: 1 } : { surge, unavailable };
}

/** So many replicas a percent can still tell apart. */
const MOST_FOR_A_PERCENT = 100;

/**
 * That number of Pods as a percent of `replicas` which comes to exactly that number at this size, as Kubernetes rounds it; the number where no
 * percent does.
 */
export function shareOf(pods: number, replicas: number, round: 'up' | 'down'): IntOrString {
  if (pods < 1 || pods > replicas || replicas > MOST_FOR_A_PERCENT) return pods;
  const percent = (100 * pods) / replicas;
  return `${round === 'up' ? Math.floor(percent) : Math.ceil(percent)}%`;
}
