// Validates the traffic fields of a Rollout against what the installation and the kind of workload can do. engine/traffic/validate.ts looks at each field.
import type { CanaryStrategy, Rollout } from '../../api/types.ts';
import { percentOf } from '../lib/replicas.ts';
import { legNames, MAX_SERVICE_NAME } from '../traffic/split.ts';
import { trafficFields } from '../traffic/validate.ts';
import { deploymentKind } from '../workload/deployment/kind.ts';
import { kindOf } from '../workload/registry.ts';
import type { Violation } from './violation.ts';

const CANARY = 'spec.strategy.canary';
const ROUTINGS = `${CANARY}.trafficRoutings`;
const EVENLY = 'remove it: each Pod then gets its share of the requests';

/** `enabled`: the installation changes routes. Undefined: not known, as for a file. */
export function* trafficErrors(
  canary: CanaryStrategy,
  rollout: Rollout,
  enabled: boolean | undefined,
): Generator<Violation> {
  yield* trafficFields(canary);
  const { trafficRoutings: [routing] = [], steps = [] } = canary;
  if (routing === undefined) return;
  const forbidden = (field: string, reason: string, remedy: string): Violation => ({
    field,
    value: 'set',
    type: 'Forbidden',
    reason,
    remedy,
  });
  if (kindOf(rollout.spec.workloadRef) !== deploymentKind) {
    yield forbidden(ROUTINGS, 'requests are routed to the versions of a Deployment only', EVENLY);
  } else if (enabled === false) {
    const remedy = `set the value traffic.gatewayAPI.enabled of the chart, or ${EVENLY}`;
    yield forbidden(ROUTINGS, 'this installation does not change routes', remedy);
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
