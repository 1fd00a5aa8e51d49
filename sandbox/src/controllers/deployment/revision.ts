// Revision numbers and the other annotations that a Deployment and its ReplicaSets share.
import type { KubeObject } from '../../core/types.ts';
import { byAge, sameJson } from '../framework/meta.ts';
import { annotated, desired, DESIRED_REPLICAS, MAX_REPLICAS, maxSurge } from './replicas.ts';

export const REVISION = 'deployment.kubernetes.io/revision';
const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history';
const MAX_HISTORY_LENGTH = 2000;
const NEVER_COPIED = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  'deprecated.deployment.rollback.to',
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
]);

const revisionOf = (replicaSet: KubeObject): number => annotated(replicaSet, REVISION) ?? 0;

export const maxRevision = (replicaSets: readonly KubeObject[]): number =>
  replicaSets.reduce((max, replicaSet) => Math.max(max, revisionOf(replicaSet)), 0);

export const sizeAnnotations = (deployment: KubeObject): Record<string, string> => ({
  [DESIRED_REPLICAS]: String(desired(deployment)),
  [MAX_REPLICAS]: String(desired(deployment) + maxSurge(deployment)),
});

/**
 * The annotations of the new ReplicaSet: those of the Deployment, and a revision higher than all old ones. If an earlier ReplicaSet
 * becomes the new one, it keeps its previous numbers as history. Returns the same object if nothing changes.
 */
export const newAnnotations = (
  deployment: KubeObject,
  old: readonly KubeObject[],
  existing: Record<string, string> | undefined,
): Record<string, string> => {
  const annotations = { ...existing };
  for (const [key, value] of Object.entries<string>(deployment.metadata.annotations ?? {})) {
    if (!NEVER_COPIED.has(key)) annotations[key] = value;
  }
  const before = existing?.[REVISION];
  const next = maxRevision(old) + 1;
  // Another tool has written a revision that is not a number. Keep it.
  if (before === undefined || before === '' || (/^[-+]?\d+$/.test(before) && Number(before) < next)) {
    annotations[REVISION] = String(next);
    if (before !== undefined) annotations[REVISION_HISTORY] = withRevision(existing?.[REVISION_HISTORY], before);
  }
  return existing && sameJson(existing, annotations) ? existing : annotations;
};

/** Appends a number to the history. Removes the oldest numbers if it is too long. */
const withRevision = (history: string | undefined, revision: string): string => {
  if (!history) return revision;
  const numbers = history.split(',');
  let length = history.length + revision.length + 1;
  while (length > MAX_HISTORY_LENGTH && numbers.length > 0) length -= numbers.shift()!.length + 1;
  return length <= MAX_HISTORY_LENGTH ? [...numbers, revision].join(',') : history;
};

/** Unused old ReplicaSets beyond the history limit, lowest revision first. */
export const planCleanup = (deployment: KubeObject, old: readonly KubeObject[]): KubeObject[] => {
  const limit: number | undefined = deployment.spec.revisionHistoryLimit;
  if (limit === undefined || limit === 2147483647) return [];
  const alive = old.filter((replicaSet) => !replicaSet.metadata.deletionTimestamp);
  const excess = alive.length - limit;
  if (excess <= 0) return [];
  return alive
    .sort((a, b) => revisionOf(a) - revisionOf(b) || byAge(a, b))
    .slice(0, excess)
    .filter(
      (replicaSet) =>
        (replicaSet.status?.replicas ?? 0) === 0 &&
        desired(replicaSet) === 0 &&
        (replicaSet.metadata.generation ?? 0) <= (replicaSet.status?.observedGeneration ?? 0),
    );
};
