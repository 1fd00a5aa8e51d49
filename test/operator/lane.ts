// The TrafficRouting `lane` of tests: requests of one user get a header.
import { TRAFFIC_ROUTINGS } from '../../src/api/resources.ts';
import type { TrafficRoutingObject } from '../../src/api/traffic.ts';
import { pathOf } from '../../src/kube/path.ts';
import { NAME, type World } from './world.ts';

export const LANE = 'lane';
const spec = {
  objectRef: [{ service: NAME, gateway: { httpRouteName: NAME } }],
  strategy: {
    matches: [{ headers: [{ name: 'x-user', value: 'a' }] }],
    requestHeaderModifier: { set: [{ name: 'x-lane', value: 'gray' }] },
  },
};

export const createLane = (world: World, name = LANE, more: object = {}): Promise<unknown> =>
  world.virtual.client.request('POST', pathOf(TRAFFIC_ROUTINGS, { namespace: 'default' }), {
    body: {
      apiVersion: TRAFFIC_ROUTINGS.apiVersion,
      kind: TRAFFIC_ROUTINGS.kind,
      metadata: { name },
      spec: { ...spec, ...more },
    },
  });
export const laneIn = (world: World, name = LANE): TrafficRoutingObject | undefined =>
  world.virtual.cluster.store.get('rollouts.kruise.io/trafficroutings', 'default', name) as unknown as
    TrafficRoutingObject | undefined;
export const untilLane = (world: World, phase: string, name = LANE): Promise<void> =>
  world.until(`TrafficRouting ${name} is ${phase}`, () => laneIn(world, name)?.status?.phase === phase);

export const deleteLane = (world: World, name = LANE): Promise<unknown> =>
  world.virtual.client.request('DELETE', pathOf(TRAFFIC_ROUTINGS, { namespace: 'default', name }));
export const patchLane = (world: World, change: object, name = LANE): Promise<unknown> =>
  world.virtual.client.request('PATCH', pathOf(TRAFFIC_ROUTINGS, { namespace: 'default', name }), {
    type: 'application/merge-patch+json',
    body: { spec: change },
  });
