// The same story, interrupted at every single point: by a newer version, a rollback, a crash, a lost or doubled line of a watch.
import assert from 'node:assert/strict';
import type { CanaryStep } from '../../src/api/types.ts';
import type { Fault, Misbehaviour } from '../operator/api.ts';
import { World, type WorldOptions } from '../operator/world.ts';
import { Invariants } from './invariants.ts';
import { settings } from './settings.ts';

const STEPS: readonly CanaryStep[] = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }];
const LIMITS = { maxSurge: 1, maxUnavailable: 1 };
const SETTINGS = { ...LIMITS, minReadySeconds: 0, progressDeadlineSeconds: 600 };
const REPLICAS = 6;
/** A release has hundreds of lines and changes: every third of them, and each one in a soak. */
const STRIDE = settings.histories >= 600 ? 1 : 3;
/** What no watch has told is found by the comparison every ten minutes. */
const PATIENCE_MS = 40 * 60_000;

async function made(options: WorldOptions = {}): Promise<{ world: World; invariants: Invariants }> {
  const world = await new World({ seed: 5, ...options }).start();
  const invariants = new Invariants(world, STEPS, SETTINGS);
  await world.createDeployment({ replicas: REPLICAS, spec: { strategy: { rollingUpdate: LIMITS } } });
  await world.createRollout(STEPS);
  await world.untilHealthy(PATIENCE_MS);
  await world.until('all Pods run', () => world.deployment.status?.availableReplicas === REPLICAS, PATIENCE_MS);
  return { world, invariants };
}

/** Approves whatever waits until the release has ended and everything runs `version`. */
async function lead(world: World, version: string): Promise<void> {
  const done = (): boolean =>
    world.rolloutOf()?.status?.phase === 'Healthy' &&
    !world.held &&
    world.sizes[version] === REPLICAS &&
    Object.keys(world.sizes).length === 1 &&
    world.deployment.status?.availableReplicas === REPLICAS;
  const deadline = world.now + PATIENCE_MS;
  while (!done() && world.now < deadline) {
    await world.virtual.until(() => done() || world.canary.currentStepState === 'StepPaused', deadline - world.now);
    if (!done()) await world.approve();
    await world.run(1_000);
  }
  assert.ok(done(), `not everything runs ${version}\n${world.describe()}`);
}

/** Until so many changes of the store have been made. */
async function afterChanges(world: World, changes: number): Promise<boolean> {
  let seen = 0;
  const end = world.virtual.observe(() => (seen += 1));
  const approved = (): boolean => {
    if (world.canary.currentStepState === 'StepPaused' && world.canary.currentStepIndex === 1) void world.approve();
    return seen >= changes;
  };
  const reached = await world.virtual.until(approved, 30_000);
  end();
  return reached;
}

/** Plays `interrupt` after 1, 2, 3, … changes of a release, until there are no more. */
async function atEveryPoint(interrupt: (world: World) => Promise<string>): Promise<number> {
  let points = 0;
  for (let changes = 0; ; changes += 2 * STRIDE) {
    const { world, invariants } = await made();
    try {
      await world.release('v2');
      if (!(await afterChanges(world, changes))) break;
      points += 1;
      const version = await interrupt(world);
      await lead(world, version);
      assert.deepEqual(invariants.violations, [], `after ${changes} changes\n${invariants.trace.join('\n')}`);
    } finally {
      invariants.stop();
      await world.stop();
    }
  }
  return points;
}

