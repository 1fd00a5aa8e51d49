// Reads the facts about a request from the review and the caches.
import type { Facts, Policies } from '../engine/admit/decision.ts';
import type { AdmissionDeps } from './deps.ts';
import type { AdmissionRequest } from './shapes.ts';

export function factsOf(request: AdmissionRequest, deps: AdmissionDeps): Facts {
  const { uid, operation, subResource, userInfo, options, dryRun } = request;
  return {
    operation,
    subResource: subResource ?? '',
    by: {
      request: uid,
      user: userInfo?.username ?? '',
      groups: userInfo?.groups ?? [],
      fieldManager: options?.fieldManager ?? '',
      dryRun: dryRun === true,
    },
    operatorUser: deps.operatorUser,
    warns: deps.warnings,
    notReady: deps.notReady(),
    policies: policiesOf(request.namespace ?? '', deps),
    answers: {},
  };
}

function policiesOf(namespace: string, { policy }: AdmissionDeps): Policies | undefined {
  if (policy === undefined) return undefined;
  return {
    matching: (workloadLabels) => policy.policiesFor(namespace, workloadLabels),
    inFlight: (except, kind) => policy.inFlight(namespace, except, kind),
    calendar: policy.calendar,
    now: policy.now(),
  };
}
