// Which of several Rollouts for one workload works for it: webhook and operator must not disagree.
import type { Rollout } from '../../api/types.ts';

/** The first made among those that stay; one that is being deleted only when there is no other. */
export function ownerOf(rollouts: readonly Rollout[]): Rollout | undefined {
  if (rollouts.length < 2) return rollouts[0];
  const byAge = rollouts.toSorted(olderFirst);
  return byAge.find(({ metadata }) => metadata.deletionTimestamp === undefined) ?? byAge[0];
}

/** Two of the same second are told apart by name. */
export function olderFirst(a: Rollout, b: Rollout): number {
  const [x, y] = [a, b].map(({ metadata }) => `${metadata.creationTimestamp ?? ''} ${metadata.name}`);
  return x! < y! ? -1 : x! > y! ? 1 : 0;
}
