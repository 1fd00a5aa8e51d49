import assert from 'node:assert/strict';
import type { Deployment, Pod, ReplicaSet, Rollout } from '../../../../src/api/types.ts';
import { deploymentKind } from '../../../../src/engine/workload/deployment/kind.ts';
import type { View } from '../../../../src/engine/workload/deployment/view.ts';
import { readySince } from '../../../../src/engine/workload/pods.ts';
import {
  ago,
  atStep,
  healthy,
  NOW,
  pod,
  progressOf,
  replicaSet,
  rollout,
  rows,
  snapshot,
  stage,
  USER,
  type Stage,
} from '../../build.ts';

const readyPod = (status: string, lastTransitionTime: string): Pod => ({
  metadata: { name: 'demo-1' },
  status: { conditions: [{ type: 'Ready', status, lastTransitionTime }] },
});

describe('since when a Pod is Ready', () => {
  it('is what it says, and nothing when it is not', () => {
    assert.equal(readySince(readyPod('True', '2026-01-01T11:59:00Z'), NOW), NOW - 60_000);
    assert.equal(readySince(readyPod('False', '2026-01-01T11:59:00Z'), NOW), undefined);
  });

  it('is now where our clock is behind: a Pod without minReadySeconds is available at once', () => {
    assert.equal(readySince(readyPod('True', '2026-01-01T17:00:00Z'), NOW), NOW);
  });
});

describe('what a Deployment and its children say', () => {
  it('counts ReplicaSets and Pods of its own only, and sorts the old ones by age', () => {
    const { workload } = stage({ version: 'v3' });
    const sets = ['v2', 'v1', 'v0'].map((version) => replicaSet(version, { size: 2 }));
    const foreign = replicaSet('v9', { metadata: { ownerReferences: [] } });
    const same = replicaSet('v5', { size: 1, metadata: { creationTimestamp: sets[1]!.metadata.creationTimestamp! } });
    const view = progressOf(snapshot({ workload, children: { replicaSets: [...sets, foreign, same], pods: [] } }));
    assert.deepEqual(
      view.oldSets.map(({ metadata }) => metadata.name),
      ['web-v0', 'web-v1', 'web-v5', 'web-v2'],
    );
    assert.deepEqual([view.old, view.newVersion, view.updated], [7, undefined, 0]);
  });

  const user = (minReadySeconds: number) => ({ user: { ...USER, minReadySeconds } });
  const available: readonly (readonly [
    what: string,
    sketch: Stage,
    available: number,
    availableIn: number | undefined,
  ])[] = [
    ['counts Pods that have been Ready for long enough', { updated: 3, record: user(60) }, 3, undefined],
    ['does not count those that have not', { updated: 3, record: user(61) }, 0, 1],
    [
      'counts none that is on its way out',
      { updated: 2, pods: [pod('a'), pod('b', { metadata: { deletionTimestamp: ago(1) } })] },
      1,
      undefined,
    ],
    ['counts no more than there are to be', { updated: 1, pods: [pod('a'), pod('b')] }, 1, undefined],
    [
      'tells when the first of the others is available',
      { updated: 2, record: user(100), pods: [pod('a', { ready: 20 }), pod('b', { ready: 30 })] },
      0,
      70,
    ],
  ];
  rows(available, (sketch, count, availableIn) => {
    const view = progressOf(snapshot(stage(sketch)));
    assert.deepEqual(
      [view.available, view.availableAt],
      [count, availableIn === undefined ? undefined : NOW + availableIn * 1000],
    );
  });

  it('tells when the first of the old Pods is available, and which ReplicaSets lack some', () => {
    const view = (minReadySeconds: number): View =>
      progressOf(snapshot(stage({ updated: 2, record: user(minReadySeconds) })));
    assert.deepEqual([view(90).oldAvailableAt, view(60).oldAvailableAt], [NOW + 30_000, undefined]);
    assert.deepEqual([view(90).lacking.length, view(60).lacking.length], [1, 0]);
    const gone = stage({ updated: 2, lacking: 1 });
    assert.deepEqual(
      progressOf(snapshot(gone)).lacking.map(({ metadata }) => metadata.name),
      ['web-v1'],
    );
    const going = {
      ...gone.children,
      pods: gone.children.pods.map((one) => ({ ...one, metadata: { ...one.metadata, deletionTimestamp: ago(1) } })),
    };
    assert.equal(progressOf(snapshot({ ...gone, children: going })).oldAvailableAt, undefined);
  });

  describe('the ReplicaSet controller may count an old Pod as available', () => {
    const table: readonly (readonly [
      what: string,
      minReadySeconds: number,
      set: { readonly available: number; readonly marked?: boolean },
      until: number | undefined,
    ])[] = [
      ['within five seconds, if it has just been Ready for minReadySeconds', 60, { available: 7 }, NOW + 5_000],
      ['within the rest of them', 56, { available: 7 }, NOW + 1_000],
      ['any time, if they are over', 55, { available: 7 }, undefined],
      ['later, if it has not been Ready for minReadySeconds', 61, { available: 0 }, undefined],
      ['and has done so, if it counts all', 60, { available: 8 }, undefined],
      ['never, if it is marked', 60, { available: 0, marked: true }, undefined],
    ];
    rows(table, (minReadySeconds, set, until) => {
      const { workload, children } = stage({ updated: 2, record: user(minReadySeconds) });
      const replicaSets = [replicaSet('v2', { size: 2 }), replicaSet('v1', { size: 8, ready: 8, ...set })];
      const view = progressOf(snapshot({ workload, children: { ...children, replicaSets } }));
      assert.equal(view.countedUntil, until);
    });
  });

  it('has the failed Pods of the new version', () => {
    const failed = pod('x', { status: { phase: 'Failed' } });
    const view = progressOf(snapshot(stage({ updated: 1, pods: [pod('a'), failed] })));
    assert.deepEqual([view.failed, view.pods.length], [[failed], 1]);
  });

  it('knows the stable version by the record’s digest, and else by the status’ hash', () => {
    const stable = (sketch: Stage, status: Rollout['status']): string | undefined =>
      progressOf(snapshot({ rollout: rollout({ status: status! }), ...stage(sketch) })).stableVersion?.revision;
    assert.equal(stable({ updated: 2 }, atStep(1, 'StepUpgrade')), 'v1');
    assert.equal(stable({ updated: 2, state: 'free' }, atStep(1, 'StepUpgrade')), 'v1');
    assert.equal(stable({ updated: 2, state: 'free' }, healthy('v9')), undefined);
    const nameless = replicaSet('v1', { metadata: { labels: {} } });
    const { workload } = stage({ state: 'free' });
    const shot = snapshot({
      rollout: rollout({ status: healthy('v1', { canary: { stableRevision: '' } }) }),
      workload,
      children: { replicaSets: [nameless], pods: [] },
    });
    assert.equal(progressOf(shot).stableVersion, undefined);
  });

  it('is held by this Rollout, whatever the record says', () => {
    assert.equal(progressOf(snapshot(stage({ record: { rollout: 'other' } }))).held?.rollout, 'web-rollout');
  });
});

