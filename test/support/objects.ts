// Objects that tests of several rooms start from.
import * as keys from '../../src/api/keys.ts';
import type { CanaryStatus, Deployment } from '../../src/api/types.ts';

type Metadata = Partial<Deployment['metadata']>;
type Spec = Partial<Deployment['spec']>;

/** Ten Pods of this version, at rest. */
export const webDeployment = (version: string, spec: Spec = {}, metadata: Metadata = {}): Deployment => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    name: 'web',
    uid: 'd-1',
    generation: 1,
    labels: { app: 'web', [keys.WORKLOAD_TYPE]: 'deployment' },
    ...metadata,
  },
  spec: {
    replicas: 10,
    selector: { matchLabels: { app: 'web' } },
    progressDeadlineSeconds: 600,
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: `web:${version}` }] } },
    ...spec,
  },
  status: { observedGeneration: 1, replicas: 10, updatedReplicas: 10 },
});

/** The first step is done and waits. */
export const PAUSED_AT_STEP_1: CanaryStatus = {
  podTemplateHash: 'abc',
  canaryRevision: 'abc',
  observedRolloutID: 'r1',
  canaryReplicas: 1,
  canaryReadyReplicas: 1,
  currentStepIndex: 1,
  nextStepIndex: 2,
  currentStepState: 'StepPaused',
  finalisingStep: '',
  lastUpdateTime: '2026-01-05T10:00:00Z',
};
