// What a gateway reads: routes of the Gateway API (v1), Services and EndpointSlices.
import type { KubeObject } from '../../../src/api/types.ts';

export interface ParentRef {
  readonly group?: string;
  readonly kind?: string;
  readonly namespace?: string;
  readonly name: string;
  readonly sectionName?: string;
  readonly port?: number;
}

export interface Header {
  readonly name: string;
  readonly value: string;
}

export interface HeaderFilter {
  readonly type: string;
  readonly requestHeaderModifier?: {
    readonly set?: readonly Header[];
    readonly add?: readonly Header[];
    readonly remove?: readonly string[];
  };
}

export interface BackendRef {
  readonly group?: string;
  readonly kind?: string;
  readonly namespace?: string;
  readonly name: string;
  readonly port?: number;
  /** Default 1. */
  readonly weight?: number;
  readonly filters?: readonly HeaderFilter[];
}

/** Exact or RegularExpression; default Exact. */
export interface ValueMatch extends Header {
  readonly type?: string;
}

export interface HttpMatch {
  readonly path?: { readonly type?: string; readonly value?: string };
  readonly headers?: readonly ValueMatch[];
  readonly queryParams?: readonly ValueMatch[];
  readonly method?: string;
}

export interface GrpcMatch {
  readonly method?: { readonly type?: string; readonly service?: string; readonly method?: string };
  readonly headers?: readonly ValueMatch[];
}

export interface Rule<Match> {
  readonly matches?: readonly Match[];
  readonly filters?: readonly HeaderFilter[];
  readonly backendRefs?: readonly BackendRef[];
}

export interface Route<Match> extends KubeObject {
  readonly spec: {
    readonly parentRefs?: readonly ParentRef[];
    readonly hostnames?: readonly string[];
    readonly rules?: readonly Rule<Match>[];
  };
  readonly status?: { readonly parents?: readonly ParentStatus[] };
}

export interface ParentStatus {
  readonly parentRef: ParentRef;
  readonly controllerName: string;
  readonly conditions: readonly Condition[];
}

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
  readonly lastTransitionTime: string;
}

export type HttpRoute = Route<HttpMatch>;
export type GrpcRoute = Route<GrpcMatch>;

export interface Service extends KubeObject {
  readonly spec: {
    readonly ports?: readonly { readonly name?: string; readonly port: number; readonly appProtocol?: string }[];
  };
}

export interface Slice extends KubeObject {
  readonly endpoints?:
    | readonly {
        readonly addresses: readonly string[];
        readonly conditions?: { readonly ready?: boolean };
      }[]
    | null;
  readonly ports?: readonly { readonly name?: string; readonly port?: number }[] | null;
}

/** All that a gateway knows at one time. */
export interface Known {
  readonly httpRoutes: readonly HttpRoute[];
  readonly grpcRoutes: readonly GrpcRoute[];
  readonly services: readonly Service[];
  readonly slices: readonly Slice[];
}
