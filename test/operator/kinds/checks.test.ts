// Checks by metrics: the new Pods are compared with the stable ones, of every kind of workload. Pods of some kinds keep their names.
import assert from 'node:assert/strict';
import { SimulatedMetrics } from '../metrics.ts';
import type { World } from '../world.ts';
import { MINUTE, overKinds } from './stage.ts';

const CANARY = {
  steps: [
    { replicas: '50%', analysis: { seconds: 600 } },
    { replicas: '100%', pause: { duration: 0 } },
  ],
  analysis: [{ name: 'errors', ratio: { bad: 'bad', total: 'all', limit: '2%', timesStable: 2 } }],
};

overKinds('with checks', (stage) => {
  let metrics: SimulatedMetrics;
  const begin = (canary: object = {}): Promise<World> =>
    stage.begin({ metrics: (world) => (metrics = new SimulatedMetrics(world)) }, { canary: { ...CANARY, ...canary } });
  afterEach(() => metrics.end());

  it('passes a good version without a person', async () => {
    const world = await begin();
    await world.release('v2');
    await world.untilCompleted(90 * MINUTE);
    assert.deepEqual(world.sizes, { v2: 6 });
    assert.ok(metrics.asked > 0);
    assert.notEqual(stage.last.analysis?.['errors'], 'Worse');
  });

  it('stops a bad version at its first step, and goes back by itself if it is asked to', async () => {
    const world = await begin({ onFailure: 'Rollback' });
    await world.release('v2-bad50');
    await world.until('it goes back', () => world.runs === 'v1', 90 * MINUTE);
    await stage.untilWithout('v2-bad50');
    assert.equal(stage.last.outcome, 'Failed');
  });
});
