// Writes of routes: a split and its record, or the user's route again. Every write contains the resourceVersion that it was decided on.
import { HELD, TRAFFIC } from '../../api/keys.ts';
import type { Route, RouteRule } from '../../api/traffic.ts';
import type { Effect } from '../decision.ts';
import { annotationPath, patchMap, type PatchOp } from '../lib/json-patch.ts';
import { sameJson } from '../lib/template.ts';
import { labelValueOf } from '../lib/text.ts';
import { version } from '../workload/effects.ts';
import { isOurs, type ManagedFields } from '../workload/field-owners.ts';
import type { TrafficProvider } from './provider.ts';
import { engage, isRefusal, strip, type Refusal } from './rules.ts';
import { isEngaged, routeRecord, type Engagement, type RouteRecord } from './split.ts';

type Rules = readonly RouteRule[];

/** The rules as the user wrote them. `service`: the user's Service. */
export function userRules(provider: TrafficProvider, route: Route, service: string): Rules {
  const rules = route.spec.rules ?? [];
  return isEngaged(route) ? strip(provider, rules, routeRecord(route), service, route.metadata.namespace) : rules;
}

/** What a route that carries the split has: its rules, the record and the label. */
export interface EngagedRoute {
  readonly rules: Rules;
  readonly record: string;
  readonly label: string;
}

/** The route with the split, from these rules of the user. */
export function engaged(
  provider: TrafficProvider,
  user: Rules,
  engagement: Engagement,
  namespace: string | undefined,
): EngagedRoute | Refusal {
  const rules = engage(provider, user, engagement.split, namespace);
  if (isRefusal(rules)) return rules;
  const record: RouteRecord = { v: 1, ...engagement, user };
  const name = 'rollout' in engagement ? engagement.rollout : engagement.trafficRouting;
  return { rules, record: JSON.stringify(record), label: labelValueOf(name) };
}

/** Makes the route carry the split. Empty if it does. */
export function engageRoute(
  provider: TrafficProvider,
  route: Route,
  engagement: Engagement,
): readonly Effect[] | Refusal {
  const { namespace, labels, annotations } = route.metadata;
  const wanted = engaged(provider, userRules(provider, route, engagement.split.base), engagement, namespace);
  if (isRefusal(wanted)) return wanted;
  // An API server may return the fields of an object in another order than they were written.
  const isRecorded = sameJson(routeRecord(route), JSON.parse(wanted.record));
  return writeRoute(provider, route, [
    ...patchMap('/metadata/labels', labels, { [TRAFFIC]: wanted.label }),
    ...(isRecorded ? [] : patchMap('/metadata/annotations', annotations, { [HELD]: wanted.record })),
    ...rulesPatch(route, wanted.rules),
  ]);
}

/** Gives the user's route back. Empty if nothing of ours is in it. */
export function leaveRoute(provider: TrafficProvider, route: Route, service: string): readonly Effect[] {
  const { labels = {}, annotations = {} } = route.metadata;
  return writeRoute(provider, route, [
    ...patchMap('/metadata/labels', labels, { [TRAFFIC]: null }),
    ...patchMap('/metadata/annotations', annotations, { [HELD]: null }),
    ...rulesPatch(route, userRules(provider, route, service)),
  ]);
}

/** Takes the Services of the versions out of a route that another Rollout has changed since. Empty if it names none. */
export const leaveRules = (provider: TrafficProvider, route: Route, service: string): readonly Effect[] =>
  writeRoute(
    provider,
    route,
    rulesPatch(route, strip(provider, route.spec.rules ?? [], undefined, service, route.metadata.namespace)),
  );

/**
 * Removes what a crash after the last write of the route has left in its managedFields. Empty if there is nothing. The list of an object of a watch is
 * always empty, so it has to be read.
 */
export function disownRoute({ resource }: TrafficProvider, route: Route): readonly Effect[] {
  const { managedFields } = route.metadata as { readonly managedFields?: readonly ManagedFields[] };
  if (managedFields === undefined || (managedFields.length > 0 && !managedFields.some(isOurs))) return [];
  return [{ kind: 'Disown', why: 'route', resource, name: route.metadata.name }];
}

function rulesPatch({ spec }: Route, rules: Rules): readonly PatchOp[] {
  if (sameJson(spec.rules ?? [], rules)) return [];
  return [{ op: spec.rules === undefined ? 'add' : 'replace', path: '/spec/rules', value: rules }];
}

function writeRoute({ resource }: TrafficProvider, route: Route, ops: readonly PatchOp[]): readonly Effect[] {
  if (ops.length === 0) return [];
  const lock: PatchOp = { op: 'replace', path: '/metadata/resourceVersion', value: version(route) };
  return [{ kind: 'Patch', why: 'route', resource, before: route, patch: [lock, ...ops] }];
}

/** Path of the record in a JSON patch. */
export const RECORD_PATH = annotationPath(HELD);
