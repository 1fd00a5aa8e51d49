// One release with a TrafficRouting, in virtual time: what its users do, and the operator killed at one of its writes.
import { fieldTracker } from '@tranche/sandbox/apply';
import type { RouteRule } from '../../src/api/traffic.ts';
import type { OperatorDeps } from '../../src/operator/operator.ts';
import { createLane, deleteLane, LANE, laneIn, patchLane, untilLane } from '../operator/lane.ts';
import { createRoute, editRoute, routedWorld, routeIn, ROUTING, RULES, serviceIn } from '../operator/traffic.ts';
import { NAME, type World } from '../operator/world.ts';
import { LaneWatcher } from './lane-watcher.ts';
import { judged } from './traffic-proxies.ts';

/** What users do to a release that waits after its first step. */
export const ACTS = [
  'nothing',
  'rollback',
  'supersede',
  'delete the TrafficRouting',
  'delete and create the TrafficRouting',
  'name another route',
  'name none',
  'edit the route',
  'delete the Rollout',
  'delete both',
  'disable the Rollout',
] as const;
export type LaneAct = (typeof ACTS)[number];

export interface LaneStory {
  readonly act: LaneAct;
  /** The Rollout gives each version its share of the requests of a second route. */
  readonly shares?: boolean;
  /** The operator dies after its write number so and so, from 1, and another one starts so many milliseconds later. */
  readonly crash?: { readonly write: number; readonly fault: 'crash-before' | 'crash-after'; readonly downMs: number };
  /** In place of the engine. */
  readonly decideRouting?: OperatorDeps['decideRouting'];
}

export interface LaneReport {
  readonly problems: readonly string[];
  readonly writes: number;
  /** In so many states, a route had the rules of the TrafficRouting. */
  readonly changed: number;
  readonly story: () => string;
}

const STEPS = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }];
const SHARED = [{ replicas: 1, traffic: '30%' }, { replicas: '50%', traffic: '50%' }, { replicas: '100%' }];
const REPLICAS = 4;
const PATIENCE_MS = 20 * 60_000;
const ENTRY = 'entry';
const OTHER = 'other-entry';
const USER: readonly RouteRule[] = [
  { matches: [{ path: { type: 'PathPrefix', value: '/static' } }], backendRefs: [{ name: 'assets', port: 80 }] },
  {
    backendRefs: [
      { name: NAME, port: 80, weight: 3 },
      { name: 'assets', port: 80, weight: 1 },
    ],
  },
];
const EDITED: readonly RouteRule[] = [USER[0]!, { ...USER[1]!, timeouts: { request: '7s' } }];
const refTo = (httpRouteName: string): object => ({ objectRef: [{ service: NAME, gateway: { httpRouteName } }] });

