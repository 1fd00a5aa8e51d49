// Releases with checks, whole, in virtual time: good and bad versions, sources that fail, crashes at every look.
import assert from 'node:assert/strict';
import type { AnalysisCheck } from '../../src/api/analysis.ts';
import type { CanaryStep } from '../../src/api/types.ts';
import { Invariants } from '../property/invariants.ts';
import { randomOf } from '../property/plan.ts';
import { SimulatedMetrics, type Trouble } from './metrics.ts';
import { World } from './world.ts';

const ERRORS: AnalysisCheck = { name: 'errors', ratio: { bad: 'bad', total: 'all', limit: '2%', timesStable: 2 } };
const STEPS: readonly CanaryStep[] = [
  { replicas: 1, analysis: { seconds: 300 } },
  { replicas: '50%', analysis: { seconds: 300 } },
  { replicas: '100%' },
];
const LIMITS = { maxSurge: 1, maxUnavailable: 1 };
const SETTINGS = { ...LIMITS, minReadySeconds: 0, progressDeadlineSeconds: 600 };
const HOUR = 3_600_000;

describe('a release with checks', () => {
  let world: World;
  let metrics: SimulatedMetrics;
  let invariants: Invariants;

  async function begin(canary: object = {}, steps = STEPS, seed = 5): Promise<void> {
    world = new World({ seed, metrics: () => metrics });
    metrics = new SimulatedMetrics(world);
    await world.start();
    invariants = new Invariants(world, steps, SETTINGS);
    await world.createDeployment({ spec: { strategy: { rollingUpdate: LIMITS } } });
    await world.createRollout(steps, { canary: { analysis: [ERRORS], ...canary } });
    await world.untilHealthy();
    await world.virtual.settled();
    await world.run(60_000);
  }
  afterEach(async () => {
    assert.deepEqual(invariants.violations, []);
    invariants.stop();
    metrics.end();
    await world.stop();
  });
  const verdict = (): string | undefined => world.canary.analysis?.[0]?.verdict;
  const numbers = (): unknown =>
    world.canary.analysis?.map(({ verdict, since, total, bad }) => [verdict, since, total, bad]);
  const message = (): string => world.rollout.status?.message ?? '';
  const reasons = (): string[] => world.events.map(({ reason }) => reason);

  it('passes a good version without a person, and asks its source nothing before and after', async () => {
    await begin();
    assert.equal(metrics.asked, 0);
    await world.release('v2');
    await world.untilCompleted(HOUR);
    assert.deepEqual(world.sizes, { v2: 10 });
    const [entry] = world.history;
    assert.equal(entry?.outcome, 'Completed');
    assert.notEqual(entry.analysis?.['errors'], 'Worse');
    assert.deepEqual(
      entry.steps?.map(({ step }) => step),
      [1, 2, 3],
    );
    const { asked } = metrics;
    await world.run(HOUR);
    assert.equal(metrics.asked, asked);
  });

  it('stops a bad version at its first step, and goes back by itself if it is asked to', async () => {
    await begin({ onFailure: 'Rollback' });
    await world.release('v2-bad20');
    await world.until('it has gone back', () => world.history[0]?.outcome !== undefined, HOUR);
    assert.equal(world.history[0]?.outcome, 'Failed');
    assert.deepEqual(world.history[0].analysis, { errors: 'Worse' });
    assert.deepEqual(world.sizes, { v1: 10 });
    assert.ok(reasons().includes('FailureRollback'));
    assert.equal(world.history[0].steps?.length, 1, 'no second step');
  });

  it('holds a bad version otherwise, until a person lets it go on', async () => {
    await begin();
    await world.release('v2-bad20');
    await world.until('it is stopped', () => world.condition('Stalled')?.reason === 'AnalysisFailed', HOUR);
    assert.match(
      message(),
      /^step 1\/3 stopped: check errors shows that the new version is worse \(new version: \d+ of \d+ requests bad/,
    );
    await world.run(HOUR);
    assert.deepEqual(world.sizes, { v1: 9, 'v2-bad20': 1 });
    await world.untilPaused(1);
    await world.approve();
    await world.untilCompleted(HOUR);
    assert.deepEqual(world.sizes, { 'v2-bad20': 10 });
    assert.ok(reasons().includes('AnalysisOverridden'));
    assert.equal(world.condition('Stalled')?.status, 'False');
  });

  it('freezes in the middle of a batch, and starts that batch again when it is approved', async () => {
    const check = { ...ERRORS, intervalSeconds: 5, warmUpSeconds: 0 };
    await begin({ analysis: [check], failureThreshold: 0 }, [{ replicas: '90%' }, { replicas: '100%' }]);
    invariants.edited({ ...SETTINGS, minReadySeconds: 20 });
    await world.patch({ spec: { minReadySeconds: 20 } });
    await world.virtual.settled();
    await world.release('v2-bad50');
    await world.until('it is stopped', () => world.condition('Stalled')?.reason === 'AnalysisFailed', HOUR);
    await world.virtual.settled();
    const updated = world.sizes['v2-bad50'] ?? 0;
    assert.ok(updated > 0 && updated < 9, `${updated}`);
    await world.run(HOUR);
    assert.equal(world.sizes['v2-bad50'], updated);
    await world.untilPaused(1);
    await world.approve();
    await world.until('the batch is done', () => world.sizes['v2-bad50'] === 9, HOUR);
  });

  it('goes on without waiting for its checks when a person approves it early', async () => {
    await begin();
    await world.release('v2');
    await world.until('it is watched', () => world.canary.currentStepState === 'StepMetricsAnalysis', HOUR);
    assert.equal(await world.approve(), false, 'other clients approve only a step that waits');
    assert.equal(await world.approve(true), true);
    await world.until('the next step', () => (world.canary.currentStepIndex ?? 0) === 2, 60_000);
    assert.equal(verdict(), 'Open');
  });

  it('waits while its source is down, says so, and goes on as if nothing had been', async () => {
    await begin();
    await world.release('v2');
    await world.until('it is watched', () => world.canary.currentStepState === 'StepMetricsAnalysis', HOUR);
    const from = world.now;
    metrics.trouble = (at) => (at < from + 2 * HOUR ? 'down' : undefined);
    await world.until('it says so', () => /waiting for check errors \(connection refused, since/.test(message()), HOUR);
    assert.equal(verdict(), 'Unknown');
    await world.until('it is stalled', () => world.condition('Stalled')?.reason === 'AnalysisUnknown', HOUR);
    assert.equal(world.canary.currentStepIndex, 1);
    await world.untilCompleted(3 * HOUR);
    assert.deepEqual(world.sizes, { v2: 10 });
  });

  it('decides the same after a crash at any look', async () => {
    await begin();
    await world.release('v2-bad3');
    await world.until('it is decided', () => verdict() === 'Worse', HOUR);
    const decided = numbers();
    const startedAt = world.history[0]?.startTime;
    for (let look = 1; look <= 6; look += 1) {
      invariants.stop();
      metrics.end();
      await world.stop();
      await begin();
      await world.release('v2-bad3');
      await world.run(look * 30_000 + 11_000);
      world.crash();
      await world.run(2_000);
      world.startOperator();
      await world.until('it is decided', () => verdict() === 'Worse', HOUR);
      assert.equal(world.history[0]?.startTime, startedAt);
      assert.deepEqual(numbers(), decided, `look ${look}`);
    }
  });

  it('keeps its promises with sources that lie, hang and flap, and never fails because of them', async () => {
    const kinds: readonly (Trouble | undefined)[] = ['down', 'hang', 'lie', 'empty', 'nan', undefined, undefined];
    for (let seed = 1; seed <= 20; seed += 1) {
      if (seed > 1) {
        assert.deepEqual(invariants.violations, [], `seed ${seed - 1}`);
        invariants.stop();
        metrics.end();
        await world.stop();
      }
      await begin({ onFailure: 'Rollback' }, STEPS, seed);
      const random = randomOf(seed);
      const from = world.now;
      metrics.trouble = (at) => (at > from + 1_800_000 ? undefined : kinds[Math.floor(random() * kinds.length)]);
      const bad = seed % 3 === 0;
      await world.release(bad ? 'v2-bad30' : 'v2');
      await world.run(random() * 600_000);
      world.crash();
      await world.run(random() * 5_000);
      world.startOperator();
      await world.until(`seed ${seed}: it has ended`, () => world.history[0]?.outcome !== undefined, 3 * HOUR);
      assert.equal(world.history[0]?.outcome, bad ? 'Failed' : 'Completed', `seed ${seed}`);
    }
  });

  it('is rolled back by a person at once, whatever its source does', async () => {
    await begin();
    await world.release('v2');
    await world.until('it is watched', () => world.canary.currentStepState === 'StepMetricsAnalysis', HOUR);
    metrics.trouble = () => 'hang';
    await world.run(40_000);
    await world.release('v1');
    await world.until('v1 runs alone', () => world.sizes['v1'] === 10 && !world.held, 30_000);
  });

  it('does not blame the next version for what the last one did', async () => {
    await begin();
    await world.release('v2-bad20');
    await world.until('it is stopped', () => world.condition('Stalled')?.reason === 'AnalysisFailed', HOUR);
    await world.release('v3');
    await world.untilCompleted(HOUR);
    assert.deepEqual(world.sizes, { v3: 10 });
  });
});
