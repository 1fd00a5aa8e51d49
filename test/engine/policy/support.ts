// Policies, Rollouts and a calendar for table tests.
import type { ReleasePolicy, ReleasePolicySpec } from '../../../src/api/policy.ts';
import type { CanaryStatus, CanaryStep, Rollout } from '../../../src/api/types.ts';
import type { Person } from '../../../src/engine/policy/policy.ts';

export const policy = (name: string, spec: ReleasePolicySpec): ReleasePolicy => ({
  apiVersion: 'tranche.dev/v1alpha1',
  kind: 'ReleasePolicy',
  metadata: { name },
  spec,
});

export const person = (more: Partial<Person> = {}): Person => ({
  user: 'alice',
  groups: ['dev'],
  breakGlass: undefined,
  ...more,
});

export const rolloutOf = (steps: readonly CanaryStep[], canary?: Partial<CanaryStatus>): Rollout => ({
  apiVersion: 'rollouts.kruise.io/v1beta1',
  kind: 'Rollout',
  metadata: { name: 'demo', namespace: 'shop' },
  spec: {
    workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    strategy: { canary: { steps } },
  },
  ...(canary && {
    status: {
      phase: 'Progressing',
      currentStepIndex: canary.currentStepIndex ?? 1,
      currentStepState: canary.currentStepState ?? '',
      canaryStatus: {
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
        ...canary,
      },
    },
  }),
});
