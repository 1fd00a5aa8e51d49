// What Tranche owns of a workload after its own write, and who owns it instead: a patch of metadata.managedFields.
import { FIELD_OWNERS, HELD } from '../../api/keys.ts';
import type { KubeObject, Workload } from '../../api/types.ts';
import { annotationPath, type PatchOp } from '../lib/json-patch.ts';
import { isOurs, type ManagedFields } from './field-owners.ts';
import type { WorkloadKind } from './kind.ts';

/** True if the workload was given back and its field owners are not restored yet. */
export const hasOwnersToRestore = ({ metadata: { annotations } }: KubeObject): boolean =>
  annotations?.[FIELD_OWNERS] !== undefined && annotations[HELD] === undefined;

/** The operations of {@link disowned} in the answer to a write of Tranche, which is in `managedFields` already, with its time. */
export function disownedAtOnce(kind: WorkloadKind, workload: Workload, managedFields: unknown): readonly PatchOp[] {
  const entries = Array.isArray(managedFields) ? (managedFields as readonly ManagedFields[]) : [];
  const ours = entries.find(isOurs);
  return ours?.time === undefined ? [] : disowned(kind, workload, entries, ours.time);
}

/**
 * Removes Tranche's entry and, after the workload was given back, restores the owners of the borrowed fields. Empty if there is nothing to do, and
 * during a release if no manager uses server-side apply. `time`: of entries that do not exist any more, in RFC 3339.
 */
export function disowned(
  kind: WorkloadKind,
  workload: Workload,
  managedFields: readonly ManagedFields[],
  time: string,
): readonly PatchOp[] {
  const ends = hasOwnersToRestore(workload);
  const isApplied = managedFields.some(({ operation }) => operation === 'Apply');
  if (!ends && !(isApplied && managedFields.some(isOurs))) return [];
  const owners = ends ? kind.fields.readOwners(workload.metadata.annotations?.[FIELD_OWNERS]) : [];
  const value = kind.fields.withOwners(managedFields, owners, kind.borrowed(workload), time);
  return [
    // An API server ignores an empty list.
    ...(value.length > 0 ? [{ op: 'replace', path: '/metadata/managedFields', value } as const] : []),
    ...(ends ? [{ op: 'remove', path: annotationPath(FIELD_OWNERS) } as const] : []),
  ];
}
