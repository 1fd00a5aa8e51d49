// What the status of OpenKruise's Rollout says, and what is no checkout of OpenKruise Rollouts.
import assert from 'node:assert/strict';
import type { KubeObject } from '@tranche/sandbox/types';
import { ChoiceError } from '../../../../tools/bench/plane/choice.ts';
import { kruise, seenKruise } from '../../../../tools/bench/plane/subject-kruise.ts';

const rollout = (reason: string): KubeObject =>
  ({
    apiVersion: 'rollouts.kruise.io/v1beta1',
    kind: 'Rollout',
    metadata: { namespace: 'app-0', name: 'web-0' },
    status: {
      phase: 'Progressing',
      conditions: [{ type: 'Progressing', status: 'True', reason }],
      canaryStatus: { currentStepIndex: 3, currentStepState: 'Completed' },
    },
  }) as unknown as KubeObject;

describe('a Rollout of OpenKruise Rollouts', () => {
  const [workload, phase] = ['app-0/web-0', 'Progressing'];

  it('shows the step of its release', () => {
    const seen = { workload, phase, stepIndex: 3, stepState: 'Completed' };
    assert.deepEqual(seenKruise(rollout('InRolling')), seen);
  });

  it('does not show that of the last release', () => {
    assert.deepEqual(seenKruise(rollout('Initializing')), { workload, phase });
  });
});

describe('the variable KRUISE', () => {
  it('names a checkout with the built program', () => {
    const isChoiceError = (error: unknown): boolean => error instanceof ChoiceError && /^KRUISE: /.test(error.message);
    assert.throws(() => kruise('/nowhere'), isChoiceError);
  });
});
