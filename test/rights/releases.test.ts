// Each right that a release needs, taken away: what stops first.
import assert from 'node:assert/strict';
import { ApiError } from '@tranche/sandbox/types';
import { OPERATOR } from '../operator/api.ts';
import { World } from '../operator/world.ts';
import { granted, isFor, isTestedElsewhere, show, watchRequests, type Grant } from './grants.ts';

/** In order. Returns the first that does not come about. */
async function firstThatFails(without: Grant | undefined): Promise<string> {
  const world = new World({ seed: 7, labelsPods: true });
  watchRequests(world.virtual.cluster, OPERATOR.username, (asked) => {
    if (without && isFor(without, asked))
      throw new ApiError({ code: 403, reason: 'Forbidden', message: `no ${show(without)}` } as never);
  });
  const labelled = (): boolean => world.pods.some(({ metadata }) => metadata.labels?.['rollouts.kruise.io/rollout-id']);
  const milestones: readonly (readonly [string, () => Promise<void>])[] = [
    [
      'the Rollout becomes Healthy',
      async () => {
        await world.start();
        await world.createDeployment();
        await world.createRollout([{ replicas: 2 }, { replicas: '50%' }, { replicas: '100%' }]);
        await world.untilHealthy();
      },
    ],
    [
      'a step is done',
      async () => {
        await world.release('v2');
        await world.untilPaused(1);
      },
    ],
    ['Pods are labelled', () => world.until('labelled', labelled)],
    [
      'a newer version replaces the Pods of a broken one first',
      async () => {
        await world.approve();
        await world.release('v3:broken');
        await world.until('broken Pods', () => (world.sizes['v3:broken'] ?? 0) > 0);
        await world.release('v4');
        await world.untilPaused(1, 120_000);
        await world.until('the broken are gone', () => !world.sizes['v3:broken'] && !world.sizes['v2'], 120_000);
      },
    ],
    [
      'what is held for nobody is given back',
      async () => {
        await world.patchRollout({ metadata: { finalizers: null } });
        await world.deleteRollout();
        await world.until('free', () => !world.held, 120_000);
      },
    ],
  ];
  try {
    for (const [milestone, reach] of milestones) {
      try {
        await reach();
      } catch (error) {
        if (error instanceof assert.AssertionError) return milestone;
        throw error;
      }
    }
    return '';
  } finally {
    await world.stop();
  }
}

describe('the rights of a release', () => {
  it('are enough', async () => {
    assert.equal(await firstThatFails(undefined), '');
  });

  it('are each needed', async () => {
    const releases = ['rollouts', 'rollouts/status', 'deployments', 'replicasets', 'pods', 'controllerrevisions'];
    const stops: Record<string, string> = {};
    for (const grant of await granted())
      if (releases.includes(grant.resource) && !isTestedElsewhere(grant))
        stops[show(grant)] = await firstThatFails(grant);
    assert.deepEqual(stops, {
      'get rollouts': 'what is held for nobody is given back',
      'list rollouts': 'the Rollout becomes Healthy',
      'watch rollouts': 'what is held for nobody is given back',
      'patch rollouts': 'the Rollout becomes Healthy',
      'patch rollouts/status': 'the Rollout becomes Healthy',
      'get deployments': 'the Rollout becomes Healthy',
      'list deployments': 'the Rollout becomes Healthy',
      'watch deployments': 'a newer version replaces the Pods of a broken one first',
      'patch deployments': 'the Rollout becomes Healthy',
      // What admission asks, and what is asked when a ReplicaSet is gone.
      'get replicasets': '',
      'get controllerrevisions': '',
      'create controllerrevisions': 'a step is done',
      'delete controllerrevisions': '',
      'list replicasets': 'the Rollout becomes Healthy',
      'watch replicasets': 'the Rollout becomes Healthy',
      'patch replicasets': 'a newer version replaces the Pods of a broken one first',
      'list pods': 'the Rollout becomes Healthy',
      'watch pods': 'a step is done',
      'patch pods': 'Pods are labelled',
    });
  });
});
