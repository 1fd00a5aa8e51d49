// What an object is to be after an edit, as far as its hold goes: what is borrowed is asked of the workload's kind.
import * as keys from '../../api/keys.ts';
import type { HoldRecord, Rollout, Workload } from '../../api/types.ts';
import type { Borrowed, HeldEdit } from '../workload/edits.ts';
import { writeOwners } from '../workload/field-owners.ts';
import type { WorkloadKind } from '../workload/kind.ts';
import { HELD_ANNOTATIONS } from '../workload/record.ts';
import { annotationOf, governs, keepLabels, labelOf, type Context } from './edit.ts';
import type { Wanted } from './patch.ts';

/** The label of the enrolment, where a Rollout governs the workload. */
export const enrolment = (kind: WorkloadKind, rollout: Rollout | undefined): Readonly<Record<string, string>> =>
  governs(rollout) ? { [keys.WORKLOAD_TYPE]: kind.workloadType } : {};

/** The annotations of a held workload, and who changed its template last. */
export const annotationsOfHeld = (
  kind: WorkloadKind,
  held: HoldRecord,
  author: string | null,
): Readonly<Record<string, string | null>> => ({
  ...kind.edits.annotationsOf(held),
  [keys.CHANGED_BY]: author,
});

/** The workload as its user wants it, with nothing of ours on it but the enrolment and the id of the last release. */
export const freed = (
  { kind, next, rollout }: Context,
  old: Workload,
  held: HoldRecord,
  author: string | null,
): Wanted => ({
  labels: {
    ...enrolment(kind, rollout),
    ...keepLabels(old, next, [keys.ROLLOUT_ID]),
    [keys.STABLE_REVISION]: null,
  },
  annotations: {
    ...Object.fromEntries(HELD_ANNOTATIONS.map((key) => [key, null])),
    [keys.CHANGED_BY]: author,
  },
  borrowed: { ...held.user },
});

/** The user's values that an edit changes: a GitOps tool that writes the same manifest again changes none. */
export function editedFields({ before, after }: HeldEdit): readonly string[] {
  const [was, is] = [before.user, after.user] as readonly Readonly<Record<string, unknown>>[];
  return Object.keys(is ?? {}).filter((key) => (was?.[key] ?? null) !== is?.[key]);
}

/**
 * A manifest exported while its workload was held carries our annotation and our settings. Applied to one that is not held,
 * it must not leave it paused: the user's settings in the annotation take their place, and the annotation goes.
 * Called again on an object that we have just held (reinvocation), it undoes exactly that, and the hold follows again.
 */
export function withoutForeignHold(kind: WorkloadKind, old: Workload | undefined, next: Workload): Wanted {
  // One that was there before and cannot be read is the operator's to report.
  if (annotationOf(next, keys.HELD) === undefined || annotationOf(old, keys.HELD) !== undefined) {
    return {
      annotations: { [keys.GIVE_BACK]: annotationOf(old, keys.GIVE_BACK) ?? null },
      // The API server's own policy pauses a new template before it asks us, and notes what the pause was before.
      ...(annotationOf(next, keys.PAUSED_UNSEEN) !== undefined && { borrowed: kind.edits.asUserWrote(next) }),
    };
  }
  return {
    labels: { [keys.STABLE_REVISION]: labelOf(old, keys.STABLE_REVISION) ?? null },
    annotations: {
      [keys.HELD]: null,
      [keys.GIVE_BACK]: null,
      [keys.IN_PROGRESSING]: annotationOf(old, keys.IN_PROGRESSING) ?? null,
      [keys.KRUISE_EXTRA_STATUS]: annotationOf(old, keys.KRUISE_EXTRA_STATUS) ?? null,
    },
    borrowed: kind.readHold(next)?.user as Borrowed | undefined,
  };
}

/** The note of who owned what we borrow: while we do, and until the operator has given it back. */
export function ownersNote(context: Context, wanted: Wanted): string | null {
  const { old } = context;
  if (old === undefined) return null;
  const pending = annotationOf(old, keys.HELD) !== undefined || annotationOf(old, keys.FIELD_OWNERS) !== undefined;
  const holds = typeof wanted.annotations?.[keys.HELD] === 'string';
  return pending || holds ? writeOwners(context.owned(old).owners) : null;
}
