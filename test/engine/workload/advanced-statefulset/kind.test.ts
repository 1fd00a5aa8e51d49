// What an Advanced StatefulSet has that a StatefulSet has not: reserved ordinals, unordered updates, paused, and minReadySeconds elsewhere.
import assert from 'node:assert/strict';
import {
  advancedStatefulSetKind as kind,
  advancedStatefulSetShape as shape,
} from '../../../../src/engine/workload/advanced-statefulset/kind.ts';
import type { Partitioned } from '../../../../src/engine/workload/partition/shape.ts';
import { rows, template } from '../../build.ts';
import { podOf } from '../partition/bench.ts';

const set = (spec: object = {}): Partitioned => ({
  ...shape.resource,
  metadata: { name: 'web', namespace: 'shop', uid: 'uid-web' },
  spec: { replicas: 4, selector: {}, template: template('v1'), ...spec },
});

describe('the index of a Pod of an Advanced StatefulSet', () => {
  const indexes = (spec: object, ordinals: readonly number[]): readonly (number | undefined)[] => {
    const indexOf = shape.indexIn(set(spec));
    return ordinals.map((ordinal) => indexOf?.(podOf(shape, `web-${ordinal}`, 'v1', true)));
  };
  rows<readonly [what: string, spec: object, ordinals: readonly number[], indexes: readonly (number | undefined)[]]>(
    [
      ['is its ordinal', {}, [0, 1, 2], [0, 1, 2]],
      ['counts from the first ordinal', { ordinals: { start: 5 } }, [5, 6, 8], [0, 1, 3]],
      ['leaves reserved ordinals out', { reserveOrdinals: [1, 3] }, [0, 2, 4], [0, 1, 2]],
      ['leaves ranges out', { reserveOrdinals: ['1-3', 2, '3-4'] }, [0, 5, 6], [0, 1, 2]],
      [
        'leaves them out from the first ordinal on',
        { ordinals: { start: 2 }, reserveOrdinals: ['0-3'] },
        [4, 5],
        [0, 1],
      ],
      ['is none for a Pod that has a reserved ordinal', { reserveOrdinals: [1] }, [1], [Infinity]],
      ['is what it is with ranges that are none', { reserveOrdinals: ['5-3', 'x', '-1'] }, [0, 6], [0, 6]],
      ['is found at once, whatever range is written', { reserveOrdinals: ['1-2147483646'] }, [2147483647], [1]],
    ],
    (spec, ordinals, expected) => assert.deepEqual(indexes(spec, ordinals), expected),
  );

  it('does not exist with unordered updates: the partition is a number of Pods', () => {
    const spec = { updateStrategy: { rollingUpdate: { unorderedUpdate: {} } } };
    assert.equal(shape.indexIn(set(spec)), undefined);
  });
});

describe('an Advanced StatefulSet', () => {
  it('has its minReadySeconds in the update strategy', () => {
    const spec = { minReadySeconds: 7, updateStrategy: { rollingUpdate: { minReadySeconds: 3 } } };
    assert.deepEqual([kind.minReadySeconds(set(spec)), kind.minReadySeconds(set())], [3, 0]);
  });

  it('is paused by its own field', () => {
    assert.equal(kind.words.pause, 'spec.updateStrategy.rollingUpdate.paused');
    assert.deepEqual(kind.words.unpause, { updateStrategy: { rollingUpdate: { paused: false } } });
    assert.equal(
      kind.words.resume(set()),
      `kubectl patch statefulsets.apps.kruise.io web -n shop --type=merge -p '{"spec":{"updateStrategy":{"rollingUpdate":{"partition":0,"paused":false}}}}'`,
    );
  });
});
