// TrafficRoutings of whole releases in virtual time: the route has their rules as long as a release needs them, whatever happens meanwhile.
import assert from 'node:assert/strict';
import { HELD, TRAFFIC, TRAFFIC_ROUTING } from '../../src/api/keys.ts';
import { TRAFFIC_ROUTINGS } from '../../src/api/resources.ts';
import type { ApiCall } from '../../src/kube/api.ts';
import { ApiError } from '../../src/kube/errors.ts';
import { pathOf } from '../../src/kube/path.ts';
import { drainOf } from './draining.ts';
import { createLane, LANE, laneIn, untilLane } from './lane.ts';
import { createRoute, editRoute, routedWorld, routeIn, ROUTING, RULES } from './traffic.ts';
import { NAME, type World } from './world.ts';

const STEPS = [{ replicas: 1 }, { replicas: '100%' }];
const rulesIn = (world: World): number => routeIn(world)?.spec.rules?.length ?? 0;

function nothingLeft(world: World): void {
  assert.deepEqual(routeIn(world)?.spec.rules, RULES);
  assert.deepEqual(routeIn(world)?.metadata.labels ?? {}, {});
  assert.deepEqual(routeIn(world)?.metadata.annotations ?? {}, {});
  assert.deepEqual(laneIn(world)?.metadata.finalizers ?? [], []);
}

/** At rest, with a Rollout that names the TrafficRouting. */
async function atRest(canary: object = { trafficRoutingRef: LANE }): Promise<World> {
  const world = await routedWorld({ routings: true });
  await createLane(world);
  await world.createDeployment();
  await world.createRollout(STEPS, { canary });
  await world.untilHealthy();
  await untilLane(world, 'Healthy');
  return world;
}

async function inRelease(): Promise<World> {
  const world = await atRest();
  await world.release('v2');
  await world.untilPaused(1);
  await world.until('the route has its rule', () => rulesIn(world) === 2);
  return world;
}

describe('operator: a TrafficRouting', () => {
  it('has its rules in the route from the start of a release to its end, and nothing of ours is left', async () => {
    const world = await inRelease();
    await world.until('it says so', () => /for the release of Rollout /.test(laneIn(world)?.status?.message ?? ''));
    assert.equal(routeIn(world)?.metadata.labels?.[TRAFFIC], LANE);
    await world.approve();
    await world.untilHealthy();
    await untilLane(world, 'Healthy');
    nothingLeft(world);
    await world.stop();
  });
  it('does not read its route at rest', async () => {
    const world = await atRest();
    // Its own last write is seen.
    await world.run(1_000);
    const from = world.calls.length;
    await world.run(600_000);
    const asked = world.calls.slice(from).filter(({ path }) => /httproutes/.test(path));
    assert.deepEqual(
      asked.filter(({ query }) => query?.['watch'] === undefined),
      [],
    );
    await world.stop();
  });
  it('is named by the annotation, too', async () => {
    const world = await routedWorld({ routings: true });
    await createLane(world);
    await world.createDeployment();
    await world.createRollout(STEPS, { metadata: { annotations: { [TRAFFIC_ROUTING]: LANE } } });
    await world.untilHealthy();
    await world.release('v2');
    await world.until('the route has its rule', () => rulesIn(world) === 2);
    await world.stop();
  });
  it('puts its rules on an edit that no webhook saw', async () => {
    const world = await inRelease();
    const rules = [{ backendRefs: [{ name: NAME, port: 80, weight: 3 }] }];
    await editRoute(world, rules);
    await world.until('they are on it', () => rulesIn(world) === 2);
    await world.approve();
    await untilLane(world, 'Healthy');
    assert.deepEqual(routeIn(world)?.spec.rules, rules);
    await world.stop();
  });
  it('is deleted during a release after its route was given back', async () => {
    const world = await inRelease();
    await world.virtual.client.request('DELETE', pathOf(TRAFFIC_ROUTINGS, { namespace: 'default', name: LANE }));
    await world.until('it is gone', () => laneIn(world) === undefined);
    nothingLeft(world);
    await world.approve();
    await world.untilHealthy();
    await world.stop();
  });
  it('created during a release is used at once', async () => {
    const world = await routedWorld({ routings: true });
    await world.createDeployment();
    await world.createRollout(STEPS, { canary: { trafficRoutingRef: LANE } });
    await world.untilHealthy();
    await world.release('v2');
    await world.untilPaused(1);
    await createLane(world);
    await world.until('the route has its rule', () => rulesIn(world) === 2);
    await world.stop();
  });
  it('goes on where a process that was killed left off', async () => {
    const world = await atRest();
    await world.release('v2');
    for (let kill = 0; kill < 6; kill++) {
      await world.run(20);
      world.crash();
      world.startOperator();
    }
    await world.untilPaused(1);
    await world.until('the route has its rule', () => rulesIn(world) === 2);
    await world.approve();
    for (let kill = 0; kill < 6; kill++) {
      await world.run(500);
      world.crash();
      world.startOperator();
    }
    await world.untilHealthy();
    await untilLane(world, 'Healthy');
    nothingLeft(world);
    await world.stop();
  });
  it('gives its route back when the program is removed', async () => {
    const world = await inRelease();
    await drainOf(world, 'Finish', { routings: true });
    nothingLeft(world);
  });
  it('does not change a route that a second one has changed, and says whose it is', async () => {
    const world = await inRelease();
    await createLane(world, 'second');
    const second = { trafficRoutingRef: 'second' };
    await world.createRollout(STEPS, { name: 'other', workload: 'none', canary: second });
    await untilLane(world, 'Healthy', 'second');
    const status = { phase: 'Progressing' };
    await world.virtual.client.request(
      'PATCH',
      '/apis/rollouts.kruise.io/v1beta1/namespaces/default/rollouts/other/status',
      { type: 'application/merge-patch+json', body: { status } },
    );
    await world.run(50);
    assert.equal(rulesIn(world), 2);
    assert.match(routeIn(world)?.metadata.annotations?.[HELD] ?? '', /"trafficRouting":"lane"/);
    await world.stop();
  });
});

