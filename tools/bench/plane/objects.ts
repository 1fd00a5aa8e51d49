// The Deployments of the bench on a real control plane, their Rollouts, and what an observer reads of both.
import type { KubeObject } from '@tranche/sandbox/types';
import type { SeenPod, SeenRollout } from './releases.ts';

export const PLACES_PER_NAMESPACE = 20;
const APP = 'app.kubernetes.io/name';

export interface Place {
  readonly namespace: string;
  readonly name: string;
}

/** `group`: a prefix that no other group of Deployments has. */
export const placeOf = (group: string, index: number): Place => ({
  namespace: `${group}-${Math.floor(index / PLACES_PER_NAMESPACE)}`,
  name: `web-${index}`,
});

export const workloadOf = ({ namespace, name }: Place): string => `${namespace}/${name}`;

const imageOf = (version: string): string => `registry.example.com/web:${version}`;

/** One container, as in the documentation of Kubernetes. */
export const podTemplate = (name: string, version: string) => ({
  metadata: { labels: { [APP]: name } },
  spec: {
    containers: [
      {
        name: 'web',
        image: imageOf(version),
        ports: [{ containerPort: 8080 }],
        readinessProbe: { httpGet: { path: '/ready', port: 8080 } },
        resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '128Mi' } },
      },
    ],
  },
});

export const deployment = ({ namespace, name }: Place, replicas: number) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { namespace, name, labels: { [APP]: name } },
  spec: { replicas, selector: { matchLabels: { [APP]: name } }, template: podTemplate(name, 'v1') },
});

/** The patch that releases a version. */
export const newVersion = (version: string): object => ({
  spec: { template: { spec: { containers: [{ name: 'web', image: imageOf(version) }] } } },
});

/** Pods of the new version after each step of the Rollout, of ten. */
export const STEP_SIZES = [1, 5, 10] as const;
export const REPLICAS = 10;

export const rollout = ({ namespace, name }: Place): object => ({
  apiVersion: 'rollouts.kruise.io/v1beta1',
  kind: 'Rollout',
  metadata: { namespace, name },
  spec: {
    workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
    strategy: { canary: { steps: [1, '50%', '100%'].map((replicas) => ({ replicas, pause: { duration: 0 } })) } },
  },
});

export function seenPod({ metadata, spec, status }: KubeObject): SeenPod {
  const conditions = (status?.conditions ?? []) as readonly { type: string; status: string }[];
  return {
    uid: metadata.uid ?? '',
    workload: `${metadata.namespace}/${metadata.labels?.[APP]}`,
    version: (spec.containers[0].image as string).split(':')[1] ?? '',
    isReady: conditions.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
  };
}

export function seenRollout({ metadata, status }: KubeObject): SeenRollout {
  const { currentStepIndex, currentStepState } = (status?.canaryStatus ?? {}) as Record<string, unknown>;
  return {
    workload: `${metadata.namespace}/${metadata.name}`,
    phase: status?.phase as string | undefined,
    stepIndex: currentStepIndex as number | undefined,
    stepState: currentStepState as string | undefined,
  };
}
