// Which ReplicaSets a Deployment resizes next.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { planRolling, planScale } from '../../src/controllers/deployment/plan.ts';
import { maxSurge, maxUnavailable } from '../../src/controllers/deployment/replicas.ts';
import { aDeployment, aReplicaSet, type DeploymentShape, type ReplicaSetShape } from './support.ts';

const plan = (
  how: typeof planRolling | typeof planScale,
  shape: DeploymentShape,
  fresh: ReplicaSetShape,
  ...old: ReplicaSetShape[]
): string[] =>
  how(
    aDeployment(shape),
    aReplicaSet({ name: 'new', image: 'web:2', age: 9, ...fresh }),
    old.map((each, i) => aReplicaSet({ name: `old${i}`, age: i, ...each })),
  ).map(({ replicaSet, replicas }) => `${replicaSet.metadata.name}=${replicas}`);

describe('deployment controller: rolling update', () => {
  const rolling = (shape: DeploymentShape, fresh: ReplicaSetShape, ...old: ReplicaSetShape[]): string[] =>
    plan(planRolling, shape, fresh, ...old);
  const r10 = { replicas: 10, maxSurge: 2, maxUnavailable: 3 };

  it('grows the new version up to R + maxSurge', () => {
    assert.deepEqual(rolling(r10, { replicas: 0 }, { replicas: 10, available: 10 }), ['new=2']);
  });

  it('never grows the new version beyond R', () => {
    assert.deepEqual(
      rolling({ ...r10, maxSurge: '100%' }, { replicas: 4, available: 4 }, { replicas: 3, available: 3 }),
      ['new=10'],
    );
  });

  it('shrinks the new version when R is smaller', () => {
    assert.deepEqual(rolling(r10, { replicas: 12, available: 12 }), ['new=10']);
  });

  it('takes old Pods down to R - maxUnavailable when there is no room above', () => {
    assert.deepEqual(rolling(r10, { replicas: 2 }, { replicas: 10, available: 10 }), ['old0=7']);
  });

  it('waits while the new Pods that are not available use the budget up', () => {
    assert.deepEqual(rolling(r10, { replicas: 5 }, { replicas: 7, available: 7 }), []);
  });

  it('takes old Pods that are not available first, from the oldest version on', () => {
    assert.deepEqual(
      rolling(r10, { replicas: 2, available: 0 }, { replicas: 3, available: 1 }, { replicas: 7, available: 7 }),
      ['old0=1', 'old0=0'],
    );
  });

  it('takes no more unhealthy Pods than the budget allows', () => {
    assert.deepEqual(
      rolling({ replicas: 10, maxSurge: 0, maxUnavailable: 1 }, { replicas: 0 }, { replicas: 10, available: 0 }),
      ['old0=9'],
    );
  });

  it('changes nothing while a ReplicaSet reports more available Pods than desired: the status is outdated', () => {
    assert.deepEqual(rolling(r10, { replicas: 4, available: 4 }, { replicas: 8, available: 10 }), []);
  });

  it('is over when the new version has R Pods and no old one is left', () => {
    assert.deepEqual(rolling(r10, { replicas: 10, available: 10 }, { replicas: 0 }), []);
  });

  for (const { surge, unavailable, replicas, want } of [
    { surge: '25%', unavailable: '25%', replicas: 10, want: [3, 2] },
    { surge: '25%', unavailable: '25%', replicas: 1, want: [1, 0] },
    { surge: 0, unavailable: '25%', replicas: 2, want: [0, 1] },
    { surge: '100%', unavailable: 0, replicas: 7, want: [7, 0] },
    { surge: 0, unavailable: 20, replicas: 10, want: [0, 10] },
    { surge: '50%', unavailable: '50%', replicas: 0, want: [0, 0] },
  ]) {
    it(`resolves surge ${surge} and unavailable ${unavailable} of ${replicas} to ${want.join(' and ')}`, () => {
      const deployment = aDeployment({ replicas, maxSurge: surge, maxUnavailable: unavailable });
      assert.deepEqual([maxSurge(deployment), maxUnavailable(deployment)], want);
    });
  }
});

