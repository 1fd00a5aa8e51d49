// How soon a change is decided on.
import assert from 'node:assert/strict';
import type { Pod, Workload } from '../../src/api/types.ts';
import { delayOfPod, isOfCounts, LATER_MS } from '../../src/operator/wakes.ts';
import { webDeployment } from '../support/objects.ts';

const pod = (ready: boolean): Pod =>
  ({
    metadata: { name: 'web-1' },
    status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  }) as Pod;

describe('a change of a Pod is decided on', () => {
  const cases = [
    ['at once, if it becomes Ready', 'updated', pod(true), pod(false), 0],
    ['at once, if it is Ready when it is first seen', 'added', pod(true), undefined, 0],
    ['later, if it was Ready', 'updated', pod(true), pod(true), LATER_MS],
    ['later, if it is not Ready', 'updated', pod(false), pod(true), LATER_MS],
    ['later, if it is deleted, whatever it was before', 'deleted', pod(true), undefined, LATER_MS],
  ] as const;
  for (const [title, type, object, old, delay] of cases) {
    it(title, () => assert.equal(delayOfPod({ type, key: 'ns/web-1', object, ...(old && { old }) }), delay));
  }
});

describe('a change is one of counts', () => {
  const workload = (metadata: object, status: object): Workload => ({
    ...webDeployment('v1', {}, { generation: 2, resourceVersion: '7', annotations: { a: '1' }, ...metadata }),
    status,
  });
  const old = workload({}, { observedGeneration: 2, readyReplicas: 1 });
  const cases = [
    [
      'if only the status differs',
      workload({ resourceVersion: '8' }, { observedGeneration: 2, readyReplicas: 2 }),
      true,
    ],
    ['not with another spec', workload({ generation: 3 }, { observedGeneration: 2, readyReplicas: 2 }), false],
    ['not with another annotation', workload({ annotations: { a: '2' } }, { observedGeneration: 2 }), false],
    ['not with a label more', workload({ labels: { b: '1' } }, { observedGeneration: 2 }), false],
    ['not if the controller has observed another spec', workload({}, { observedGeneration: 3 }), false],
    ['not when it is to be deleted', workload({ deletionTimestamp: 'now' }, { observedGeneration: 2 }), false],
  ] as const;
  for (const [title, object, expected] of cases) {
    it(title, () => assert.equal(isOfCounts({ type: 'updated', key: 'ns/web', object, old }), expected));
  }

  it('not of an object that was not known', () =>
    assert.equal(isOfCounts({ type: 'added', key: 'ns/web', object: old }), false));
});
