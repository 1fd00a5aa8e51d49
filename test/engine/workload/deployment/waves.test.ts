// When a budget is worth a write: ten Pods, maxSurge 3 and maxUnavailable 2, so that half of the limits are two and a half Pods.
import assert from 'node:assert/strict';
import { goesOnFrom, isWorthIt, lingersUntil, notYet } from '../../../../src/engine/workload/deployment/waves.ts';
import type { Goal } from '../../../../src/engine/workload/kind.ts';
import type { View } from '../../../../src/engine/workload/deployment/view.ts';
import { atStep, NOW, pods, progressOf, rollout, rows, snapshot, stage, type Stage } from '../../build.ts';

const viewOf = (sketch: Stage): View =>
  progressOf(snapshot({ rollout: rollout({ status: atStep(2, 'StepUpgrade') }), ...stage(sketch) }));
const moving = (available: number, updated: number, budget: readonly [number, number]): View =>
  viewOf({ state: 'moving', budget: [...budget], updated, available, old: 10 - budget[1] });
const goal: Goal = { target: 8, tolerated: 0, keeps: false, last: false, goesOn: false, young: true };

describe('a budget is worth a write', () => {
  type Row = readonly [what: string, view: View, total: number, is: boolean];
  const table: readonly Row[] = [
    ['for three Pods more', moving(3, 5, [3, 2]), 8, true],
    ['not for two', moving(2, 5, [3, 2]), 7, false],
    ['for one, if all are available', moving(5, 5, [3, 2]), 6, true],
    ['not for three, of which two are granted already', moving(3, 5, [3, 4]), 8, false],
    ['not because all are available that were created of those that are granted', moving(5, 5, [3, 4]), 8, false],
    ['for three more than those', moving(3, 5, [3, 4]), 10, true],
  ];
  rows(table, (view, total, is) => assert.equal(isWorthIt(view, 10, { maxSurge: 0, maxUnavailable: total }), is));
});

describe('without that', () => {
  it('a moving Deployment waits five seconds for its youngest Pod, in a young step', () => {
    const view = viewOf({ state: 'moving', budget: [3, 2], updated: 2, pods: pods('v2', 2, { ready: null, age: 3 }) });
    assert.equal(lingersUntil(view, goal), NOW + 2_000);
    assert.equal(lingersUntil(view, { ...goal, young: false }), NOW - 3_000);
  });

  it('a held one waits five seconds after the last Pod that became available', () => {
    const held = (ready: number): View =>
      viewOf({
        updated: 5,
        available: 1,
        old: 8,
        budget: [3, 2],
        pods: [...pods('v2', 1, { ready }), ...pods('v2', 4, { ready: null, age: 60 })],
      });
    const budget = { maxSurge: 3, maxUnavailable: 3 };
    assert.deepEqual(notYet(held(2), 8, budget), { kind: 'Wait', waitsFor: 'Pods', againAtMs: NOW + 3_000 });
    assert.equal(notYet(held(5), 8, budget), undefined);
    assert.equal(notYet(held(2), 10, { maxSurge: 3, maxUnavailable: 5 }), undefined, 'half of the limits');
  });
});

it('a moving Deployment is handed on only at exactly the target', () => {
  const view = viewOf({ state: 'moving', budget: [0, 5], updated: 5 });
  const at = (target: number): boolean => goesOnFrom(view, view.held!, { ...goal, goesOn: true, target });
  assert.deepEqual([at(4), at(5), at(6)], [false, true, false]);
});
