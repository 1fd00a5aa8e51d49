// The webhooks for Deployments and their scale: decode the request, call the engine, encode the response.
import type { Deployment } from '../../api/types.ts';
import { isWrite } from '../../engine/admit/decision.ts';
import { admitScale } from '../../engine/admit/scale.ts';
import { admitWorkload } from '../../engine/admit/workload.ts';
import { sha256 } from '../../kube/digest.ts';
import { managedFieldsOf } from '../../kube/without-managed-fields.ts';
import { answerOf, decide } from '../decide.ts';
import type { AdmissionDeps } from '../deps.ts';
import { factsOf } from '../facts.ts';
import { BadRequest } from '../json.ts';
import { pass, type Answer } from '../review.ts';
import { explain, isDeployment, type AdmissionRequest } from '../shapes.ts';

/** Asks the API server only for a takeover of a release of OpenKruise. */
export function mutateDeployment(request: AdmissionRequest, deps: AdmissionDeps): Answer | Promise<Answer> {
  const facts = factsOf(request, deps);
  if (!isWrite(facts)) return pass;
  const { user, fieldManager } = facts.by;
  const isCreate = request.operation === 'CREATE';
  const edit = {
    operation: isCreate ? 'CREATE' : 'UPDATE',
    old: isCreate ? undefined : read(request.oldObject, 'oldObject'),
    next: read(request.object, 'object'),
    user,
    fieldManager,
    managedFields: { old: () => managedFieldsOf(request.oldObject), next: () => managedFieldsOf(request.object) },
  } as const;
  const namespace = request.namespace ?? '';
  const name = request.name || (edit.next.metadata.name ?? '');
  const rollout = name === '' ? undefined : deps.rolloutFor(namespace, 'Deployment', name);
  const tracing = deps.sampling && { ...deps.sampling, admitted: new Date().toISOString() };
  return decide(admitWorkload, { ...facts, edit, namespace, name, rollout, tracing, sha256 }, deps, namespace);
}

/** Checks scaling a Deployment to 0, by itself or by its scale. */
export function validateScaleToZero(request: AdmissionRequest, deps: AdmissionDeps): Answer {
  const [namespace, name] = [request.namespace ?? '', request.name ?? ''];
  const facts = {
    ...factsOf(request, deps),
    replicas: { before: replicasIn(request.oldObject), after: replicasIn(request.object) },
    deployment: deps.deploymentFor(namespace, name),
    rollout: deps.rolloutFor(namespace, 'Deployment', name),
    sha256,
  };
  return answerOf(admitScale(facts), deps);
}

/** spec.replicas of a Deployment or a Scale. A Scale omits 0. */
function replicasIn(object: unknown): number {
  const spec = (object as { readonly spec?: { readonly replicas?: unknown } | null } | null | undefined)?.spec;
  return typeof spec?.replicas === 'number' ? spec.replicas : 0;
}

function read(object: unknown, where: string): Deployment {
  if (!isDeployment(object)) throw new BadRequest(`request.${where}: ${explain(isDeployment.errors)}`);
  return object;
}
