import assert from 'node:assert/strict';
import { measured } from './measuring.ts';
import { World } from './world.ts';

async function released(steps: readonly object[]): Promise<{ world: World; lines: string[] }> {
  const world = new World();
  await world.start();
  const lines = measured(world);
  await world.createDeployment();
  await world.createRollout(steps as never);
  await world.untilHealthy();
  await world.release('v2');
  return { world, lines };
}

describe('what is measured of a release', () => {
  it('is each step, each wait for a person, and the whole, once', async () => {
    const { world, lines } = await released([{ replicas: 2 }, { replicas: '100%' }]);
    await world.untilPaused(1);
    const [step] = lines;
    await world.run(90_000);
    await world.approve();
    await world.untilCompleted();
    await world.run(30_000);
    assert.match(step!, /^step \d+$/);
    assert.deepEqual(lines[1], 'approval 90');
    assert.match(lines.slice(2).join(), /^(step \d+,)?default Completed (9[0-9]|1\d\d)$/);
    await world.stop();
  });

  it('is no wait for a person where a step waits for a time', async () => {
    const { world, lines } = await released([{ replicas: 2, pause: { duration: 20 } }, { replicas: '100%' }]);
    await world.untilCompleted();
    assert.equal(lines.filter((line) => line.startsWith('approval')).length, 0);
    assert.equal(lines.filter((line) => / Completed /.test(line)).length, 1);
    await world.stop();
  });

  it('is the time until what ran before runs again, for one that is rolled back', async () => {
    const { world, lines } = await released([{ replicas: 2 }, { replicas: '100%' }]);
    await world.untilPaused(1);
    await world.run(60_000);
    await world.release('v1');
    await world.untilHealthy();
    await world.run(30_000);
    const ends = lines.filter((line) => line.startsWith('default'));
    assert.equal(ends.length, 1);
    assert.match(ends[0]!, /^default RolledBack [6-9]\d$/);
    assert.equal(lines.filter((line) => line.startsWith('approval')).length, 0);
    await world.stop();
  });
});
