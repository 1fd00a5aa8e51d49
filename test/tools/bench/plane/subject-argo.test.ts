// What the status of Argo's Rollout says, and what is no checkout of Argo Rollouts.
import assert from 'node:assert/strict';
import type { KubeObject } from '@tranche/sandbox/types';
import { ChoiceError } from '../../../../tools/bench/plane/choice.ts';
import { argo, seenArgo } from '../../../../tools/bench/plane/subject-argo.ts';

const rollout = (status: object | undefined): KubeObject =>
  ({
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'Rollout',
    metadata: { namespace: 'app-0', name: 'web-0', generation: 2 },
    ...(status && { status }),
  }) as KubeObject;

describe('a Rollout of Argo Rollouts', () => {
  const workload = 'app-0/web-0';
  for (const [what, status, seen] of [
    ['has no status', undefined, { workload }],
    [
      'has the status of an earlier spec',
      { observedGeneration: '1', phase: 'Healthy', currentStepIndex: 2 },
      { workload },
    ],
    [
      'is in its first step',
      { observedGeneration: '2', phase: 'Progressing', currentStepIndex: 0 },
      { workload, phase: 'Progressing', stepIndex: 1 },
    ],
    [
      'has finished its steps',
      { observedGeneration: '2', phase: 'Progressing', currentStepIndex: 2 },
      { workload, phase: 'Progressing', stepIndex: 3 },
    ],
    [
      'is done',
      { observedGeneration: '2', phase: 'Healthy', currentStepIndex: 2 },
      { workload, phase: 'Healthy', stepIndex: 3 },
    ],
  ] as const)
    it(what, () => assert.deepEqual(seenArgo(rollout(status)), seen));
});

describe('the variable ARGO', () => {
  it('names a checkout with the built program', () => {
    const isChoiceError = (error: unknown): boolean => error instanceof ChoiceError && /^ARGO: /.test(error.message);
    assert.throws(() => argo('/nowhere'), isChoiceError);
  });
});
