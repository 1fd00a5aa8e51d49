// Server-side apply never conflicts with Tranche, and after a release all fields have their old owners again.
import type { KubeObject, ObjectMeta, Workload } from '../api/types.ts';
import type { PatchOp } from '../engine/lib/json-patch.ts';
import { isEngaged } from '../engine/traffic/split.ts';
import { disowned } from '../engine/workload/disown.ts';
import { isOurs, type ManagedFields } from '../engine/workload/field-owners.ts';
import type { WorkloadKind } from '../engine/workload/kind.ts';

export type ManagedFieldsOp = PatchOp | { readonly op: 'test'; readonly path: string; readonly value: unknown };

/**
 * A JSON patch of `metadata.managedFields` only (see `disowned`), which fails after another write. Undefined if there is nothing to do, for example
 * because the webhook has done it.
 */
export function managedFieldsPatch(
  kind: WorkloadKind,
  workload: Workload,
  now: number,
): readonly ManagedFieldsOp[] | undefined {
  const { resourceVersion, managedFields = [] } = workload.metadata as ObjectMeta & {
    readonly managedFields?: readonly ManagedFields[];
  };
  const ops = disowned(kind, workload, managedFields, `${new Date(now).toISOString().slice(0, 19)}Z`);
  return ops.length === 0
    ? undefined
    : [{ op: 'test', path: '/metadata/resourceVersion', value: resourceVersion }, ...ops];
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
