// The budget protocol against a model of the native controller that does nothing but what it may: every combination of limits and steps.
import assert from 'node:assert/strict';
import type { IntOrString } from '../../../../src/api/types.ts';
import { resolveLimits, stepTarget, type Limits } from '../../../../src/engine/lib/replicas.ts';
import { budgetFor } from '../../../../src/engine/workload/deployment/budget.ts';

/** What the native controller does with a budget while new Pods never count as available: it spends it and stops. */
function spend(
  state: { updated: number; old: number; replicas: number },
  budget: { maxSurge: number; maxUnavailable: number },
) {
  const old = Math.min(state.old, Math.max(state.replicas - budget.maxUnavailable, 0));
  const updated = Math.max(state.updated, Math.min(state.replicas, state.replicas + budget.maxSurge - old));
  return { ...state, old, updated };
}

const LIMITS: readonly (readonly [IntOrString, IntOrString])[] = [
  [0, 1],
  [1, 0],
  ['25%', '25%'],
  ['100%', 0],
  [2, 3],
  [0, '50%'],
  ['50%', 0],
  [5, 5],
];
const PLANS: readonly (readonly IntOrString[])[] = [
  [1, '50%', '100%'],
  ['10%', '34%', '67%', '100%'],
  [1, 2, 3, '100%'],
  ['100%'],
  [0, '100%'],
  [3, '60%', 100],
];

describe('a batch', () => {
  for (const [maxSurge, maxUnavailable] of LIMITS)
    for (const surgesFirst of [false, true])
      it(`with maxSurge ${maxSurge} and maxUnavailable ${maxUnavailable} reaches every step at every size, within its limits${surgesFirst ? ', with surge first' : ''}`, () => {
        for (let replicas = 0; replicas <= 100; replicas++)
          for (const plan of PLANS)
            checkPlan(replicas, resolveLimits(maxSurge, maxUnavailable, replicas), plan, surgesFirst);
      });

  it('grants what was measured for ten Pods', () => {
    const at = (available: number, updated: number, old: number, limits: Limits, target: number): object =>
      budgetFor(target, { available, updated, old, replicas: 10, limits });
    assert.deepEqual(at(0, 0, 10, { surge: 1, unavailable: 0 }, 1), { maxSurge: 1, maxUnavailable: 0 });
    assert.deepEqual(at(1, 1, 10, { surge: 1, unavailable: 0 }, 1), { maxSurge: 0, maxUnavailable: 1 });
    assert.deepEqual(at(1, 1, 9, { surge: 2, unavailable: 2 }, 5), { maxSurge: 2, maxUnavailable: 3 });
    assert.deepEqual(at(5, 5, 7, { surge: 2, unavailable: 2 }, 5), { maxSurge: 0, maxUnavailable: 5 });
  });

  it('with surge first makes as many new Pods, and takes fewer old ones', () => {
    const at = (available: number, updated: number, old: number, limits: Limits, target: number): object =>
      budgetFor(target, { available, updated, old, replicas: 10, limits }, 0, true);
    const limits = { surge: 3, unavailable: 2 };
    assert.deepEqual(at(0, 0, 10, limits, 1), { maxSurge: 1, maxUnavailable: 0 });
    assert.deepEqual(at(1, 1, 10, limits, 5), { maxSurge: 3, maxUnavailable: 2 });
    assert.deepEqual(at(5, 5, 8, limits, 10), { maxSurge: 3, maxUnavailable: 7 });
    assert.deepEqual(at(0, 0, 10, limits, 10), { maxSurge: 3, maxUnavailable: 2 });
    assert.deepEqual(at(0, 0, 10, { surge: 0, unavailable: 2 }, 1), { maxSurge: 0, maxUnavailable: 1 });
    assert.deepEqual(at(4, 4, 4, limits, 5), { maxSurge: 0, maxUnavailable: 6 - 1 }, 'never less than is spent');
  });

  it('never grants less than is spent: not when the user’s limits shrink, nor when new Pods break', () => {
    // Three old Pods are missing already; one may be.
    assert.deepEqual(
      budgetFor(4, { available: 0, updated: 4, old: 9, replicas: 12, limits: { surge: 12, unavailable: 1 } }),
      {
        maxSurge: 1,
        maxUnavailable: 3,
      },
    );
    // One surge Pod exists; none may.
    assert.deepEqual(
      budgetFor(3, { available: 0, updated: 3, old: 7, replicas: 9, limits: { surge: 0, unavailable: 2 } }),
      {
        maxSurge: 1,
        maxUnavailable: 2,
      },
    );
  });
});

function checkPlan(replicas: number, limits: Limits, plan: readonly IntOrString[], surgesFirst: boolean): void {
  let state = { updated: 0, old: replicas, replicas };
  for (const step of plan) {
    const target = stepTarget(step, replicas);
    if (state.updated > target) continue;
    // Every wave's Pods become available before the next.
    // With surge first, what is left over goes with the next step.
    const isDone = ({ updated, old }: typeof state): boolean =>
      updated === target && (surgesFirst ? old >= replicas - target : old === replicas - target);
    for (let wave = 0; !isDone(state); wave++) {
      const name = `R=${replicas} s=${limits.surge} u=${limits.unavailable} T=${target} ${JSON.stringify(state)}`;
      assert.ok(wave <= 2 * replicas + 2, `${name}: no end`);
      const available = state.updated;
      const budget = budgetFor(target, { ...state, available, limits }, 0, surgesFirst);
      assert.ok(budget.maxSurge + budget.maxUnavailable > 0, `${name}: both 0`);
      assert.ok(budget.maxSurge + budget.maxUnavailable <= target, `${name}: more than the step`);
      state = spend(state, budget);
      assert.ok(state.updated <= target, `${name}: I2`);
      assert.ok(available + state.old >= replicas - limits.unavailable, `${name}: I3`);
      assert.ok(
        state.updated - available <= limits.surge + limits.unavailable,
        `${name}: more new Pods than the limits`,
      );
      assert.ok(state.updated + state.old <= replicas + limits.surge, `${name}: more Pods than the surge`);
    }
  }
  assert.equal(state.updated, replicas);
}
