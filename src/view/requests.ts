// The requests of a release in words, as the plugin and the dashboard write them.
import type { TrafficMode } from '../api/traffic.ts';
import type { Rollout } from '../api/types.ts';
import { isRouted, matchesOf, requestsOfStep, routingOf, trafficMode } from '../engine/traffic/plan.ts';
import { routesOf } from '../engine/traffic/registry.ts';

export interface RequestsView {
  /** `HTTPRoute web` */
  readonly route: string;
  readonly service: string;
  readonly mode: TrafficMode;
  /** What the new version gets besides its Pods' part of a shared Service: `5% of the requests`. */
  readonly gets: string;
  /** RFC 3339. */
  readonly since: string;
}

/** What a step sends to the new version: `5% of the requests`. Undefined if it changes no route. `index`: from 0. */
export function requestsOf({ spec }: Pick<Rollout, 'spec'>, index: number, replicas: number): string | undefined {
  const { steps = [], trafficRoutings = [] } = spec.strategy.canary ?? {};
  const step = steps[index];
  if (trafficRoutings.length === 0 || step === undefined) return undefined;
  if (!isRouted(step, replicas, index === steps.length - 1)) return undefined;
  return requestsOfStep(step);
}

/** What the route does now. Undefined if no release has changed it. */
export function requestsNow(rollout: Rollout): RequestsView | undefined {
  const { traffic, currentStepIndex = 0 } = rollout.status?.canaryStatus ?? {};
  if (traffic === undefined) return undefined;
  const { mode, weight, since, service, route } = traffic;
  const step = rollout.spec.strategy.canary?.steps?.[currentStepIndex - 1];
  const matching = mode === 'Apart' && weight === 0 && step !== undefined && matchesOf(step).length > 0;
  const some = matching ? 'the requests that match' : `${weight / 10}% of the requests`;
  const gets = mode === 'Shared' ? `${some} besides its part of Service ${service}` : some;
  return { route: `${route.kind} ${route.name}`, service, mode, gets, since };
}

/** How the requests of a release are divided: `HTTPRoute web, ...`. Undefined if no step changes a route. */
export function modeInWords(rollout: Rollout, replicas: number): string | undefined {
  const routing = routingOf(rollout);
  const mode = routing && trafficMode(rollout.spec.strategy.canary?.steps ?? [], replicas);
  if (routing === undefined || mode === undefined) return undefined;
  const { service } = routing;
  const names = routesOf(routing).map(({ provider, name }) => `${provider.resource.kind} ${name}`);
  return mode === 'Shared'
    ? `${names.join(', ')} sends the rest of the requests to Service ${service}, with the Pods of both versions`
    : `${names.join(', ')} sends the rest of the requests to the stable version only, by Service ${service}-stable`;
}
