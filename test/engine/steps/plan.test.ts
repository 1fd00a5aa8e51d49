// Plans, and whether releases keep to them: the operator, the native controllers and the plan look at the same Deployment.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import type {
  Approval,
  CanaryStatus,
  CanaryStep,
  Deployment,
  HistoryEntry,
  IntOrString,
  Rollout,
} from '../../../src/api/types.ts';
import { budgetFor } from '../../../src/engine/workload/deployment/budget.ts';
import { planDigest } from '../../../src/engine/policy/plan.ts';
import { experienceOf, planRelease } from '../../../src/engine/steps/plan.ts';
import { World } from '../../operator/world.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

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

  it('counts on surge first in a step that does not wait, and on what it leaves over', () => {
    const pause = { duration: 0 };
    const steps = [{ replicas: 1, pause }, { replicas: '50%', pause }, { replicas: '60%' }, { replicas: '100%' }];
    const { steps: planned } = planRelease(rolloutOf(steps), deploymentOf(10, 3, 2));
    assert.deepEqual(
      planned.map(({ surge, unavailable }) => [surge, unavailable]),
      [
        [1, 0],
        [3, 1],
        [3, 1],
        [2, 2],
      ],
    );
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

  it('waits after a step that is all but not the last one, as the release does', () => {
    const waits = (replicas: number, steps: readonly CanaryStep[]): unknown[] =>
      planRelease(rolloutOf(steps), deploymentOf(replicas, 1, 0)).steps.map((step) => [step.replaces, step.wait]);
    const one = [{ replicas: 1 }, { replicas: '100%' }];
    assert.deepEqual(waits(1, one), [
      [1, 'Approval'],
      [0, 'None'],
    ]);
    assert.deepEqual(waits(2, one), [
      [1, 'Approval'],
      [1, 'None'],
    ]);
    const timed = [
      { replicas: '1%', pause: { duration: 60 } },
      { replicas: 1, pause: { duration: 0 } },
      { replicas: '9%' },
    ];
    assert.deepEqual(waits(1, timed), [
      [1, { seconds: 60 }],
      [0, 'None'],
      [0, 'None'],
    ]);
    assert.deepEqual(waits(4, [{ replicas: '100%' }, { replicas: 2 }]), [
      [4, 'Approval'],
      [0, 'Approval'],
    ]);
  });

  it('waits for approval at every end of a step that a policy guards, and before a first step that is all', () => {
    const plan = (replicas: number, steps: readonly CanaryStep[]) =>
      planRelease(rolloutOf(steps), deploymentOf(replicas, 1, 0), { approval: true });
    const steps = [
      { replicas: 1, pause: { duration: 5 } },
      { replicas: '50%', pause: { duration: 0 } },
      { replicas: '100%', pause: { duration: 3 } },
    ];
    const four = plan(4, steps);
    assert.deepEqual(
      four.steps.map(({ wait }) => wait),
      [{ seconds: 5, approval: true }, 'Approval', 'None'],
    );
    assert.deepEqual([four.approvals, four.pauseSeconds], [2, 5]);
    assert.ok(four.steps.every(({ startsAfterApproval }) => startsAfterApproval === undefined));
    const one = plan(1, steps);
    assert.deepEqual(
      one.steps.map(({ startsAfterApproval }) => startsAfterApproval),
      [true, undefined, undefined],
    );
    assert.equal(one.approvals, 3);
  });

  it('ends with the step that is all, and never goes back', () => {
    const steps = [{ replicas: 5 }, { replicas: '10%' }, { replicas: '100%' }];
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

  it('is kept by real releases: sizes and waits exactly, surge and missing Pods never above', async () => {
    const share = fc.oneof(
      fc.integer({ min: 0, max: 4 }),
      fc.integer({ min: 0, max: 40 }).map((n) => `${n}%`),
    );
    const pause = fc.constantFrom(undefined, 0, 60);
    const example = fc.record({
      seed: fc.integer({ min: 1, max: 10_000 }),
      replicas: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 12 })),
      maxSurge: share,
      maxUnavailable: share,
      percents: fc.uniqueArray(fc.integer({ min: 1, max: 99 }), { minLength: 1, maxLength: 3 }),
      pauses: fc.tuple(pause, pause, pause, pause),
      approval: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(example, async ({ seed, replicas, maxSurge, maxUnavailable, percents, pauses, approval }) => {
        const zero = [maxSurge, maxUnavailable].every((value) => Number.parseInt(String(value)) === 0);
        const surge = zero ? 1 : maxSurge;
        const steps = [...percents.toSorted((a, b) => a - b), 100].map((n, i) => {
          const duration = pauses[i];
          return duration === undefined ? { replicas: `${n}%` } : { replicas: `${n}%`, pause: { duration } };
        });
        await compare({ seed, replicas, maxSurge: surge, maxUnavailable, steps, approval });
      }),
      { numRuns: 25, seed: 42 },
    );
  }).timeout(0);

  it('is kept by real releases of one Pod, with and without a policy', async () => {
    const plans: readonly (readonly CanaryStep[])[] = [
      [{ replicas: 1 }, { replicas: '100%' }],
      [{ replicas: '100%' }],
      [{ replicas: '50%', pause: { duration: 60 } }, { replicas: '100%' }],
      [{ replicas: 1, pause: { duration: 0 } }, { replicas: 1 }, { replicas: '100%', pause: { duration: 60 } }],
    ];
    for (const steps of plans)
      for (const approval of [false, true])
        await compare({ seed: 1, replicas: 1, maxSurge: 1, maxUnavailable: 0, steps, approval });
  });
});

