// What an edit means for the hold of a Deployment.
import { FIELD_OWNERS, HELD } from '../../../api/keys.ts';
import { isObject, type Json } from '../../../api/json.ts';
import type { Deployment, Held } from '../../../api/types.ts';
import { patchMap, read, type PatchOp } from '../../lib/json-patch.ts';
import type { Borrowed, HeldEdit, WorkloadEdit, WorkloadEdits } from '../edits.ts';
import type { Owned } from '../field-owners.ts';
import { ownersAfter, readOwners, type Field } from './field-owners.ts';
import {
  FIELDS,
  firstHold,
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
} from './hold.ts';
import { asUserWrote } from './unseen.ts';

interface DeploymentHeldEdit extends HeldEdit<Held> {
  /** The pause and the surge that the Deployment keeps. */
  readonly paused: boolean | null;
  readonly maxSurge: Settings['maxSurge'];
}

export const deploymentEdits: WorkloadEdits<Deployment, Held, DeploymentHeldEdit> = {
  heldBefore(old) {
    const record = readHeld(old);
    return record && noticeEdits(record, old);
  },
  holdFirst({ next }, old, user, { rollout, stable }) {
    const { held, settings } = firstHold(
      old,
      (user as Settings | undefined) ?? settingsOf(next),
      rollout.metadata.name,
      stable,
    );
    return { held, borrowed: { ...settings } };
  },
  editOfHeld,
  holdOn(old, { after, paused, maxSurge }) {
    const before = settingsOf(old);
    const { budget } = after;
    const grows = budget !== undefined && maxSurge !== null && maxSurge !== before.maxSurge;
    const { minReadySeconds, progressDeadlineSeconds } = after.user;
    return {
      held: grows ? { ...after, budget: { ...budget, maxSurge } } : after,
      borrowed: {
        ...before,
        maxSurge,
        // At rest the user's own are in force; while marked, ours (docs/holding.md).
        ...(!isMarked(old) && { minReadySeconds, progressDeadlineSeconds }),
        // A moving Deployment is stopped by a new template, and by a pause; nothing is taken from its budget (docs/holding.md).
        paused,
      },
    };
  },
  annotationsOf: heldAnnotations,
  asUserWrote: (deployment) => ({ ...asUserWrote(deployment) }),
  ownedAfter,
  patch,
};

function editOfHeld(
  { next }: WorkloadEdit<Deployment>,
  old: Deployment,
  held: Held,
  { changed, dropped }: { readonly changed: boolean; readonly dropped: readonly string[] },
): DeploymentHeldEdit {
  // A second call in one admission finds what the first noted; a user who edits the annotation edits their own settings.
  const edited = recordIn(next) === recordIn(old) ? undefined : readHeld(next);
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
    after: withoutFields(
      edits,
      FIELDS.filter((field) => dropped.includes(field)),
    ),
    paused,
    maxSurge,
    unpauses: old.spec.paused === true && next.spec.paused !== true,
    marked: isMarked(old),
  };
}

const recordIn = ({ metadata }: Deployment): string | undefined => metadata.annotations?.[HELD];

function ownedAfter({ next, fieldManager: manager, managedFields }: WorkloadEdit<Deployment>, old: Deployment): Owned {
  const of = (d: Deployment): unknown => (d.metadata as { readonly managedFields?: unknown }).managedFields;
  const [before, after] = [settingsOf(old), settingsOf(next)];
  const user = readHeld(old)?.user ?? before;
  // A second call in one admission finds our settings, and what the first call noted of the user's.
  const noted = recordIn(next) === recordIn(old) ? undefined : readHeld(next)?.user;
  const isEdited = (field: Field): boolean =>
    noted ? noted[field] !== user[field] : after[field] !== before[field] && after[field] !== user[field];
  return ownersAfter(readOwners(old.metadata.annotations?.[FIELD_OWNERS]), {
    old: managedFields ? managedFields.old() : of(old),
    next: managedFields ? managedFields.next() : of(next),
    manager,
    edited: FIELDS.filter(isEdited),
  });
}

function patch({ spec }: Deployment, wanted: Borrowed): PatchOp[] {
  const received = spec as unknown as Json;
  const { maxSurge, maxUnavailable, ...fields } = wanted;
  const limits = { maxSurge, maxUnavailable };
  const strategy = read(received, 'strategy');
  // An API server fills the strategy in before admission; only a tool that talks to us directly leaves it out.
  const limitsPatch = isObject(strategy)
    ? patchMap('/spec/strategy/rollingUpdate', read(strategy, 'rollingUpdate'), limits)
    : patchMap('/spec', received, { strategy: { rollingUpdate: limits } });
  return [...patchMap('/spec', received, fields), ...limitsPatch];
}
