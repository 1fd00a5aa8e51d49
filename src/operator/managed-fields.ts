// Server-side apply never conflicts with Tranche, and after a release all fields have their old owners again.
import { annotationPath } from '../engine/lib/json-patch.ts';
import { FIELD_OWNERS, HELD } from '../api/keys.ts';
import type { KubeObject, Workload } from '../api/types.ts';
import { isEngaged } from '../engine/traffic/split.ts';
import { isOurs, type ManagedFields } from '../engine/workload/field-owners.ts';
import type { WorkloadKind } from '../engine/workload/kind.ts';

export type ManagedFieldsOp =
  | { readonly op: 'test' | 'replace'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

/** True if the workload was given back and its field owners are not restored yet. */
export const hasOwnersToRestore = ({ metadata: { annotations } }: KubeObject): boolean =>
  annotations?.[FIELD_OWNERS] !== undefined && annotations[HELD] === undefined;

/**
 * A JSON patch of `metadata.managedFields` only: it removes Tranche's entry and, after the workload was given back, restores the owners of the
 * borrowed fields. Undefined if there is nothing to do, and during a release if no manager uses server-side apply. The patch fails after another
 * write.
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
  const path = annotationPath(FIELD_OWNERS);
  return [
    { op: 'test', path: '/metadata/resourceVersion', value: resourceVersion },
    ...(value.length > 0 ? [{ op: 'replace', path: '/metadata/managedFields', value } as const] : []),
    ...(ends ? [{ op: 'remove', path } as const] : []),
  ];
}

/**
 * The same for a route: it removes Tranche's entry when the user's route is back, and during a release if a manager uses server-side apply. Nothing
 * is restored, because an applier owns the rules again with its next apply.
 */
export function routeManagedFieldsPatch(route: KubeObject): readonly ManagedFieldsOp[] | undefined {
  const { managedFields = [] } = route.metadata as { readonly managedFields?: readonly ManagedFields[] };
  const value = managedFields.filter((entry) => !isOurs(entry));
  const isApplied = managedFields.some(({ operation }) => operation === 'Apply');
  // An API server ignores an empty list.
  if (value.length === 0 || value.length === managedFields.length || (isEngaged(route) && !isApplied)) return undefined;
  return [
    { op: 'test', path: '/metadata/resourceVersion', value: route.metadata.resourceVersion },
    { op: 'replace', path: '/metadata/managedFields', value },
  ];
}
