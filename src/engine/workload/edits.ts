// What an edit means for the hold of a workload: the part of the seam for workload kinds that admission uses.
import type { HoldRecord, Rollout, TemplateDigest, Workload } from '../../api/types.ts';
import type { PatchOp } from '../lib/json-patch.ts';
import type { Owned } from './field-owners.ts';

/** Values of the fields that a kind borrows; null where a field is absent. */
export type Borrowed = Readonly<Record<string, unknown>>;

/** An edit of a workload as the API server tells it. */
export interface WorkloadEdit<W extends Workload = Workload> {
  /** The object as the API server sent it. */
  readonly next: W;
  /** `options.fieldManager` of the review; "" when there is none. */
  readonly fieldManager: string;
  /** Both objects' metadata.managedFields, where the objects have been read without them. */
  readonly managedFields?: { readonly old: () => unknown; readonly next: () => unknown };
}

/** The record of a hold, and what the borrowed fields are to be. */
export interface Holding<H extends HoldRecord = HoldRecord> {
  readonly held: H;
  readonly borrowed: Borrowed;
}

/** What an edit of a held workload does to what is borrowed. */
export interface HeldEdit<H extends HoldRecord = HoldRecord> {
  /** The record before this edit, with what an earlier call in the same admission has noted. */
  readonly before: H;
  /** The record with this edit of the user's values in it. */
  readonly after: H;
  /** The edit takes off what holds the workload. */
  readonly unpauses: boolean;
  /** Not even those of the user's values are in force that are between two batches. */
  readonly marked: boolean;
}

/** Pure. Methods take what the same kind has made. */
export interface WorkloadEdits<
  W extends Workload = Workload,
  H extends HoldRecord = HoldRecord,
  E extends HeldEdit<H> = HeldEdit<H>,
> {
  /** The record on the old object. An edit from before, when no webhook was there, counts as well. */
  heldBefore(old: W): H | undefined;
  /** Holds a workload that was not held. `user`: the user's values, where they are not those of the new object. */
  holdFirst(
    edit: WorkloadEdit<W>,
    old: W,
    user: Borrowed | undefined,
    by: { rollout: Rollout; stable: TemplateDigest },
  ): Holding<H>;
  /** `changed`: the edit brings another template; `dropped`: fields that their owners apply no longer. */
  editOfHeld(edit: WorkloadEdit<W>, old: W, held: H, how: { changed: boolean; dropped: readonly string[] }): E;
  /** Still held after the edit. */
  holdOn(old: W, edit: E): Holding<H>;
  /** The annotations that go with a record. */
  annotationsOf(held: H): Readonly<Record<string, string>>;
  /** The borrowed fields as the user wrote them, where the API server's own policy may have paused the workload. */
  asUserWrote(workload: W): Borrowed;
  /** Who owns the borrowed fields after the edit, and which of them their owners have dropped. */
  ownedAfter(edit: WorkloadEdit<W>, old: W): Owned;
  /** Operations that give the borrowed fields these values, against the object exactly as it was received. */
  patch(received: W, wanted: Borrowed): PatchOp[];
}
