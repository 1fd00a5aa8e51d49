// Decides which ReplicaSets of a Deployment to resize. Pure functions of the cached objects.
import type { KubeObject } from '../../core/types.ts';
import { byAge } from '../framework/meta.ts';
import {
  active,
  annotated,
  available,
  desired,
  DESIRED_REPLICAS,
  isRolling,
  maxSurge,
  maxUnavailable,
  newReplicas,
  proportion,
  specReplicas,
  sum,
} from './replicas.ts';

/** One resize. Proportional scaling may keep the size and only update annotations. */
export interface Resize {
  replicaSet: KubeObject;
  replicas: number;
}

/** The next move of a rolling update: scale the new ReplicaSet up if possible, otherwise scale old ones down. */
export const planRolling = (
  deployment: KubeObject,
  newReplicaSet: KubeObject,
  old: readonly KubeObject[],
): Resize[] => {
  const all = [...old, newReplicaSet];
  const up = planNew(deployment, newReplicaSet, all);
  return up.length > 0 ? up : planOld(deployment, newReplicaSet, active(old));
};

const planNew = (deployment: KubeObject, newReplicaSet: KubeObject, all: readonly KubeObject[]): Resize[] => {
  const size = desired(newReplicaSet);
  if (size === desired(deployment)) return [];
  const replicas = size > desired(deployment) ? desired(deployment) : newReplicas(deployment, all, newReplicaSet);
  return replicas === size ? [] : [{ replicaSet: newReplicaSet, replicas }];
};

/** Removes unavailable Pods of old versions first, then as many as the minimum of available Pods allows. Oldest first. */
const planOld = (deployment: KubeObject, newReplicaSet: KubeObject, old: readonly KubeObject[]): Resize[] => {
  if (specReplicas(old) === 0) return [];
  const minAvailable = desired(deployment) - maxUnavailable(deployment);
  const newUnavailable = desired(newReplicaSet) - available(newReplicaSet);
  const maxDown = specReplicas(old) + desired(newReplicaSet) - minAvailable - newUnavailable;
  if (maxDown <= 0) return [];

  const sizes = new Map([...old].sort(byAge).map((replicaSet) => [replicaSet, desired(replicaSet)]));
  let left = maxDown;
  const moves: Resize[] = [];
  const shrink = (replicaSet: KubeObject, by: number): void => {
    const replicas = sizes.get(replicaSet)! - by;
    sizes.set(replicaSet, replicas);
    moves.push({ replicaSet, replicas });
  };
  for (const [replicaSet, size] of sizes) {
    if (left <= 0) break;
    const unavailable = size - available(replicaSet);
    if (size === 0 || unavailable === 0) continue;
    // More available than desired: the status is older than the last scale-down. The real controller waits for the next status.
    if (unavailable < 0) return moves;
    const by = Math.min(left, unavailable);
    shrink(replicaSet, by);
    left -= by;
  }
  let spare = sum(old, available) + available(newReplicaSet) - minAvailable;
  for (const [replicaSet, size] of sizes) {
    if (spare <= 0) break;
    if (size === 0) continue;
    const by = Math.min(size, spare);
    shrink(replicaSet, by);
    spare -= by;
  }
  return moves;
};

/** The sizes of the ReplicaSets of a paused or scaled Deployment. */
export const planScale = (
  deployment: KubeObject,
  newReplicaSet: KubeObject | undefined,
  old: readonly KubeObject[],
): Resize[] => {
  const all = newReplicaSet ? [...old, newReplicaSet] : [...old];
  const single = activeOrLatest(newReplicaSet, old);
  if (single) {
    return desired(single) === desired(deployment) ? [] : [{ replicaSet: single, replicas: desired(deployment) }];
  }
  if (isSaturated(deployment, newReplicaSet)) {
    return active(old).map((replicaSet) => ({ replicaSet, replicas: 0 }));
  }
  return isRolling(deployment) ? planProportional(deployment, active(all)) : [];
};

/** The only active ReplicaSet, or the newest if none is active. Undefined if several are active. */
const activeOrLatest = (newReplicaSet: KubeObject | undefined, old: readonly KubeObject[]): KubeObject | undefined => {
  const actives = active(newReplicaSet ? [...old, newReplicaSet] : old);
  if (actives.length > 1) return undefined;
  return actives[0] ?? newReplicaSet ?? [...old].sort(byAge).at(-1);
};

const isSaturated = (deployment: KubeObject, newReplicaSet: KubeObject | undefined): boolean =>
  newReplicaSet !== undefined &&
  desired(newReplicaSet) === desired(deployment) &&
  annotated(newReplicaSet, DESIRED_REPLICAS) === desired(deployment) &&
  available(newReplicaSet) === desired(deployment);

/** Distributes Pods over active ReplicaSets in proportion. The largest gets the rounding remainder. */
const planProportional = (deployment: KubeObject, actives: readonly KubeObject[]): Resize[] => {
  const allowed = desired(deployment) > 0 ? desired(deployment) + maxSurge(deployment) : 0;
  const toAdd = allowed - specReplicas(actives);
  // Among equally large ReplicaSets, the newest grows first and the oldest shrinks first.
  const order = [...actives].sort(
    (a, b) => desired(b) - desired(a) || (toAdd > 0 ? byAge(b, a) : toAdd < 0 ? byAge(a, b) : 0),
  );
  let added = 0;
  const sizes = order.map((replicaSet) => {
    const share = proportion(deployment, replicaSet, toAdd, added);
    added += share;
    return desired(replicaSet) + share;
  });
  if (toAdd !== 0 && sizes.length > 0) sizes[0] = Math.max(0, sizes[0]! + toAdd - added);
  return order.map((replicaSet, i) => ({ replicaSet, replicas: sizes[i]! }));
};
