// `tranche drain` in a world: what it does once it leads.
import { GROUP, WORKLOAD_TYPE } from '../../src/api/keys.ts';
import { TRAFFIC_ROUTINGS } from '../../src/api/resources.ts';
import type { TrafficRoutingObject } from '../../src/api/traffic.ts';
import type { Deployment, Rollout } from '../../src/api/types.ts';
import { noObjects } from '../../src/kube/collection.ts';
import { pathOf } from '../../src/kube/path.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { drain } from '../../src/operator/drain.ts';
import { routedKeys } from '../../src/engine/traffic/rivals.ts';
import { routingIndex } from '../../src/operator/traffic-routings.ts';
import { workloadIndex } from '../../src/operator/workload.ts';
import { VirtualApi } from './api.ts';
import type { World } from './world.ts';

/** The operator is gone, and so is the webhook's interception. */
export async function drainOf(
  world: World,
  held: 'Finish' | 'Rollback',
  options: { seconds?: number; crd?: boolean; routings?: boolean } = {},
): Promise<{ deployments: number; rollouts: number }> {
  world.crash();
  world.webhook = false;
  const api = new VirtualApi(world.virtual);
  const { clock } = api;
  const rollouts = new Reflector<Rollout>({
    api,
    clock,
    path: `/apis/${GROUP}/v1beta1/rollouts`,
    indexes: { workload: workloadIndex, routed: routedKeys, routing: routingIndex },
  });
  const workloads = new Reflector<Deployment>({
    api,
    clock,
    path: pathOf(world.kind.resource),
    labelSelector: WORKLOAD_TYPE,
  });
  const routings = options.routings
    ? new Reflector<TrafficRoutingObject>({ api, clock, path: pathOf(TRAFFIC_ROUTINGS) })
    : undefined;
  rollouts.start();
  workloads.start();
  routings?.start();
  const giveUp = new AbortController();
  clock.after((options.seconds ?? 60) * 1000, () => giveUp.abort());
  const done = drain({
    api,
    clock,
    events: { record: () => undefined },
    rollouts: options.crd === false ? noObjects<Rollout>() : rollouts,
    workloads: new Map([[world.kind, workloads]]),
    held,
    routesTraffic: true,
    routings,
    leavesRoutes: true,
    namespaces: [],
    signal: giveUp.signal,
  });
  let over = false;
  const settled = done.then(
    (result) => ((over = true), result),
    (error: unknown) => {
      over = true;
      throw error;
    },
  );
  settled.catch(() => undefined);
  await world.until('the drain ends', () => over, 120_000);
  void rollouts.stop();
  void workloads.stop();
  void routings?.stop();
  return settled;
}
