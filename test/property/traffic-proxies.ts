// Proxies of a Gateway in virtual time: each has its own copies of the route, the Services and their endpoints, and each copy lags on its own.
import type { Change } from '@tranche/sandbox/store';
import type { KubeObject } from '@tranche/sandbox/types';
import { MANAGED_BY, SERVICE_NAME } from '../../src/api/keys.ts';
import type { BackendRef, EndpointSlice, Route, Service } from '../../src/api/traffic.ts';
import type { Pod } from '../../src/api/types.ts';
import { percentOf } from '../../src/engine/lib/replicas.ts';
import { isReady, NAME, versionOf, type World } from '../operator/world.ts';

export interface ProxiesOptions {
  readonly count: number;
  /** How late a copy is, at most, in milliseconds. Never later than the grace period. */
  readonly lagMs: number;
  /** How long a Pod serves after its deletion, in milliseconds: its preStop hook. */
  readonly preStopMs: number;
}

const GATEWAY = 'gateway.networking.k8s.io';
const ROUTES = 'httproutes';
const resourceOf = (collection: string): string => collection.slice(collection.indexOf('/') + 1);
const WATCHED = new Set([ROUTES, 'services', 'endpointslices']);
const LEGS = [`${NAME}-canary`, `${NAME}-stable`];

/** The copies of one proxy, by resource and name. */
type Copies = Map<string, KubeObject>;

const weightOf = ({ weight = 1 }: BackendRef): number => weight;
const refsOf = (route: Route | undefined): readonly BackendRef[] =>
  (route?.spec.rules ?? []).flatMap(({ backendRefs = [] }) => backendRefs);

export class Proxies {
  /** `T12: ...`: each at most once. */
  readonly violations = new Set<string>();
  /** Until then, people have taken Pods away themselves: a leg may be empty. */
  excusedUntil = 0;
  /** Until then, the route may be as somebody has applied it. */
  appliedUntil = 0;
  /** Requests were looked at so often. */
  samples = 0;
  private readonly world: World;
  private readonly options: ProxiesOptions;
  private readonly copies: readonly Copies[];
  /** When the next copy of an object may arrive, by proxy and resource: copies arrive in order. */
  private readonly arrivals = new Map<string, number>();
  /** When a Pod stops to serve, by uid. Infinity while it serves. */
  private readonly serves = new Map<string, number>();
  private readonly end: () => void;
  private started = false;
  private version: string | undefined;

  constructor(world: World, options: ProxiesOptions) {
    this.world = world;
    this.options = options;
    this.copies = Array.from({ length: options.count }, () => new Map());
    for (const collection of [`${GATEWAY}/${ROUTES}`, '/services'])
      for (const object of world.virtual.cluster.store.list(collection, 'default'))
        for (const copies of this.copies) copies.set(`${resourceOf(collection)} ${object.metadata.name}`, object);
    this.end = world.virtual.observe((change) => this.see(change));
  }

  /** All Pods are there, and all copies have arrived. */
  start(): void {
    this.started = true;
    this.version = this.base?.metadata.resourceVersion;
  }

  stop(): void {
    this.end();
  }

  private get base(): Service | undefined {
    return this.stored('/services', NAME) as unknown as Service | undefined;
  }

  private stored(collection: string, name: string): KubeObject | undefined {
    return this.world.virtual.cluster.store.get(collection, 'default', name);
  }

  private get route(): Route | undefined {
    return this.stored(`${GATEWAY}/${ROUTES}`, NAME) as unknown as Route | undefined;
  }

  private see({ type, collection, object, previous }: Change): void {
    const resource = resourceOf(collection);
    if (resource === 'pods') this.seePod(type, object as unknown as Pod);
    if (!WATCHED.has(resource)) return;
    this.checkWrite(type, resource, object, previous);
    for (const [index, copies] of this.copies.entries()) this.send(index, copies, resource, type, object);
  }

  private seePod(type: string, pod: Pod): void {
    const uid = pod.metadata.uid ?? '';
    const before = this.serves.get(uid);
    const gone = type === 'DELETED' || pod.metadata.deletionTimestamp !== undefined;
    if (gone && before === Infinity) this.serves.set(uid, this.world.now + this.options.preStopMs);
    else if (!gone && isReady(pod)) {
      this.serves.set(uid, Infinity);
      if (before === undefined) this.seeReady(pod);
    } else if (!gone && before === Infinity) this.serves.delete(uid);
  }

  /** T7: a new Pod becomes Ready while the versions are apart. */
  private seeReady(pod: Pod): void {
    const { world } = this;
    const { traffic, currentStepState } = world.canary;
    const apart = traffic?.mode === 'Apart' && !['Unroute', 'Warm', 'Retreated'].includes(traffic.state);
    const isNew = versionOf(pod as never) === world.runs && world.held && currentStepState === 'StepUpgrade';
    if (!this.started || !apart || !isNew || world.now < this.appliedUntil) return;
    const open = this.copies.findIndex((copies) =>
      refsOf(copies.get(`${ROUTES} ${NAME}`) as unknown as Route | undefined).some(
        (ref) => ref.name === NAME && weightOf(ref) > 0,
      ),
    );
    if (open >= 0) this.violate('T7', `proxy ${open} sends requests of the user's Service to Pod ${pod.metadata.name}`);
  }

