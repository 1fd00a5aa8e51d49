// Policies, Rollouts and a calendar for table tests.
import type { ReleasePolicy, ReleasePolicySpec } from '../../../src/api/policy.ts';
import type { CanaryStatus, CanaryStep, Rollout } from '../../../src/api/types.ts';
import { PAUSED_AT_STEP_1 } from '../../support/objects.ts';
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
        ...PAUSED_AT_STEP_1,
        ...canary,
      },
    },
  }),
});
