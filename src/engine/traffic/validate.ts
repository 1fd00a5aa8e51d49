// Validates what a Rollout says about traffic, without the route and the Service (check.ts looks at those).
import type { HttpMatch, KeyMatch, PathMatch, TrafficRouting, TrafficRoutingObject } from '../../api/traffic.ts';
import type { CanaryStep, CanaryStrategy } from '../../api/types.ts';
import { plural } from '../lib/text.ts';
import type { Violation } from '../validate/violation.ts';
import { PROVIDERS, routesOf } from './registry.ts';

const CANARY = 'spec.strategy.canary';
const ROUTING = `${CANARY}.trafficRoutings`;
/** One hour: a proxy that needs longer is not following. */
const MAX_GRACE_SECONDS = 3600;
const MAX_QUERY_VALUE = 1024;

/** The errors of `trafficRoutings` and of the traffic fields of all steps. */
export function* trafficFields(canary: CanaryStrategy): Generator<Violation> {
  const { trafficRoutings = [], steps = [] } = canary;
  const [routing] = trafficRoutings;
  if (trafficRoutings.length > 1) {
    const reason = 'must have at most 1 item';
    yield { field: ROUTING, value: trafficRoutings.length, reason, remedy: 'remove the others' };
  }
  if (routing !== undefined) yield* routingFields(routing, `${ROUTING}[0]`);
  for (const [index, step] of steps.entries()) {
    yield* stepFields(step, `${CANARY}.steps[${index}]`, routing !== undefined);
  }
}

/** The errors of a TrafficRouting. */
export function routingObjectErrors({ spec }: TrafficRoutingObject): readonly Violation[] {
  return [...objectFields(spec)];
}

function* objectFields({ objectRef = [], strategy = {} }: TrafficRoutingObject['spec']): Generator<Violation> {
  const [routing] = objectRef;
  if (routing === undefined || objectRef.length > 1) {
    const reason = 'must have exactly 1 item';
    const remedy = routing === undefined ? 'add the Service and its route' : 'remove the others';
    yield { field: 'spec.objectRef', value: objectRef.length, reason, remedy };
  }
  if (routing !== undefined) yield* routingFields(routing, 'spec.objectRef[0]');
  const { weight, matches = [], requestHeaderModifier: { set = [], add = [], remove = [] } = {} } = strategy;
  if (matches.length === 0 && weight !== undefined) {
    const reason = 'a share of the requests would go to the same Service';
    const remedy = 'write matches instead, or traffic in the steps of a Rollout';
    yield { field: 'spec.strategy.weight', value: weight, reason, remedy };
  } else if (matches.length === 0) {
    const remedy = 'write which requests get other headers';
    yield { field: 'spec.strategy.matches', value: undefined, reason: '', remedy };
  }
  for (const [index, match] of matches.entries()) yield* matchFields(match, `spec.strategy.matches[${index}]`);
  if (set.length + add.length + remove.length > 0) return;
  const reason = 'requests that match go to the same Service, so nothing else is changed';
  const remedy = 'write the header that tells the services behind it, such as set: [{name: x-lane, value: gray}]';
  yield { field: 'spec.strategy.requestHeaderModifier', value: undefined, reason, remedy };
}

/** Fields without effect. */
export const routingObjectWarnings = ({ spec: { strategy } }: TrafficRoutingObject): readonly string[] =>
  strategy?.weight === undefined
    ? []
    : ['tranche: spec.strategy.weight: has no effect beside matches: only the requests that match get other headers'];

const notYet = (field: string, what: string, remedy: string): Violation => ({
  field,
  value: 'set',
  type: 'Forbidden',
  reason: `${what} not supported yet`,
  remedy,
});

