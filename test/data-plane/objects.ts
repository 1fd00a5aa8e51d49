// The objects of the tests of traffic, as a user writes them.

/** Names of the Deployment, of the Services and of the routes. */
export const NAME = 'web';

/** Long enough for gateways to forget a Pod. */
export const PRE_STOP_SECONDS = 6;

export interface Wanted {
  readonly name: string;
  readonly image: string;
  readonly replicas: number;
  readonly labels: Readonly<Record<string, string>>;
  /** How long its Pods serve after they were told to end. */
  readonly preStopSeconds?: number;
}

export const deployment = ({ name, image, replicas, labels, preStopSeconds = PRE_STOP_SECONDS }: Wanted): object => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: {
        containers: [
          {
            name: 'web',
            image,
            ports: [{ containerPort: 8080 }],
            ...(preStopSeconds > 0 && { lifecycle: { preStop: { sleep: { seconds: preStopSeconds } } } }),
          },
        ],
      },
    },
  },
});

export const service = (name: string, selector: Readonly<Record<string, string>>): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector, ports: [{ port: 80, targetPort: 8080 }] },
});

export interface Leg {
  readonly name: string;
  readonly weight?: number;
}

export const leg = ({ name, weight }: Leg): object => ({ name, port: 80, ...(weight === undefined ? {} : { weight }) });

export interface RouteOptions {
  readonly name?: string;
  /** Names of the Gateways. */
  readonly gateways: readonly string[];
  readonly hostnames?: readonly string[];
  readonly rules: readonly object[];
}

const route =
  (kind: 'HTTPRoute' | 'GRPCRoute') =>
  ({ name = NAME, gateways, hostnames, rules }: RouteOptions): object => ({
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind,
    metadata: { name },
    spec: { parentRefs: gateways.map((gateway) => ({ name: gateway })), ...(hostnames ? { hostnames } : {}), rules },
  });

export const httpRoute = route('HTTPRoute');
export const grpcRoute = route('GRPCRoute');

/** A rule of a GRPCRoute for one gRPC service. */
export const grpcRule = (grpcService: string, legs: readonly Leg[]): object => ({
  matches: [{ method: { service: grpcService } }],
  backendRefs: legs.map(leg),
});

/** In steps 1 and 2 the new version gets more than the share of its Pods: the user's Service and a leg beside it. */
export const SHARED = [{ replicas: 1, traffic: '30%' }, { replicas: '50%', traffic: '80%' }, { replicas: '100%' }];
/** In step 1 it gets less, so that each version needs a leg of its own. */
export const APART = [{ replicas: 1, traffic: '5%' }, { replicas: '50%', traffic: '50%' }, { replicas: '100%' }];

type RouteKind = 'HTTPRoute' | 'GRPCRoute';

const gatewayOf = (kind: RouteKind, name: string): object =>
  kind === 'HTTPRoute' ? { httpRouteName: name } : { grpcRouteName: name };

export interface RolloutOptions {
  readonly name: string;
  readonly kind: RouteKind;
  readonly steps: readonly object[];
  readonly graceSeconds: number;
}

/** For the Deployment, the Service and the route of the same name. */
export const rollout = ({ name, kind, steps, graceSeconds }: RolloutOptions): object => ({
  apiVersion: 'rollouts.kruise.io/v1beta1',
  kind: 'Rollout',
  metadata: { name },
  spec: {
    workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
    strategy: {
      canary: {
        steps,
        trafficRoutings: [{ service: name, gracePeriodSeconds: graceSeconds, gateway: gatewayOf(kind, name) }],
      },
    },
  },
});

/** The headers of the requests that a TrafficRouting of these tests selects, and the header that they get. */
export const TESTER = { name: 'x-user', value: 'tester' };
export const LANE = { name: 'x-lane', value: 'gray' };

/** For the Service and the route `of`, which have its name if nothing else is said. */
export const trafficRouting = (name: string, kind: RouteKind = 'HTTPRoute', of = name) => ({
  apiVersion: 'rollouts.kruise.io/v1alpha1',
  kind: 'TrafficRouting',
  metadata: { name },
  spec: {
    objectRef: [{ service: of, gateway: gatewayOf(kind, of) }],
    strategy: { matches: [{ headers: [TESTER] }], requestHeaderModifier: { set: [LANE] } },
  },
});

/** A Rollout that names a TrafficRouting and has no route of its own. */
export const namingRollout = (name: string, lane: string, kind = 'Deployment') => ({
  apiVersion: 'rollouts.kruise.io/v1beta1',
  kind: 'Rollout',
  metadata: { name },
  spec: {
    workloadRef: { apiVersion: 'apps/v1', kind, name },
    strategy: { canary: { trafficRoutingRef: lane, steps: [{ replicas: 1 }, { replicas: '100%' }] } },
  },
});

/** For `kubectl apply -f -`. */
export const manifest = (...objects: readonly object[]): string =>
  objects.map((object) => JSON.stringify(object)).join('\n');
