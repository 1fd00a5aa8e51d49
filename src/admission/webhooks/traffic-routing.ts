// The webhook for TrafficRoutings: decodes the request, calls the engine, encodes the response.
import { admitTrafficRouting } from '../../engine/admit/traffic-routing.ts';
import { routeKeys } from '../../engine/traffic/routing-object.ts';
import { checkTrafficRouting } from '../../schema/traffic-routing.ts';
import { decide } from '../decide.ts';
import type { AdmissionDeps } from '../deps.ts';
import { factsOf } from '../facts.ts';
import type { Answer } from '../review.ts';
import type { AdmissionRequest } from '../shapes.ts';

export function validateTrafficRouting(request: AdmissionRequest, deps: AdmissionDeps): Answer | Promise<Answer> {
  const namespace = request.namespace ?? '';
  const { routing: old } = checkTrafficRouting(request.oldObject ?? undefined);
  const { routing: next, violations: shape } = checkTrafficRouting(request.object ?? undefined);
  const [route] = next === undefined ? [] : routeKeys({ ...next, metadata: { ...next.metadata, namespace } });
  const facts = {
    ...factsOf(request, deps),
    old,
    next,
    shape: request.operation === 'DELETE' ? [] : shape,
    rivals: (route === undefined ? undefined : deps.rivalsOf?.(route)) ?? { rollouts: [], routings: [] },
  };
  return decide(admitTrafficRouting, facts, deps, namespace);
}
