// What OpenKruise Rollouts leaves on a workload with an unfinished release, and the user's original settings of a Deployment.
import type { Json } from '../../api/json.ts';
import * as keys from '../../api/keys.ts';
import { DEPLOYMENTS, type Resource } from '../../api/resources.ts';
import type { CanaryStatus, Deployment, IntOrString, Rollout, Workload } from '../../api/types.ts';
import { isMarked, settingsOf, type Settings } from '../workload/deployment/hold.ts';
import type { Effect } from '../decision.ts';
import type { WorkloadKind } from '../workload/kind.ts';
import { HELD_SIGNS } from '../workload/record.ts';

export type Leftover =
  /**
   * OpenKruise's controller resizes the ReplicaSets: paused, usually with strategy Recreate. Resuming would delete every Pod at once. Other kinds are
   * held by a field of their own, such as the partition of a StatefulSet.
   */
  | 'Partition'
  /** Paused by OpenKruise's webhook before the first Pod, or the stable Deployment of a release with an extra Deployment. */
  | 'Paused'
  /** Surge Pods that never count as available. */
  | 'BlueGreen'
  /** Only annotations or labels of a finished release. */
  | 'Traces';

type Kind = Pick<WorkloadKind, 'openKruise'>;

const MARKS = [
  keys.KRUISE_STRATEGY,
  keys.KRUISE_ORIGINAL_STRATEGY,
  keys.KRUISE_CONTROL_INFO,
  keys.KRUISE_DAEMON_STRATEGY,
] as const;
const ANNOTATIONS = [
  ...MARKS,
  keys.KRUISE_EXTRA_STATUS,
  keys.KRUISE_DAEMON_REVISION,
  keys.KRUISE_DAEMON_CONTROL,
] as const;
const LABELS = [keys.KRUISE_ADVANCED] as const;

/**
 * `rollout`: the Rollout that names the workload. If Tranche wrote its status, a pause without a record is Tranche's. `kind`: its kind. Default:
 * Deployment.
 */
export function leftoverOf(deployment: Deployment, rollout?: Rollout, kind?: Kind): Leftover | undefined {
  const { annotations, labels } = deployment.metadata;
  const marked =
    MARKS.some((key) => annotations?.[key] !== undefined) || LABELS.some((key) => labels?.[key] !== undefined);
  if (annotations?.[keys.HELD] !== undefined) return marked ? 'Traces' : undefined;
  if (!marked && (annotations?.[keys.IN_PROGRESSING] === undefined || isOurs(rollout)))
    // Tranche writes these numbers too, so alone they do not indicate a release.
    return annotations?.[keys.KRUISE_EXTRA_STATUS] === undefined ? undefined : 'Traces';
  if (kind?.openKruise) {
    if (!kind.openKruise.holds(deployment)) return 'Traces';
    return annotations?.[keys.KRUISE_CONTROL_INFO] === undefined ? 'Paused' : 'Partition';
  }
  const { paused, strategy } = deployment.spec;
  if (annotations?.[keys.KRUISE_ORIGINAL_STRATEGY] !== undefined && (paused === true || isMarked(deployment)))
    return 'BlueGreen';
  if (strategy?.type === 'Recreate') return 'Partition';
  if (paused !== true) return 'Traces';
  return annotations?.[keys.KRUISE_STRATEGY] === undefined ? 'Paused' : 'Partition';
}

/**
 * True if the workload has an unfinished release of OpenKruise, which Tranche must not touch before a takeover. False if Tranche wrote the
 * status, because users who can edit the workload can write such keys.
 */
export const isLeftBehind = (deployment: Deployment, rollout?: Rollout, kind?: Kind): boolean =>
  !isOurs(rollout) && !['Traces', undefined].includes(leftoverOf(deployment, rollout, kind));

/** True if a drain gives the workload back: it is enrolled or held, and OpenKruise did not leave it behind. */
export const isToGiveBack = (workload: Workload, kind: Kind): boolean =>
  !isLeftBehind(workload, undefined, kind) &&
  (workload.metadata.labels?.[keys.WORKLOAD_TYPE] !== undefined ||
    HELD_SIGNS.some((key) => workload.metadata.annotations?.[key] !== undefined));