describe('operator: a TrafficRouting whose route does not exist', () => {
  /** What the operator asks about routes from now on, also what is answered with 404. */
  const askedIn = (world: World): (() => string[]) => {
    const calls = (): ApiCall[] => world.apis.flatMap((api) => api.calls);
    const from = calls().length;
    return () =>
      calls()
        .slice(from)
        .filter(({ path }) => /routes/.test(path))
        .map(({ path, query }) =>
          query?.['watch'] ? 'watch' : /routes\//.test(path) ? 'get' : `list ${query?.['fieldSelector']}`,
        );
  };
  it('is told when it is created, by a watch of this one name, and does not ask again and again', async () => {
    const world = await routedWorld({ routings: true, rules: null });
    const asked = askedIn(world);
    await createLane(world);
    await untilLane(world, 'Initial');
    await world.run(100_000);
    // GETs before the status is written, after it, and when its watch tells of it.
    assert.deepEqual(asked().sort(), ['get', 'get', 'get', `list metadata.name=${NAME}`, 'watch']);
    await createRoute(world);
    await world.until('it is Healthy', () => laneIn(world)?.status?.phase === 'Healthy', 1_000);
    await world.run(1_000);
    const then = askedIn(world);
    await world.run(700_000);
    assert.deepEqual(then(), []);
    await world.stop();
  });
  it('is told during a release, too', async () => {
    const world = await routedWorld({ routings: true, rules: null });
    await createLane(world);
    await world.createDeployment();
    await world.createRollout(STEPS, { canary: { trafficRoutingRef: LANE } });
    await world.untilHealthy();
    await world.release('v2');
    await world.untilPaused(1);
    assert.match(laneIn(world)?.status?.message ?? '', /^HTTPRoute demo does not exist: create it$/);
    const asked = askedIn(world);
    await world.run(100_000);
    assert.deepEqual(asked(), []);
    await createRoute(world);
    await world.until('the route has its rule', () => rulesIn(world) === 2, 1_000);
    await world.stop();
  });
  it('looks again every half minute, and watches nothing, in a cluster that does not serve the kind', async () => {
    const world = await routedWorld({ routings: true });
    const asked = askedIn(world);
    await createLane(world, LANE, { objectRef: [{ service: NAME, gateway: { grpcRouteName: NAME } }] });
    await untilLane(world, 'Initial');
    assert.equal(
      laneIn(world)?.status?.message,
      'the cluster does not serve GRPCRoutes: install the CustomResourceDefinitions of the Gateway API; Tranche looks again every 30 seconds',
    );
    await world.run(100_000);
    assert.deepEqual(asked(), Array(3 + 3).fill('get'));
    await world.stop();
  });
  it('does not watch it any more when the kind is no longer served', async () => {
    const world = await routedWorld({ routings: true, rules: null });
    await createLane(world);
    await untilLane(world, 'Initial');
    await world.run(20_000);
    const api = world.apis.at(-1)!;
    const { request, watch } = api;
    const served = (path: string): void => {
      if (/httproutes/.test(path)) throw new ApiError(404, { code: 404, message: '404 page not found' } as never);
    };
    api.request = async (call) => (served(call.path), request.call(api, call));
    api.watch = async (call, ...more) => (served(call.path), watch.call(api, call, ...more));
    // An open watch ends by itself after 4 to 8 minutes.
    await world.run(500_000);
    assert.match(laneIn(world)?.status?.message ?? '', /^the cluster does not serve HTTPRoutes: /);
    await world.stop();
  });
});

describe('operator: a Rollout whose route a TrafficRouting changes', () => {
  it('waits, says why, and takes nothing of it', async () => {
    const world = await atRest({ trafficRoutingRef: LANE, trafficRoutings: ROUTING });
    await world.virtual.client.request(
      'PATCH',
      `/apis/rollouts.kruise.io/v1beta1/namespaces/default/rollouts/demo-rollout`,
      {
        type: 'application/merge-patch+json',
        body: { spec: { strategy: { canary: { steps: [{ replicas: 1, traffic: '50%' }, { replicas: '100%' }] } } } },
      },
    );
    await world.release('v2');
    await world.until('it says why', () =>
      /HTTPRoute demo is changed by TrafficRouting lane/.test(world.rolloutOf()?.status?.message ?? ''),
    );
    await world.run(60_000);
    assert.equal(rulesIn(world), 2);
    assert.match(routeIn(world)?.metadata.annotations?.[HELD] ?? '', /"trafficRouting":"lane"/);
    await world.stop();
  });
});
