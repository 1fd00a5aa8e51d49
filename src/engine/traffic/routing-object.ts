// The life of a TrafficRouting: while a Rollout that names it has a release in progress, its route changes headers of some requests (docs/adr/0032).
import { PROGRESSING_ROLLOUT, TRAFFIC_ROUTING } from '../../api/keys.ts';
import { isName, LABEL_NAME } from '../../api/names.ts';
import { TRAFFIC_ROUTINGS } from '../../api/resources.ts';
import type { Route, TrafficRoutingObject, TrafficRoutingStatus } from '../../api/traffic.ts';
import type { Rollout } from '../../api/types.ts';
import type { Effect } from '../decision.ts';
import { sameJson } from '../lib/template.ts';
import { sentence } from '../validate/violation.ts';
import { version } from '../workload/effects.ts';
import { pendingOn } from './observed.ts';
import { providerOf, routesOf, type RouteName } from './registry.ts';
import { disownRoute, engageRoute, leaveRoute } from './route.ts';
import { isRefusal } from './rules.ts';
import { isEngaged, ownerOf, routeRecord, type HeaderSplit } from './split.ts';
import { routingObjectErrors } from './validate.ts';

/** The name of the TrafficRouting of a Rollout. As in OpenKruise, the annotation counts in both versions. */
export const routingRefOf = ({ spec, metadata }: Rollout): string | undefined =>
  spec.strategy.canary?.trafficRoutingRef || metadata.annotations?.[TRAFFIC_ROUTING] || undefined;

/** The route that it names, and what it does there. Undefined if its spec is not valid, or selects no requests. */
export function headersOf({ spec }: TrafficRoutingObject): (RouteName & { readonly split: HeaderSplit }) | undefined {
  const [routing] = spec.objectRef ?? [];
  const { matches = [], requestHeaderModifier } = spec.strategy ?? {};
  const [route] = routing === undefined ? [] : routesOf(routing);
  if (routing === undefined || route === undefined || requestHeaderModifier === undefined) return undefined;
  return { ...route, split: { mode: 'Headers', base: routing.service, matches, requestHeaderModifier } };
}

/** Key of the index of TrafficRoutings by their route, as of Rollouts (admit/routing.ts): `<namespace>/<kind>/<name>`. */
export function routeKeys(object: TrafficRoutingObject): string[] {
  const { provider, name } = headersOf(object) ?? {};
  return provider === undefined ? [] : [`${object.metadata.namespace ?? ''}/${provider.resource.kind}/${name}`];
}

export interface RoutingFacts {
  readonly object: TrafficRoutingObject;
  /** The names of the Rollouts that name it and have a release in progress. */
  readonly releasing: readonly string[];
  /** The route that {@link routeToRead} asks for. Null if it does not exist. */
  readonly route: Route | null;
  /** Why it cannot be read. */
  readonly unreadable?: string | undefined;
  /** The cluster does not serve its kind, so it cannot be watched either. */
  readonly unserved?: boolean;
}

/** How soon a TrafficRouting is decided again when no event tells that the cause is gone: a permission is granted, or a kind is served. */
export const LOOK_AGAIN_SECONDS = 30;
const LOOKS_AGAIN = `; Tranche looks again every ${LOOK_AGAIN_SECONDS} seconds`;

export interface RoutingDecision {
  /** At most one write. After it, the caller decides again. */
  readonly effects: readonly Effect[];
  /** Written after the effects. */
  readonly status: TrafficRoutingStatus;
  /** Another decision is needed whenever the route changes. */
  readonly watches: boolean;
  /** No event tells that the cause is gone: decide again after {@link LOOK_AGAIN_SECONDS}. */
  readonly isBlocked: boolean;
}

const isLeaving = ({ metadata }: TrafficRoutingObject): boolean => metadata.deletionTimestamp != null;

/** The route that it has changed, if that is not the one that it names; otherwise the one that it names. */
export function routeToRead(object: TrafficRoutingObject): RouteName | undefined {
  const changed = changedRoute(object);
  return changed ?? headersOf(object);
}

function changedRoute({ status }: TrafficRoutingObject): RouteName | undefined {
  const provider = providerOf(status?.route?.kind);
  return provider && status?.route ? { provider, name: status.route.name } : undefined;
}

const isSame = (a: RouteName | undefined, b: RouteName | undefined): boolean =>
  a?.name === b?.name && a?.provider === b?.provider;

/**
 * Level-triggered, with the same order as a release: finalizers and status first, then the route; back in the opposite order. A request always goes where
 * its rule sends it, so nothing here has to wait for proxies.
 */
export function decideRouting(facts: RoutingFacts): RoutingDecision {
  const { object, releasing, unreadable } = facts;
  const error = routingObjectErrors(object)[0];
  const named = error === undefined ? headersOf(object) : undefined;
  const changed = changedRoute(object);
  const isWanted = named !== undefined && !isLeaving(object) && releasing.length > 0;
  if (unreadable !== undefined) return blocked(facts, unreadable + LOOKS_AGAIN);
  if (changed !== undefined && !(isWanted && isSame(changed, named))) return leave(facts, changed);
  if (isWanted) return engage(facts, named);
  const finalizers = withFinalizers(object, []);
  if (finalizers.length > 0)
    return { ...stay(facts, phaseOf(object, 'Finalizing'), 'the releases have ended'), effects: finalizers };
  if (isLeaving(object)) return stay(facts, 'Terminating', 'deleted');
  if (error !== undefined) return stay(facts, 'Initial', sentence(error));
  if (named !== undefined && facts.route === null) return absent(facts, stay(facts, 'Initial', ''), named);
  return stay(facts, 'Healthy', 'no Rollout that names it has a release in progress');
}

