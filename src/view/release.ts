// One Rollout with its release as plain data: steps, ReplicaSets and Pods.
import type { StepAnalysis } from '../api/analysis.ts';
import { CHANGED_BY, ROLLOUT_ID } from '../api/keys.ts';
import type { IntOrString, Pod, Rollout } from '../api/types.ts';
import { parseTime } from '../engine/lib/time.ts';
import { planRelease, type Wait } from '../engine/steps/plan.ts';
import { judgePods } from '../engine/steps/pod-health.ts';
import type { Progress, Version } from '../engine/workload/kind.ts';
import { checkViews, type CheckView } from './checks.ts';
import { kindFor, versionsOf, type Facts } from './facts.ts';
import { requestsNow, requestsOf, type RequestsView } from './requests.ts';
import { messageOf, sinceOf, stateOf, type State } from './state.ts';

/** All times are in milliseconds since the epoch. */
export interface ReleaseView {
  readonly name: string;
  readonly namespace: string | undefined;
  /** The kind and the name of the workload, which may not exist. */
  readonly kind: string;
  readonly deployment: string;
  /** The kind of the objects in `replicaSets`. */
  readonly keeper: string;
  readonly state: State;
  /** The time of the last change of `state`. */
  readonly since: number | undefined;
  /** The message of the operator; undefined if there is none yet. */
  readonly message: string | undefined;
  /** The release in progress; undefined without one, or without a workload. */
  readonly release: RunningRelease | undefined;
  /** The new version, then the others that have Pods. Undefined without a workload. */
  readonly replicaSets: readonly ReplicaSetView[] | undefined;
}

export interface RunningRelease {
  readonly id: string | undefined;
  /** The user who changed the workload, as recorded by the webhook. */
  readonly author: string | undefined;
  readonly startedAt: number | undefined;
  readonly steps: readonly StepView[];
  readonly checks: readonly CheckView[];
  /** What the route of the release does now. */
  readonly requests?: RequestsView;
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
  /** How long the checks will watch the step before it waits. Absent: they do not, or they have begun. */
  readonly watched?: StepAnalysis;
  /** The wait after the step. */
  readonly wait: Wait;
  /** What the step sends to the new version. Absent: the share of its Pods. */
  readonly requests?: string;
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
    kind: kindFor(rollout).resource.kind,
    deployment: rollout.spec.workloadRef.name,
    keeper: kindFor(rollout).words.keeper,
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
  const requests = requestsNow(rollout);
  return {
    id: deployment.metadata.labels?.[ROLLOUT_ID],
    author: deployment.metadata.annotations?.[CHANGED_BY],
    startedAt: parseTime(rollout.status.history?.[0]?.startTime),
    steps: stepViews(facts),
    checks: checkViews(rollout),
    ...(requests && { requests }),
  };
}

/** States in which the current step is watched, or has been. */
const BEGUN = new Set<string | undefined>(['StepMetricsAnalysis', 'StepPaused', 'StepReady']);

export function stepViews({ rollout, deployment, view }: Facts): StepView[] {
  const state = rollout.status?.canaryStatus?.currentStepState;
  // A version that is restored has no steps.
  if (!deployment || !view || rollout.status?.canaryStatus?.restores !== undefined) return [];
  return planRelease(rollout, deployment, { kind: kindFor(rollout) }).steps.map((planned) => {
    const { step, replicas, updated, old, wait } = planned;
    const requests = step === undefined ? undefined : requestsOf(rollout, step - 1, updated + old);
    const progress = progressOf(step, rollout);
    const reached = { Done: updated, Current: Math.min(view.available, updated), Ahead: 0 };
    const watched = progress === 'Done' || (progress === 'Current' && BEGUN.has(state)) ? undefined : planned.watched;
    return {
      step,
      replicas,
      progress,
      updated,
      old,
      available: reached[progress],
      ...(watched && { watched }),
      wait,
      ...(requests !== undefined && { requests }),
    };
  });
}

/** `step`: undefined for the Pods after the last step. */
export function progressOf(step = Infinity, { status }: Rollout): StepView['progress'] {
  const { currentStepIndex = 0, currentStepState } = status?.canaryStatus ?? {};
  if (currentStepState === 'Completed' || step < currentStepIndex) return 'Done';
  return step === currentStepIndex ? 'Current' : 'Ahead';
}

function replicaSetViews({ rollout, view, pods }: Facts, now: number): ReplicaSetView[] | undefined {
  if (!view) return undefined;
  const { kind, workload, newVersion, minReadySeconds } = view;
  const shown = versionsOf(view).filter((version) => version === newVersion || version.replicas > 0);
  const stepStartedAt = parseTime(rollout.status?.canaryStatus?.lastUpdateTime) ?? 0;
  return shown.map((version) => {
    const own = kind.podsOf(workload, version, pods).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    const { waiting } = judgePods(own, { now, minReadySeconds, stepStartedAt, stepDeadlineSeconds: 0 });
    return {
      name: version.keeper.metadata.name,
      role: roleOf(version, view),
      size: version.replicas,
      available: Math.max(0, own.length - waiting.length),
      pods: podViews(own, new Map(waiting.map(({ pod, why }) => [pod, why]))),
    };
  });
}

export function roleOf(version: Version, { newVersion, stableVersion }: Progress): ReplicaSetView['role'] {
  if (version !== newVersion) return version === stableVersion ? 'Stable' : 'Old';
  return stableVersion === undefined || stableVersion.revision === version.revision ? 'Current' : 'New';
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