describe('at every point of two batches', () => {
  it('v1 → v2 → v3 → v4 ends with v4 and keeps the invariants', async () => {
    const points = await atEveryPoint(async (world) => {
      await world.release('v3');
      await world.run(world.now % 3000);
      await world.release('v4');
      return 'v4';
    });
    assert.ok(points > 20 / STRIDE, `${points} points`);
  });

  it('a rollback ends with v1, without an approval', async () => {
    const points = await atEveryPoint(async (world) => {
      await world.release('v1');
      await world.until('v1 runs alone', () => world.sizes['v1'] === REPLICAS && !world.held, PATIENCE_MS);
      return 'v1';
    });
    assert.ok(points > 20 / STRIDE, `${points} points`);
  });

  it('a rollback over two versions ends with v1', async () => {
    await atEveryPoint(async (world) => {
      await world.release('v3');
      await world.run(world.now % 3000);
      await world.release('v1');
      return 'v1';
    });
  });

  it('the Rollout is deleted and made anew, and the Deployment is its user’s in between', async () => {
    await atEveryPoint(async (world) => {
      await world.deleteRollout();
      await world.until('it is gone', () => world.rolloutOf() === undefined, PATIENCE_MS);
      assert.equal(world.held, false);
      await world.createRollout(STEPS);
      return 'v2';
    });
  });

  it('the Rollout is disabled and enabled again', async () => {
    await atEveryPoint(async (world) => {
      await world.patchRollout({ spec: { disabled: true } });
      await world.until('disabled', () => world.rolloutOf()?.status?.phase === 'Disabled', PATIENCE_MS);
      assert.equal(world.held, false);
      await world.patchRollout({ spec: { disabled: null } });
      return 'v2';
    });
  });
});

describe('with one thing going wrong, each in its turn', () => {
  for (const fault of [
    'crash-before',
    'crash-after',
    'lost',
    'conflict',
    'broken',
    'throttled',
    'forbidden',
  ] as Fault[])
    it(`${fault} at call 1, 2, 3, …: the release ends as if nothing had been`, async () => {
      for (let nth = 1; ; nth++) {
        let calls = 0;
        const misbehaviour = (world: World): Misbehaviour => ({
          fault: ({ method }) => {
            if (fault === 'conflict' && method === 'GET') return undefined;
            return ++calls === nth ? fault : undefined;
          },
          line: () => undefined,
          onCrash: () => {
            world.crash();
            world.virtual.clock.after(500, () => world.startOperator());
          },
        });
        const { world, invariants } = await made({ misbehaviour });
        await world.release('v2');
        await lead(world, 'v2');
        assert.deepEqual(invariants.violations, [], `call ${nth}`);
        assert.deepEqual(
          world.history.map(({ outcome }) => outcome),
          ['Completed'],
          `call ${nth}`,
        );
        invariants.stop();
        await world.stop();
        if (calls < nth) break;
      }
    });

  for (const fate of ['lost', 'twice'] as const)
    it(`line 1, 2, 3, … of a watch ${fate}: the release ends as if nothing had been`, async () => {
      for (let nth = 1; ; nth += STRIDE) {
        let lines = 0;
        const misbehaviour = (): Misbehaviour => ({
          fault: () => undefined,
          line: () => (++lines === nth ? fate : undefined),
          onCrash: () => {},
        });
        const { world, invariants } = await made({ misbehaviour });
        await world.release('v2');
        await lead(world, 'v2');
        assert.deepEqual(invariants.violations, [], `line ${nth}`);
        invariants.stop();
        await world.stop();
        if (lines < nth) break;
      }
    });
});

describe('a release that is not one back to what ran', () => {
  it('goes through the steps when it is to an older version that is neither stable nor current', async () => {
    const { world, invariants } = await made();
    await world.release('v2');
    await lead(world, 'v2');
    await world.release('v3');
    await world.untilPaused(1);
    await world.release('v1');
    await world.until('it starts again', () => world.history[0]?.outcome === undefined && world.history.length === 3);
    await world.untilPaused(1);
    assert.equal(world.sizes['v1'], 1);
    assert.equal(world.history[1]?.outcome, 'Superseded');
    await lead(world, 'v1');
    assert.equal(world.condition('Succeeded')?.status, 'True');
    assert.deepEqual(invariants.violations, []);
    invariants.stop();
    await world.stop();
  });
});
