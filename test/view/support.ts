// A Rollout, its Deployment, ReplicaSets and Pods as the API server has them, with what a test says of them.
import type { CanaryStatus, Deployment, Pod, ReplicaSet, Rollout, RolloutStatus } from '../../src/api/types.ts';
import { digest } from '../../src/kube/digest.ts';
import { factsOf, type Facts } from '../../src/view/facts.ts';

/** Every test looks at this moment. */
export const NOW = Date.parse('2026-01-01T01:00:00Z');
export const ago = (seconds: number): string => new Date(NOW - seconds * 1000).toISOString().replace('.000Z', 'Z');

export const rollout = (status: Partial<RolloutStatus> = {}, spec: object = {}, metadata: object = {}): Rollout =>
  ({
    apiVersion: 'rollouts.kruise.io/v1beta1',
    kind: 'Rollout',
    metadata: { name: 'web', namespace: 'shop', creationTimestamp: ago(3600), ...metadata },
    spec: {
      workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      strategy: { canary: { steps: [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }] } },
      ...spec,
    },
    ...(Object.keys(status).length > 0 ? { status } : {}),
  }) as Rollout;

/** In the middle of a release, unless it says otherwise. */
export const progressing = (
  canary: Partial<CanaryStatus> = {},
  more: Partial<RolloutStatus> = {},
): Partial<RolloutStatus> => ({
  phase: 'Progressing',
  message: 'step 1/3 done',
  canaryStatus: {
    currentStepIndex: 1,
    currentStepState: 'StepPaused',
    observedRolloutID: 'r1',
    lastUpdateTime: ago(60),
    canaryReplicas: 1,
    ...canary,
  } as CanaryStatus,
  ...more,
});

const template = (version: string): Deployment['spec']['template'] => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'app', image: `web:${version}` }] },
});

export const deployment = (version = 'v2', metadata: object = {}): Deployment =>
  ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: 'web',
      namespace: 'shop',
      uid: 'd',
      labels: { 'rollouts.kruise.io/rollout-id': 'r1' },
      ...metadata,
    },
    spec: { replicas: 4, selector: { matchLabels: { app: 'web' } }, template: template(version), strategy: {} },
  }) as Deployment;

const controller = (kind: string, uid: string): object[] => [
  { apiVersion: 'apps/v1', kind, name: 'web', uid, controller: true },
];

/** Its hash and uid are the name of its version. */
export const replicaSet = (version: string, replicas: number, revision?: number): ReplicaSet =>
  ({
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `web-${version}`,
      namespace: 'shop',
      uid: version,
      labels: { app: 'web', 'pod-template-hash': version },
      annotations: revision === undefined ? {} : { 'deployment.kubernetes.io/revision': `${revision}` },
      ownerReferences: controller('Deployment', 'd'),
    },
    spec: { replicas, selector: { matchLabels: { app: 'web' } }, template: template(version) },
    status: { replicas, availableReplicas: replicas },
  }) as unknown as ReplicaSet;

export const pod = (version: string, name: string, more: { waits?: string; deleted?: boolean } = {}): Pod =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'shop',
      uid: name,
      creationTimestamp: ago(120),
      ...(more.deleted ? { deletionTimestamp: ago(1) } : {}),
      ownerReferences: controller('ReplicaSet', version),
    },
    spec: { nodeName: 'node-1' },
    status: more.waits
      ? {
          phase: 'Pending',
          conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: ago(100) }],
          containerStatuses: [
            { name: 'app', ready: false, restartCount: 0, state: { waiting: { reason: more.waits } } },
          ],
        }
      : { phase: 'Running', conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: ago(100) }] },
  }) as unknown as Pod;

export const facts = (
  of: Rollout,
  workload: Deployment,
  replicaSets: readonly ReplicaSet[] = [],
  pods: readonly Pod[] = [],
): Facts => factsOf(of, workload, { replicaSets, pods }, { now: NOW, digest });
