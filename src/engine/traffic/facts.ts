// What the cluster says about the traffic of a release: routes, Services and endpoints as they are, and never as a record says.
import type { Resource } from '../../api/resources.ts';
import type { EndpointSlice, Route, Service } from '../../api/traffic.ts';
import type { Leg } from './split.ts';

/** What a release asks for: the names are from the Rollout, or from its status. */
export interface TrafficAsk {
  /** Name of the user's Service. */
  readonly service: string;
  readonly route: { readonly resource: Resource; readonly name: string };
}

export interface TrafficFacts {
  /** Null if it does not exist. */
  readonly route: Route | null;
  /** Why the route or a Service cannot be read. */
  readonly unreadable?: string;
  /** The user's Service and the Services of the legs. Null if they do not exist. */
  readonly base: Service | null;
  readonly legs: Readonly<Record<Leg, Service | null>>;
  /** The EndpointSlices of the legs. Undefined until they are listed. */
  readonly slices: readonly EndpointSlice[] | undefined;
}
