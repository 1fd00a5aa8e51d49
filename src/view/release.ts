// One Rollout with its release: steps, ReplicaSets and Pods as plain data, without words for the screen.
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
  /** The Deployment that the Rollout names, whether it exists or not. */
  readonly deployment: string;
  readonly state: State;
  /** Since when `state` holds. */
  readonly since: number | undefined;
  /** What the operator says; undefined when it has said nothing yet. */
  readonly message: string | undefined;
  /** The release in progress; undefined when there is none, or no Deployment. */
  readonly release: RunningRelease | undefined;
  /** The new version first; of the others, those with Pods. Undefined without a Deployment. */
  readonly replicaSets: readonly ReplicaSetView[] | undefined;
}

export interface RunningRelease {
  readonly id: string | undefined;
  /** Who changed the Deployment, as the webhook noted it. */
  readonly author: string | undefined;
  readonly startedAt: number | undefined;
  readonly steps: readonly StepView[];
}

export interface StepView {
  /** From 1; undefined for what follows the last step natively. */
  readonly step: number | undefined;
  /** As the Rollout says it; undefined for the rest. */
  readonly replicas: IntOrString | undefined;
  readonly progress: 'Done' | 'Current' | 'Ahead';
  /** Pods that the new version has, and Pods that the old one keeps, when the step is done. */
  readonly updated: number;
  readonly old: number;
  /** Of `updated`, those that are available now; 0 for a step that is ahead. */
  readonly available: number;
  /** What has to happen after the step. */
  readonly wait: Wait;
}

export interface ReplicaSetView {
  readonly name: string;
  /** `Current`: its version is the only one that matters, and no other is stable. */
  readonly role: 'New' | 'Current' | 'Stable' | 'Old';
  /** Pods that it is to have. */
  readonly size: number;
  readonly available: number;
  /** Those that are not available first, then by name. */
  readonly pods: readonly PodView[];
}

export interface PodView {
  readonly name: string;
  /** Why it is not available, in Kubernetes' own word where there is one; undefined = available. */
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
  if (!deployment || !view) return [];
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
