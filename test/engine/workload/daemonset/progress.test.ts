// The numbers of a DaemonSet, counted from its Pods.
import assert from 'node:assert/strict';
import type { DaemonSet, Pod, Rollout } from '../../../../src/api/types.ts';
import { daemonSetKind as kind } from '../../../../src/engine/workload/daemonset/kind.ts';
import type { DaemonProgress } from '../../../../src/engine/workload/daemonset/progress.ts';
import { digest, NOW } from '../../build.ts';
import { held, makeSet, podsOf, progressOf, revision } from './build.ts';

describe('the progress of a DaemonSet', () => {
  it('counts Pods by the hash of their revision', () => {
    const progress = progressOf(held(5), podsOf('v1 v1! v2 v2! v1x'));
    const { replicas, updated, old, available, granted, unavailable, moving, stopped } = progress;
    assert.deepEqual(
      { replicas, updated, old, available, granted, unavailable, moving, stopped },
      { replicas: 5, updated: 2, old: 2, available: 1, granted: 3, unavailable: 3, moving: true, stopped: true },
    );
    assert.deepEqual([progress.newVersion?.revision, progress.stableVersion?.revision], ['v2', 'v1']);
    assert.deepEqual(
      progress.oldVersions.map(({ revision: of, replicas: pods, available: ready }) => [of, pods, ready]),
      [['v1', 2, 1]],
    );
  });

  it('does not count Pods of others', () => {
    const [first, ...others] = podsOf('v1 v1 v1');
    const foreign = { ...first!, metadata: { ...first!.metadata, ownerReferences: [] } };
    assert.equal(progressOf(held(3), [foreign, ...others]).old, 2);
  });

  it('counts the oldest Pod of a node, as its controller does', () => {
    const [old, forged] = podsOf('v1 v2').map((pod) => ({ ...pod, spec: { ...pod.spec, nodeName: 'n1' } }));
    const { updated, old: left, available } = progressOf(held(2), [forged!, old!]);
    assert.deepEqual({ updated, left, available }, { updated: 0, left: 1, available: 0 });
  });

  it('counts no more Pods as updated than its controller', () => {
    const set = held(4);
    const status = { ...set.status, currentNumberScheduled: 4, updatedNumberScheduled: 1 };
    const { updated, available, granted } = progressOf({ ...set, status }, podsOf('v1 v1 v1 v2 v2 v2'));
    assert.deepEqual({ updated, available, granted }, { updated: 1, available: 1, granted: 3 });
  });

  it('does not believe its controller about old Pods of an earlier DaemonSet with the same number', () => {
    const number = { 'deprecated.daemonset.template.generation': '1' };
    const labelled = (count: number): Pod[] =>
      podsOf('v1 v1 v1').map((pod, i) => ({
        ...pod,
        metadata: {
          ...pod.metadata,
          labels: { ...pod.metadata.labels, 'pod-template-generation': i < count ? '1' : '2' },
        },
      }));
    const of = (set: DaemonSet, count: number, updatedNumberScheduled: number): DaemonProgress =>
      progressOf(
        {
          ...set,
          metadata: { ...set.metadata, annotations: { ...set.metadata.annotations, ...number } },
          status: { ...set.status, currentNumberScheduled: 3, updatedNumberScheduled },
        },
        labelled(count),
      );
    assert.deepEqual([of(held(3), 0, 2).granted, of(held(3), 2, 2).granted], [2, 0]);
    assert.equal(of(held(3), 3, 3).remark, undefined, 'they are evicted');
    assert.equal(of(makeSet(3, 'v2'), 0, 0).remark, undefined);
    assert.match(
      of(makeSet(3, 'v2'), 2, 2).remark ?? '',
      /^the DaemonSet controller takes Pods agent-0, agent-1 for updated, .* created them: run: kubectl delete pod agent-0 agent-1 -n shop$/,
    );
  });

  it('takes the newest of two revisions with the same template, and the stable one by its template and not by its number', () => {
    const children = {
      replicaSets: [],
      pods: [],
      revisions: [revision('v1', 4, 'b'), revision('v2', 7, 'd'), revision('v2', 6, 'c'), revision('v3', 5, 'x')],
    };
    const rollout = { metadata: { name: 'agent' }, spec: {} } as Rollout;
    const { newVersion, stableVersion } = kind.progress({ now: NOW, rollout, digest }, held(0), children);
    assert.deepEqual([newVersion?.revision, stableVersion?.revision], ['d', 'b']);
  });

  it('has one node until its controller has seen it', () => {
    const set = makeSet(0, 'v1');
    assert.equal(progressOf(set, []).replicas, 0);
    assert.equal(progressOf({ ...set, status: {} }, []).replicas, 1);
  });

  it('knows how many Pods are missing, and since when at the earliest', () => {
    const { missing } = progressOf(held(4), podsOf('v1 v1x v2 -'));
    assert.deepEqual(missing, { pods: 1, sinceMs: NOW - 600_000 });
    const late = progressOf(held(4), podsOf('v1 v1x v2 -'), { evictions: { lastAt: NOW - 5_000 } }).missing;
    assert.deepEqual(late, { pods: 1, sinceMs: NOW - 5_000 });
  });
});
