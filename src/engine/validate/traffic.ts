// Validates the traffic fields of a Rollout against what the installation and the kind of workload can do. engine/traffic/validate.ts looks at each field.
import type { CanaryStrategy, Rollout } from '../../api/types.ts';
import { TRAFFIC_ROUTING } from '../../api/keys.ts';
import { percentOf } from '../lib/replicas.ts';
import { routingRefOf } from '../traffic/routing-object.ts';
import { legNames, MAX_SERVICE_NAME } from '../traffic/split.ts';
import { trafficFields } from '../traffic/validate.ts';
import { deploymentKind } from '../workload/deployment/kind.ts';
import { kindOf } from '../workload/registry.ts';
import { show, type Violation } from './violation.ts';

const CANARY = 'spec.strategy.canary';
const ROUTINGS = `${CANARY}.trafficRoutings`;
const NO_ROUTES = 'this installation does not change routes';
const ENABLE = 'set the value traffic.gatewayAPI.enabled of the chart';
const EVENLY = 'remove it: each Pod then gets its share of the requests';

/** `enabled`: the installation changes routes. Undefined: not known, as for a file. */
export function* trafficErrors(
  canary: CanaryStrategy,
  rollout: Rollout,
  enabled: boolean | undefined,
): Generator<Violation> {
  yield* trafficFields(canary);
  yield* refErrors(canary, rollout, enabled);
  const { trafficRoutings: [routing] = [], steps = [] } = canary;
  if (routing === undefined) return;
  if (kindOf(rollout.spec.workloadRef) !== deploymentKind) {
    yield forbidden(ROUTINGS, 'requests are routed to the versions of a Deployment only', EVENLY);
  } else if (enabled === false) {
    yield forbidden(ROUTINGS, NO_ROUTES, `${ENABLE}, or ${EVENLY}`);
  }
  const { service } = routing;
  if (typeof service === 'string' && service.length > MAX_SERVICE_NAME) {
    const names = [...legNames('NAME')].join(' and ');
    const reason = `must be no more than ${MAX_SERVICE_NAME} characters, because a release creates Services ${names}`;
    yield { field: `${ROUTINGS}[0].service`, value: service, reason, remedy: 'use a Service with a shorter name' };
  }
  if ((canary as { readonly disableGenerateCanaryService?: unknown }).disableGenerateCanaryService === true) {
    const reason = 'trafficRoutings needs a Service for each version';
    yield forbidden(`${CANARY}.disableGenerateCanaryService`, reason, 'remove it');
  }
  for (const [index, { traffic, replicas }] of steps.entries()) {
    // In v1alpha1, a weight alone is checked as replicas.
    if (traffic === undefined || traffic === replicas || (percentOf(traffic) ?? Infinity) <= 100) continue;
    const [field, remedy] = [`${CANARY}.steps[${index}].traffic`, 'write "0%" to "100%"'];
    yield { field, value: traffic, reason: 'must be a percentage of the requests', remedy };
  }
}

/** The name of a TrafficRouting. */
function* refErrors(canary: CanaryStrategy, rollout: Rollout, enabled: boolean | undefined): Generator<Violation> {
  const field = `${CANARY}.trafficRoutingRef`;
  if (enabled === false && routingRefOf(rollout) !== undefined)
    yield forbidden(field, NO_ROUTES, `${ENABLE}, or remove it`);
  const annotation = rollout.metadata.annotations?.[TRAFFIC_ROUTING];
  const { trafficRoutingRef = '' } = canary;
  if (trafficRoutingRef === '' || annotation === undefined || [trafficRoutingRef, ''].includes(annotation)) return;
  const reason = `the annotation ${TRAFFIC_ROUTING} names ${show(annotation)}`;
  yield { field, value: trafficRoutingRef, reason, remedy: 'remove the annotation, or write the same name in both' };
}

const forbidden = (field: string, reason: string, remedy: string): Violation => ({
  field,
  value: 'set',
  type: 'Forbidden',
  reason,
  remedy,
});
