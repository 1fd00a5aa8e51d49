// Which of several Rollouts for one workload releases it. Webhook and operator use the same rule.
import type { Rollout } from '../../api/types.ts';

/** The oldest Rollout that is not being deleted, or else the oldest. */
export function ownerOf(rollouts: readonly Rollout[]): Rollout | undefined {
  if (rollouts.length < 2) return rollouts[0];
  const byAge = rollouts.toSorted(olderFirst);
  return byAge.find(({ metadata }) => metadata.deletionTimestamp === undefined) ?? byAge[0];
}

/** Sorts by creation time, then by name. */
export function olderFirst(a: Rollout, b: Rollout): number {
  const [x, y] = [a, b].map(({ metadata }) => `${metadata.creationTimestamp ?? ''} ${metadata.name}`);
  return x! < y! ? -1 : x! > y! ? 1 : 0;
}
