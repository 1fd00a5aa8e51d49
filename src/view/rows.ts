// The rows of a list of Rollouts.
import type { Deployment, KubeObject, PodTemplate, Rollout, Workload } from '../api/types.ts';
import { replicasOf } from '../engine/lib/replicas.ts';
import { parseTime } from '../engine/lib/time.ts';
import { DEPLOYMENTS, kindName } from '../api/resources.ts';
import { workloadArgument } from '../engine/lib/text.ts';
import { resourceOf } from './reference.ts';
import { messageOf, sinceOf, stateOf, stepsOf, type State } from './state.ts';

/** All times are in milliseconds since the epoch. */
export interface RolloutRow {
  readonly name: string;
  readonly namespace: string | undefined;
  /** The workload: `web` if it is a Deployment, `statefulset/db` if not. */
  readonly deployment: string;
  readonly state: State;
  readonly since: number | undefined;
  readonly createdAt: number | undefined;
  /** Undefined without a release in progress. */
  readonly progress: RowProgress | undefined;
  /** The release in progress, otherwise the last one. */
  readonly releaseId: string | undefined;
  readonly author: string | undefined;
  /** The images of the workload's containers; empty if it does not exist. */
  readonly images: readonly string[];
  /** The message of the operator; undefined if there is none yet. */
  readonly message: string | undefined;
}

export interface RowProgress {
  /** From 1; 0 before the first step. */
  readonly step: number;
  readonly steps: number;
  /** Pods of the new version. */
  readonly updated: number;
  /** The Pods that the workload wants; undefined if it does not exist. */
  readonly replicas: number | undefined;
}

export const keyOf = ({ metadata }: KubeObject): string => `${metadata.namespace}/${metadata.name}`;
/** The key of the workload that a Rollout names. */
export const workloadKey = (rollout: Rollout): string =>
  `${kindName(resourceOf(rollout))}/${rollout.metadata.namespace}/${rollout.spec.workloadRef.name}`;
/** The key of a workload. Items of a list may have no kind: then it is a Deployment. */
export const keyOfWorkload = (workload: KubeObject): string =>
  `${kindName({ apiVersion: DEPLOYMENTS.apiVersion, kind: DEPLOYMENTS.kind, ...workload })}/${keyOf(workload)}`;
export const byKey = (a: KubeObject, b: KubeObject): number => (keyOf(a) < keyOf(b) ? -1 : 1);

/** In the order of `rollouts`. `deployments`: the workloads of the same namespaces. */
export function rolloutRows(rollouts: readonly Rollout[], deployments: readonly Deployment[]): RolloutRow[] {
  const byName = new Map(deployments.map((deployment) => [keyOfWorkload(deployment), deployment]));
  return rollouts.map((rollout) => rowOf(rollout, byName.get(workloadKey(rollout))));
}

function rowOf(rollout: Rollout, deployment: Deployment | undefined): RolloutRow {
  const { metadata, spec, status } = rollout;
  const canary = status?.canaryStatus;
  return {
    name: metadata.name,
    namespace: metadata.namespace,
    deployment: workloadArgument(resourceOf(rollout), spec.workloadRef.name),
    state: stateOf(rollout, deployment),
    since: parseTime(sinceOf(rollout)),
    createdAt: parseTime(metadata.creationTimestamp),
    progress: status?.phase === 'Progressing' ? progressOf(rollout, deployment) : undefined,
    releaseId: canary?.observedRolloutID || undefined,
    author: status?.history?.[0]?.author,
    images: imagesOf(deployment),
    message: messageOf(rollout),
  };
}

/** Of the containers; empty without a workload. */
export const imagesOf = (workload: Workload | undefined): string[] => imagesIn(workload?.spec.template);

export function imagesIn(template: PodTemplate | undefined): string[] {
  const { containers = [] } = (template?.spec ?? {}) as { containers?: { image?: string }[] };
  return containers.flatMap(({ image }) => image ?? []);
}

const progressOf = (rollout: Rollout, deployment: Deployment | undefined): RowProgress => ({
  step: rollout.status?.canaryStatus?.currentStepIndex ?? 0,
  steps: stepsOf(rollout),
  updated: rollout.status?.canaryStatus?.canaryReplicas ?? 0,
  replicas: deployment && replicasOf(deployment),
});
