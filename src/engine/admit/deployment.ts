// What an edit means for the hold of a Deployment: the one file of admission that knows which of its fields are borrowed, and how.
import * as keys from '../../api/keys.ts';
import type { Deployment, Held, Rollout } from '../../api/types.ts';
import { ownersAfter, readOwners, type Field } from '../workload/deployment/field-owners.ts';
import {
  FIELDS,
  firstHold,
  freedSettings,
  heldAnnotations,
  isMarked,
  isMoving,
  noticeEdits,
  readHeld,
  settingsOf,
  surgeWhenPaused,
  takeOver,
  withoutFields,
  type Settings,
} from '../workload/deployment/hold.ts';
import { asUserWrote } from '../workload/deployment/unseen.ts';
import { writeOwners, type Owned } from '../workload/field-owners.ts';
import { HELD_ANNOTATIONS } from '../workload/record.ts';
import { annotationOf, governs, keepLabels, labelOf, type Context, type Edit } from './edit.ts';
import type { Wanted } from './patch.ts';

const WORKLOAD_TYPE_VALUE = 'deployment';

/** The label of the enrolment, where a Rollout governs the Deployment. */
export const enrolment = (rollout: Rollout | undefined): Readonly<Record<string, string>> =>
  governs(rollout) ? { [keys.WORKLOAD_TYPE]: WORKLOAD_TYPE_VALUE } : {};

/** The record on it. An edit from before, when no webhook was there, counts as well. */
export function heldBefore(old: Deployment): Held | undefined {
  const record = readHeld(old);
  return record && noticeEdits(record, old);
}

/** Holds a Deployment that was not held. `settings`: the user's, where they are not those of the new object. */
export const heldFirst = (
  { next, digest }: Context,
  old: Deployment,
  settings: Settings | undefined,
  rollout: Rollout,
): { readonly held: Held; readonly settings: Settings } =>
  firstHold(old, settings ?? settingsOf(next), rollout.metadata.name, digest(old));

/** What an edit of a held Deployment does to what is borrowed. */
export interface HeldEdit {
  /** The record before this edit, with what an earlier call in the same admission has noted. */
  readonly before: Held;
  /** The record with this edit of the user's settings in it. */
  readonly after: Held;
  /** The pause and the surge that the Deployment keeps. */
  readonly paused: boolean | null;
  readonly maxSurge: Settings['maxSurge'];
  /** The edit takes the pause off. */
  readonly unpauses: boolean;
}

export function editOfHeld(context: Context, old: Deployment, held: Held): HeldEdit {
  const { next, changed } = context;
  // A second call in one admission finds what the first noted; a user who edits the annotation edits their own settings.
  const edited = annotationOf(next, keys.HELD) === annotationOf(old, keys.HELD) ? undefined : readHeld(next);
  const noted: Held = { ...held, user: (edited ?? held).user };
  const before = settingsOf(old);
  const paused = changed || next.spec.paused === true ? true : (old.spec.paused ?? null);
  const maxSurge = paused === true && isMoving(old) ? surgeWhenPaused(old, held) : before.maxSurge;
  const edit = settingsOf(next);
  const after = edit.maxSurge === maxSurge ? { ...edit, maxSurge: before.maxSurge } : edit;
  // With a new template the pause is ours, as far as a second call can tell.
  const edits = takeOver(noted, before, changed && after.paused === true ? { ...after, paused: before.paused } : after);
  return {
    before: noted,
    after: withoutFields(edits, context.owned(old).dropped),
    paused,
    maxSurge,
    unpauses: old.spec.paused === true && next.spec.paused !== true,
  };
}

/** Still held after the edit: the record, and what the five fields are to be. */
export function heldStill(
  old: Deployment,
  { after, paused, maxSurge }: HeldEdit,
): { readonly held: Held; readonly settings: Settings } {
  const before = settingsOf(old);
  const { budget } = after;
  const grows = budget !== undefined && maxSurge !== null && maxSurge !== before.maxSurge;
  const { minReadySeconds, progressDeadlineSeconds } = after.user;
  return {
    held: grows ? { ...after, budget: { ...budget, maxSurge } } : after,
    settings: {
      ...before,
      maxSurge,
      // At rest the user's own are in force; while marked, ours (docs/holding.md).
      ...(!isMarked(old) && { minReadySeconds, progressDeadlineSeconds }),
      // A moving Deployment is stopped by a new template, and by a pause; nothing is taken from its budget (docs/holding.md).
      paused,
    },
  };
}

