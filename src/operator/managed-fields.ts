// Whoever applies a workload on the server meets no conflict with us, and owns at the end of a release what he owned before it.
import { FIELD_OWNERS, HELD } from '../api/keys.ts';
import type { KubeObject, Workload } from '../api/types.ts';
import { isOurs, type ManagedFields } from '../engine/workload/field-owners.ts';
import type { WorkloadKind } from '../engine/workload/kind.ts';

export type ManagedFieldsOp =
  | { readonly op: 'test' | 'replace'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

/** Given back, and its fields still have the owners that the hold left them. */
export const hasOwnersToRestore = ({ metadata: { annotations } }: KubeObject): boolean =>
  annotations?.[FIELD_OWNERS] !== undefined && annotations[HELD] === undefined;

/**
 * A JSON patch of `metadata.managedFields` that touches no field: it takes our entry out, and once the workload is given back, gives
 * what we borrowed back to its owners. Undefined when there is nothing to do: during a release also when nobody applies the object on the
 * server, and so nobody asks who owns what. It fails when somebody else has written meanwhile.
 */
export function managedFieldsPatch(
  kind: WorkloadKind,
  workload: Workload,
  now: number,
): readonly ManagedFieldsOp[] | undefined {
  const { resourceVersion, annotations } = workload.metadata;
  const { managedFields = [] } = workload.metadata as { readonly managedFields?: readonly ManagedFields[] };
  const ends = hasOwnersToRestore(workload);
  const isApplied = managedFields.some(({ operation }) => operation === 'Apply');
  if (!ends && !(isApplied && managedFields.some(isOurs))) return undefined;
  const owners = ends ? kind.fields.readOwners(annotations?.[FIELD_OWNERS]) : [];
  const time = `${new Date(now).toISOString().slice(0, 19)}Z`;
  const value = kind.fields.withOwners(managedFields, owners, kind.borrowed(workload), time);
  const path = `/metadata/annotations/${FIELD_OWNERS.replaceAll('/', '~1')}`;
  return [
    { op: 'test', path: '/metadata/resourceVersion', value: resourceVersion },
    ...(value.length > 0 ? [{ op: 'replace', path: '/metadata/managedFields', value } as const] : []),
    ...(ends ? [{ op: 'remove', path } as const] : []),
  ];
}
