// Pods that are due and that nobody makes: how many, since when, and what Kubernetes says about it.
import assert from 'node:assert/strict';
import type { Condition } from '../../../src/api/types.ts';
import { dueSince, lacksVersion, missingPods } from '../../../src/engine/steps/missing.ts';
import type { Run } from '../../../src/engine/steps/run.ts';
import { ago, atStep, NOW, pods, replicaSet, rollout, rows, runOf, stage, type Stage } from '../build.ts';

/** The step began a minute ago. */
const run = (sketch: Stage = {}): Run =>
  runOf({ rollout: rollout({ status: atStep(1, 'StepUpgrade') }), ...stage(sketch) });
const moved = (seconds: number): Stage => ({ record: { moved: ago(seconds) } });
const failure = (more: Partial<Condition> = {}): Condition => ({
  type: 'ReplicaFailure',
  status: 'True',
  reason: 'FailedCreate',
  message: 'exceeded quota: pods=9',
  lastTransitionTime: ago(50),
  ...more,
});
/** Two Pods are to be there, and one is. */
const oneOfTwo = (conditions: readonly Condition[]): Run => {
  const { workload, children } = stage({ updated: 2 });
  const sets = [children.replicaSets[0]!, replicaSet('v2', { size: 2, status: { conditions } })];
  return runOf({
    rollout: rollout({ status: atStep(1, 'StepUpgrade') }),
    workload,
    children: { replicaSets: sets, pods: pods('v2', 1) },
  });
};
const one = 'ReplicaSet web-v2';
const noSet =
  'the ReplicaSet of the new version is not created; for the reason, run: kubectl describe deployment web -n shop';
const progressing = (reason: string, status = 'False'): Condition => ({
  type: 'Progressing',
  status,
  reason,
  message: 'no',
  lastUpdateTime: ago(40),
});

describe('the Pods that are missing', () => {
  const table: readonly (readonly [what: string, run: Run, missing: ReturnType<typeof missingPods>])[] = [
    ['are none when all are there', run({ updated: 2 }), undefined],
    ['are none when there are more than wanted', run({ updated: 1, pods: pods('v2', 3) }), undefined],
    ['are counted', oneOfTwo([]), { pod: one, pods: 1, why: '1 Pod is not created' }],
    [
      'are told with what the ReplicaSet says',
      oneOfTwo([failure()]),
      { pod: one, pods: 1, why: '1 Pod is not created: exceeded quota: pods=9', refusedAt: NOW - 50_000 },
    ],
    [
      'are told with its reason where it says nothing',
      oneOfTwo([failure({ message: '' })]),
      { pod: one, pods: 1, why: '1 Pod is not created: FailedCreate', refusedAt: NOW - 50_000 },
    ],
    [
      'are told since the last update where nothing says when it began',
      oneOfTwo([failure({ lastTransitionTime: undefined!, lastUpdateTime: ago(20) })]),
      { pod: one, pods: 1, why: '1 Pod is not created: exceeded quota: pods=9', refusedAt: NOW - 20_000 },
    ],
    [
      'are told without what is over',
      oneOfTwo([failure({ status: 'False' })]),
      { pod: one, pods: 1, why: '1 Pod is not created' },
    ],
    [
      'are not those that it could not delete',
      oneOfTwo([failure({ reason: 'FailedDelete' })]),
      { pod: one, pods: 1, why: '1 Pod is not created' },
    ],
    ['are not asked for before they are granted', run(moved(61)), undefined],
    [
      'are those of the step where there is no ReplicaSet',
      run(moved(60)),
      { pod: 'Deployment web', pods: 2, why: noSet },
    ],
    [
      'are told with what the Deployment says then',
      run({ ...moved(60), deployment: { status: { conditions: [progressing('ReplicaSetCreateError')] } } }),
      { pod: 'Deployment web', pods: 2, why: `${noSet}: no`, refusedAt: NOW - 40_000 },
    ],
  ];
  rows(table, (of, missing) => assert.deepEqual(missingPods(of), missing));
});

describe('no version at all', () => {
  it('is what a workload lacks only when Pods were granted in this step', () => {
    assert.equal(lacksVersion(run(moved(60))), true);
    assert.equal(lacksVersion(run(moved(61))), false);
    assert.equal(lacksVersion(run()), false, 'never granted');
    assert.equal(lacksVersion(run({ updated: 1, ...moved(10) })), false, 'made');
  });
});

describe('Pods are due', () => {
  const table: readonly (readonly [what: string, sketch: Stage, due: number])[] = [
    ['since the step began', {}, 60],
    ['since the last of them were granted', moved(30), 30],
    ['not since before the step', moved(90), 60],
    ['never later than now: another clock was ahead', moved(-90), 0],
  ];
  rows(table, (sketch, due) => assert.equal(dueSince(run(sketch)), NOW - due * 1000));
});