describe('deployment controller: scaling', () => {
  const scaled = (shape: DeploymentShape, fresh: ReplicaSetShape, ...old: ReplicaSetShape[]): string[] =>
    plan(planScale, { maxSurge: 0, maxUnavailable: 1, ...shape }, fresh, ...old);

  it('scales the only active ReplicaSet, regardless of its version', () => {
    assert.deepEqual(scaled({ replicas: 6 }, { replicas: 0 }, { replicas: 10, available: 10 }), ['old0=6']);
  });

  it('scales the newest ReplicaSet if none is active', () => {
    assert.deepEqual(scaled({ replicas: 6 }, { replicas: 0 }, { replicas: 0 }), ['new=6']);
    const only = [aReplicaSet({ name: 'a', age: 1 }), aReplicaSet({ name: 'b', age: 2 })];
    assert.deepEqual(
      planScale(aDeployment({ replicas: 6 }), undefined, only).map(({ replicaSet }) => replicaSet.metadata.name),
      ['b'],
    );
  });

  it('changes no sizes if they are right, and only updates annotations', () => {
    assert.deepEqual(scaled({ replicas: 10 }, { replicas: 5, max: 10 }, { replicas: 5, max: 10 }), ['old0=5', 'new=5']);
  });

  it('removes old versions if the new one is complete', () => {
    assert.deepEqual(scaled({ replicas: 4 }, { replicas: 4, available: 4, desired: 4 }, { replicas: 2 }), ['old0=0']);
  });

  it('does nothing with several versions under Recreate', () => {
    assert.deepEqual(scaled({ replicas: 20, strategy: 'Recreate' }, { replicas: 5 }, { replicas: 5 }), []);
  });

  it('scales every version to nothing when R is 0', () => {
    assert.deepEqual(scaled({ replicas: 0 }, { replicas: 3, max: 10 }, { replicas: 7, max: 10 }), ['old0=0', 'new=0']);
  });

  for (const { what, replicas, surge = 0, fresh, old, want } of [
    { what: 'newer first up', replicas: 21, fresh: [5, 10], old: [5, 10], want: ['new=11', 'old0=10'] },
    { what: 'largest takes the rest down', replicas: 7, fresh: [11, 21], old: [10, 21], want: ['new=4', 'old0=3'] },
    { what: 'rounding drifts', replicas: 10, fresh: [4, 7], old: [3, 7], want: ['new=6', 'old0=4'] },
    { what: 'older first down', replicas: 9, fresh: [5, 10], old: [5, 10], want: ['old0=4', 'new=5'] },
    { what: 'an absolute step grows too', replicas: 20, fresh: [1, 10], old: [9, 10], want: ['old0=18', 'new=2'] },
    { what: 'surge is kept', replicas: 20, surge: 1, fresh: [1, 11], old: [10, 11], want: ['old0=19', 'new=2'] },
    { what: 'surge is kept down', replicas: 10, surge: 1, fresh: [2, 21], old: [19, 21], want: ['old0=10', 'new=1'] },
    {
      what: 'less surge hits the largest',
      replicas: 10,
      surge: 0,
      fresh: [1, 11],
      old: [10, 11],
      want: ['old0=9', 'new=1'],
    },
  ]) {
    it(`keeps proportions: ${what}`, () => {
      assert.deepEqual(
        scaled(
          { replicas, maxSurge: surge },
          { replicas: fresh[0]!, max: fresh[1]! },
          { replicas: old[0]!, max: old[1]! },
        ),
        want,
      );
    });
  }

  it('uses the Deployment’s own count if no annotation records the size', () => {
    assert.deepEqual(scaled({ replicas: 20, status: { replicas: 10 } }, { replicas: 2 }, { replicas: 8 }), [
      'old0=16',
      'new=4',
    ]);
  });
});