describe('the native controller has something left to see', () => {
  const late = 'the Deployment controller to';
  type Row = readonly [
    what: string,
    sketch: Stage,
    unsettled: string | undefined,
    of?: (set: ReplicaSet) => ReplicaSet,
  ];
  const status =
    (more: ReplicaSet['status'], name = 'web-v1') =>
    (set: ReplicaSet): ReplicaSet =>
      set.metadata.name === name ? { ...set, status: { ...set.status, ...more } } : set;
  const counts = (more: Deployment['status']): Stage => ({ updated: 2, deployment: { status: more } });
  const table: readonly Row[] = [
    ['nothing', { updated: 2 }, undefined],
    ['the last change of the Deployment', counts({ observedGeneration: 4 }), `${late} observe the last change`],
    [
      'the last change of a ReplicaSet',
      { updated: 2 },
      'the ReplicaSet controller to observe the last change of web-v1',
      status({ observedGeneration: 2 }),
    ],
    [
      'the last change of the new ReplicaSet',
      { updated: 2 },
      'the ReplicaSet controller to observe the last change of web-v2',
      status({ observedGeneration: 2 }, 'web-v2'),
    ],
    ['an available Pod', counts({ availableReplicas: 9 }), `${late} count the available Pods`],
    ['a Pod that is Ready', counts({ readyReplicas: 9 }), `${late} count the Ready Pods`],
    ['a Pod', counts({ replicas: 9 }), `${late} count the Pods`],
    [
      'a Pod that an old ReplicaSet lets go',
      { updated: 2, deployment: { status: { replicas: 11 } } },
      'web-v1 to delete its Pods',
      status({ replicas: 9 }),
    ],
    ['a Pod less than there are to be', { updated: 2, old: 7 }, 'the ReplicaSet sizes to add up to 10 (now 9)'],
    ['a Pod more', { updated: 2, old: 9 }, 'the ReplicaSet sizes to add up to 10 (now 11)'],
    ['no surge that is there to stay', { updated: 2, old: 10, budget: [2, 2] }, undefined],
    [
      'a surge Pod that is not there',
      { updated: 2, old: 9, budget: [2, 2] },
      'the ReplicaSet sizes to add up to 12 (now 11)',
    ],
    ['no surge of a single ReplicaSet', { updated: 0, old: 10, budget: [2, 2] }, undefined],
    ['no surge of a new one that is whole and available', { updated: 10, old: { v1: 0 }, budget: [2, 2] }, undefined],
    [
      'an old one that goes when the new one is whole and available',
      { updated: 10, old: { v1: 2 }, budget: [2, 2] },
      'the ReplicaSet sizes to add up to 10 (now 12)',
    ],
    [
      'no surge of a Deployment with 0 replicas',
      { replicas: 0, updated: 0, old: { v1: 0 }, budget: [2, 2] },
      undefined,
    ],
    ['no size while it moves', { updated: 2, old: 9, state: 'moving', budget: [1, 2] }, undefined],
  ];
  rows(table, (sketch, unsettled, of) => {
    const { workload, children } = stage(sketch);
    const sets = of ? children.replicaSets.map(of) : children.replicaSets;
    assert.equal(progressOf(snapshot({ workload, children: { ...children, replicaSets: sets } })).unsettled, unsettled);
    const follows = /controller to (observe|count)/.test(unsettled ?? '');
    assert.equal(deploymentKind.isInterim?.(workload as Deployment, sets), follows, 'another change follows');
  });

  it('of ReplicaSets of its own only', () => {
    const { workload, children } = stage({ updated: 2 });
    const late = { ...children.replicaSets[0]!, status: { observedGeneration: 0 } };
    const foreign = { ...late, metadata: { ...late.metadata, name: 'other', ownerReferences: [] } };
    const isInterim = (sets: readonly ReplicaSet[]): unknown =>
      deploymentKind.isInterim?.(workload as Deployment, sets);
    assert.deepEqual([isInterim([...children.replicaSets, foreign]), isInterim([late])], [false, true]);
  });
});
