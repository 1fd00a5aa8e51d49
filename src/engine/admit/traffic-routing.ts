// The decision on a TrafficRouting: its fields, the rights of its author, and whether its route can be changed like this. The operator checks again.
import type { TrafficRoutingObject } from '../../api/traffic.ts';
import type { Rollout } from '../../api/types.ts';
import { ROLLOUT_RESOURCE, TRAFFIC_ROUTING } from '../../api/keys.ts';
import { resourceName, TRAFFIC_ROUTINGS } from '../../api/resources.ts';
import { namespaceFlag } from '../lib/text.ts';
import { sameJson } from '../lib/template.ts';
import { checkHeaders } from '../traffic/check-headers.ts';
import { headersOf } from '../traffic/routing-object.ts';
import type { RouteName } from '../traffic/registry.ts';
import { routingObjectErrors, routingObjectWarnings } from '../traffic/validate.ts';
import type { Violation } from '../validate/violation.ts';
import { byOperator, isWrite, need, notReady, pass, refuse, type AdmissionDecision, type Facts } from './decision.ts';

export interface TrafficRoutingFacts extends Facts {
  /** Undefined on CREATE. */
  readonly old: TrafficRoutingObject | undefined;
  /** Undefined on DELETE, or if the object is too malformed to be read. */
  readonly next: TrafficRoutingObject | undefined;
  /** Schema errors. */
  readonly shape: readonly Violation[];
  /** Rollouts and TrafficRoutings that change the same route. */
  readonly rivals: RouteRivals;
}

export interface RouteRivals {
  readonly rollouts: readonly Rollout[];
  readonly routings: readonly TrafficRoutingObject[];
}

const AT = 'spec.objectRef[0]';

export function admitTrafficRouting(facts: TrafficRoutingFacts): AdmissionDecision {
  const { old, next, shape, answers, rivals, warns } = facts;
  if (facts.operation === 'DELETE') return warns && old ? { ...pass, warnings: leaving(old) } : pass;
  if (!isWrite(facts) || byOperator(facts)) return pass;
  if (next === undefined) return shape.length > 0 ? refuse(shape) : pass;
  const isSame = old !== undefined && sameJson(old.spec, next.spec);
  if (next.metadata.deletionTimestamp != null || isSame) return pass;
  const found = routingObjectErrors(next);
  const said = new Set(found.map(({ field }) => field));
  const violations = [...found, ...shape.filter(({ field }) => !said.has(field))];
  if (violations.length > 0) return refuse(violations);
  if (facts.notReady !== undefined) return notReady(facts.notReady);
  const headers = headersOf(next);
  if (headers === undefined) return pass;
  const { provider, name, split } = headers;
  const field = `${AT}.${provider.field}`;
  const taken = takenBy(field, headers, next.metadata.name, rivals);
  if (taken.length > 0) return refuse(taken);
  const before = old && headersOf(old);
  const { resource } = provider;
  if (answers.rights === undefined && !(before?.provider === provider && before.name === name))
    return need({ rights: [{ field, value: name, verb: 'patch', resource, name }] });
  if (answers.rights !== undefined && answers.rights.length > 0) return refuse(answers.rights);
  if (answers.routed === undefined) return need({ routed: { service: split.base, route: { resource, name } } });
  if (answers.routed === 'NoAnswer') return notReady('the API server did not answer what the route is');
  const live = answers.routed === 'NobodyToAsk' ? undefined : answers.routed.found;
  if (live === undefined) return { ...pass, warnings: warns ? routingObjectWarnings(next) : [] };
  const checked = checkHeaders(headers, live);
  if (checked.violations.length > 0) return refuse(checked.violations);
  return { ...pass, warnings: warns ? [...routingObjectWarnings(next), ...checked.warnings] : [] };
}

/** A route has one owner: two would overwrite each other's rules. */
export function takenBy(field: string, route: RouteName, own: string, rivals: RouteRivals): readonly Violation[] {
  const routing = rivals.routings.find(({ metadata }) => metadata.name !== own && isAlive(metadata));
  const rollout = rivals.rollouts.find(({ metadata }) => isAlive(metadata));
  const rival = routing ?? rollout;
  if (rival === undefined) return [];
  const { kind } = route.provider.resource;
  const { name } = rival.metadata;
  const resource = routing ? resourceName(TRAFFIC_ROUTINGS) : ROLLOUT_RESOURCE;
  const what = routing ? 'TrafficRouting' : 'Rollout';
  const reason = `already routed by ${what} ${name}`;
  const remedy = `write another ${kind}, or delete that ${what} first: kubectl delete ${resource} ${name}${namespaceFlag(rival)}`;
  return [{ field, value: route.name, reason, remedy }];
}

const isAlive = ({ deletionTimestamp }: { readonly deletionTimestamp?: string | null }): boolean =>
  deletionTimestamp == null;

const leaving = ({ metadata }: TrafficRoutingObject): string[] =>
  metadata.finalizers?.includes(TRAFFIC_ROUTING)
    ? ['tranche: a release is in progress: requests that match get no other headers from now on']
    : [];
