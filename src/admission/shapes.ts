// Checks the shapes of received objects: the admission request, and the fields of a workload that the program reads (schema/shapes.ts).
import type { Workload } from '../api/types.ts';
import { pathOf } from '../schema/rollout.ts';
import { admissionRequest, workload, type ErrorObject, type ValidateFunction } from '../schema/validators.ts';

export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** The fields of admission.k8s.io/v1 that the program reads. */
export interface AdmissionRequest {
  readonly uid: string;
  readonly kind: GroupVersionKind;
  readonly requestKind?: GroupVersionKind | null;
  readonly resource?: { readonly group?: string | null; readonly resource?: string | null } | null;
  readonly subResource?: string | null;
  readonly name?: string | null;
  readonly namespace?: string | null;
  readonly operation: string;
  readonly userInfo?: { readonly username?: string | null; readonly groups?: readonly string[] | null } | null;
  readonly object?: unknown;
  readonly oldObject?: unknown;
  readonly dryRun?: boolean | null;
  readonly options?: { readonly fieldManager?: string | null } | null;
}

export const isAdmissionRequest = admissionRequest as ValidateFunction<AdmissionRequest>;
export const isWorkload = workload as ValidateFunction<Workload>;

/** `metadata.labels.a: must be string`. */
export const explain = (errors: readonly ErrorObject[] | null | undefined): string =>
  (errors ?? []).map((error) => `${pathOf(error)}: ${error.message ?? error.keyword}`).join('; ');
