// The registry of kinds of routes.
import type { TrafficRouting } from '../../api/traffic.ts';
import type { Rollout } from '../../api/types.ts';
import type { TrafficAsk } from './facts.ts';
import { grpcRoutes } from './grpcroute.ts';
import { httpRoutes } from './httproute.ts';
import { routingOf } from './plan.ts';
import type { TrafficProvider } from './provider.ts';

export const PROVIDERS: readonly TrafficProvider[] = [httpRoutes, grpcRoutes];

export interface RouteName {
  readonly provider: TrafficProvider;
  readonly name: string;
}

/** The routes that a routing names. */
export const routesOf = (routing: TrafficRouting): readonly RouteName[] =>
  PROVIDERS.flatMap((provider) => {
    const name = provider.nameIn(routing);
    return name === undefined || name === '' ? [] : [{ provider, name }];
  });

/** The objects that a Rollout names. Undefined if it names no route that can be changed. */
export function namesIn(rollout: Rollout): TrafficAsk | undefined {
  const routing = routingOf(rollout);
  const [route] = routing === undefined ? [] : routesOf(routing);
  if (routing === undefined || route === undefined) return undefined;
  return { service: routing.service, route: { resource: route.provider.resource, name: route.name } };
}

export const sameNames = (a: TrafficAsk, b: TrafficAsk | undefined): boolean =>
  a.service === b?.service && a.route.name === b.route.name && a.route.resource.kind === b.route.resource.kind;

/** The provider of a kind. */
export const providerOf = (kind: unknown): TrafficProvider | undefined =>
  PROVIDERS.find(({ resource }) => resource.kind === kind);
