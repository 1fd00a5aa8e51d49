// The part of the interface for workload kinds that admission uses: the effect of an edit on the hold of a workload.
import type { HoldRecord, Rollout, TemplateDigest, Workload } from '../../api/types.ts';
import type { PatchOp } from '../lib/json-patch.ts';
import type { Owned } from './field-owners.ts';

/** Values of the borrowed fields. Null if a field is absent. */
export type Borrowed = Readonly<Record<string, unknown>>;

/** An edit of a workload from an admission review. */
export interface WorkloadEdit<W extends Workload = Workload> {
  /** The object as the API server sent it. */
  readonly next: W;
  /** `options.fieldManager` of the review, or "". */
  readonly fieldManager: string;
  /** metadata.managedFields of both objects, if the objects were parsed without them. */
  readonly managedFields?: { readonly old: () => unknown; readonly next: () => unknown };
}

/** metadata.managedFields before and after the edit. Those before are read only if they are needed. */
export const managedFieldsOf = <W extends Workload>(
  { next, managedFields }: Pick<WorkloadEdit<W>, 'next' | 'managedFields'>,
  old?: W,
): { readonly old: () => unknown; readonly next: unknown } => {
  const of = (workload: W | undefined): unknown =>
    (workload?.metadata as { readonly managedFields?: unknown } | undefined)?.managedFields;
  return {
    old: () => (managedFields ? managedFields.old() : of(old)),
    next: managedFields ? managedFields.next() : of(next),
  };
};

/** Annotations and labels of a held workload. `null` removes a label of an earlier record. */
export interface HeldMetadata {
  readonly annotations: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string | null>>;
}

/** The record of a hold and the wanted values of the borrowed fields. */
export interface Holding<H extends HoldRecord = HoldRecord> {
  readonly held: H;
  readonly borrowed: Borrowed;
}

/** The effect of an edit on the borrowed fields of a held workload. */
export interface HeldEdit<H extends HoldRecord = HoldRecord> {
  /** The record before this edit, including changes by an earlier call for the same request. */
  readonly before: H;
  /** The record with the user's values after this edit. */
  readonly after: H;
  /** The edit removes the hold. */
  readonly unpauses: boolean;
  /** The marks are set, so minReadySeconds and progressDeadlineSeconds of the user are not in effect either. */
  readonly marked: boolean;
}

/** Pure. Arguments must come from the same kind. */
export interface WorkloadEdits<
  W extends Workload = Workload,
  H extends HoldRecord = HoldRecord,
  E extends HeldEdit<H> = HeldEdit<H>,
> {
  /** The record on the old object, including earlier edits that no webhook saw. */
  heldBefore(old: W): H | undefined;
  /** Holds a workload. `user`: the user's values, if they differ from those of the new object. */
  holdFirst(
    edit: WorkloadEdit<W>,
    old: W,
    user: Borrowed | undefined,
    by: { rollout: Rollout; stable: TemplateDigest },
  ): Holding<H>;
  /** `changed`: the edit changes the template. `dropped`: fields that their owners no longer apply. */
  editOfHeld(edit: WorkloadEdit<W>, old: W, held: H, how: { changed: boolean; dropped: readonly string[] }): E;
  /** The hold after the edit. */
  holdOn(old: W, edit: E): Holding<H>;
  /** The annotations and labels of a record. */
  metadataOf(held: H): HeldMetadata;
  /** The borrowed fields as the user wrote them, even if a MutatingAdmissionPolicy paused the workload. */
  asUserWrote(workload: W): Borrowed;
  /** The owners of the borrowed fields after the edit, and the fields that their owners dropped. */
  ownedAfter(edit: WorkloadEdit<W>, old: W): Owned;
  /** A JSON patch that sets the borrowed fields, for the object exactly as received. */
  patch(received: W, wanted: Borrowed): PatchOp[];
}