interface Example {
  readonly seed: number;
  readonly replicas: number;
  readonly maxSurge: IntOrString;
  readonly maxUnavailable: IntOrString;
  readonly steps: readonly CanaryStep[];
  readonly approval: boolean;
}

async function compare({ seed, replicas, maxSurge, maxUnavailable, steps, approval }: Example): Promise<void> {
  const world = await new World({ seed, policies: approval }).start();
  const record = (): Approval => ({
    step: world.canary.currentStepIndex!,
    rolloutID: world.canary.observedRolloutID ?? '',
    revision: world.canary.canaryRevision ?? '',
    user: 'anna',
    time: world.canary.lastUpdateTime ?? '',
    plan: planDigest(world.rollout, world.canary as CanaryStatus, sha256),
  });
  const approve = async (): Promise<void> => {
    const approvals = [...(world.canary.approvals ?? []), record()];
    await world.patchStatus({ canaryStatus: { ...(approval ? { approvals } : {}), currentStepState: 'StepReady' } });
  };
  try {
    const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } };
    await world.createDeployment({ replicas, spec: { strategy } });
    await world.createRollout(steps);
    if (approval) await world.createPolicy('production', { approval: { required: 1 } });
    await world.untilHealthy();
    await world.virtual.settled();
    const planned = planRelease(world.rollout, world.deployment, { approval }).steps;
    await world.release('v2');
    for (const step of planned) {
      const worst = { surge: 0, unavailable: 0 };
      const about = (): string =>
        JSON.stringify({
          seed,
          replicas,
          maxSurge,
          maxUnavailable,
          steps,
          approval,
          step,
          worst,
          status: world.canary,
        });
      if (step.startsAfterApproval) {
        await world.until('it waits before its first step', () => world.canary.currentStepState === 'StepPaused');
        assert.equal(world.sizes['v2'] ?? 0, 0, about());
        await approve();
        await world.until('its first step starts', () => world.canary.currentStepState === 'StepUpgrade');
      }
      // The release goes through a step without a wait in no time.
      if (step.wait === 'None' && step.step !== planned.length) continue;
      const done = (): boolean => {
        const sizes = Object.values(world.sizes).reduce((sum, size) => sum + size, 0);
        worst.surge = Math.max(worst.surge, sizes - replicas);
        worst.unavailable = Math.max(worst.unavailable, replicas - world.readyPods);
        return step.wait === 'None'
          ? world.rollout.status?.phase === 'Healthy' && world.history[0]?.outcome === 'Completed'
          : world.canary.currentStepIndex === step.step && world.canary.currentStepState === 'StepPaused';
      };
      await world.until(`step ${step.step} is done: ${about()}`, done, 600_000);
      assert.equal(world.sizes['v2'] ?? 0, step.updated, about());
      assert.equal(world.sizes['v1'] ?? 0, step.old, about());
      if (planned[planned.indexOf(step) - 1]?.wait !== 'None') {
        assert.ok(worst.surge <= step.surge, `more surge: ${about()}`);
        assert.ok(worst.unavailable <= step.unavailable, `more missing: ${about()}`);
      }
      const timed = typeof step.wait === 'object';
      if (timed) assert.match(world.rollout.status?.message ?? '', approval ? /and until / : /continuing at /, about());
      else if (step.wait === 'Approval') assert.match(world.rollout.status?.message ?? '', /waiting for approval/);
      if (step.wait === 'Approval' || (timed && approval)) await approve();
    }
  } finally {
    await world.stop();
  }
}
