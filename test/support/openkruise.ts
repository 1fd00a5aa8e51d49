// The objects as OpenKruise Rollouts has them in the middle of a release of a Deployment.
import type { Deployment } from '../../src/api/types.ts';

const GROUP = 'rollouts.kruise.io';

export interface Release {
  readonly namespace: string;
  readonly name: string;
  /** 1-based. */
  readonly step: number;
  readonly state: string;
  readonly stable: string;
  readonly canary: string;
  /** Pods of the new version. */
  readonly updated: number;
}

/** What its controllers put on a Deployment that is released batch by batch, without the strategy. */
export const onDeployment = (
  { name, stable, updated }: Pick<Release, 'name' | 'stable' | 'updated'>,
  { partition, rollingUpdate }: { partition: number | string; rollingUpdate: object },
): Deployment['metadata'] => ({
  name,
  labels: {
    [`${GROUP}/workload-type`]: 'deployment',
    [`${GROUP}/stable-revision`]: stable,
    [`${GROUP}/controlled-by-advanced-deployment-controller`]: 'true',
  },
  annotations: {
    [`${GROUP}/in-progressing`]: JSON.stringify({ rolloutName: name }),
    [`${GROUP}/deployment-strategy`]: JSON.stringify({ rollingStyle: 'Partition', rollingUpdate, partition }),
    [`${GROUP}/deployment-extra-status`]: JSON.stringify({
      updatedReadyReplicas: updated,
      expectedUpdatedReplicas: updated,
    }),
    [`batchrelease.${GROUP}/control-info`]: JSON.stringify({
      apiVersion: `${GROUP}/v1beta1`,
      kind: 'BatchRelease',
      name,
      uid: '5e2f2f0e-0000-4000-8000-000000000000',
      controller: true,
      blockOwnerDeletion: true,
    }),
  },
});

export const rolloutStatus = ({ step, state, stable, canary, updated }: Release): object => ({
  observedGeneration: 1,
  phase: 'Progressing',
  message: `Rollout is in step(${step}/3), and you need manually confirm to enter the next step`,
  currentStepIndex: step,
  currentStepState: state,
  conditions: [
    {
      type: 'Progressing',
      status: 'True',
      reason: 'InRolling',
      message: 'Rollout is in Progressing',
      lastUpdateTime: '2026-01-01T00:00:00Z',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    },
  ],
  canaryStatus: {
    observedWorkloadGeneration: 2,
    observedRolloutID: canary,
    rolloutHash: 'bv5b2c4fzz6w5x8d',
    stableRevision: stable,
    canaryRevision: canary,
    podTemplateHash: canary,
    canaryReplicas: updated,
    canaryReadyReplicas: updated,
    currentStepIndex: step,
    nextStepIndex: step < 3 ? step + 1 : -1,
    finalisingStep: '',
    currentStepState: state,
    message: 'BatchRelease is at state Ready',
    lastUpdateTime: '2026-01-01T00:00:00Z',
  },
});

export const rollout = (
  { namespace, name }: Pick<Release, 'namespace' | 'name'>,
  steps: readonly object[],
): object => ({
  apiVersion: `${GROUP}/v1beta1`,
  kind: 'Rollout',
  metadata: {
    name,
    namespace,
    finalizers: [`${GROUP}/rollout`],
    annotations: { [`${GROUP}/hash`]: 'bv5b2c4fzz6w5x8d' },
  },
  spec: {
    disabled: false,
    workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
    strategy: { canary: { enableExtraWorkloadForCanary: false, steps } },
  },
});

export const batchRelease = (
  { namespace, name, step }: Pick<Release, 'namespace' | 'name' | 'step'>,
  steps: readonly { replicas: unknown }[],
  owner: string,
): object => ({
  apiVersion: `${GROUP}/v1beta1`,
  kind: 'BatchRelease',
  metadata: {
    name,
    namespace,
    finalizers: [`${GROUP}/batch-release-finalizer`],
    ownerReferences: [
      { apiVersion: `${GROUP}/v1beta1`, kind: 'Rollout', name, uid: owner, controller: true, blockOwnerDeletion: true },
    ],
  },
  spec: {
    workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
    releasePlan: {
      batches: steps.map(({ replicas }) => ({ canaryReplicas: replicas })),
      batchPartition: step - 1,
      rollingStyle: 'Partition',
    },
  },
});
