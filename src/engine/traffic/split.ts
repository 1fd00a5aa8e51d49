// What routes are to do during a release, as data; and the names of the Services that they name.
import { isObject, type Json } from '../../api/json.ts';
import { HELD, TRAFFIC } from '../../api/keys.ts';
import { isName, LABEL_NAME } from '../../api/names.ts';
import type { HeaderModifier, HttpMatch, Route, RouteRule } from '../../api/traffic.ts';
import type { KubeObject } from '../../api/types.ts';
import { show } from '../validate/violation.ts';

/** Weights of a split are thousandths of the requests that the user's route sends to the user's Service. */
export const WHOLE = 1000;

/** The user's Service, which selects all Pods, stays a leg. The canary leg selects the new Pods and gets `weight`. */
export interface SharedSplit {
  readonly mode: 'Shared';
  /** Name of the user's Service. */
  readonly base: string;
  readonly canary: string;
  readonly weight: number;
}

/** The user's Service stays in the route with weight 0. The stable leg selects the old Pods. */
export interface ApartSplit {
  readonly mode: 'Apart';
  readonly base: string;
  readonly stable: string;
  /** Absent while the canary leg has no Service: then `weight` is 0. */
  readonly canary?: string;
  readonly weight: number;
  /** These requests go to the canary leg only. */
  readonly matches?: readonly HttpMatch[];
  /** Changes the requests of `matches`. */
  readonly requestHeaderModifier?: HeaderModifier;
}

/** With `weight` 0, the canary leg is named and gets no requests. No split = the user's own route. */
export type Split = SharedSplit | ApartSplit;

/** Of a TrafficRouting: the requests that match go where they went, with other headers. No Service gets more or fewer requests. */
export interface HeaderSplit {
  readonly mode: 'Headers';
  /** Name of the user's Service. */
  readonly base: string;
  readonly matches: readonly HttpMatch[];
  readonly requestHeaderModifier: HeaderModifier;
}

/** The object that changes a route, and the change. */
export type Engagement =
  | { readonly rollout: string; readonly split: Split }
  | { readonly trafficRouting: string; readonly split: HeaderSplit };

/** `Rollout web`. Users can write the name in a record. */
export const ownerOf = (engagement: Engagement): string =>
  'rollout' in engagement
    ? `Rollout ${shown(engagement.rollout)}`
    : `TrafficRouting ${shown(engagement.trafficRouting)}`;

const shown = (name: string): string => show(name).slice(1, -1);

/** What the new version gets of the requests, besides the ones that match. */
export const isIdle = (split: Split): boolean =>
  split.weight === 0 && (split.mode === 'Shared' || (split.matches ?? []).length === 0);

/** The same legs, and the canary leg gets no requests. */
export function idle(split: Split): Split {
  if (split.mode === 'Shared') return { ...split, weight: 0 };
  const { matches: _matches, requestHeaderModifier: _modifier, ...rest } = split;
  return { ...rest, weight: 0 };
}

/** The suffixes of the Services that the program creates. */
export const LEGS = ['canary', 'stable'] as const;
export type Leg = (typeof LEGS)[number];

/** Name of the Service of a leg. `web-canary` is OpenKruise's name. */
export const legName = (service: string, leg: Leg): string => `${service}-${leg}`;

/** The longest name of a Service whose legs have valid names. */
export const MAX_SERVICE_NAME = LABEL_NAME.maxLength - Math.max(...LEGS.map((leg) => legName('', leg).length));

/** The names of the legs of a Service. */
export const legNames = (service: string): ReadonlySet<string> => new Set(LEGS.map((leg) => legName(service, leg)));

/** Value of the annotation `tranche.dev/held` of a route: what the program changed, and for whom. Only the rules of a route are changed. */
export type RouteRecord = Engagement & {
  /** Version of the format. */
  readonly v: 1;
  /** The rules as the user wrote them. */
  readonly user: readonly RouteRule[];
};

