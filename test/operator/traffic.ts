// A world with a Gateway: Service `demo`, HTTPRoute `demo`, and a stand-in for the controller of the route, which says what it has observed.
import { resource } from '@tranche/sandbox/resources';
import type { KubeObject } from '@tranche/sandbox/types';
import { HTTP_ROUTES, SERVICES } from '../../src/api/resources.ts';
import type { Route, RouteRule, Service } from '../../src/api/traffic.ts';
import { pathOf } from '../../src/kube/path.ts';
import { NAME, World, type WorldOptions } from './world.ts';

const MERGE = 'application/merge-patch+json';
const ROUTES = 'gateway.networking.k8s.io/httproutes';
const CONTROLLER = 'example.net/gateway';
const PARENT = { name: 'gateway' };

export interface GatewayOptions {
  /** How long the controller takes to observe a change, in milliseconds: at most. */
  readonly lagMs?: number;
}

/** The controller of the routes: it accepts all of them, some time after each change. */
export class Gateway {
  private readonly world: World;
  private readonly lagMs: number;
  /** False: it does not run. */
  runs = true;

  constructor(world: World, { lagMs = 500 }: GatewayOptions = {}) {
    this.world = world;
    this.lagMs = lagMs;
    const { store } = world.virtual.cluster;
    store.subscribe(ROUTES, ({ type, object }) => {
      if (type === 'DELETED') return;
      const { clock } = world.virtual;
      clock.after(clock.random() * this.lagMs, () => void this.observe(object.metadata.name));
    });
  }

  /** Says that it has observed the route as it is now. */
  async observe(name: string): Promise<void> {
    const { virtual } = this.world;
    const route = virtual.cluster.store.get(ROUTES, 'default', name) as unknown as Route | undefined;
    const observedGeneration = route?.metadata.generation;
    const before = route?.status?.parents?.[0]?.conditions?.[0]?.observedGeneration;
    if (!this.runs || observedGeneration === undefined || before === observedGeneration) return;
    const lastTransitionTime = new Date(virtual.clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
    const condition = { status: 'True', reason: 'OK', message: '', observedGeneration, lastTransitionTime };
    const conditions = ['Accepted', 'ResolvedRefs'].map((type) => ({ type, ...condition }));
    const body = { status: { parents: [{ parentRef: PARENT, controllerName: CONTROLLER, conditions }] } };
    await virtual.client
      .request('PATCH', pathOf(HTTP_ROUTES, { namespace: 'default', name, subresource: 'status' }), {
        type: MERGE,
        body,
      })
      .catch(() => undefined);
  }
}

export const RULES: readonly RouteRule[] = [{ backendRefs: [{ name: NAME, port: 80 }] }];

export interface RoutedOptions {
  readonly gateway?: GatewayOptions;
  /** Null: its user has not created the route. */
  readonly rules?: readonly RouteRule[] | null;
}

/** A started world. The operator may route traffic. */
export async function routedWorld(options: WorldOptions & RoutedOptions = {}): Promise<World & { gateway: Gateway }> {
  const { gateway: gatewayOptions, rules = RULES, ...rest } = options;
  const world = new World({ routesTraffic: true, ...rest });
  world.virtual.cluster.registry.add(
    resource('gateway.networking.k8s.io', 'v1', 'HTTPRoute', 'httproutes', {
      custom: true,
      status: true,
      generation: true,
      strategicMerge: false,
    }),
  );
  const gateway = new Gateway(world, gatewayOptions);
  await world.start();
  const { client } = world.virtual;
  await client.request('POST', pathOf(SERVICES, { namespace: 'default' }), {
    body: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: NAME },
      spec: { selector: { app: NAME }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
    },
  });
  if (rules !== null) await createRoute(world, rules);
  return Object.assign(world, { gateway });
}

export const createRoute = (world: World, rules: readonly RouteRule[] = RULES, name = NAME): Promise<KubeObject> =>
  world.virtual.client.request('POST', pathOf(HTTP_ROUTES, { namespace: 'default' }), {
    body: {
      apiVersion: HTTP_ROUTES.apiVersion,
      kind: HTTP_ROUTES.kind,
      metadata: { name },
      spec: { parentRefs: [PARENT], rules },
    },
  });

export const ROUTING = [{ service: NAME, gateway: { httpRouteName: NAME }, gracePeriodSeconds: 3 }];

const find = (world: World, collection: string, name: string): KubeObject | undefined =>
  world.virtual.cluster.store.get(collection, 'default', name);

export const routeIn = (world: World, name = NAME): Route | undefined =>
  find(world, ROUTES, name) as unknown as Route | undefined;

export const serviceIn = (world: World, name: string): Service | undefined =>
  find(world, '/services', name) as unknown as Service | undefined;

/** Weights by Service of the rules of the route: `[{demo: 9, 'demo-canary': 1}]`. */
export const weightsIn = (world: World): Record<string, number>[] =>
  (routeIn(world)?.spec.rules ?? []).map(({ backendRefs = [] }) =>
    Object.fromEntries(backendRefs.map(({ name, weight = 1 }) => [name, weight])),
  );

/** `kubectl apply` of the user's own route, or a sync by Git: nothing of ours is in its rules. */
export const editRoute = (world: World, rules: readonly RouteRule[], name = NAME): Promise<KubeObject> =>
  world.virtual.client.request('PATCH', pathOf(HTTP_ROUTES, { namespace: 'default', name }), {
    type: MERGE,
    body: { spec: { rules } },
  });
