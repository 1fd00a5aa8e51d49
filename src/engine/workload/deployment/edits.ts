// The effect of an edit on the hold of a Deployment.
import { FIELD_OWNERS, HELD } from '../../../api/keys.ts';
import { isObject, type Json } from '../../../api/json.ts';
import type { Deployment, Held } from '../../../api/types.ts';
import { patchMap, read, type PatchOp } from '../../lib/json-patch.ts';
import { managedFieldsOf, type Borrowed, type HeldEdit, type WorkloadEdit, type WorkloadEdits } from '../edits.ts';
import type { Owned } from '../field-owners.ts';
import { ownersAfter, readOwners, type Field } from './field-owners.ts';
import {
  FIELDS,
  firstHold,
  heldAnnotations,
  heldLabels,
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
  /** spec.paused and maxSurge of the Deployment after the edit. */
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
        // The user's values apply unless the Deployment is marked (docs/holding.md).
        ...(!isMarked(old) && { minReadySeconds, progressDeadlineSeconds }),
        // A new template or a pause stops a moving Deployment. Its budget does not shrink (docs/holding.md).
        paused,
      },
    };
  },
  metadataOf: (held) => ({ annotations: heldAnnotations(held), labels: heldLabels(held) }),
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
  // A second call for the same request finds the record of the first. A user who edits the annotation edits the settings in it.
  const edited = recordIn(next) === recordIn(old) ? undefined : readHeld(next);
  const noted: Held = { ...held, user: (edited ?? held).user };
  const before = settingsOf(old);
  const paused = changed || next.spec.paused === true ? true : (old.spec.paused ?? null);
  const maxSurge = paused === true && isMoving(old) ? surgeWhenPaused(old, held) : before.maxSurge;
  const edit = settingsOf(next);
  const after = edit.maxSurge === maxSurge ? { ...edit, maxSurge: before.maxSurge } : edit;
  // With a new template, the pause is from the first call.
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

function ownedAfter(edit: WorkloadEdit<Deployment>, old: Deployment): Owned {
  const { next, fieldManager: manager } = edit;
  const [before, after] = [settingsOf(old), settingsOf(next)];
  const user = readHeld(old)?.user ?? before;
  // A second call for the same request finds the settings and the record of the first.
  const noted = recordIn(next) === recordIn(old) ? undefined : readHeld(next)?.user;
  const isEdited = (field: Field): boolean =>
    noted ? noted[field] !== user[field] : after[field] !== before[field] && after[field] !== user[field];
  return ownersAfter(readOwners(old.metadata.annotations?.[FIELD_OWNERS]), {
    ...managedFieldsOf(edit, old),
    manager,
    edited: FIELDS.filter(isEdited),
  });
}

function patch({ spec }: Deployment, wanted: Borrowed): PatchOp[] {
  const received = spec as unknown as Json;
  const { maxSurge, maxUnavailable, ...fields } = wanted;
  const limits = { maxSurge, maxUnavailable };
  const strategy = read(received, 'strategy');
  // The API server sets the default strategy before admission. Only tools that call the webhook directly omit it.
  const limitsPatch = isObject(strategy)
    ? patchMap('/spec/strategy/rollingUpdate', read(strategy, 'rollingUpdate'), limits)
    : patchMap('/spec', received, { strategy: { rollingUpdate: limits } });
  return [...patchMap('/spec', received, fields), ...limitsPatch];
}
