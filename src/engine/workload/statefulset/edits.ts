// The effect of an edit on the hold of a StatefulSet.
import { FIELD_OWNERS, HELD } from '../../../api/keys.ts';
import { isObject, type Json } from '../../../api/json.ts';
import type { StatefulSet } from '../../../api/types.ts';
import { patchMap, read } from '../../lib/json-patch.ts';
import type { HeldEdit, WorkloadEdits } from '../edits.ts';
import { fieldOwners } from '../field-owners.ts';
import { ALL, firstHold, heldAnnotations, partitionOf, readHeld, type PartitionHeld } from './hold.ts';

export const statefulSetFields = fieldOwners('apps/v1', {
  partition: ['f:spec', 'f:updateStrategy', 'f:rollingUpdate', 'f:partition'],
});

export const statefulSetEdits: WorkloadEdits<StatefulSet, PartitionHeld> = {
  heldBefore(old) {
    const held = readHeld(old);
    const stands = partitionOf(old);
    // An edit that no webhook saw: a value that differs from the last write is the user's.
    return held && (stands === (held.partition ?? ALL) ? held : { ...held, user: { partition: stands } });
  },
  holdFirst({ next }, _old, user, { rollout, stable }) {
    const partition = user === undefined ? partitionOf(next) : (user['partition'] as number | null);
    const held = firstHold(partition, { rollout: rollout.metadata.name, stable });
    return { held, borrowed: { partition: ALL } };
  },
  editOfHeld({ next }, old, held): HeldEdit<PartitionHeld> {
    // A second call for the same request finds the record of the first.
    const noted = recordIn(next) === recordIn(old) ? held : { ...held, user: (readHeld(next) ?? held).user };
    const [before, after] = [partitionOf(old), partitionOf(next)];
    const edited = after === before ? noted : { ...noted, user: { partition: after } };
    return { before: noted, after: edited, unpauses: false, marked: true };
  },
  holdOn: (old, { after }) => ({ held: after, borrowed: { partition: partitionOf(old) } }),
  annotationsOf: heldAnnotations,
  asUserWrote: (set) => ({ partition: partitionOf(set) }),
  ownedAfter({ next, fieldManager: manager, managedFields }, old) {
    const of = ({ metadata }: StatefulSet): unknown => (metadata as { readonly managedFields?: unknown }).managedFields;
    const edited = partitionOf(next) === partitionOf(old) ? [] : (['partition'] as const);
    return statefulSetFields.ownersAfter(statefulSetFields.readOwners(old.metadata.annotations?.[FIELD_OWNERS]), {
      old: managedFields ? managedFields.old() : of(old),
      next: managedFields ? managedFields.next() : of(next),
      manager,
      edited,
    });
  },
  patch({ spec }, wanted) {
    const received = spec as unknown as Json;
    const strategy = read(received, 'updateStrategy');
    return isObject(strategy)
      ? patchMap('/spec/updateStrategy/rollingUpdate', read(strategy, 'rollingUpdate'), wanted)
      : patchMap('/spec', received, { updateStrategy: { rollingUpdate: wanted } });
  },
};

const recordIn = ({ metadata }: StatefulSet): string | undefined => metadata.annotations?.[HELD];
