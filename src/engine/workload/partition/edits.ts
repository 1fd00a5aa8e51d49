// The effect of an edit on the hold of a workload with a partition.
import { FIELD_OWNERS, HELD } from '../../../api/keys.ts';
import { isObject, type Json } from '../../../api/json.ts';
import { patchMap, read, type PatchOp } from '../../lib/json-patch.ts';
import { managedFieldsOf, type Borrowed, type HeldEdit, type WorkloadEdits } from '../edits.ts';
import { fieldOwners, type FieldOwners } from '../field-owners.ts';
import { firstHold, heldAnnotations, heldWhole, noticed, readHeld, wantedBy, type PartitionHeld } from './hold.ts';
import { borrowedIn, hollow, type Field, type Partitioned, type PartitionShape } from './shape.ts';

export const partitionFields = ({ resource, at, borrows }: PartitionShape): FieldOwners<Field> =>
  fieldOwners<Field>(
    resource.apiVersion,
    Object.fromEntries(
      borrows.map((field) => [field, ['spec', ...at, field].map((step) => `f:${step}`)]),
    ) as unknown as Record<Field, readonly string[]>,
  );

interface PartitionEdit extends HeldEdit<PartitionHeld> {
  /** The record to write. */
  readonly writes: PartitionHeld;
}

export function partitionEdits(
  shape: PartitionShape,
  fields: FieldOwners<Field>,
): WorkloadEdits<Partitioned, PartitionHeld, PartitionEdit> {
  /** A second call for the same request finds the record of the first. A user who edits the annotation edits the values in it. */
  const recordOfFirstCall = (old: Partitioned, next: Partitioned): PartitionHeld | undefined =>
    recordIn(next) === recordIn(old) ? undefined : readHeld(shape, next);
  const isLower = (before: Borrowed, after: Borrowed, workload: Partitioned): boolean => {
    const kept = (values: Borrowed): number =>
      shape.kept(values['partition'] as PartitionHeld['user']['partition'], shape.replicas(workload));
    return kept(after) < kept(before) || (before['paused'] === true && after['paused'] !== true);
  };

  return {
    heldBefore(old) {
      const held = readHeld(shape, old);
      return held && noticed(shape, old, held);
    },
    holdFirst({ next }, _old, user, { rollout, stable }) {
      const held = firstHold(shape, next, user ?? borrowedIn(shape, next), { rollout: rollout.metadata.name, stable });
      return { held, borrowed: wantedBy(shape, held) };
    },
    editOfHeld({ next }, old, held, { changed, dropped }) {
      const again = recordOfFirstCall(old, next);
      const noted: PartitionHeld = again === undefined ? held : { ...held, user: again.user };
      // A new template holds every Pod again: with the partition of the version before, it would start beyond its first step.
      const whole = (record: PartitionHeld): PartitionHeld => (changed ? heldWhole(shape, record) : record);
      const wanted = wantedBy(shape, whole(noted));
      const [before, after] = [borrowedIn(shape, old), borrowedIn(shape, next)];
      const edited = shape.borrows.filter(
        (field) => after[field] !== before[field] && !(again !== undefined && after[field] === wanted[field]),
      );
      const isEdit = edited.length > 0;
      const values = edited.map((field) => [field, after[field]] as const);
      const gone = shape.borrows.filter((field) => dropped.includes(field)).map((field) => [field, null] as const);
      const record =
        isEdit || gone.length > 0
          ? { ...noted, user: { ...noted.user, ...Object.fromEntries([...values, ...gone]) } }
          : noted;
      return {
        before: noted,
        after: record,
        unpauses: isEdit && isLower(before, after, next),
        marked: true,
        writes: whole(record),
      };
    },
    holdOn: (_old, { writes }) => ({ held: writes, borrowed: wantedBy(shape, writes) }),
    metadataOf: (held) => ({ annotations: heldAnnotations(shape, held), labels: {} }),
    asUserWrote: (workload) => borrowedIn(shape, workload),
    ownedAfter(edit, old) {
      const { next, fieldManager: manager } = edit;
      const user = readHeld(shape, old)?.user as Borrowed | undefined;
      const [before, after] = [borrowedIn(shape, old), borrowedIn(shape, next)];
      const again = recordOfFirstCall(old, next)?.user as Borrowed | undefined;
      const isEdited = (field: Field): boolean =>
        again === undefined
          ? after[field] !== before[field] && after[field] !== user?.[field]
          : again[field] !== user?.[field];
      return fields.ownersAfter(fields.readOwners(old.metadata.annotations?.[FIELD_OWNERS]), {
        ...managedFieldsOf(edit, old),
        manager,
        edited: shape.borrows.filter(isEdited),
      });
    },
    patch(received, wanted) {
      const { spec } = received;
      const isBare = shape.borrows.every((field) => (wanted[field] ?? null) === null);
      const empty = isBare ? hollow(shape, spec, readHeld(shape, received)?.made) : undefined;
      return empty
        ? [{ op: 'remove', path: ['/spec', ...empty].join('/') }]
        : patchIn('/spec', spec as unknown as Json, shape.at, wanted);
    },
  };
}

/** Sets the values in the map at this path, and creates the first map on the way that is absent. */
function patchIn(path: string, received: Json, [step, ...rest]: readonly string[], wanted: Borrowed): PatchOp[] {
  if (step === undefined) return patchMap(path, received, wanted);
  const inner = read(received, step);
  if (rest.length === 0) return patchMap(`${path}/${step}`, inner, wanted);
  if (isObject(inner)) return patchIn(`${path}/${step}`, inner, rest, wanted);
  const present = Object.entries(wanted).filter(([, value]) => (value ?? null) !== null);
  if (present.length === 0) return [];
  const value = [step, ...rest].reduceRight<object>((map, key) => ({ [key]: map }), Object.fromEntries(present));
  return patchMap(path, received, value as Json);
}

const recordIn = ({ metadata }: Partitioned): string | undefined => metadata.annotations?.[HELD];
