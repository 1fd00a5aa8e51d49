// What must be true of the routes that a TrafficRouting changes, at each moment. It reads raw objects, and nothing of the engine.
import assert from 'node:assert/strict';
import type { EndpointSlice, RouteRule } from '../../src/api/traffic.ts';
import { HELD, TRAFFIC, TRAFFIC_ROUTING } from '../../src/api/keys.ts';
import { LANE, laneIn } from '../operator/lane.ts';
import { routeIn } from '../operator/traffic.ts';
import { NAME, type World } from '../operator/world.ts';

/** Only the TrafficRouting of the tests sets this header. */
export const isOfLane = ({ filters = [] }: RouteRule): boolean =>
  filters.some(({ requestHeaderModifier }) =>
    (requestHeaderModifier as { set?: { name: string }[] } | undefined)?.set?.some(({ name }) => name === 'x-lane'),
  );

const same = (a: unknown, b: unknown): boolean => {
  try {
    assert.deepEqual(a, b);
    return true;
  } catch {
    return false;
  }
};

export class LaneWatcher {
  /** `L1: …`: each text at most once. */
  readonly violations = new Set<string>();
  readonly trace: string[] = [];
  /** By route: the rules as their user wrote them last. */
  readonly wrote = new Map<string, readonly RouteRule[]>();
  /** In how many states of a route it had the rules of the TrafficRouting. */
  changed = 0;
  private readonly world: World;
  private readonly shares: boolean;
  private readonly end: () => void;

  /** `shares`: the Rollout makes Services of its own, for another route. */
  constructor(world: World, shares = false) {
    this.world = world;
    this.shares = shares;
    this.end = world.virtual.observe(({ collection }) => {
      if (!/\/(httproutes|trafficroutings|services|endpointslices|rollouts)$/.test(collection)) return;
      for (const name of this.wrote.keys()) this.look(name);
    });
  }

  stop(): void {
    this.end();
  }

  hasRules(name: string): boolean {
    return (routeIn(this.world, name)?.spec.rules ?? []).some(isOfLane);
  }

  private look(name: string): void {
    const { world } = this;
    const { spec, metadata } = routeIn(world, name) ?? {};
    const rules = spec?.rules ?? [];
    const lane = laneIn(world);
    const isChanged = rules.some(isOfLane);
    if (isChanged) this.changed += 1;
    const state = [
      `${name} ${rules.map((rule) => (isOfLane(rule) ? 'L' : 'u')).join('')}`,
      `${metadata?.annotations?.[HELD] === undefined ? '' : 'record'} ${lane?.metadata.finalizers?.join() ?? 'no lane'}`,
      `${lane?.status?.phase} ${lane?.status?.route?.name ?? ''} ${lane?.status?.message} / ${world.rolloutOf()?.status?.phase} ${world.canary.currentStepState}`,
    ].join(' | ');
    if (!this.trace.slice(-this.wrote.size).includes(state)) this.trace.push(state);
    this.noRequestLost(name, rules);
    const isKept =
      isChanged || metadata?.annotations?.[HELD] !== undefined || metadata?.labels?.[TRAFFIC] !== undefined;
    if (!isKept) return;
    // After a crash, nothing else tells that this route has to be given back.
    if (lane?.metadata.finalizers?.includes(TRAFFIC_ROUTING) !== true)
      this.violations.add(`L3: ${name} is changed, and the TrafficRouting has no finalizer`);
    if (lane?.status?.route?.name !== name)
      this.violations.add(`L3: ${name} is changed, and the status names ${lane?.status?.route?.name}`);
    if (isChanged && metadata?.annotations?.[HELD] === undefined)
      this.violations.add(`L3: ${name} is changed, and has no record`);
  }

  private noRequestLost(name: string, rules: readonly RouteRule[]): void {
    const users = rules.filter((rule) => !isOfLane(rule));
    if (!same(users, this.wrote.get(name)))
      this.violations.add(`L2: the rules of ${name} are not those of their user: ${JSON.stringify(users)}`);
    rules.forEach((rule, index) => {
      const next = rules.slice(index).find((other) => !isOfLane(other));
      if (isOfLane(rule) && !same(rule.backendRefs, next?.backendRefs))
        this.violations.add(`L1: a rule of ${name} sends requests elsewhere: ${JSON.stringify(rule.backendRefs)}`);
    });
    const services = this.world.virtual.cluster.store.list('/services', 'default').map(({ metadata }) => metadata.name);
    for (const leg of services.filter((one) => !this.shares && one.startsWith(`${NAME}-`)))
      this.violations.add(`L4: Service ${leg} was created`);
    if (this.started && this.readyEndpoints === 0) this.violations.add('L4: the Service of the route has no endpoints');
  }

  /** All Pods run: from now on, the Service must have endpoints. */
  started = false;

  private get readyEndpoints(): number {
    const slices = this.world.virtual.cluster.store.list('discovery.k8s.io/endpointslices', 'default');
    return (slices as unknown as EndpointSlice[])
      .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === NAME)
      .flatMap(({ endpoints }) => endpoints ?? [])
      .filter(({ conditions }) => conditions?.ready !== false).length;
  }

  /** What is left after the last release. */
  left(): string[] {
    const { world, wrote } = this;
    const left: string[] = [];
    for (const [name, rules] of wrote) {
      const { spec, metadata } = routeIn(world, name) ?? {};
      if (!same(spec?.rules, rules)) left.push(`rules of ${name}: ${JSON.stringify(spec?.rules)}`);
      if (metadata?.annotations?.[HELD] !== undefined) left.push(`the record of ${name}`);
      if (metadata?.labels?.[TRAFFIC] !== undefined) left.push(`the label of ${name}`);
      const managers = (metadata as { managedFields?: { manager?: string }[] } | undefined)?.managedFields ?? [];
      if (managers.some(({ manager }) => manager === 'tranche')) left.push(`fields of ${name}`);
    }
    const lane = laneIn(world);
    if ((lane?.metadata.finalizers ?? []).length > 0) left.push(`finalizers of ${LANE}`);
    if (lane?.status?.route !== undefined) left.push(`the route in the status of ${LANE}`);
    if (lane !== undefined && lane.status?.phase !== 'Healthy') left.push(`phase ${lane.status?.phase}`);
    return left;
  }
}
