// A workload at rest: when no child need be looked at, and what of the status follows the workload.
import assert from 'node:assert/strict';
import { HELD, ROLLOUT_ID } from '../../../src/api/keys.ts';
import type { CanaryStatus, RolloutStatus } from '../../../src/api/types.ts';
import { idle } from '../../../src/engine/messages.ts';
import { isIdle, rest } from '../../../src/engine/release/rest.ts';
import { conditionOf } from '../../../src/engine/status.ts';
import { deploymentKind } from '../../../src/engine/workload/deployment/kind.ts';
import {
  condition,
  deployment,
  healthy,
  rollout,
  rows,
  snapshot,
  type DeploymentSketch,
  type StatusSketch,
} from '../build.ts';

describe('a workload is at rest', () => {
  const table: readonly (readonly [
    what: string,
    status: RolloutStatus | undefined,
    workload: DeploymentSketch,
    idle: boolean,
  ])[] = [
    ['with the template that is known', healthy(), {}, true],
    ['scaled, or with another id', healthy(), { replicas: 3, labels: { [ROLLOUT_ID]: 'mine' } }, true],
    ['not with another template', healthy(), { version: 'v2' }, false],
    ['not with a record on it', healthy(), { annotations: { [HELD]: '{' } }, false],
    ['not during a release', healthy('v1', { phase: 'Progressing' }), {}, false],
    ['not when nothing is known', undefined, {}, false],
  ];
  rows(table, (status, sketch, expected) => {
    const shot = snapshot({ rollout: rollout(status ? { status } : {}), workload: deployment(sketch) });
    assert.equal(isIdle(shot, deployment(sketch)), expected);
  });
});

describe('at rest, the status', () => {
  const canaryOf = (status: StatusSketch, workload: DeploymentSketch): CanaryStatus => {
    const { canary } = rest(
      snapshot({ rollout: rollout({ status: healthy('v1', status) }) }),
      deploymentKind,
      deployment(workload),
    );
    assert.ok(canary);
    return canary;
  };
  type Row = readonly [
    what: string,
    canary: Partial<CanaryStatus>,
    workload: DeploymentSketch,
    expected: Partial<CanaryStatus>,
  ];
  const seen = (generation: number, replicas: number, readyReplicas = replicas): DeploymentSketch => ({
    replicas,
    metadata: { generation },
    status: { observedGeneration: generation, replicas, readyReplicas },
  });
  const table: readonly Row[] = [
    [
      'stays',
      {},
      {},
      { canaryReplicas: 10, canaryReadyReplicas: 10, observedRolloutID: 'r1', observedWorkloadGeneration: 5 },
    ],
    [
      'follows a scale when the controller has seen it',
      {},
      seen(6, 4),
      { observedWorkloadGeneration: 6, canaryReplicas: 4, canaryReadyReplicas: 4 },
    ],
    [
      'does not before',
      {},
      { ...seen(6, 4), status: { observedGeneration: 5 } },
      { observedWorkloadGeneration: 5, canaryReplicas: 10 },
    ],
    ['counts Pods that are Ready then', {}, seen(6, 12, 7), { canaryReplicas: 12, canaryReadyReplicas: 7 }],
    ['counts no more than there are to be', {}, seen(6, 4, 9), { canaryReplicas: 4, canaryReadyReplicas: 4 }],
    ['is written once more when all are Ready', { canaryReadyReplicas: 7 }, {}, { canaryReadyReplicas: 10 }],
    ['is not written for each Pod before', { canaryReadyReplicas: 7 }, seen(5, 10, 9), { canaryReadyReplicas: 7 }],
    [
      'does not take all for Ready that it does not know of',
      { canaryReplicas: 8, canaryReadyReplicas: 7 },
      {},
      { canaryReplicas: 8, canaryReadyReplicas: 7 },
    ],
    [
      'follows an id that is set at rest, and keeps that of the last release',
      {},
      { labels: { [ROLLOUT_ID]: 'mine' } },
      { observedRolloutID: 'mine', releasedRolloutID: 'r1' },
    ],
    [
      'keeps it when another id is set after that',
      { observedRolloutID: 'mine', releasedRolloutID: 'r1' },
      { labels: { [ROLLOUT_ID]: 'other' } },
      { observedRolloutID: 'other', releasedRolloutID: 'r1' },
    ],
    [
      'is that of the last release again',
      { observedRolloutID: 'mine', releasedRolloutID: 'r1' },
      { labels: { [ROLLOUT_ID]: 'r1' } },
      { observedRolloutID: 'r1' },
    ],
    [
      'keeps the id of a release that was rolled back',
      { observedRolloutID: 'rollback-r1' },
      {},
      { observedRolloutID: 'rollback-r1', releasedRolloutID: undefined! },
    ],
    [
      'keeps the id where it is taken off',
      {},
      { labels: { [ROLLOUT_ID]: undefined } },
      { observedRolloutID: 'r1', releasedRolloutID: undefined! },
    ],
    ['names no step that there is not', { currentStepIndex: 5 }, {}, { currentStepIndex: 3 }],
    ['stays at the step where it ended', { currentStepIndex: 2 }, {}, { currentStepIndex: 2 }],
  ];
  rows(table, (canary, workload, expected) => {
    const now = canaryOf({ canary }, workload);
    assert.deepEqual(
      Object.fromEntries(Object.keys(expected).map((key) => [key, now[key as keyof CanaryStatus]])),
      expected,
    );
  });

  it('has the digest of the plan as it is', () => {
    assert.match(canaryOf({}, {}).rolloutHash ?? '', /^[0-9a-f]{64}$/);
  });

  it('is stalled no more', () => {
    const stalled = { conditions: [condition('Stalled', 'True', 'WorkloadTaken')] };
    const draft = rest(
      snapshot({ rollout: rollout({ status: healthy('v1', stalled) }) }),
      deploymentKind,
      deployment(),
    );
    assert.equal(draft.message, idle);
    assert.equal(conditionOf(draft.conditions, 'Stalled')?.status, 'False');
    const well = rest(snapshot({ rollout: rollout({ status: healthy() }) }), deploymentKind, deployment());
    assert.deepEqual([well.message, well.conditions], ['as it was', []]);
  });

  it('of a Rollout that has none yet gets none', () => {
    assert.equal(rest(snapshot(), deploymentKind, deployment()).canary, undefined);
  });
});
