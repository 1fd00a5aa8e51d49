// The webhooks for workloads and their scale: decode the request, call the engine, encode the response.
import type { Workload } from '../../api/types.ts';
import { isWrite } from '../../engine/admit/decision.ts';
import { admitScale } from '../../engine/admit/scale.ts';
import { admitWorkload } from '../../engine/admit/workload.ts';
import { deploymentKind } from '../../engine/workload/deployment/kind.ts';
import type { WorkloadKind } from '../../engine/workload/kind.ts';
import { groupOf } from '../../api/resources.ts';
import { kindIn as registered, KINDS } from '../../engine/workload/registry.ts';
import { sha256 } from '../../kube/digest.ts';
import { managedFieldsOf } from '../../kube/without-managed-fields.ts';
import { answerOf, decide } from '../decide.ts';
import type { AdmissionDeps } from '../deps.ts';
import { factsOf } from '../facts.ts';
import { BadRequest } from '../json.ts';
import { pass, type Answer } from '../review.ts';
import { explain, isWorkload, type AdmissionRequest } from '../shapes.ts';

/** Asks the API server only for a takeover of a release of OpenKruise. */
export function mutateWorkload(request: AdmissionRequest, deps: AdmissionDeps): Answer | Promise<Answer> {
  const kind = kindIn(request);
  const facts = factsOf(request, deps);
  if (!isWrite(facts)) return pass;
  const { user, fieldManager } = facts.by;
  const isCreate = request.operation === 'CREATE';
  const old = isCreate ? undefined : read(request.oldObject, 'oldObject');
  const edit = {
    kind,
    operation: isCreate ? 'CREATE' : 'UPDATE',
    old,
    next: withStatusOf(old, read(request.object, 'object')),
    user,
    fieldManager,
    managedFields: { old: () => managedFieldsOf(request.oldObject), next: () => managedFieldsOf(request.object) },
  } as const;
  const namespace = request.namespace ?? '';
  const name = request.name || (edit.next.metadata.name ?? '');
  const rollout = name === '' ? undefined : deps.rolloutFor(namespace, kind, name);
  const tracing = deps.sampling && { ...deps.sampling, admitted: new Date().toISOString() };
  return decide(admitWorkload, { ...facts, edit, namespace, name, rollout, tracing, sha256 }, deps, namespace);
}

/** Checks scaling a workload to 0, by itself or by its scale. */
export function validateScaleToZero(request: AdmissionRequest, deps: AdmissionDeps): Answer {
  const kind = kindIn(request);
  const [namespace, name] = [request.namespace ?? '', request.name ?? ''];
  const facts = {
    ...factsOf(request, deps),
    replicas: { before: replicasIn(request.oldObject), after: replicasIn(request.object) },
    deployment: deps.workloadFor(kind, namespace, name),
    rollout: deps.rolloutFor(namespace, kind, name),
    sha256,
  };
  return answerOf(admitScale(facts), deps);
}

/** The kind of the workload in the request, or of the workload of a Scale. */
const kindIn = ({ kind, resource }: AdmissionRequest): WorkloadKind =>
  registered(kind.group, kind.kind) ??
  KINDS.find(
    ({ resource: { plural, apiVersion } }) =>
      resource?.resource === plural && (resource.group ?? 'apps') === groupOf(apiVersion),
  ) ??
  deploymentKind;

/** spec.replicas of a workload or a Scale. A Scale omits 0. */
function replicasIn(object: unknown): number {
  const spec = (object as { readonly spec?: { readonly replicas?: unknown } | null } | null | undefined)?.spec;
  return typeof spec?.replicas === 'number' ? spec.replicas : 0;
}

/** Users can write any status in a request about the object itself, and the API server ignores it. */
const withStatusOf = (old: Workload | undefined, { status: _, ...next }: Workload): Workload => ({
  ...next,
  ...(old?.status && { status: old.status }),
});

function read(object: unknown, where: string): Workload {
  if (!isWorkload(object)) throw new BadRequest(`request.${where}: ${explain(isWorkload.errors)}`);
  return object;
}
