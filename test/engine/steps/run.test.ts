// What the status tells about sizes and about the step that it is at.
import assert from 'node:assert/strict';
import { ROLLOUT_ID } from '../../../src/api/keys.ts';
import type { CanaryStatus } from '../../../src/api/types.ts';
import { atStep, withNumbers } from '../../../src/engine/steps/run.ts';
import { atStep as statusAt, pod, progressOf, rows, snapshot, stage, type Stage } from '../build.ts';

const status = statusAt(1, 'StepUpgrade', {
  canary: { canaryRevision: 'known', podTemplateHash: 'known' },
}).canaryStatus!;

describe('the numbers of a status', () => {
  type Row = readonly [what: string, sketch: Stage, expected: Partial<CanaryStatus>];
  const table: readonly Row[] = [
    [
      'are those of the new version',
      { updated: 3, available: 2 },
      { canaryReplicas: 3, canaryReadyReplicas: 2, canaryRevision: 'v2', podTemplateHash: 'v2' },
    ],
    [
      'count Pods that are Ready, not those available',
      {
        updated: 1,
        record: {
          user: { paused: null, maxSurge: 1, maxUnavailable: 1, minReadySeconds: 900, progressDeadlineSeconds: null },
        },
      },
      { canaryReplicas: 1, canaryReadyReplicas: 1 },
    ],
    [
      'count no more Pods Ready than the version is to have',
      { updated: 1, pods: [pod('v2-1'), pod('v2-2')] },
      { canaryReplicas: 1, canaryReadyReplicas: 1 },
    ],
    [
      'keep the version that is known, while it is not made',
      { updated: 0 },
      { canaryReplicas: 0, canaryRevision: 'known', podTemplateHash: 'known' },
    ],
    [
      'follow the workload’s generation and the id of its release',
      { deployment: { metadata: { generation: 9, labels: { [ROLLOUT_ID]: 'mine' } } } },
      { observedWorkloadGeneration: 9, observedRolloutID: 'mine' },
    ],
    [
      'keep the id where the workload has none',
      { deployment: { labels: { [ROLLOUT_ID]: undefined } } },
      { observedRolloutID: 'r2' },
    ],
  ];
  rows(table, (sketch, expected) => {
    const now = withNumbers(status, progressOf(snapshot(stage(sketch))));
    const found = Object.fromEntries(Object.keys(expected).map((key) => [key, now[key as keyof CanaryStatus]]));
    assert.deepEqual(found, expected);
    assert.equal(now.currentStepIndex, 1, 'the rest stays');
  });
});

describe('a status that has come to a step', () => {
  it('names the step that follows, and none after the last', () => {
    assert.deepEqual(atStep(1, 3, true, 7), {
      currentStepIndex: 1,
      nextStepIndex: 2,
      keepsReplicas: true,
      stepReplicas: 7,
    });
    assert.deepEqual(atStep(2, 3, false, 7).nextStepIndex, 3);
    assert.deepEqual(atStep(3, 3, false, 7).nextStepIndex, -1);
  });
});
