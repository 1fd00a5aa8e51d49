// One Rollout with its release as plain data: steps, ReplicaSets and Pods.
import { CHANGED_BY, ROLLOUT_ID } from '../api/keys.ts';
import type { IntOrString, Pod, ReplicaSet, Rollout } from '../api/types.ts';
import { parseTime } from '../engine/lib/time.ts';
import { planRelease, type PlannedStep, type Wait } from '../engine/steps/plan.ts';
import { judgePods } from '../engine/steps/pod-health.ts';
import { hashOf, sizeOf } from '../engine/workload/deployment/view.ts';
import { isOwnedBy } from '../engine/workload/pods.ts';
import type { Facts } from './facts.ts';
import { messageOf, sinceOf, stateOf, type State } from './state.ts';

/** All times are in milliseconds since the epoch. */
export interface ReleaseView {
  readonly name: string;
  readonly namespace: string | undefined;
  /** The name of the Deployment, which may not exist. */
  readonly deployment: string;
  readonly state: State;
  /** The time of the last change of `state`. */
  readonly since: number | undefined;
  /** The message of the operator; undefined if there is none yet. */
  readonly message: string | undefined;
  /** The release in progress; undefined without one, or without a Deployment. */
  readonly release: RunningRelease | undefined;
  /** The new version, then the others that have Pods. Undefined without a Deployment. */
  readonly replicaSets: readonly ReplicaSetView[] | undefined;
}

export interface RunningRelease {
  readonly id: string | undefined;
  /** The user who changed the Deployment, as recorded by the webhook. */
  readonly author: string | undefined;
  readonly startedAt: number | undefined;
  readonly steps: readonly StepView[];
}

export interface StepView {
  /** From 1; undefined for the remaining Pods, which the native controller replaces after the last step. */
  readonly step: number | undefined;
  /** As in the Rollout; undefined for the remaining Pods. */
  readonly replicas: IntOrString | undefined;
  readonly progress: 'Done' | 'Current' | 'Ahead';
  /** The Pods of the new and of the old version after the step. */
  readonly updated: number;
  readonly old: number;
  /** The available Pods of `updated`; 0 for a future step. */
  readonly available: number;
  /** The wait after the step. */
  readonly wait: Wait;
}

export interface ReplicaSetView {
  readonly name: string;
  /** `Current`: the new version, if no other version is stable. */
  readonly role: 'New' | 'Current' | 'Stable' | 'Old';
  /** The desired number of Pods. */
  readonly size: number;
  readonly available: number;
  /** Unavailable Pods first, then by name. */
  readonly pods: readonly PodView[];
}

export interface PodView {
  readonly name: string;
  /** Why the Pod is not available, if possible as Kubernetes' reason; undefined: it is available. */
  readonly trouble: string | undefined;
  readonly createdAt: number | undefined;
  readonly node: string | undefined;
}

/** `now`: milliseconds since the epoch. */
export function releaseView(facts: Facts, now: number): ReleaseView {
  const { rollout, deployment } = facts;
  return {
    name: rollout.metadata.name,
    namespace: rollout.metadata.namespace,
    deployment: rollout.spec.workloadRef.name,
    state: stateOf(rollout, deployment),
    since: parseTime(sinceOf(rollout)),
    message: messageOf(rollout),
    release: runningRelease(facts),
    replicaSets: replicaSetViews(facts, now),
  };
}

function runningRelease(facts: Facts): RunningRelease | undefined {
  const { rollout, deployment } = facts;
  if (!deployment || rollout.status?.phase !== 'Progressing') return undefined;
  return {
    id: deployment.metadata.labels?.[ROLLOUT_ID],
    author: deployment.metadata.annotations?.[CHANGED_BY],
    startedAt: parseTime(rollout.status.history?.[0]?.startTime),
    steps: stepViews(facts),
  };
}

function stepViews({ rollout, deployment, view }: Facts): StepView[] {
  // A version that is restored has no steps.
  if (!deployment || !view || rollout.status?.canaryStatus?.restores !== undefined) return [];
  return planRelease(rollout, deployment).steps.map((planned) => {
    const { step, replicas, updated, old, wait } = planned;
    const progress = progressOf(planned, rollout);
    const reached = { Done: updated, Current: Math.min(view.available, updated), Ahead: 0 };
    return { step, replicas, progress, updated, old, available: reached[progress], wait };
  });
}

function progressOf({ step = Infinity }: PlannedStep, { status }: Rollout): StepView['progress'] {
  const { currentStepIndex = 0, currentStepState } = status?.canaryStatus ?? {};
  if (currentStepState === 'Completed' || step < currentStepIndex) return 'Done';
  return step === currentStepIndex ? 'Current' : 'Ahead';
}

function replicaSetViews({ rollout, view, pods }: Facts, now: number): ReplicaSetView[] | undefined {
  if (!view) return undefined;
  const { newSet, oldSets, stableSet, minReadySeconds } = view;
  const sets = [...(newSet ? [newSet] : []), ...oldSets.filter((set) => sizeOf(set) > 0)];
  const stepStartedAt = parseTime(rollout.status?.canaryStatus?.lastUpdateTime) ?? 0;
  return sets.map((set) => {
    const own = pods.filter((pod) => isOwnedBy(pod, set) && pod.metadata.deletionTimestamp === undefined);
    const { waiting } = judgePods(own, { now, minReadySeconds, stepStartedAt, stepDeadlineSeconds: 0 });
    return {
      name: set.metadata.name,
      role: roleOf(set, newSet, stableSet),
      size: sizeOf(set),
      available: Math.max(0, own.length - waiting.length),
      pods: podViews(own, new Map(waiting.map(({ pod, why }) => [pod, why]))),
    };
  });
}

function roleOf(
  set: ReplicaSet,
  newSet: ReplicaSet | undefined,
  stableSet: ReplicaSet | undefined,
): ReplicaSetView['role'] {
  if (set !== newSet) return set === stableSet ? 'Stable' : 'Old';
  return stableSet === undefined || stableSet === set || hashOf(stableSet) === hashOf(set) ? 'Current' : 'New';
}

const podViews = (pods: readonly Pod[], troubles: ReadonlyMap<string, string>): PodView[] =>
  pods
    .map(({ metadata, spec }) => ({
      name: metadata.name,
      trouble: troubles.get(metadata.name),
      createdAt: parseTime(metadata.creationTimestamp),
      node: spec?.nodeName,
    }))
    .toSorted(
      (a, b) => Number(b.trouble !== undefined) - Number(a.trouble !== undefined) || (a.name < b.name ? -1 : 1),
    );