/** The annotations of a held Deployment, and who changed its template last. */
export const annotationsOfHeld = (held: Held, author: string | null): Readonly<Record<string, string | null>> => ({
  ...heldAnnotations(held),
  [keys.CHANGED_BY]: author,
});

/** The Deployment as its user wants it, with nothing of ours on it but the enrolment and the id of the last release. */
export const freed = ({ next, rollout }: Context, old: Deployment, held: Held, author: string | null): Wanted => ({
  labels: {
    ...enrolment(rollout),
    ...keepLabels(old, next, [keys.ROLLOUT_ID]),
    [keys.STABLE_REVISION]: null,
  },
  annotations: {
    ...Object.fromEntries(HELD_ANNOTATIONS.map((key) => [key, null])),
    [keys.CHANGED_BY]: author,
  },
  settings: freedSettings(held),
});

/** The user's settings that an edit changes: a GitOps tool that writes the same manifest again changes none. */
export const editedFields = ({ before, after }: HeldEdit): readonly (keyof Settings)[] =>
  FIELDS.filter((key) => (before.user[key] ?? null) !== after.user[key]);

/**
 * A manifest exported while its Deployment was held carries our annotation and our settings. Applied to one that is not held,
 * it must not leave it paused: the user's settings in the annotation take their place, and the annotation goes.
 * Called again on an object that we have just held (reinvocation), it undoes exactly that, and the hold follows again.
 */
export function withoutForeignHold(old: Deployment | undefined, next: Deployment): Wanted {
  // One that was there before and cannot be read is the operator's to report.
  if (annotationOf(next, keys.HELD) === undefined || annotationOf(old, keys.HELD) !== undefined) {
    return {
      annotations: { [keys.GIVE_BACK]: annotationOf(old, keys.GIVE_BACK) ?? null },
      // The API server's own policy pauses a new template before it asks us, and notes what the pause was before.
      ...(annotationOf(next, keys.PAUSED_UNSEEN) !== undefined && { settings: asUserWrote(next) }),
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
    settings: readHeld(next)?.user,
  };
}

/** Who owns the borrowed fields after the edit, and which of them their owners have dropped. */
export function ownedAfter({ next, fieldManager: manager, managedFields }: Edit, old: Deployment): Owned<Field> {
  const of = (d: Deployment): unknown => (d.metadata as { readonly managedFields?: unknown }).managedFields;
  const [before, after] = [settingsOf(old), settingsOf(next)];
  const user = readHeld(old)?.user ?? before;
  // A second call in one admission finds our settings, and what the first call noted of the user's.
  const noted = annotationOf(next, keys.HELD) === annotationOf(old, keys.HELD) ? undefined : readHeld(next)?.user;
  const isEdited = (field: Field): boolean =>
    noted ? noted[field] !== user[field] : after[field] !== before[field] && after[field] !== user[field];
  return ownersAfter(readOwners(annotationOf(old, keys.FIELD_OWNERS)), {
    old: managedFields ? managedFields.old() : of(old),
    next: managedFields ? managedFields.next() : of(next),
    manager,
    edited: FIELDS.filter(isEdited),
  });
}

/** The note of who owned what we borrow: while we do, and until the operator has given it back. */
export function ownersNote(context: Context, wanted: Wanted): string | null {
  const { old } = context;
  if (old === undefined) return null;
  const pending = annotationOf(old, keys.HELD) !== undefined || annotationOf(old, keys.FIELD_OWNERS) !== undefined;
  const holds = typeof wanted.annotations?.[keys.HELD] === 'string';
  return pending || holds ? writeOwners(context.owned(old).owners) : null;
}