export async function playLane({ act, shares = false, crash, decideRouting }: LaneStory): Promise<LaneReport> {
  let writes = 0;
  let counts = false;
  const world = await routedWorld({
    seed: 11,
    routings: true,
    fields: fieldTracker,
    ...(decideRouting && { decideRouting }),
    misbehaviour: (of) => ({
      fault: ({ method }) => (counts && method !== 'GET' && ++writes === crash?.write ? crash.fault : undefined),
      line: () => undefined,
      onCrash: () => {
        of.crash();
        of.virtual.clock.after(crash?.downMs ?? 0, () => of.startOperator());
      },
    }),
  });
  const watcher = new LaneWatcher(world, shares);
  const { judge, end } = judged(world, { seed: 12, lagMs: 2_900, preStopMs: 5_000 });
  const problems: string[] = [];
  try {
    for (const name of [ENTRY, OTHER]) {
      await createRoute(world, USER, name);
      watcher.wrote.set(name, USER);
    }
    await world.createDeployment({ replicas: REPLICAS });
    await world.until('all Pods run', () => world.deployment.status?.availableReplicas === REPLICAS);
    await world.run(5_000);
    judge.userRules = RULES;
    judge.start(world.now);
    watcher.started = counts = true;
    await createLane(world, LANE, refTo(ENTRY));
    const canary = { trafficRoutingRef: LANE, ...(shares && { trafficRoutings: ROUTING }) };
    await world.createRollout(shares ? SHARED : STEPS, { canary });
    await play(world, watcher, act);
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  problems.unshift(...watcher.violations, ...judge.violations);
  watcher.stop();
  end();
  await world.stop();
  const story = (): string => [act, JSON.stringify(crash), ...watcher.trace, '---', ...problems].join('\n');
  return { problems, writes, changed: watcher.changed, story };
}

async function play(world: World, watcher: LaneWatcher, act: LaneAct): Promise<void> {
  await world.untilHealthy(PATIENCE_MS);
  await untilLane(world, 'Healthy');
  await world.release('v2');
  // Users do not look whether the operator runs.
  await world.virtual.until(() => world.canary.currentStepState === 'StepPaused' && watcher.hasRules(ENTRY), 15_000);
  await users(world, watcher, act);
  const version = act === 'rollback' ? 'v1' : act === 'supersede' ? 'v3' : 'v2';
  const phase = isRolloutDeleted(act) ? undefined : act === 'disable the Rollout' ? 'Disabled' : 'Healthy';
  const isOver = (): boolean =>
    !world.held &&
    world.running &&
    world.sizes[version] === REPLICAS &&
    Object.keys(world.sizes).length === 1 &&
    world.rolloutOf()?.status?.phase === phase &&
    (isRolloutDeleted(act) ? world.rolloutOf() === undefined : true);
  const waits = (): boolean => world.running && world.canary.currentStepState === 'StepPaused';
  const deadline = world.now + PATIENCE_MS;
  while (!isOver() && world.now < deadline) {
    await world.virtual.until(() => isOver() || waits(), deadline - world.now);
    if (!isOver()) await approveChanged(world, watcher, act);
    await world.run(1_000);
  }
  await world.until(`all Pods run ${version}`, isOver, 1);
  await world.until(`L5: nothing is left: ${watcher.left().join('; ')}`, () => watcher.left().length === 0);
  await world.run(100_000);
  const left = [...watcher.left(), ...leftOfShares(world)];
  if (left.length > 0) throw new Error(`L5: left later: ${left.join('; ')}`);
  if (isLaneDeleted(act) !== (laneIn(world) === undefined))
    throw new Error('L5: the TrafficRouting is not gone, or is');
}

/** What is left of the route that the Rollout gives shares of. */
const leftOfShares = (world: World): string[] => {
  const rules = routeIn(world)?.spec.rules;
  const legs = ['canary', 'stable'].filter((leg) => serviceIn(world, `${NAME}-${leg}`) !== undefined);
  return [...legs, ...(JSON.stringify(rules) === JSON.stringify(RULES) ? [] : [`rules ${JSON.stringify(rules)}`])];
};

/** At each pause, the route that the TrafficRouting names has its rules, if there is one and the Rollout names it. */
async function approveChanged(world: World, watcher: LaneWatcher, act: LaneAct): Promise<void> {
  const name = act === 'name another route' ? OTHER : ENTRY;
  if (!isLaneDeleted(act) && act !== 'name none')
    await world.until(`L6: ${name} has the rules`, () => watcher.hasRules(name) || !isWaiting(world));
  await world.approve();
}

const isLaneDeleted = (act: LaneAct): boolean => act === 'delete the TrafficRouting' || act === 'delete both';
const isRolloutDeleted = (act: LaneAct): boolean => act === 'delete the Rollout' || act === 'delete both';
const isWaiting = (world: World): boolean => world.canary.currentStepState === 'StepPaused';

async function users(world: World, watcher: LaneWatcher, act: LaneAct): Promise<void> {
  switch (act) {
    case 'nothing':
      return;
    case 'rollback':
      await world.release('v1');
      return;
    case 'supersede':
      await world.release('v3');
      return;
    case 'delete the TrafficRouting':
      await deleteLane(world);
      return;
    case 'delete and create the TrafficRouting':
      await deleteLane(world);
      await world.until('it is gone', () => laneIn(world) === undefined);
      await createLane(world, LANE, refTo(ENTRY));
      return;
    case 'name another route':
      await patchLane(world, refTo(OTHER));
      return;
    case 'name none':
      await world.patchRollout({ spec: { strategy: { canary: { trafficRoutingRef: null } } } });
      return;
    case 'edit the route':
      watcher.wrote.set(ENTRY, EDITED);
      await editRoute(world, EDITED, ENTRY);
      return;
    case 'delete the Rollout':
      await world.deleteRollout();
      return;
    case 'delete both':
      await deleteLane(world);
      await world.deleteRollout();
      return;
    case 'disable the Rollout':
      await world.patchRollout({ spec: { disabled: true } });
  }
}
