// The effect of an edit on the hold of a DaemonSet.
import { FIELD_OWNERS } from '../../../api/keys.ts';
import type { Json } from '../../../api/json.ts';
import type { DaemonSet } from '../../../api/types.ts';
import { patchMap, read } from '../../lib/json-patch.ts';
import { managedFieldsOf, type WorkloadEdits } from '../edits.ts';
import { fieldOwners } from '../field-owners.ts';
import { firstHold, heldAnnotations, HOLDS, isHolding, readHeld, typeOf, USUAL, type DaemonHeld } from './hold.ts';

export const daemonSetFields = fieldOwners('apps/v1', { type: ['f:spec', 'f:updateStrategy', 'f:type'] });

export const daemonSetEdits: WorkloadEdits<DaemonSet, DaemonHeld> = {
  heldBefore: readHeld,
  holdFirst: (_edit, _old, _user, { rollout, stable }) => ({
    held: firstHold({ rollout: rollout.metadata.name, stable }),
    borrowed: { type: HOLDS },
  }),
  editOfHeld: ({ next }, old, held) => ({
    before: held,
    after: held,
    unpauses: isHolding(old) && !isHolding(next),
    marked: false,
  }),
  holdOn: (_old, { after }) => ({ held: after, borrowed: { type: HOLDS } }),
  metadataOf: (held) => ({ annotations: heldAnnotations(held), labels: {} }),
  asUserWrote: (daemonSet) => ({ type: typeOf(daemonSet) }),
  ownedAfter(edit, old) {
    const { next, fieldManager: manager } = edit;
    // The user's type again is no edit, and a user who writes the type of the hold writes what is there.
    const isEdited = typeOf(next) !== typeOf(old) && typeOf(next) !== USUAL && readHeld(old) !== undefined;
    return daemonSetFields.ownersAfter(daemonSetFields.readOwners(old.metadata.annotations?.[FIELD_OWNERS]), {
      ...managedFieldsOf(edit, old),
      manager,
      edited: isEdited ? ['type'] : [],
    });
  },
  patch({ spec }, wanted) {
    const received = spec as unknown as Json;
    return patchMap('/spec/updateStrategy', read(received, 'updateStrategy'), wanted);
  },
};
