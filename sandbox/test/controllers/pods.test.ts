// Pods of a ReplicaSet: counts, and which to delete first.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { podsToDelete, untilAvailableMs } from '../../src/controllers/replicaset/pods.ts';
import { Expectations } from '../../src/controllers/replicaset/expectations.ts';
import { countPods } from '../../src/controllers/replicaset/status.ts';
import { VirtualClock } from '../../src/core/clock.ts';
import type { KubeObject } from '../../src/core/types.ts';
import { aReplicaSet } from './support.ts';

const NOW = Date.UTC(2026, 0, 1, 12);

interface PodShape {
  node?: string | undefined;
  phase?: string;
  readySeconds?: number;
  ageSeconds?: number;
  restarts?: number;
  cost?: string;
}

const aPod = (
  name: string,
  { node = 'n0', phase = 'Running', readySeconds, ageSeconds = 3600, restarts = 0, cost }: PodShape = {},
): KubeObject => {
  const at = (seconds: number): string => new Date(NOW - seconds * 1000).toISOString().replace('.000', '');
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: name,
      creationTimestamp: at(ageSeconds),
      labels: { app: 'web', 'pod-template-hash': 'rs' },
      ...(cost ? { annotations: { 'controller.kubernetes.io/pod-deletion-cost': cost } } : {}),
    },
    spec: { nodeName: node },
    status: {
      phase,
      containerStatuses: [{ restartCount: restarts }],
      conditions:
        readySeconds === undefined ? [] : [{ type: 'Ready', status: 'True', lastTransitionTime: at(readySeconds) }],
    },
  };
};

const first = (...pods: KubeObject[]): string => podsToDelete(pods, pods, 1, NOW)[0]!.metadata.name;

describe('replicaset controller: which Pods go first', () => {
  const good = { readySeconds: 3000 };

  for (const { what, doomed, kept } of [
    { what: 'not on a node', doomed: { ...good, node: '' }, kept: {} },
    { what: 'pending', doomed: { phase: 'Pending' }, kept: { phase: 'Running' } },
    { what: 'not ready', doomed: {}, kept: good },
    { what: 'cheaper', doomed: { ...good, cost: '-1' }, kept: good },
    { what: 'ready for a shorter time', doomed: { readySeconds: 2 }, kept: good },
    { what: 'restarted more often', doomed: { ...good, restarts: 3 }, kept: good },
    { what: 'newer', doomed: { ...good, ageSeconds: 2 }, kept: { ...good, ageSeconds: 3600 } },
  ]) {
    it(`${what} before the others`, () => {
      assert.equal(first(aPod('kept', kept), aPod('doomed', doomed)), 'doomed');
      assert.equal(first(aPod('doomed', doomed), aPod('kept', kept)), 'doomed');
    });
  }

  it('takes from the node with more Pods of the same owner', () => {
    const pods = [
      aPod('a', { ...good, node: 'n1' }),
      aPod('b', { ...good, node: 'n2' }),
      aPod('c', { ...good, node: 'n2' }),
    ];
    assert.notEqual(first(...pods), 'a');
  });

  it('compares ages by order of magnitude only', () => {
    assert.equal(first(aPod('a', { readySeconds: 3001 }), aPod('b', { readySeconds: 3000 })), 'a');
  });

  it('takes all Pods without ranking if all must go', () => {
    assert.equal(podsToDelete([aPod('a'), aPod('b')], [], 5, NOW).length, 2);
  });
});

describe('replicaset controller: counts', () => {
  const replicaSet = (minReadySeconds: number): KubeObject => {
    const object = aReplicaSet({ name: 'rs', replicas: 3 });
    object.spec.minReadySeconds = minReadySeconds;
    return object;
  };

  it('counts a Pod as available once it has been ready for minReadySeconds', () => {
    const pods = [aPod('a', { readySeconds: 30 }), aPod('b', { readySeconds: 10 }), aPod('c')];
    const { status, nextMs } = countPods(replicaSet(30), pods, 0, undefined, NOW);
    assert.deepEqual([status.replicas, status.readyReplicas, status.availableReplicas], [3, 2, 1]);
    assert.equal(nextMs, 20_000);
  });

  it('never calls a Pod available under the longest minReadySeconds', () => {
    assert.ok(untilAvailableMs(aPod('a', { readySeconds: 1e6 }), 2147483646, NOW)! > 2 ** 31);
  });

  it('reports that Pods cannot be created, once, until they can', () => {
    const failing = replicaSet(0);
    const { status } = countPods(failing, [], 0, new Error('quota'), NOW);
    assert.deepEqual(
      status.conditions!.map(({ reason, message }) => [reason, message]),
      [['FailedCreate', 'quota']],
    );
    failing.status = status;
    assert.equal(countPods(failing, [], 0, new Error('other'), NOW + 1000).status.conditions, status.conditions);
    assert.equal(countPods(failing, [], 0, undefined, NOW).status.conditions, undefined);
  });
});

describe('replicaset controller: expectations', () => {
  it('are unmet until all requested changes are visible, or for five minutes', async () => {
    const clock = new VirtualClock(1);
    const expectations = new Expectations(clock);
    assert.ok(expectations.satisfied('a'));
    expectations.expect('a', 2, []);
    expectations.creationObserved('a');
    assert.ok(!expectations.satisfied('a'));
    expectations.creationObserved('a');
    assert.ok(expectations.satisfied('a'));
    expectations.expect('a', 0, ['x', 'y']);
    expectations.deletionObserved('a', 'x');
    expectations.deletionObserved('a', 'x');
    assert.ok(!expectations.satisfied('a'));
    await clock.run(5 * 60_000 + 1);
    assert.ok(expectations.satisfied('a'));
  });
});
