// How a StatefulSet is held and given back: with its partition. Pods below the partition keep their version.
import { GIVE_BACK, HELD, IN_PROGRESSING } from '../../../api/keys.ts';
import type { HoldRecord, StatefulSet } from '../../../api/types.ts';
import { WITHOUT_HOLD, inProgressing, readRecord } from '../record.ts';

/** The record on a StatefulSet. */
export interface PartitionHeld extends HoldRecord {
  /** The user's partition. Null if it was absent. */
  readonly user: { readonly partition: number | null };
  /** The last written partition. Absent means ALL. Another value on the StatefulSet is an edit that no webhook saw. */
  readonly partition?: number;
}

/** A partition that holds every Pod, including those of a scale-up: Pods below the partition are created with the current version. */
export const ALL = 2_147_483_647;

export const partitionOf = ({ spec }: StatefulSet): number | null =>
  spec.updateStrategy?.rollingUpdate?.partition ?? null;

const isPartition = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= ALL;

export function readHeld({ metadata }: StatefulSet): PartitionHeld | undefined {
  const read = readRecord(metadata.annotations?.[HELD]);
  if (read === undefined) return undefined;
  const user = read.record.user as Partial<PartitionHeld['user']>;
  const { partition } = read.raw;
  return {
    ...read.record,
    // An invalid value is replaced by the default.
    user: { partition: isPartition(user.partition) ? user.partition : null },
    ...(isPartition(partition) ? { partition } : {}),
  };
}

export const heldAnnotations = (held: PartitionHeld): Readonly<Record<string, string>> => ({
  [HELD]: JSON.stringify(held),
  [GIVE_BACK]: giveBackPatch(held),
  [IN_PROGRESSING]: inProgressing(held.rollout),
});

/** A merge patch that gives the StatefulSet back with the user's partition, for emergencies without a running program. */
const giveBackPatch = ({ user }: PartitionHeld): string =>
  JSON.stringify({
    metadata: WITHOUT_HOLD,
    spec: partitionPatch(user.partition),
  });

export const partitionPatch = (partition: number | null): Readonly<Record<string, unknown>> => ({
  updateStrategy: { rollingUpdate: { partition } },
});

/** The record of a new hold. `partition`: the user's partition. */
export const firstHold = (
  partition: number | null,
  { rollout, stable, bypassed }: Pick<PartitionHeld, 'rollout' | 'stable' | 'bypassed'>,
): PartitionHeld => ({
  v: 1,
  rollout,
  user: { partition },
  stable,
  partition: ALL,
  ...(bypassed === undefined ? {} : { bypassed }),
});