function* routingFields(routing: TrafficRouting, at: string): Generator<Violation> {
  const { ingress, customNetworkRefs = [], gracePeriodSeconds = 0 } = routing;
  const names = PROVIDERS.map(({ field }) => field).join(' or ');
  if (ingress !== undefined) yield notYet(`${at}.ingress`, 'Ingresses are', `write ${names}`);
  if (customNetworkRefs.length > 0) {
    yield notYet(`${at}.customNetworkRefs`, 'other network objects are', `write ${names}`);
  }
  const routes = routesOf(routing);
  if (routes.length === 0 && ingress === undefined && customNetworkRefs.length === 0) {
    yield { field: `${at}.gateway`, value: undefined, reason: '', remedy: `write ${names}` };
  }
  if (routes.length > 1) {
    const reason = 'must name one route';
    yield { field: `${at}.gateway`, value: routing.gateway, reason, remedy: `write only ${names}` };
  }
  if (!(Number.isInteger(gracePeriodSeconds) && gracePeriodSeconds >= 0 && gracePeriodSeconds <= MAX_GRACE_SECONDS)) {
    const reason = `must be between 0 and ${MAX_GRACE_SECONDS} seconds`;
    const remedy = 'write how long the proxies need to follow a route, such as 3, or remove it';
    yield { field: `${at}.gracePeriodSeconds`, value: gracePeriodSeconds, reason, remedy };
  }
}

function* stepFields(step: CanaryStep, at: string, routed: boolean): Generator<Violation> {
  const { matches = [], requestHeaderModifier } = step;
  if (matches.length > 0 && !routed) {
    const reason = 'needs a route';
    yield { field: `${at}.matches`, value: 'set', type: 'Forbidden', reason, remedy: `add ${ROUTING}, or remove it` };
  }
  if (requestHeaderModifier !== undefined && matches.length === 0) {
    const reason = 'applies only to requests that match';
    const remedy = 'add matches to the step, or remove it';
    yield { field: `${at}.requestHeaderModifier`, value: 'set', type: 'Forbidden', reason, remedy };
  }
  for (const [index, match] of matches.entries()) yield* matchFields(match, `${at}.matches[${index}]`);
}

function* matchFields({ path, headers = [], queryParams = [] }: HttpMatch, at: string): Generator<Violation> {
  if (path === undefined && headers.length === 0 && queryParams.length === 0) {
    const reason = 'selects all requests';
    yield { field: at, value: {}, reason, remedy: 'write headers, path or queryParams, or use traffic' };
  }
  if (path !== undefined) yield* pathFields(path, `${at}.path`);
  yield* keyFields(headers, `${at}.headers`, true);
  yield* keyFields(queryParams, `${at}.queryParams`, false);
}

/** What the Gateway API refuses in a path that is not a regular expression. */
const NOT_IN_PATH = ['//', '/./', '/../', '%2f', '%2F', '#'];
const PATH = /^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$/;

function* pathFields({ type = 'PathPrefix', value = '/' }: PathMatch, at: string): Generator<Violation> {
  if (type === 'RegularExpression') return;
  const field = `${at}.value`;
  if (!value.startsWith('/')) yield { field, value, reason: 'must start with /', remedy: 'write a path such as /shop' };
  const part = NOT_IN_PATH.find((one) => value.includes(one)) ?? ['/..', '/.'].find((end) => value.endsWith(end));
  if (part !== undefined)
    yield { field, value, reason: `must not contain ${part}`, remedy: 'write a path such as /shop' };
  else if (!PATH.test(value)) {
    const reason = 'must contain only characters of a path';
    yield { field, value, reason, remedy: 'write other characters as % and two hexadecimal digits' };
  }
}

/** The Gateway API's rule for names of headers and query parameters. */
const NAME = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/;

function* keyFields(keys: readonly KeyMatch[], at: string, caseless: boolean): Generator<Violation> {
  const seen = new Set<string>();
  for (const [index, { name, value }] of keys.entries()) {
    const id = caseless ? name.toLowerCase() : name;
    if (!NAME.test(name)) {
      const reason = "must consist of letters, digits and !#$%&'*+-.^_`|~";
      yield { field: `${at}[${index}].name`, value: name, reason, remedy: 'write a name such as x-user' };
    } else if (seen.has(id)) {
      const reason = 'must not be repeated: all comparisons of a match must be true';
      yield { field: `${at}[${index}].name`, value: name, reason, remedy: 'write a second item of matches instead' };
    }
    seen.add(id);
    if (!caseless && value.length > MAX_QUERY_VALUE) {
      const reason = `must have at most ${plural(MAX_QUERY_VALUE, 'character')}`;
      yield { field: `${at}[${index}].value`, value, reason, remedy: 'write a shorter value' };
    }
  }
}