const phaseOf = (object: TrafficRoutingObject, phase: 'Finalizing' | 'Progressing') =>
  isLeaving(object) ? 'Terminating' : phase;

const stay = (
  { object }: RoutingFacts,
  phase: NonNullable<TrafficRoutingStatus['phase']>,
  message: string,
  route?: RouteName,
): RoutingDecision => ({
  effects: [],
  status: {
    observedGeneration: object.metadata.generation ?? 0,
    phase,
    message,
    ...(route && { route: { kind: route.provider.resource.kind, name: route.name } }),
  },
  watches: route !== undefined,
  isBlocked: false,
});

/** Its watch tells that the route is created. A kind that the cluster does not serve cannot be watched. */
function absent(
  { unserved = false }: RoutingFacts,
  waiting: RoutingDecision,
  { provider, name }: RouteName,
): RoutingDecision {
  const { kind } = provider.resource;
  const install = `the cluster does not serve ${kind}s: install the CustomResourceDefinitions of the Gateway API`;
  const message = unserved ? install + LOOKS_AGAIN : `${kind} ${name} does not exist: create it`;
  return { ...waiting, status: { ...waiting.status, message }, watches: !unserved, isBlocked: unserved };
}

/** What is there stays. */
const blocked = (facts: RoutingFacts, message: string): RoutingDecision => ({
  ...stay(facts, facts.object.status?.phase ?? 'Initial', message, changedRoute(facts.object)),
  isBlocked: true,
});

function leave(facts: RoutingFacts, changed: RouteName): RoutingDecision {
  const { object, route } = facts;
  const phase = phaseOf(object, 'Finalizing');
  const name = `${changed.provider.resource.kind} ${changed.name}`;
  const isOurs = route !== null && ownsRoute(object, route);
  const record = isOurs ? routeRecord(route) : undefined;
  const back = record === undefined ? [] : leaveRoute(changed.provider, route!, record.split.base);
  const given = back.length === 0;
  const effects = given && route !== null ? disownRoute(changed.provider, route) : back;
  // The status names the route until it is the user's own again.
  return { ...stay(facts, phase, `${name} is given back`, given ? undefined : changed), effects, watches: !given };
}

const ownsRoute = ({ metadata }: TrafficRoutingObject, route: Route): boolean => {
  const record = isEngaged(route) ? routeRecord(route) : undefined;
  return record !== undefined && 'trafficRouting' in record && record.trafficRouting === metadata.name;
};

/** Before the route, so that it is found again. A server whose CRD lacks the field drops it. */
const WRITTEN =
  'status.route is written; if this lasts, apply the CustomResourceDefinitions of this version of Tranche';

function engage(facts: RoutingFacts, named: RouteName & { readonly split: HeaderSplit }): RoutingDecision {
  const { object, releasing, route } = facts;
  const { provider, name, split } = named;
  const rollouts = `Rollout${releasing.length > 1 ? 's' : ''} ${releasing.join(', ')}`;
  const say = (message: string): RoutingDecision => stay(facts, 'Progressing', message, named);
  const finalizers = withFinalizers(object, releasing);
  if (finalizers.length > 0) return { ...say(`${rollouts} started a release`), effects: finalizers };
  if (changedRoute(object) === undefined) return say(WRITTEN);
  if (route === null) return absent(facts, say(''), named);
  const record = isEngaged(route) ? routeRecord(route) : undefined;
  const kind = provider.resource.kind;
  if (record !== undefined && !ownsRoute(object, route)) {
    const remedy = 'name another route, or remove it there';
    return say(`${kind} ${name} is already changed by ${ownerOf(record)}: ${remedy}`);
  }
  const effects = engageRoute(provider, route, { trafficRouting: object.metadata.name, split });
  if (isRefusal(effects)) {
    const { reason, remedy } = effects.problem;
    return say(`${kind} ${name} cannot be changed: ${reason}; ${remedy}`);
  }
  if (effects.length > 0) return { ...say(`${kind} ${name} is written`), effects };
  const pending = pendingOn(route);
  if (pending !== undefined) return say(pending);
  return say(`requests that match get their headers, for the release of ${rollouts}`);
}

/** A patch of the finalizers: one of its own, and OpenKruise's one for each Rollout, while there are Rollouts. Others are not touched. */
function withFinalizers(object: TrafficRoutingObject, rollouts: readonly string[]): readonly Effect[] {
  const { finalizers = [] } = object.metadata;
  // A finalizer with a longer name is not valid.
  const progressing = rollouts.filter((name) => isName({ ...LABEL_NAME, pattern: '.' }, name));
  const wanted =
    rollouts.length === 0 ? [] : [TRAFFIC_ROUTING, ...progressing.map((name) => PROGRESSING_ROLLOUT + name)];
  const others = finalizers.filter((one) => one !== TRAFFIC_ROUTING && !one.startsWith(PROGRESSING_ROLLOUT));
  const next = [...others, ...wanted];
  if (sameJson([...finalizers].sort(), [...next].sort())) return [];
  const patch = { metadata: { resourceVersion: version(object), finalizers: next } };
  return [{ kind: 'Patch', why: 'finalizer', resource: TRAFFIC_ROUTINGS, before: object, patch }];
}
