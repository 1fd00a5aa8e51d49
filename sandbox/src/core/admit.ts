// Builds admission requests, and contains the only built-in plugin: NamespaceLifecycle.
import { forbidden, notFound } from './errors.ts';
import { groupResource, type Call, type Machinery } from './call.ts';
import { ownedScaleOf, SCALE_KIND, withReplicas } from './scale-object.ts';
import type { AdmissionRequest, KubeObject, ResourceType } from './types.ts';

/** NamespaceLifecycle: refuses to create objects in missing or terminating namespaces. */
export function checkNamespaceLives(m: Machinery, call: Call): void {
  const { type, info } = call;
  if (!type.namespaced || type.virtual) return;
  const namespace = m.store.get('/namespaces', '', info.namespace);
  if (!namespace) throw notFound({ group: '', resource: 'namespaces' }, info.namespace);
  if (!namespace.metadata.deletionTimestamp) return;
  const error = forbidden(
    groupResource(type),
    info.name,
    `unable to create new content in namespace ${info.namespace} because it is being terminated`,
  );
  error.status.details!.causes = [
    {
      reason: 'NamespaceTerminating',
      message: `namespace ${info.namespace} is being terminated`,
      field: 'metadata.namespace',
    },
  ];
  throw error;
}

export const admissionRequest = (
  call: Call,
  operation: AdmissionRequest['operation'],
  object: KubeObject | null,
  oldObject: KubeObject | null,
  options: { dryRun: boolean; object: Record<string, unknown> },
): AdmissionRequest => ({
  attributes: { ...call.info, user: call.user },
  type: call.type,
  kind: { group: call.type.group, version: call.type.version, kind: call.type.kind },
  operation,
  object,
  oldObject,
  options: optionsFor(operation, options.object),
  dryRun: options.dryRun,
  warnings: call.warnings,
});

/** Admission has no operation for patches. The result of a patch is a create or an update, with its options. */
const optionsFor = (
  operation: AdmissionRequest['operation'],
  { force, ...options }: Record<string, unknown>,
): Record<string, unknown> => {
  if (operation === 'CREATE') return { ...options, kind: 'CreateOptions' };
  if (operation === 'UPDATE') return { ...options, kind: 'UpdateOptions' };
  return { ...options, ...(force === undefined ? {} : { force }) };
};

export const concerned = (m: Machinery, call: Call): boolean =>
  m.admission.concerns?.({ ...call.info, user: call.user }) ?? true;

/** The object that admission receives: itself or its Scale. */
export interface Face {
  as: { kind?: AdmissionRequest['kind'] };
  show(object: KubeObject): KubeObject;
  take(shown: KubeObject, object: KubeObject): KubeObject;
}
export const wholeFace: Face = { as: {}, show: (object) => object, take: (shown) => shown };
export const scaleFace = (type: ResourceType): Face => ({
  as: { kind: SCALE_KIND },
  show: (object) => ownedScaleOf(type, object),
  take: (shown, object) => withReplicas(type, object, shown.spec.replicas ?? 0),
});
