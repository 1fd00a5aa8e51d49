// Reviews as an API server sends them, and an admission server with caches made of plain lists.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { CanaryStatus, Deployment, Rollout } from '../../src/api/types.ts';
import { templateDigest } from '../../src/engine/lib/template.ts';
import type { AdmissionDeps } from '../../src/admission/deps.ts';
import { webDeployment } from '../support/objects.ts';
import type { Answer } from '../../src/admission/review.ts';

export type Json = Record<string, unknown>;

export const OPERATOR = 'system:serviceaccount:tranche-system:tranche';

export const aDeployment = (tag = 'v1', metadata: Partial<Deployment['metadata']> = {}): Deployment =>
  webDeployment(tag, {}, { namespace: 'default', ...metadata });

export const aRollout = (...replicas: (number | string)[]): Rollout => ({
  apiVersion: 'rollouts.kruise.io/v1beta1',
  kind: 'Rollout',
  metadata: { name: 'demo', namespace: 'default', uid: 'r-1' },
  spec: {
    workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    strategy: { canary: { steps: replicas.map((value) => ({ replicas: value })) } },
  },
});

/** The same as a user of v1alpha1 writes it. */
export const aV1alpha1Rollout = (annotations: Record<string, string>, ...replicas: (number | string)[]): Json => ({
  apiVersion: 'rollouts.kruise.io/v1alpha1',
  kind: 'Rollout',
  metadata: { name: 'demo', namespace: 'default', annotations },
  spec: {
    objectRef: { workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' } },
    strategy: { canary: { steps: replicas.map((value) => ({ replicas: value })) } },
  },
});

/** An AdmissionReview: an update when there is an old object. */
export const aReview = (object: object, oldObject?: object, more: Json = {}): Json => {
  const { apiVersion, kind, metadata } = object as { apiVersion: string; kind: string; metadata: { name: string } };
  const [version, group = ''] = apiVersion.split('/').reverse();
  const gvk = { group, version, kind };
  return {
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      uid: 'review-1',
      kind: gvk,
      requestKind: gvk,
      name: metadata.name,
      namespace: 'default',
      operation: oldObject === undefined ? 'CREATE' : 'UPDATE',
      userInfo: { username: 'alice', groups: ['system:authenticated'] },
      object,
      oldObject: oldObject ?? null,
      dryRun: false,
      options: { kind: 'UpdateOptions', apiVersion: 'meta.k8s.io/v1', fieldManager: 'kubectl-patch' },
      ...more,
    },
  };
};

export interface Caches {
  readonly rollouts?: readonly Rollout[];
  readonly deployments?: readonly Deployment[];
}

export const someDeps = (caches: Caches = {}, more: Partial<AdmissionDeps> = {}): AdmissionDeps => ({
  tls: { key: '', cert: '' },
  operatorUser: OPERATOR,
  warnings: true,
  notReady: () => undefined,
  rolloutFor: (namespace, kind, name) =>
    caches.rollouts?.find(
      ({ metadata, spec }) =>
        metadata.namespace === namespace &&
        spec.workloadRef.kind === kind.resource.kind &&
        spec.workloadRef.name === name,
    ),
  workloadFor: (_kind, namespace, name) =>
    caches.deployments?.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name),
  ...more,
});

/** An answer for which nobody has to be asked. */
export const atOnce = (answer: Answer | Promise<Answer>): Answer => {
  assert.ok(!(answer instanceof Promise), 'answered without asking the API server');
  return answer;
};

/** The Rollout as the operator leaves it when this Deployment is at rest. */
export function atRest(rollout: Rollout, { spec }: Deployment): Rollout {
  const digest = templateDigest(spec.template, (text) => createHash('sha256').update(text).digest('hex'));
  const steps = rollout.spec.strategy.canary?.steps?.length ?? 0;
  const canaryStatus: CanaryStatus = {
    podTemplateHash: '',
    canaryReplicas: 0,
    canaryReadyReplicas: 0,
    currentStepIndex: steps,
    nextStepIndex: -1,
    currentStepState: 'Completed',
    finalisingStep: '',
    templateDigest: digest,
    stableDigest: digest,
  };
  return {
    ...rollout,
    status: { phase: 'Healthy', currentStepIndex: steps, currentStepState: 'Completed', canaryStatus },
  };
}
