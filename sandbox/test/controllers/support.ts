// Builders of Deployments, ReplicaSets and Pods for the controllers' tests, and a cluster in virtual time.
import type { KubeObject } from '../../src/core/types.ts';
import { VirtualCluster, type VirtualOptions } from '../../src/virtual.ts';

export interface DeploymentShape {
  name?: string;
  replicas?: number;
  image?: string;
  maxSurge?: number | string;
  maxUnavailable?: number | string;
  strategy?: 'RollingUpdate' | 'Recreate';
  minReadySeconds?: number;
  progressDeadlineSeconds?: number;
  revisionHistoryLimit?: number;
  paused?: boolean;
  annotations?: Record<string, string>;
  nodeSelector?: Record<string, string>;
  status?: object;
}

export const template = (image: string, labels: Record<string, string> = { app: 'web' }): object => ({
  metadata: { labels },
  spec: {
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    containers: [{ name: 'web', image }],
  },
});

export const aDeployment = ({
  name = 'web',
  replicas = 10,
  image = 'web:1',
  maxSurge = '25%',
  maxUnavailable = '25%',
  strategy = 'RollingUpdate',
  minReadySeconds,
  progressDeadlineSeconds = 600,
  revisionHistoryLimit = 10,
  paused,
  annotations,
  nodeSelector,
  status,
}: DeploymentShape = {}): KubeObject => {
  const pods = template(image) as { spec: object };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-of-${name}`,
      generation: 1,
      ...(annotations ? { annotations } : {}),
    },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'web' } },
      strategy:
        strategy === 'Recreate' ? { type: strategy } : { type: strategy, rollingUpdate: { maxSurge, maxUnavailable } },
      ...(minReadySeconds ? { minReadySeconds } : {}),
      ...(paused ? { paused } : {}),
      progressDeadlineSeconds,
      revisionHistoryLimit,
      template: nodeSelector ? { ...pods, spec: { ...pods.spec, nodeSelector } } : pods,
    },
    ...(status ? { status } : {}),
  };
};

export interface ReplicaSetShape {
  name?: string;
  replicas?: number;
  available?: number;
  /** Default: as many as replicas. */
  actual?: number;
  image?: string;
  /** Second of creation. */
  age?: number;
  desired?: number;
  max?: number;
  revision?: number;
  annotations?: Record<string, string>;
}

export const aReplicaSet = ({
  name = 'rs',
  replicas = 0,
  available = 0,
  actual = replicas,
  image = 'web:1',
  age = 0,
  desired,
  max,
  revision,
  annotations,
}: ReplicaSetShape = {}): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: {
    name,
    namespace: 'default',
    uid: `uid-of-${name}`,
    generation: 1,
    creationTimestamp: new Date(Date.UTC(2026, 0, 1, 0, 0, age)).toISOString().replace('.000', ''),
    annotations: {
      ...(desired === undefined ? {} : { 'deployment.kubernetes.io/desired-replicas': String(desired) }),
      ...(max === undefined ? {} : { 'deployment.kubernetes.io/max-replicas': String(max) }),
      ...(revision === undefined ? {} : { 'deployment.kubernetes.io/revision': String(revision) }),
      ...annotations,
    },
  },
  spec: { replicas, template: template(image, { app: 'web', 'pod-template-hash': name }) },
  status: { replicas: actual, availableReplicas: available, terminatingReplicas: 0, observedGeneration: 1 },
});

export const aCluster = (options: Partial<VirtualOptions> = {}): Promise<VirtualCluster> =>
  new VirtualCluster({ seed: 1, ...options }).start();

/** A cluster with one Deployment, all of whose Pods are there. */
export const aRunningDeployment = async (
  shape: DeploymentShape = {},
  options: Partial<VirtualOptions> = {},
): Promise<VirtualCluster> => {
  const cluster = await aCluster(options);
  await cluster.createDeployment(aDeployment(shape));
  const replicas = shape.replicas ?? 10;
  const name = shape.name ?? 'web';
  const ready = await cluster.until(
    () => (cluster.deployment(name)?.status?.availableReplicas ?? 0) === replicas,
    3_600_000,
  );
  if (!ready) throw new Error(`no ${replicas} Pods: ${JSON.stringify(cluster.deployment(name)?.status)}`);
  await cluster.settled();
  return cluster;
};

export const imagePatch = (image: string): object => ({
  template: { spec: { containers: [{ name: 'web', image }] } },
});

/** Sizes of the ReplicaSets by image. */
export const sizes = (cluster: VirtualCluster): Record<string, number> =>
  Object.fromEntries(
    cluster
      .replicaSets()
      .map((each) => [each.spec.template.spec.containers[0].image as string, each.spec.replicas as number]),
  );

export const isAvailable = (pod: KubeObject): boolean =>
  !pod.metadata.deletionTimestamp &&
  ((pod.status?.conditions ?? []) as { type: string; status: string }[]).some(
    ({ type, status }) => type === 'Ready' && status === 'True',
  );

export const condition = (
  object: KubeObject | undefined,
  type: string,
): { status: string; reason?: string; message?: string } | undefined =>
  ((object?.status?.conditions ?? []) as { type: string; status: string; reason?: string; message?: string }[]).find(
    (each) => each.type === type,
  );