  private send(index: number, copies: Copies, resource: string, type: string, object: KubeObject): void {
    const { clock } = this.world.virtual;
    const at = `${index} ${resource}`;
    const due = clock.now() + clock.random() * this.options.lagMs;
    const arrives = Math.max(due, (this.arrivals.get(at) ?? 0) + 0.001);
    this.arrivals.set(at, arrives);
    const key = `${resource} ${object.metadata.name}`;
    clock.after(arrives - clock.now(), () => {
      if (type === 'DELETED') copies.delete(key);
      else copies.set(key, object);
      this.request(index, copies);
    });
  }

  /** Looks at every request that the proxy could send now. */
  private request(index: number, copies: Copies): void {
    if (!this.started) return;
    this.samples += 1;
    const route = copies.get(`${ROUTES} ${NAME}`) as unknown as Route | undefined;
    for (const ref of refsOf(route)) {
      if (ref.name !== NAME && !LEGS.includes(ref.name)) continue;
      const service = copies.get(`services ${ref.name}`);
      if (service === undefined) {
        this.violate('T2', `proxy ${index} knows no Service ${ref.name}, which its route names`);
        continue;
      }
      if (weightOf(ref) === 0) continue;
      const slices = [...copies.values()].filter(
        ({ metadata }) => metadata.labels?.[SERVICE_NAME] === ref.name && metadata.labels[MANAGED_BY] !== undefined,
      ) as unknown as EndpointSlice[];
      const ready = slices
        .flatMap(({ endpoints }) => endpoints ?? [])
        .filter(({ conditions }) => conditions?.ready !== false && conditions?.terminating !== true);
      if (ready.length === 0 && this.world.now > this.excusedUntil)
        this.violate('T12', `proxy ${index} has no endpoint of Service ${ref.name}, which gets requests`);
      const dead = ready.find(({ targetRef }) => (this.serves.get(targetRef?.uid ?? '') ?? 0) <= this.world.now);
      if (dead) this.violate('T12', `proxy ${index} sends requests of ${ref.name} to Pod ${dead.targetRef?.name}`);
    }
  }

  /** What must hold of each write, whatever proxies know. */
  private checkWrite(type: string, resource: string, object: KubeObject, previous: KubeObject | undefined): void {
    if (!this.started) return;
    const { name } = object.metadata;
    if (resource === 'services' && name === NAME && object.metadata.resourceVersion !== this.version)
      this.violate('T10', 'the Service of the user was written');
    if (resource === 'services' && type === 'MODIFIED' && LEGS.includes(name)) {
      const changed = JSON.stringify(previous?.spec.selector) !== JSON.stringify(object.spec.selector);
      const routes = this.copies.map((copies) => copies.get(`${ROUTES} ${NAME}`) as unknown as Route | undefined);
      const used = routes.some((route) => refsOf(route).some((ref) => ref.name === name && weightOf(ref) > 0));
      if (changed && used) this.violate('T3', `the selector of Service ${name} changed while requests go there`);
    }
    if (resource === 'services' && type === 'DELETED' && refsOf(this.route).some((ref) => ref.name === name))
      this.violate('T2', `Service ${name} was deleted while the route names it`);
    if (resource !== ROUTES || type === 'DELETED') return;
    for (const { backendRefs = [] } of (object as unknown as Route).spec.rules ?? [])
      if (backendRefs.length > 0 && backendRefs.every((ref) => weightOf(ref) === 0))
        this.violate('T4', 'all weights of a rule are 0');
    this.checkShare(object as unknown as Route);
    for (const ref of refsOf(object as unknown as Route))
      if (LEGS.includes(ref.name) && this.stored('/services', ref.name) === undefined)
        this.violate('T2', `the route names Service ${ref.name}, which does not exist`);
  }

  /** T8: the new version gets no more of the weights than the steps until now ask for, or than its Pods are of all. */
  private checkShare(route: Route): void {
    const { world } = this;
    const { currentStepIndex = 0 } = world.canary;
    const steps = (world.rolloutOf()?.spec.strategy.canary?.steps ?? []).slice(0, currentStepIndex);
    const replicas = world.deployment.spec.replicas ?? 1;
    const share = (world.sizes[world.runs] ?? 0) / replicas;
    const asked = Math.max(share, ...steps.map(({ traffic }) => (percentOf(traffic ?? '0%') ?? 0) / 100));
    for (const { backendRefs = [] } of route.spec.rules ?? []) {
      const sum = (name: string): number =>
        backendRefs.filter((ref) => ref.name === name).reduce((all, ref) => all + weightOf(ref), 0);
      const [base, stable, canary] = [sum(NAME), sum(LEGS[1]!), sum(LEGS[0]!)];
      if (stable + base === 0 || canary === 0) continue;
      const given = (canary + base * share) / (base + stable + canary);
      if (given > asked + 1 / replicas + 0.01)
        this.violate('T8', `the new version gets ${given.toFixed(2)} of the requests, not ${asked.toFixed(2)}`);
    }
  }

  private violate(invariant: string, what: string): void {
    this.violations.add(`${invariant}: ${what} (at ${(this.world.now - Date.UTC(2026, 0, 1)) / 1000} s)`);
  }
}
