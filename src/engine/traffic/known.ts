// What the status says about the traffic of a release. A CustomResourceDefinition of another version may have dropped some of it.
import { isName, LABEL_NAME, SUBDOMAIN_NAME } from '../../api/names.ts';
import type { TrafficStatus } from '../../api/traffic.ts';
import type { CanaryStatus } from '../../api/types.ts';
import { providerOf } from './registry.ts';

const MAX_GRACE_SECONDS = 3600;

/** Undefined if there is none, or if it does not name a route and a Service. */
export function knownTraffic(canary: CanaryStatus | undefined): TrafficStatus | undefined {
  const { mode, state, weight = 0, step = 0, since = '', service, route, graceSeconds } = canary?.traffic ?? {};
  if (mode === undefined || state === undefined || graceSeconds === undefined) return undefined;
  if (!isName(LABEL_NAME, service) || !isName(SUBDOMAIN_NAME, route?.name)) return undefined;
  if (route === undefined || service === undefined || providerOf(route.kind) === undefined) return undefined;
  const { routeGeneration } = canary?.traffic ?? {};
  return {
    mode,
    state,
    weight,
    step,
    since,
    ...(routeGeneration !== undefined && { routeGeneration }),
    service,
    route,
    graceSeconds: Math.min(MAX_GRACE_SECONDS, Math.max(1, graceSeconds)),
  };
}
