// The wanted labels, annotations and borrowed fields of a workload after an edit.
import * as keys from '../../api/keys.ts';
import type { HoldRecord, Rollout, Workload } from '../../api/types.ts';
import type { Borrowed, HeldEdit } from '../workload/edits.ts';
import { writeOwners } from '../workload/field-owners.ts';
import type { MetadataChange, WorkloadKind } from '../workload/kind.ts';
import { HELD_LABELS, WITHOUT_HOLD } from '../workload/record.ts';
import { annotationOf, governs, keepLabels, labelOf, type Context } from './edit.ts';
import type { Wanted } from './patch.ts';

/** The enrolment label, if a Rollout governs the workload. */
export const enrolment = (kind: WorkloadKind, rollout: Rollout | undefined): Readonly<Record<string, string>> =>
  governs(rollout) ? { [keys.WORKLOAD_TYPE]: kind.workloadType } : {};

/** The annotations of a held workload, including the last author of the template, and its labels. */
export function metadataOfHeld(kind: WorkloadKind, held: HoldRecord, author: string | null): Required<MetadataChange> {
  const { annotations, labels } = kind.edits.metadataOf(held);
  return { annotations: { ...annotations, [keys.CHANGED_BY]: author }, labels };
}

/** The workload with the user's settings. Of Tranche's keys, only the enrolment and the id of the last release stay. */
export const freed = (
  { kind, next, rollout }: Context,
  old: Workload,
  held: HoldRecord,
  author: string | null,
): Wanted => ({
  labels: {
    ...enrolment(kind, rollout),
    ...keepLabels(old, next, [keys.ROLLOUT_ID]),
    ...WITHOUT_HOLD.labels,
  },
  annotations: {
    ...WITHOUT_HOLD.annotations,
    [keys.CHANGED_BY]: author,
  },
  borrowed: { ...held.user },
});

/** The user's settings that an edit changes. Applying the same manifest again changes none. */
export function editedFields({ before, after }: HeldEdit): readonly string[] {
  const [was, is] = [before.user, after.user] as readonly Readonly<Record<string, unknown>>[];
  return Object.keys(is ?? {}).filter((key) => (was?.[key] ?? null) !== is?.[key]);
}

/**
 * A manifest that was exported during a release contains the record and the settings of the hold. If it is applied to a workload that is not held,
 * the workload must not stay paused: the user's settings from the record replace the settings, and the record is removed.
 * If the webhook is called again in the same request (reinvocation), this undoes the hold of the first call, and the hold is added again.
 */
export function withoutForeignHold(kind: WorkloadKind, old: Workload | undefined, next: Workload): Wanted {
  // An invalid record that existed before is reported by the operator.
  if (annotationOf(next, keys.HELD) === undefined || annotationOf(old, keys.HELD) !== undefined) {
    return {
      // A manifest that was exported during a release may have it without the record.
      ...(annotationOf(old, keys.HELD) === undefined && { labels: { [keys.BUDGET]: null } }),
      annotations: { [keys.GIVE_BACK]: annotationOf(old, keys.GIVE_BACK) ?? null },
      // A MutatingAdmissionPolicy pauses a new template before the webhook is called, and records the old pause.
      ...(annotationOf(next, keys.PAUSED_UNSEEN) !== undefined && { borrowed: kind.edits.asUserWrote(next) }),
    };
  }
  return {
    labels: Object.fromEntries(HELD_LABELS.map((key) => [key, labelOf(old, key) ?? null])),
    annotations: {
      [keys.HELD]: null,
      [keys.GIVE_BACK]: null,
      [keys.TRAFFIC]: null,
      [keys.IN_PROGRESSING]: annotationOf(old, keys.IN_PROGRESSING) ?? null,
      [keys.KRUISE_EXTRA_STATUS]: annotationOf(old, keys.KRUISE_EXTRA_STATUS) ?? null,
    },
    borrowed: kind.readHold(next)?.user as Borrowed | undefined,
  };
}

/** The annotation with the owners of the borrowed fields, during the hold and until the operator has restored them. */
export function ownersNote(context: Context, wanted: Wanted): string | null {
  const { old } = context;
  if (old === undefined) return null;
  const pending = annotationOf(old, keys.HELD) !== undefined || annotationOf(old, keys.FIELD_OWNERS) !== undefined;
  const holds = typeof wanted.annotations?.[keys.HELD] === 'string';
  return pending || holds ? writeOwners(context.owned(old).owners) : null;
}
