// A watch of Rollouts that is behind: no decision uses a Rollout from before what is known of it.
import assert from 'node:assert/strict';
import type { Rollout } from '../../src/api/types.ts';
import { World } from './world.ts';

const STEPS = [{ replicas: 2 }, { replicas: '100%' }];
const ROLLOUT = /\/rollouts\/demo-rollout$/;

describe('when the watch does not tell of a change of the Rollout', () => {
  let world: World;
  /** The watch misses the states of the Rollout for which this is true. */
  let missed: (rollout: Rollout) => boolean;

  beforeEach(async () => {
    missed = () => false;
    const isMissed = (object: unknown): boolean => {
      const rollout = object as Rollout;
      return rollout.kind === 'Rollout' && missed(rollout);
    };
    world = await new World({
      seed: 3,
      misbehaviour: () => ({
        fault: () => undefined,
        line: ({ object }) => (isMissed(object) ? 'lost' : undefined),
        onCrash: () => undefined,
      }),
    }).start();
    await world.createDeployment();
    await world.createRollout(STEPS);
    await world.untilHealthy();
    await world.virtual.settled();
  });
  afterEach(() => world.stop());

  const refused = (): string[] => world.apis.flatMap((api) => [...api.refused].map(({ path }) => path));

  it('a release that has ended is over, and the next one starts with its own status', async () => {
    await world.release('v2');
    await world.untilPaused(1);
    missed = ({ status }) => status?.phase === 'Healthy';
    await world.release('v1');
    await world.untilHealthy();
    await world.run(10_000);
    // To a status of the release before, v2 is in step 1.
    await world.release('v2');
    await world.until('v2 starts again', () => world.rolloutOf()?.status?.phase === 'Progressing');
    assert.deepEqual(world.sizes, { v1: 10 }, 'the status names the release before it gets Pods');
    await world.untilPaused(1);
    assert.deepEqual(refused(), [], 'nothing was decided on a status from before an own write');
  });

  it('a refused status makes it read the Rollout, once, and the release goes on', async () => {
    missed = ({ spec }) => spec.strategy.paused === true;
    await world.patchRollout({ spec: { strategy: { paused: true } } });
    const before = world.calls.length;
    await world.release('v2');
    await world.until('it is paused', () => world.condition('Progressing')?.reason === 'Paused');
    await world.run(10_000);
    assert.deepEqual(world.sizes, { v1: 10 });
    const reads = world.calls.slice(before).filter(({ method, path }) => method === 'GET' && ROLLOUT.test(path));
    assert.equal(reads.length, 1);
  });
});
