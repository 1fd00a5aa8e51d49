// Whole releases in virtual time, for every combination of size, limits, minReadySeconds and steps (the invariants are checked on the way).
import assert from 'node:assert/strict';
import type { CanaryStep, IntOrString } from '../../src/api/types.ts';
import { World } from '../operator/world.ts';
import { Invariants, targetOf } from './invariants.ts';

const SIZES = [1, 2, 3, 7, 10];
/** What is large takes long: once is enough. */
const LARGE = 100;
const LIMITS: readonly (readonly [IntOrString, IntOrString])[] = [
  [0, 1],
  [1, 0],
  ['25%', '25%'],
  ['100%', 0],
];
const PLANS: Readonly<Record<string, readonly CanaryStep[]>> = {
  integers: [{ replicas: 1 }, { replicas: 3 }, { replicas: 100 }],
  percents: [{ replicas: '10%' }, { replicas: '50%' }, { replicas: '100%' }],
  both: [{ replicas: 1 }, { replicas: '60%' }, { replicas: '100%' }],
};
const LONG_MS = 4 * 3_600_000;

describe('a release of', () => {
  for (const [plan, steps] of Object.entries(PLANS))
    for (const minReadySeconds of [0, 30])
      for (const [maxSurge, maxUnavailable] of LIMITS)
        it(`1 to 100 Pods, steps as ${plan}, maxSurge ${maxSurge}, maxUnavailable ${maxUnavailable}, minReadySeconds ${minReadySeconds}`, async () => {
          for (const replicas of plan === 'both' ? [...SIZES, LARGE] : SIZES)
            await release(replicas, steps, { maxSurge, maxUnavailable, minReadySeconds });
        });
});

async function release(
  replicas: number,
  steps: readonly CanaryStep[],
  {
    maxSurge,
    maxUnavailable,
    minReadySeconds,
  }: { maxSurge: IntOrString; maxUnavailable: IntOrString; minReadySeconds: number },
): Promise<void> {
  const world = await new World({ seed: replicas }).start();
  const settings = { maxSurge, maxUnavailable, minReadySeconds, progressDeadlineSeconds: 600 };
  const strategy = { rollingUpdate: { maxSurge, maxUnavailable } };
  const invariants = new Invariants(world, steps, settings);
  const name = `R=${replicas}`;
  try {
    await world.createDeployment({ replicas, spec: { strategy, minReadySeconds } });
    await world.createRollout(steps);
    await world.untilHealthy();
    await world.until('all Pods run', () => world.deployment.status?.availableReplicas === replicas, LONG_MS);
    await world.release('v2');
    for (const [i, step] of steps.entries()) {
      const target = targetOf(step, replicas);
      const done = (): boolean => world.condition('Succeeded')?.status === 'True';
      const waits = (): boolean =>
        world.canary.currentStepIndex === i + 1 && world.canary.currentStepState === 'StepPaused';
      await world.until(`${name} step ${i + 1}`, () => done() || waits(), LONG_MS);
      if (done()) break;
      assert.equal(world.sizes['v2'], target, `${name} step ${i + 1}`);
      const allAvailable = (): boolean => world.deployment.status?.availableReplicas === replicas;
      await world.until(`${name} step ${i + 1}: every Pod counts as available again`, allAvailable);
      assert.equal(world.deployment.spec.minReadySeconds, minReadySeconds, `${name}: held, so every number is true`);
      await world.approve();
    }
    await world.untilCompleted(LONG_MS);
    assert.deepEqual(world.sizes, { v2: replicas }, name);
    assert.equal(world.held, false, name);
    assert.deepEqual(world.deployment.spec.strategy?.rollingUpdate, strategy.rollingUpdate, name);
    assert.deepEqual(invariants.violations, [], name);
  } finally {
    invariants.stop();
    await world.stop();
  }
}
