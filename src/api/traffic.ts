// Traffic routing: what a Rollout says about it, and routes, Services and EndpointSlices as far as the program reads them.
import type { Condition, KubeObject } from './types.ts';

/** `spec.strategy.canary.trafficRoutings[0]`. */
export interface TrafficRouting {
  /** Name of the user's Service. */
  readonly service: string;
  /** How long proxies need to follow a change of a route, in seconds. Default 3. */
  readonly gracePeriodSeconds?: number;
  readonly gateway?: { readonly httpRouteName?: string; readonly grpcRouteName?: string };
  readonly ingress?: { readonly classType?: string; readonly name: string };
  readonly customNetworkRefs?: readonly {
    readonly apiVersion: string;
    readonly kind: string;
    readonly name: string;
  }[];
}

/** Default of `gracePeriodSeconds`, as in OpenKruise. */
export const GRACE_SECONDS = 3;

/** A comparison of a header or a query parameter. `type` is Exact (default) or RegularExpression. */
export interface KeyMatch {
  readonly type?: string;
  readonly name: string;
  readonly value: string;
}

/** `type` is Exact, PathPrefix (default) or RegularExpression. */
export interface PathMatch {
  readonly type?: string;
  readonly value?: string;
}

/** `steps[].matches[]`: the requests that go to the new version. All parts must match. */
export interface HttpMatch {
  readonly path?: PathMatch;
  readonly headers?: readonly KeyMatch[];
  readonly queryParams?: readonly KeyMatch[];
}

/** `steps[].requestHeaderModifier`, and the filter RequestHeaderModifier of the Gateway API. */
export interface HeaderModifier {
  readonly set?: readonly { readonly name: string; readonly value: string }[];
  readonly add?: readonly { readonly name: string; readonly value: string }[];
  readonly remove?: readonly string[];
}

/** A filter of a rule or of a backend. */
export interface RouteFilter {
  readonly type: string;
  readonly requestHeaderModifier?: HeaderModifier;
  readonly [field: string]: unknown;
}

export interface BackendRef {
  /** Default "", the core group. */
  readonly group?: string;
  /** Default Service. */
  readonly kind?: string;
  readonly name: string;
  /** Default: the namespace of the route. */
  readonly namespace?: string;
  readonly port?: number;
  /** Default 1. Its share is its part of the sum of the rule. */
  readonly weight?: number;
  readonly filters?: readonly RouteFilter[];
}

/** A match of an HTTPRoute or a GRPCRoute. */
export interface RouteMatch extends HttpMatch {
  /** Of an HTTPRoute: the HTTP method. Of a GRPCRoute: service and method. */
  readonly method?: unknown;
}

export interface RouteRule {
  readonly name?: string;
  readonly matches?: readonly RouteMatch[];
  readonly filters?: readonly RouteFilter[];
  readonly backendRefs?: readonly BackendRef[];
  readonly sessionPersistence?: unknown;
  readonly [field: string]: unknown;
}

export interface RouteSpec {
  readonly parentRefs?: readonly unknown[];
  readonly hostnames?: readonly string[];
  readonly rules?: readonly RouteRule[];
}

/** What the controller of one parent says about a route. */
export interface ParentStatus {
  readonly parentRef?: { readonly kind?: string; readonly namespace?: string; readonly name?: string };
  readonly controllerName?: string;
  readonly conditions?: readonly (Condition & { readonly observedGeneration?: number })[];
}

/** An HTTPRoute or a GRPCRoute. */
export interface Route extends KubeObject {
  readonly spec: RouteSpec;
  readonly status?: { readonly parents?: readonly ParentStatus[] };
}

export interface ServicePort {
  readonly name?: string;
  readonly port: number;
  readonly protocol?: string;
  readonly appProtocol?: string;
  readonly targetPort?: number | string;
  readonly nodePort?: number;
}

export interface ServiceSpec {
  readonly type?: string;
  readonly clusterIP?: string;
  readonly selector?: Readonly<Record<string, string>>;
  readonly ports?: readonly ServicePort[];
  readonly [field: string]: unknown;
}

export interface Service extends KubeObject {
  readonly spec: ServiceSpec;
}

export interface Endpoint {
  readonly addresses?: readonly string[];
  readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean };
  readonly targetRef?: { readonly kind?: string; readonly name?: string; readonly uid?: string };
}

/** Its label `kubernetes.io/service-name` names the Service. */
export interface EndpointSlice extends KubeObject {
  readonly endpoints?: readonly Endpoint[];
}

/**
 * How the old version's share of the requests is kept away from new Pods. Shared: it is not, so a step's share is at least the share of its Pods.
 * Apart: each version has a Service of its own.
 */
export type TrafficMode = 'Shared' | 'Apart';

/** Which requests get other headers, while a Rollout that names the TrafficRouting releases. */
export interface TrafficRoutingStrategy {
  /** Refused without matches, and without effect beside them: all requests go to the same Service. */
  readonly weight?: number;
  readonly matches?: readonly HttpMatch[];
  readonly requestHeaderModifier?: HeaderModifier;
}

/** `kind: TrafficRouting`. Several Rollouts may name one. */
export interface TrafficRoutingObject extends KubeObject {
  readonly spec: {
    /** Exactly one. */
    readonly objectRef?: readonly TrafficRouting[];
    readonly strategy?: TrafficRoutingStrategy;
  };
  readonly status?: TrafficRoutingStatus;
}

export interface TrafficRoutingStatus {
  readonly observedGeneration?: number;
  readonly phase?: 'Initial' | 'Healthy' | 'Progressing' | 'Finalizing' | 'Terminating';
  readonly message?: string;
  /** The route whose rules are changed: it is found again, even if the spec names another one meanwhile. */
  readonly route?: { readonly kind: string; readonly name: string };
}

/** The part of a step that changes routes (docs/traffic.md). */
export type TrafficState = 'Pin' | 'Unroute' | 'Warm' | 'Refer' | 'Shift' | 'Watch' | 'Retreated';

/** `status.canaryStatus.traffic`. Absent if the release has routed no traffic yet. */
export interface TrafficStatus {
  readonly mode: TrafficMode;
  readonly state: TrafficState;
  /** What the route gives the leg of the new version, in thousandths (engine/traffic/split.ts). */
  readonly weight: number;
  /** RFC 3339. When the state began, or when the route was observed, from which the grace period counts. */
  readonly since: string;
  /** The generation of the route that its controller has observed. Absent before that. */
  readonly routeGeneration?: number;
  /** The step whose requests the route sends, from 1. 0 if it is none. */
  readonly step: number;
  /** Name of the user's Service, and the route: what was written is found again, even if the Rollout names others meanwhile. */
  readonly service: string;
  readonly route: { readonly kind: string; readonly name: string };
  /** How long proxies have to follow a change, in seconds. */
  readonly graceSeconds: number;
}