/** True if the program has changed the route, or if somebody says so. */
export const isEngaged = ({ metadata }: KubeObject): boolean =>
  metadata.labels?.[TRAFFIC] !== undefined || metadata.annotations?.[HELD] !== undefined;

/** The record on a route. Users can write it. Undefined if it is not one. */
export function routeRecord({ metadata }: Route): RouteRecord | undefined {
  try {
    const raw: unknown = JSON.parse(metadata.annotations?.[HELD] ?? 'null');
    if (!isObject(raw) || raw['v'] !== 1) return undefined;
    const { rollout, trafficRouting, split, user } = raw;
    if (!Array.isArray(user) || !user.every(isRule)) return undefined;
    if (typeof rollout === 'string' && isSplit(split)) return { v: 1, rollout, split, user };
    if (typeof trafficRouting !== 'string' || !isHeaderSplit(split)) return undefined;
    return { v: 1, trafficRouting, split, user };
  } catch {
    return undefined;
  }
}

/** The TrafficRouting whose rules the route has. */
export function routingThatChanges(route: Route): string | undefined {
  const record = isEngaged(route) ? routeRecord(route) : undefined;
  return record !== undefined && 'trafficRouting' in record ? shown(record.trafficRouting) : undefined;
}

const isRule = (rule: unknown): rule is RouteRule => {
  if (!isObject(rule)) return false;
  const { backendRefs = [], matches = [], filters = [] } = rule;
  return isListOf(isRef)(backendRefs) && isListOf(isMatch)(matches) && isListOf(isFilter)(filters);
};

const isRef = (ref: unknown): boolean => {
  if (!isObject(ref) || !isText(ref['name'])) return false;
  const { filters = [] } = ref;
  return isListOf(isFilter)(filters);
};

const isFilter = (filter: unknown): boolean => {
  if (!isObject(filter) || !isText(filter['type'])) return false;
  const { requestHeaderModifier = {} } = filter;
  return isModifier(requestHeaderModifier);
};

const named = (json: Json, field: string): boolean => isName(LABEL_NAME, json[field]);

function isSplit(split: unknown): split is Split {
  if (!isObject(split)) return false;
  const { mode, weight } = split;
  if (typeof weight !== 'number' || !Number.isInteger(weight) || weight < 0 || weight > WHOLE) return false;
  if (!named(split, 'base')) return false;
  if (mode === 'Shared') return named(split, 'canary');
  if (mode !== 'Apart' || !named(split, 'stable')) return false;
  const { canary, matches = [], requestHeaderModifier = {} } = split;
  return (
    (canary === undefined ? weight === 0 && split['matches'] === undefined : named(split, 'canary')) &&
    isListOf(isMatch)(matches) &&
    isModifier(requestHeaderModifier)
  );
}

function isHeaderSplit(split: unknown): split is HeaderSplit {
  if (!isObject(split) || split['mode'] !== 'Headers' || !named(split, 'base')) return false;
  return isListOf(isMatch)(split['matches']) && isModifier(split['requestHeaderModifier']);
}

const isListOf =
  (is: (item: unknown) => boolean) =>
  (list: unknown): boolean =>
    Array.isArray(list) && list.every(is);
const isText = (value: unknown): boolean => typeof value === 'string';
const isTextOrAbsent = (value: unknown): boolean => value === undefined || isText(value);
const isPair = (pair: unknown): boolean =>
  isObject(pair) && ['name', 'value'].every((field) => isText(pair[field])) && isTextOrAbsent(pair['type']);
const isMatch = (match: unknown): boolean => {
  if (!isObject(match)) return false;
  const { path = {}, headers = [], queryParams = [] } = match;
  return (
    isObject(path) &&
    ['type', 'value'].every((field) => isTextOrAbsent(path[field])) &&
    [headers, queryParams].every(isListOf(isPair))
  );
};
const isModifier = (modifier: unknown): boolean => {
  if (!isObject(modifier)) return false;
  const { set = [], add = [], remove = [] } = modifier;
  return [set, add].every(isListOf(isPair)) && isListOf(isText)(remove);
};
