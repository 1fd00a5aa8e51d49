// What the decision on a Rollout that routes requests needs to know: the author's rights, and the route and its Services. The operator writes them with its
// own rights, so an author who could not write them must not let it.
import { SERVICES, type Resource } from '../../api/resources.ts';
import type { Route, Service, TrafficRouting, TrafficRoutingObject } from '../../api/traffic.ts';
import type { Rollout } from '../../api/types.ts';
import { routingOf } from '../traffic/plan.ts';
import type { TrafficAsk } from '../traffic/facts.ts';
import { namesIn, routesOf, sameNames } from '../traffic/registry.ts';
import { rivalsOf } from '../traffic/rivals.ts';
import { routingRefOf } from '../traffic/routing-object.ts';
import type { RolloutEdit } from '../validate/rollout.ts';
import type { Violation } from '../validate/violation.ts';
import type { Answers, Needs } from './decision.ts';
import { takenBy } from './traffic-routing.ts';

const AT = 'spec.strategy.canary.trafficRoutings[0]';

/** The objects. Undefined if they do not exist. */
export interface RoutedObjects {
  readonly route: Route | undefined;
  readonly service: Service | undefined;
  /** Services with the names of the legs. */
  readonly legs: readonly Service[];
}

/** One permission of the author. */
export interface Right {
  /** The field of the Rollout that requires it. */
  readonly field: string;
  readonly value: string;
  readonly verb: 'patch' | 'create';
  readonly resource: Resource;
  /** Absent for the verb create. */
  readonly name?: string;
}

/** The next question to the API server about the routing. Undefined if there is none, or if all are answered. */
export function asksAbout(
  next: Rollout,
  old: Rollout | undefined,
  { rights, routed }: Answers,
): Pick<Needs, 'rights' | 'routed'> | undefined {
  const names = namesIn(next);
  if (names === undefined) return undefined;
  // First the rights: who may not change the route gets no facts about it.
  if (rights === undefined && !sameNames(names, old && namesIn(old))) return { rights: rightsFor(names, next) };
  return routed === undefined ? { routed: names } : undefined;
}

function rightsFor({ route, service }: TrafficAsk, rollout: Rollout): readonly Right[] {
  const [named] = routesOf(routingOf(rollout) as TrafficRouting);
  const field = `${AT}.${named?.provider.field ?? 'gateway'}`;
  return [
    { field, value: route.name, verb: 'patch', resource: route.resource, name: route.name },
    { field: `${AT}.service`, value: service, verb: 'create', resource: SERVICES },
  ];
}

/** What the rules for Rollouts get of the answers. A missing object may be created later. */
export function routedFacts({ routed }: Answers): RolloutEdit['routed'] {
  if (routed === undefined || typeof routed === 'string' || routed.found === undefined) return undefined;
  const { route, service, legs } = routed.found;
  return { ...(route && { route }), ...(service && { service }), legs };
}

/** Warnings about objects that do not exist. */
export function* missing(
  rollout: Rollout,
  {
    answers: { routed },
    routing,
  }: { readonly answers: Answers; readonly routing?: TrafficRoutingObject | null | undefined },
): Generator<string> {
  if (routing === null)
    yield `tranche: TrafficRouting ${routingRefOf(rollout)} does not exist: no request gets other headers until it is created`;
  const names = namesIn(rollout);
  if (names === undefined || routed === undefined || typeof routed === 'string' || !routed.found) return;
  const waits = (kind: string, name: string): string =>
    `tranche: ${kind} ${name} does not exist: releases wait until it is created`;
  if (routed.found.route === undefined) yield waits(names.route.resource.kind, names.route.name);
  if (routed.found.service === undefined) yield waits('Service', names.service);
}

/** Another Rollout, or a TrafficRouting, changes the same route or Service: they would overwrite each other's weights. `others`: from the cache. */
export function* rivals(
  rollout: Rollout,
  others: readonly Rollout[],
  routings: readonly TrafficRoutingObject[] = [],
): Generator<Violation> {
  const names = namesIn(rollout);
  if (names === undefined) return;
  const alive = others.filter(
    ({ metadata }) => metadata.name !== rollout.metadata.name && metadata.deletionTimestamp === undefined,
  );
  const [right] = rightsFor(names, rollout);
  const [named] = routesOf(routingOf(rollout) as TrafficRouting);
  if (named && right) yield* takenBy(right.field, named, '', { rollouts: [], routings });
  for (const { about, reason, remedy } of rivalsOf(rollout, names, alive, namesIn)) {
    const [field, value] =
      about === 'route' ? [right?.field ?? AT, names.route.name] : [`${AT}.service`, names.service];
    yield { field, value, reason, remedy };
  }
}