/**
 * Adds the annotation that OpenKruise's tools read: how many Pods of the new version are Ready, and how many are wanted. It is added to writes
 * that happen anyway. Not to moves of a Deployment: the hold after them has the result, and each changed annotation costs a write of a ReplicaSet.
 */
export function withExtraStatus(
  effects: readonly Effect[],
  resource: Resource,
  { canaryReadyReplicas }: Pick<CanaryStatus, 'canaryReadyReplicas'>,
  wanted: number,
): readonly Effect[] {
  const text = JSON.stringify({ updatedReadyReplicas: canaryReadyReplicas, expectedUpdatedReplicas: wanted });
  return effects.map((effect) => {
    if (effect.kind !== 'Patch' || effect.resource !== resource || !('metadata' in effect.patch)) return effect;
    if (effect.why === 'move' && resource === DEPLOYMENTS) return effect;
    const { metadata } = effect.patch;
    const annotations = { ...(metadata['annotations'] as object | undefined), [keys.KRUISE_EXTRA_STATUS]: text };
    return { ...effect, patch: { ...effect.patch, metadata: { ...metadata, annotations } } };
  });
}

/** True if Tranche wrote the status. OpenKruise does not write the digest of the template. */
export const isOurs = (rollout: Rollout | undefined): boolean =>
  rollout?.status?.canaryStatus?.templateDigest !== undefined;

/** A change that removes OpenKruise's annotations and labels from this workload. */
export function tracesOf({ metadata }: Deployment): {
  annotations: Record<string, null>;
  labels: Record<string, null>;
} {
  const gone = (keys: readonly string[], of: Readonly<Record<string, string>> | undefined): Record<string, null> =>
    Object.fromEntries(keys.filter((key) => of?.[key] !== undefined).map((key) => [key, null]));
  return { annotations: gone(ANNOTATIONS, metadata.annotations), labels: gone(LABELS, metadata.labels) };
}

/** The user's settings as OpenKruise kept them. `guessed`: it did not keep all, and Kubernetes' defaults replace them. */
export function settingsBefore(deployment: Deployment): { readonly settings: Settings; readonly guessed: boolean } {
  const { annotations } = deployment.metadata;
  const now = settingsOf(deployment);
  const original = parse(annotations?.[keys.KRUISE_ORIGINAL_STRATEGY]);
  // OpenKruise releases only Deployments that were not paused, so the pause is OpenKruise's.
  if (original && isMarked(deployment)) {
    const { minReadySeconds, progressDeadlineSeconds } = original;
    const seconds = (value: unknown): number | null => (typeof value === 'number' && value > 0 ? value : null);
    return {
      settings: {
        paused: null,
        ...limits(original),
        minReadySeconds: seconds(minReadySeconds),
        progressDeadlineSeconds: seconds(progressDeadlineSeconds),
      },
      guessed: amount(original.maxSurge) === undefined || amount(original.maxUnavailable) === undefined,
    };
  }
  if (deployment.spec.strategy?.type !== 'Recreate') return { settings: { ...now, paused: null }, guessed: false };
  const rolling = parse(annotations?.[keys.KRUISE_STRATEGY])?.rollingUpdate as Json | null | undefined;
  return {
    settings: { ...now, paused: null, ...limits(rolling ?? {}) },
    guessed: amount(rolling?.maxSurge) === undefined || amount(rolling?.maxUnavailable) === undefined,
  };
}

const DEFAULT_LIMIT = '25%';
const amount = (value: unknown): IntOrString | undefined =>
  typeof value === 'number' || (typeof value === 'string' && value !== '') ? value : undefined;
const limits = ({ maxSurge, maxUnavailable }: Json): Pick<Settings, 'maxSurge' | 'maxUnavailable'> => ({
  maxSurge: amount(maxSurge) ?? DEFAULT_LIMIT,
  maxUnavailable: amount(maxUnavailable) ?? DEFAULT_LIMIT,
});

function parse(text: string | undefined): Json | undefined {
  try {
    const value: unknown = JSON.parse(text ?? 'null');
    return typeof value === 'object' && value !== null ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}
