// What the cluster says about the traffic of releases that route it: a route and three Services by GET, and two watches while the release needs them.
import type { EndpointSlice, Route, Service } from '../api/traffic.ts';
import type { KubeObject } from '../api/types.ts';
import { MANAGED_BY, SERVICE_NAME } from '../api/keys.ts';
import { ENDPOINT_SLICES, SERVICES, type Resource } from '../api/resources.ts';
import { SLICE_CONTROLLER } from '../engine/traffic/endpoints.ts';
import type { Effect } from '../engine/decision.ts';
import type { TrafficAsk, TrafficFacts } from '../engine/traffic/facts.ts';
import { LEGS, legName, type Leg } from '../engine/traffic/split.ts';
import { cleaned } from '../engine/messages.ts';
import type { Api, Clock } from '../kube/api.ts';
import { ApiError, isForbidden } from '../kube/errors.ts';
import { findObject } from '../kube/get.ts';
import type { Logger } from '../kube/log.ts';
import { nameSelector, pathOf } from '../kube/path.ts';
import { Reflector, type ReflectorOptions } from '../kube/reflector.ts';
import { splitKey } from '../kube/store.ts';
import { isOlder } from '../kube/versions.ts';

export interface TrafficWatchesDeps {
  readonly api: Api;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called when a route, or the endpoints of a leg, of this key changed. */
  readonly wake: (key: string) => void;
  /** This installation has the rights. */
  readonly isEnabled: boolean;
  readonly metrics?: { watchRestart(resource: string, reason: string): void };
}

/** Services are not watched. The next decision after this time reads them again. */
const MAX_AGE_MS = 30_000;
/** The same, if endpoints have changed since. */
const MIN_AGE_MS = 5_000;

/** `base`: the user's Service. */
type Name = 'route' | 'base' | Leg;

const NAMES: readonly Name[] = ['route', 'base', 'canary', 'stable'];

const nameIn = (effect: Effect): string | undefined => {
  if (effect.kind === 'Patch') return effect.before.metadata.name;
  if (effect.kind === 'Create') return effect.object.metadata.name;
  return effect.kind === 'Evict' ? undefined : effect.name;
};

interface Open {
  readonly text: string;
  readonly names: Readonly<Record<Name, { readonly resource: Resource; readonly name: string }>>;
  readonly routes: Reflector<Route>;
  readonly slices: Reflector<EndpointSlice>;
  /** Null: it does not exist. Absent: it has to be read. Another map when all have to be, also those that are being read. */
  objects: Map<Name, KubeObject | null>;
  /** When the oldest of them was read. */
  readAt: number;
  /** Endpoints have changed since the objects were read. */
  isOld: boolean;
}

/**
 * Calls of a release with one routed step, shared, to its end (test/operator/traffic.test.ts counts them): 2 lists and 2 watches; 1 POST and 1 DELETE
 * of a Service; 3 PATCHes of the route (the leg, its weight, the user's route) and 2 of the workload; 3 GETs of the route and 6 of Services. Each further
 * step: 1 PATCH. Four GETs more for a decision on objects that were read more than half a minute ago. Apart: 1 Service and 2 PATCHes more. A route that
 * other managers own fields of: 1 PATCH of its managedFields at the end, or after each write with server-side apply. A release that routes nothing: none.
 */
export class TrafficWatches {
  private readonly deps: TrafficWatchesDeps;
  private readonly open_ = new Map<string, Open>();

  constructor(deps: TrafficWatchesDeps) {
    this.deps = deps;
  }

  /** The facts. Watches from now on. */
  async read(key: string, ask: TrafficAsk): Promise<TrafficFacts> {
    if (!this.deps.isEnabled) return { ...NOTHING, unreadable: NOT_ENABLED };
    const open = this.watch(key, ask);
    const { slices, routes } = open;
    let objects: Open['objects'];
    try {
      objects = await this.get(key, open);
    } catch (error) {
      if (!(error instanceof ApiError) || !isForbidden(error)) throw error;
      return {
        ...NOTHING,
        unreadable: `the API server does not let Tranche read routes or Services: ${cleaned(error.message)}`,
      };
    }
    const found = <T extends KubeObject>(name: Name): T | null => objects.get(name) as T | null;
    return {
      base: found<Service>('base'),
      legs: { canary: found<Service>('canary'), stable: found<Service>('stable') },
      route: newer(found<Route>('route'), routes.get(`${splitKey(key).namespace}/${ask.route.name}`)),
      slices: slices.synced ? [...slices.store.values()] : undefined,
    };
  }

