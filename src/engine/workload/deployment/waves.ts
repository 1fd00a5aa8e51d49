// Waves of a batch (docs/holding.md): when a budget is worth a write, and when a moving Deployment needs no hold.
import type { Held, Pod } from '../../../api/types.ts';
import { parseTime } from '../../lib/time.ts';
import { readySince } from '../pods.ts';
import { wait, type Goal, type Move } from '../kind.ts';
import { isMoving, mayFreeAtOnce } from './hold.ts';
import type { View } from './view.ts';

/**
 * If Pods take longer than this, the Deployment is held during the batch, so that all numbers in its status are true meanwhile. This costs two
 * more writes. A wave that is not worth a write waits so long for more Pods.
 */
const LINGER_MS = 5_000;

export interface NumericBudget {
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

/**
 * True if the step is done while the Deployment moves, and nothing is to be held after it: the Pods of the step are there, and the old Pods that
 * their surge has left over go with the next budget, or with the user's settings after the last step.
 */
export function goesOnFrom(view: View, held: Held, goal: Goal): boolean {
  const { updated, available, old, replicas, oldAvailableAt } = view;
  if (updated !== goal.target || old < replicas - updated) return false;
  if (goal.last) return updated === replicas && available === updated && mayFreeAtOnce(held);
  // See start().
  return goal.goesOn && oldAvailableAt === undefined;
}

/** Until then, the Deployment may move without being held, in milliseconds. */
export const lingersUntil = ({ pods }: View, { young }: Goal): number =>
  Math.max(...pods.map(createdAt), 0) + (young ? LINGER_MS : 0);

/**
 * A budget is not written for each available Pod: only for half of the limits, or if all updated Pods are available. Pods that a budget has granted
 * and that are not created yet count as updated.
 */
export function isWorthIt(view: View, target: number, { maxUnavailable, maxSurge }: NumericBudget): boolean {
  const { updated, available, limits, budget } = view;
  const granted = isMoving(view.deployment) ? Math.min(target, budget.unavailable + budget.surge) : 0;
  const asked = Math.max(updated, granted);
  return available >= asked || 2 * (maxUnavailable + maxSurge - asked) >= limits.surge + limits.unavailable;
}

/** A Deployment that is held during a batch is moved for less if no further Pod becomes available for a while. */
export function notYet(view: View, target: number, budget: NumericBudget): Move | undefined {
  const { pods, minReadySeconds, now } = view;
  if (isWorthIt(view, target, budget)) return undefined;
  const due = pods.map((pod) => (readySince(pod, now) ?? -Infinity) + minReadySeconds * 1000).filter((at) => at <= now);
  const until = Math.max(...due, 0) + LINGER_MS;
  return until > now ? wait('Pods', until) : undefined;
}

const createdAt = (pod: Pod): number => parseTime(pod.metadata.creationTimestamp) ?? 0;
