// The arithmetic of the deployment controller: how many Pods the settings allow, and how many the ReplicaSets have.
import type { KubeObject } from '../../core/types.ts';

const PREFIX = 'deployment.kubernetes.io/';
export const DESIRED_REPLICAS = `${PREFIX}desired-replicas`;
export const MAX_REPLICAS = `${PREFIX}max-replicas`;

export const desired = (object: KubeObject): number => object.spec.replicas ?? 1;

/** Resolves an integer or a percentage to a number of Pods. */
export const resolve = (value: number | string | undefined, whole: number, up: boolean): number => {
  if (typeof value === 'number') return value;
  if (value === undefined) return 0;
  const pods = (parseInt(value, 10) * whole) / 100;
  return up ? Math.ceil(pods) : Math.floor(pods);
};

export const isRolling = (deployment: KubeObject): boolean => deployment.spec.strategy?.type === 'RollingUpdate';

/** Surge rounds up, unavailable rounds down. If both are 0, one Pod may be unavailable, because the update could not progress otherwise. */
const fenceposts = (deployment: KubeObject): { surge: number; unavailable: number } => {
  const { maxSurge, maxUnavailable } = deployment.spec.strategy.rollingUpdate ?? {};
  const surge = resolve(maxSurge, desired(deployment), true);
  const unavailable = resolve(maxUnavailable, desired(deployment), false);
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
};

export const maxSurge = (deployment: KubeObject): number => (isRolling(deployment) ? fenceposts(deployment).surge : 0);

export const maxUnavailable = (deployment: KubeObject): number =>
  !isRolling(deployment) || desired(deployment) === 0
    ? 0
    : Math.min(fenceposts(deployment).unavailable, desired(deployment));

export const sum = (replicaSets: readonly KubeObject[], of: (replicaSet: KubeObject) => number): number =>
  replicaSets.reduce((total, replicaSet) => total + of(replicaSet), 0);

export const specReplicas = (replicaSets: readonly KubeObject[]): number => sum(replicaSets, desired);
export const available = (replicaSet: KubeObject): number => replicaSet.status?.availableReplicas ?? 0;
export const active = (replicaSets: readonly KubeObject[]): KubeObject[] =>
  replicaSets.filter((replicaSet) => desired(replicaSet) > 0);

/** The size of the Deployment when the ReplicaSet was last scaled. Undefined if it is not recorded. */
export const annotated = (replicaSet: KubeObject, key: string): number | undefined => {
  const value = replicaSet.metadata.annotations?.[key];
  return value !== undefined && /^[-+]?\d+$/.test(value) ? Number(value) : undefined;
};

/** The next size of the new ReplicaSet, within spec.replicas + maxSurge. */
export const newReplicas = (deployment: KubeObject, all: readonly KubeObject[], newReplicaSet: KubeObject): number => {
  if (!isRolling(deployment)) return desired(deployment);
  const room = desired(deployment) + maxSurge(deployment) - specReplicas(all);
  if (room <= 0) return desired(newReplicaSet);
  return desired(newReplicaSet) + Math.min(room, desired(deployment) - desired(newReplicaSet));
};

/** The share of this ReplicaSet in a scaling by `toAdd`, of which `added` are already distributed. In proportion to its previous size. */
export const proportion = (deployment: KubeObject, replicaSet: KubeObject, toAdd: number, added: number): number => {
  if (desired(replicaSet) === 0 || toAdd === 0 || toAdd === added) return 0;
  const fraction = fractionOf(deployment, replicaSet);
  return toAdd > 0 ? Math.min(fraction, toAdd - added) : Math.max(fraction, toAdd - added);
};

const fractionOf = (deployment: KubeObject, replicaSet: KubeObject): number => {
  const size = desired(replicaSet);
  if (desired(deployment) === 0) return -size;
  const before = annotated(replicaSet, MAX_REPLICAS) || (deployment.status?.replicas ?? 0);
  if (before === 0) return 0;
  const after = (size * (desired(deployment) + maxSurge(deployment))) / before;
  return roundHalfAway(after) - size;
};

const roundHalfAway = (x: number): number => (x < 0 ? Math.trunc(x - 0.5) : Math.trunc(x + 0.5));
