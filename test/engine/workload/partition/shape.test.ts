// Where the borrowed fields of each kind are, and which maps around them a hold has made.
import assert from 'node:assert/strict';
import { cloneSetShape } from '../../../../src/engine/workload/cloneset/kind.ts';
import {
  absentMaps,
  borrowedIn,
  hashAtEnd,
  hollow,
  pathOf,
  specPatch,
  type Partitioned,
} from '../../../../src/engine/workload/partition/shape.ts';
import { statefulSetShape } from '../../../../src/engine/workload/statefulset/kind.ts';
import { rows } from '../../build.ts';

describe('the borrowed fields', () => {
  it('lie where the kind has them', () => {
    assert.equal(pathOf(cloneSetShape, 'paused'), 'spec.updateStrategy.paused');
    assert.deepEqual(specPatch(statefulSetShape, { partition: 1 }), {
      updateStrategy: { rollingUpdate: { partition: 1 } },
    });
  });

  it('are read, and null if they are absent or in no map', () => {
    const of = (updateStrategy: unknown): Partitioned => ({ spec: { updateStrategy } }) as never;
    assert.deepEqual(borrowedIn(cloneSetShape, of({ partition: '5%' })), { partition: '5%', paused: null });
    for (const nothing of [undefined, null, 'x', [], {}, { rollingUpdate: null }])
      assert.deepEqual(borrowedIn(statefulSetShape, of(nothing)), { partition: null });
  });
});

describe('the maps around the borrowed fields', () => {
  // The spec → maps that are absent; and of a spec that a hold has changed: the path of what it has made.
  rows<readonly [what: string, spec: object, absent: number]>(
    [
      ['are all there', { updateStrategy: { rollingUpdate: {} } }, 0],
      ['lack one', { updateStrategy: { type: 'RollingUpdate' } }, 1],
      ['lack both', {}, 2],
    ],
    (spec, absent) => assert.equal(absentMaps(statefulSetShape, spec), absent),
  );

  const held = { updateStrategy: { rollingUpdate: { partition: 1 } } };
  rows<readonly [what: string, spec: object, made: number, path: readonly string[] | undefined]>(
    [
      ['stay if they were there', held, 0, undefined],
      ['go as far as the hold made them', held, 1, ['updateStrategy', 'rollingUpdate']],
      ['go whole', held, 2, ['updateStrategy']],
      ['stay with a field of the user', { updateStrategy: { rollingUpdate: { partition: 1, x: 1 } } }, 2, undefined],
      [
        'go below a field of the user',
        { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 1 } } },
        2,
        ['updateStrategy', 'rollingUpdate'],
      ],
      ['are gone already', {}, 2, undefined],
    ],
    (spec, made, path) => assert.deepEqual(hollow(statefulSetShape, spec, made), path),
  );
});

it('the hash of a version is at the end of the name of its revision', () => {
  assert.deepEqual([hashAtEnd('web-app-5d4f'), hashAtEnd('5d4f')], ['5d4f', '5d4f']);
});
