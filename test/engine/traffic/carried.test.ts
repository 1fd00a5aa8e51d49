// The annotation on a workload whose versions get requests by a route.
import assert from 'node:assert/strict';
import { TRAFFIC } from '../../../src/api/keys.ts';
import { DEPLOYMENTS } from '../../../src/api/resources.ts';
import type { Workload } from '../../../src/api/types.ts';
import { carried } from '../../../src/engine/traffic/carried.ts';
import { deployment, mergePatchOf, rollout, rows } from '../build.ts';
import { scene } from './scene.ts';

const marked = deployment({ annotations: { [TRAFFIC]: 'Apart' } });

describe('the annotation of a workload', () => {
  type Row = readonly [
    what: string,
    workload: Workload | undefined,
    mode: 'Apart' | 'Shared' | null,
    patch: string | null | undefined,
  ];
  const table: readonly Row[] = [
    ['is set', deployment(), 'Apart', 'Apart'],
    ['is changed', marked, 'Shared', 'Shared'],
    ['is removed', marked, null, null],
    ['is not written again', marked, 'Apart', undefined],
    ['is not removed where it is not', deployment(), null, undefined],
    ['is not written without a workload', undefined, 'Apart', undefined],
  ];
  rows(table, (workload, mode, patch) => {
    const step = carried(scene({ workload }), mode);
    if (patch === undefined) {
      assert.equal(step, undefined);
      return;
    }
    assert.equal(step?.reached, false);
    assert.deepEqual(
      step.effects.map((effect) => effect.kind === 'Patch' && effect.resource),
      [DEPLOYMENTS],
    );
    assert.deepEqual(mergePatchOf(step.effects).metadata, {
      resourceVersion: workload?.metadata.resourceVersion,
      annotations: { [TRAFFIC]: patch },
    });
  });
  it('is not written on a kind that cannot be released', () => {
    assert.equal(carried(scene({ rollout: rollout({ workloadRef: { kind: 'Job' } }) }), 'Apart'), undefined);
  });
});
