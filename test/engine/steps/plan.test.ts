// Plans, and whether releases keep to them: the operator, the native controllers and the plan look at the same Deployment.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { CanaryStep, Deployment, HistoryEntry, IntOrString, Rollout } from '../../../src/api/types.ts';
import { budgetFor } from '../../../src/engine/workload/deployment/budget.ts';
import { experienceOf, planRelease } from '../../../src/engine/steps/plan.ts';
import { World } from '../../operator/world.ts';

const deploymentOf = (replicas: number, maxSurge: IntOrString, maxUnavailable: IntOrString): Deployment => ({
  metadata: { name: 'web' },
  spec: {
    replicas,
    selector: {},
    template: {},
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
  },
});

const rolloutOf = (steps: readonly CanaryStep[]): Rollout => ({
  metadata: { name: 'web' },
  spec: {
    workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    strategy: { canary: { steps } },
  },
});

describe('the plan of a release', () => {
  it('does not depend on the kind that the Rollout names', () => {
    const rollout = rolloutOf([{ replicas: 1 }, { replicas: '100%' }]);
    const workloadRef = { apiVersion: 'apps.kruise.io/v1alpha1', kind: 'CloneSet', name: 'web' };
    const other = { ...rollout, spec: { ...rollout.spec, workloadRef } };
    assert.deepEqual(planRelease(other, deploymentOf(10, 2, 1)), planRelease(rollout, deploymentOf(10, 2, 1)));
  });

  it('says for each step how many Pods are new, old, beyond and missing, and what leads on', () => {
    const steps = [{ replicas: 1 }, { replicas: '50%', pause: { duration: 60 } }, { replicas: '100%' }];
    const plan = planRelease(rolloutOf(steps), deploymentOf(10, 2, 1));
    assert.deepEqual(plan.steps, [
      { step: 1, replicas: 1, updated: 1, old: 9, replaces: 1, surge: 0, unavailable: 1, wait: 'Approval' },
      { step: 2, replicas: '50%', updated: 5, old: 5, replaces: 4, surge: 2, unavailable: 1, wait: { seconds: 60 } },
      { step: 3, replicas: '100%', updated: 10, old: 0, replaces: 5, surge: 2, unavailable: 1, wait: 'None' },
    ]);
    assert.deepEqual([plan.approvals, plan.pauseSeconds], [1, 60]);
  });

  it('is made at once, whatever the numbers are', () => {
    for (const replicas of [2 ** 31 - 1, 1e15, Number.MAX_VALUE, Infinity]) {
      const steps = [{ replicas: 1 }, { replicas: 1e15 }, { replicas: `${'9'.repeat(400)}%` }, { replicas: '100%' }];
      for (const limit of [0, 1, 1e300, '25%', `${'9'.repeat(400)}%`]) {
        const plan = planRelease(rolloutOf(steps), deploymentOf(replicas, limit, limit));
        assert.equal(plan.replicas, 2 ** 31 - 1);
        for (const { updated, old, surge, unavailable } of plan.steps)
          for (const pods of [updated, old, surge, unavailable])
            assert.ok(Number.isInteger(pods) && pods >= 0 && pods < 2 ** 31, `${pods}`);
      }
    }
    for (const replicas of [NaN, -1, -Infinity])
      assert.equal(planRelease(rolloutOf([]), deploymentOf(replicas, 1, 0)).replicas, 0);
  });

  it('says of a step the most of all of its budgets', () => {
    const amount = fc.integer({ min: 0, max: 12 });
    fc.assert(
      fc.property(amount, amount, amount, fc.array(amount, { maxLength: 3 }), (replicas, surge, unavailable, sizes) => {
        const steps = sizes.toSorted((a, b) => a - b).map((size) => ({ replicas: size }));
        const plan = planRelease(rolloutOf(steps), deploymentOf(replicas, surge, unavailable));
        let from = 0;
        for (const { step, updated: target, ...said } of plan.steps) {
          if (step === undefined) continue;
          let [updated, old, beyond, missing] = [from, replicas - from, 0, 0];
          for (let available = from; available < target; available++) {
            const budget = budgetFor(target, { available, updated, old, replicas, limits: plan.limits });
            updated = budget.maxUnavailable + budget.maxSurge;
            old = replicas - budget.maxUnavailable;
            beyond = Math.max(beyond, updated + old - replicas);
            missing = Math.max(missing, replicas - old - available);
          }
          assert.deepEqual([said.surge, said.unavailable], [beyond, missing]);
          from = target;
        }
      }),
    );
  });

  it('goes on natively after a last step that is not all', () => {
    const { steps } = planRelease(rolloutOf([{ replicas: 1, pause: { duration: 0 } }]), deploymentOf(4, '25%', 0));
    assert.deepEqual(steps.at(-1), {
      step: undefined,
      replicas: undefined,
      updated: 4,
      old: 0,
      replaces: 3,
      surge: 1,
      unavailable: 0,
      wait: 'None',
    });
  });

  it('ends with the step that is all, and never goes back', () => {
    const steps = [{ replicas: 5 }, { replicas: '10%' }, { replicas: '100%' }, { replicas: '100%' }];
    const { steps: planned } = planRelease(rolloutOf(steps), deploymentOf(10, 1, 0));
    assert.deepEqual(
      planned.map(({ updated, replaces }) => [updated, replaces]),
      [
        [5, 5],
        [5, 0],
        [10, 5],
      ],
    );
  });

  it('has nothing to do where there are no Pods', () => {
    assert.equal(planRelease(rolloutOf([{ replicas: '50%' }]), deploymentOf(0, 1, 0)).steps[0]?.updated, 0);
  });

  it('takes the time from completed releases only, the one in the middle', () => {
    const took = (seconds: number, outcome: string): HistoryEntry => ({
      rolloutID: 'x',
      revision: 'y',
      startTime: '2026-01-01T00:00:00Z',
      endTime: `2026-01-01T00:${String(seconds).padStart(2, '0')}:00Z`,
      outcome,
    });
    const history = [took(9, 'Completed'), took(1, 'RolledBack'), took(3, 'Completed'), took(5, 'Completed')];
    assert.deepEqual(experienceOf(history), { releases: 3, medianSeconds: 300 });
    assert.equal(experienceOf([took(1, 'Failed')]), undefined);
    assert.equal(experienceOf(undefined), undefined);
  });

  it('is kept by real releases: sizes exactly, surge and missing Pods never above', async () => {
    const share = fc.oneof(
      fc.integer({ min: 0, max: 4 }),
      fc.integer({ min: 0, max: 40 }).map((n) => `${n}%`),
    );
    const example = fc.record({
      seed: fc.integer({ min: 1, max: 10_000 }),
      replicas: fc.integer({ min: 1, max: 12 }),
      maxSurge: share,
      maxUnavailable: share,
      percents: fc.uniqueArray(fc.integer({ min: 1, max: 99 }), { minLength: 1, maxLength: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(example, async ({ seed, replicas, maxSurge, maxUnavailable, percents }) => {
        const zero = [maxSurge, maxUnavailable].every((value) => Number.parseInt(String(value)) === 0);
        const surge = zero ? 1 : maxSurge;
        const steps = [...percents.toSorted((a, b) => a - b).map((n) => ({ replicas: `${n}%` })), { replicas: '100%' }];
        await compare({ seed, replicas, maxSurge: surge, maxUnavailable, steps });
      }),
      { numRuns: 25, seed: 42 },
    );
  }).timeout(60_000);
});

interface Example {
  readonly seed: number;
  readonly replicas: number;
  readonly maxSurge: IntOrString;
  readonly maxUnavailable: IntOrString;
  readonly steps: readonly CanaryStep[];
}

async function compare({ seed, replicas, maxSurge, maxUnavailable, steps }: Example): Promise<void> {
  const world = await new World({ seed }).start();
  try {
    const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } };
    await world.createDeployment({ replicas, spec: { strategy } });
    await world.createRollout(steps);
    await world.untilHealthy();
    await world.virtual.settled();
    const planned = planRelease(world.rollout, world.deployment).steps;
    await world.release('v2');
    for (const step of planned) {
      const worst = { surge: 0, unavailable: 0 };
      const done = (): boolean => {
        const sizes = Object.values(world.sizes).reduce((sum, size) => sum + size, 0);
        worst.surge = Math.max(worst.surge, sizes - replicas);
        worst.unavailable = Math.max(worst.unavailable, replicas - world.readyPods);
        return step.old === 0
          ? world.condition('Succeeded')?.status === 'True'
          : world.canary.currentStepIndex === step.step && world.canary.currentStepState === 'StepPaused';
      };
      await world.until(`step ${step.step} is done`, done, 600_000);
      const about = JSON.stringify({ seed, replicas, maxSurge, maxUnavailable, step, worst });
      assert.equal(world.sizes['v2'] ?? 0, step.updated, about);
      assert.equal(world.sizes['v1'] ?? 0, step.old, about);
      assert.ok(worst.surge <= step.surge, `more surge: ${about}`);
      assert.ok(worst.unavailable <= step.unavailable, `more missing: ${about}`);
      if (step.old > 0) await world.approve();
    }
  } finally {
    await world.stop();
  }
}