  /** After a refused write, all objects are read again. */
  forget(key: string): void {
    const open = this.open_.get(key);
    if (open) open.objects = new Map();
  }

  /** After own writes: the answer to a patch is known, and other objects that they have changed are read again. */
  wrote(key: string, effects: readonly Effect[], newest: (before: KubeObject) => KubeObject): void {
    const open = this.open_.get(key);
    if (!open) return;
    for (const effect of effects)
      for (const name of NAMES) {
        const { resource, name: called } = open.names[name];
        if (effect.resource !== resource || nameIn(effect) !== called) continue;
        // Without the object, all are read again anyway: the one that was patched may be gone.
        if (effect.kind === 'Patch' && open.objects.has(name)) open.objects.set(name, newest(effect.before));
        else open.objects.delete(name);
      }
  }

  async close(key: string): Promise<void> {
    const open = this.open_.get(key);
    this.open_.delete(key);
    await Promise.all([open?.routes.stop(), open?.slices.stop()]);
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.open_.keys()].map((key) => this.close(key)));
  }

  /** Reads what is too old, or not known. */
  private async get(key: string, open: Open): Promise<Open['objects']> {
    const { api, clock } = this.deps;
    const { namespace } = splitKey(key);
    if (clock.now() - open.readAt >= (open.isOld ? MIN_AGE_MS : MAX_AGE_MS)) open.objects = new Map();
    for (;;) {
      const { objects, names } = open;
      const missing = NAMES.filter((name) => !objects.has(name));
      if (missing.length === 0) return objects;
      if (objects.size === 0) Object.assign(open, { isOld: false, readAt: clock.now() });
      const read = async (name: Name): Promise<void> => {
        const found = await findObject(api, names[name].resource, { namespace, name: names[name].name });
        objects.set(name, found ?? null);
      };
      await Promise.all(missing.map(read));
    }
  }

  private watch(key: string, ask: TrafficAsk): Open {
    const text = JSON.stringify(ask);
    const before = this.open_.get(key);
    if (before?.text === text) return before;
    void this.close(key);
    const { namespace } = splitKey(key);
    const serviceOf = (name: string) => ({ resource: SERVICES, name });
    const leg = (of: Leg) => serviceOf(legName(ask.service, of));
    const legs = LEGS.map((of) => leg(of).name).join(',');
    const slices = `${MANAGED_BY}=${SLICE_CONTROLLER},${SERVICE_NAME} in (${legs})`;
    const open: Open = {
      text,
      names: { route: ask.route, base: serviceOf(ask.service), canary: leg('canary'), stable: leg('stable') },
      routes: this.reflector<Route>(ask.route.resource, namespace, { fieldSelector: nameSelector(ask.route.name) }),
      slices: this.reflector<EndpointSlice>(ENDPOINT_SLICES, namespace, { labelSelector: slices }),
      objects: new Map(),
      readAt: 0,
      isOld: false,
    };
    this.open_.set(key, open);
    open.routes.on(({ type }) => {
      if (type !== 'updated') open.objects = new Map();
      this.deps.wake(key);
    });
    open.slices.on(() => {
      open.isOld = true;
      this.deps.wake(key);
    });
    for (const one of [open.routes, open.slices]) one.start();
    void open.slices.whenSynced().then((synced) => void (synced && this.deps.wake(key)));
    return open;
  }

  private reflector<T extends KubeObject>(
    resource: Resource,
    namespace: string,
    selector: Pick<ReflectorOptions<T>, 'fieldSelector' | 'labelSelector'>,
  ): Reflector<T> {
    const { api, clock, logger, metrics } = this.deps;
    const onRestart = (reason: string): void => metrics?.watchRestart(resource.plural, reason);
    return new Reflector<T>({ api, clock, logger, path: pathOf(resource, { namespace }), ...selector, onRestart });
  }
}

const NOT_ENABLED =
  'this installation routes no traffic: set traffic.gatewayAPI.enabled in the values of the chart, or remove trafficRoutings';
const NOTHING: TrafficFacts = { route: null, base: null, legs: { canary: null, stable: null }, slices: undefined };

/** The watched route may be newer than the one that was read, or older. */
function newer(read: Route | null, watched: Route | undefined): Route | null {
  if (read === null || watched === undefined || read.metadata.uid !== watched.metadata.uid) return read;
  return isOlder(read.metadata.resourceVersion ?? '', watched.metadata.resourceVersion ?? '') ? watched : read;
}
