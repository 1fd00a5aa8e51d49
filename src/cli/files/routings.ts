// The TrafficRoutings of files, checked as the webhook does, also against a route in the files.
import { groupOf, TRAFFIC_ROUTINGS } from '../../api/resources.ts';
import type { TrafficRoutingObject } from '../../api/traffic.ts';
import type { Rollout } from '../../api/types.ts';
import { takenBy } from '../../engine/admit/traffic-routing.ts';
import { namesIn } from '../../engine/traffic/registry.ts';
import { checkHeaders } from '../../engine/traffic/check-headers.ts';
import { headersOf } from '../../engine/traffic/routing-object.ts';
import { asRoute } from '../../engine/traffic/shape.ts';
import { routingObjectErrors, routingObjectWarnings } from '../../engine/traffic/validate.ts';
import type { Violation } from '../../engine/validate/violation.ts';
import { checkTrafficRouting } from '../../schema/traffic-routing.ts';
import { sameNamespace } from './objects.ts';
import type { Found } from './read.ts';

export interface FoundRouting extends Found {
  readonly violations: readonly Violation[];
  readonly warnings: readonly string[];
}

const isRouting = ({ object }: Found): boolean =>
  object['kind'] === TRAFFIC_ROUTINGS.kind && groupOf(object['apiVersion']) === groupOf(TRAFFIC_ROUTINGS.apiVersion);

/** `rollouts`: those of the files. */
export function routingsAmong(objects: readonly Found[], rollouts: readonly Rollout[]): FoundRouting[] {
  const seen: TrafficRoutingObject[] = [];
  return objects.filter(isRouting).map((found) => {
    const { routing, violations: shape } = checkTrafficRouting(found.object);
    if (routing === undefined) return { ...found, violations: shape, warnings: [] };
    const own = routingObjectErrors(routing);
    const said = new Set(own.map(({ field }) => field));
    const violations = [...own, ...shape.filter(({ field }) => !said.has(field))];
    if (violations.length > 0) return { ...found, violations, warnings: [] };
    const others = seen.filter((one) => sameNamespace(one, routing));
    seen.push(routing);
    return {
      ...found,
      ...judge(
        routing,
        objects,
        others,
        rollouts.filter((one) => sameNamespace(one, routing)),
      ),
    };
  });
}

function judge(
  routing: TrafficRoutingObject,
  objects: readonly Found[],
  routings: readonly TrafficRoutingObject[],
  rollouts: readonly Rollout[],
): Pick<FoundRouting, 'violations' | 'warnings'> {
  const headers = headersOf(routing);
  const warnings = routingObjectWarnings(routing);
  if (headers === undefined) return { violations: [], warnings };
  const { provider, name } = headers;
  const sameRoute = {
    routings: routings.filter((one) => {
      const other = headersOf(one);
      return other?.name === name && other.provider === provider;
    }),
    rollouts: rollouts.filter((one) => {
      const names = namesIn(one);
      return names?.route.name === name && names.route.resource === provider.resource;
    }),
  };
  const taken = takenBy(`spec.objectRef[0].${provider.field}`, headers, routing.metadata.name, sameRoute);
  if (taken.length > 0) return { violations: taken, warnings };
  const routes = objects
    .filter(({ object }) => object['kind'] === provider.resource.kind)
    .map(({ object }) => asRoute(object));
  const route = routes.find((one) => one?.metadata.name === name && sameNamespace(one, routing));
  // Without the route in the files, nothing is said about it.
  if (route === undefined) return { violations: [], warnings };
  return { violations: checkHeaders(headers, { route, service: undefined }).violations, warnings };
}
