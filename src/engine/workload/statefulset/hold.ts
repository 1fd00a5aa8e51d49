// How a StatefulSet is held and given back: by its partition, which is a native hold. Pods below it keep their version.
import { GIVE_BACK, HELD, IN_PROGRESSING } from '../../../api/keys.ts';
import type { HoldRecord, StatefulSet } from '../../../api/types.ts';
import { HELD_ANNOTATIONS, HELD_LABELS, inProgressing, readRecord } from '../record.ts';

/** The record on a StatefulSet. */
export interface PartitionHeld extends HoldRecord {
  /** The user's own; null where it was absent. */
  readonly user: { readonly partition: number | null };
  /** As we last set it; absent = ALL. Another one on the StatefulSet is an edit that no webhook saw. */
  readonly partition?: number;
}

/** A partition that holds every Pod, also those of a scale-out: a Pod below the partition is made with the current version. */
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
    // What Kubernetes would refuse is replaced by its default.
    user: { partition: isPartition(user.partition) ? user.partition : null },
    ...(isPartition(partition) ? { partition } : {}),
  };
}

export const heldAnnotations = (held: PartitionHeld): Readonly<Record<string, string>> => ({
  [HELD]: JSON.stringify(held),
  [GIVE_BACK]: giveBackPatch(held),
  [IN_PROGRESSING]: inProgressing(held.rollout),
});

/** A merge patch that gives the StatefulSet back as its user wrote it: the way out when nothing of ours is alive. */
const giveBackPatch = ({ user }: PartitionHeld): string =>
  JSON.stringify({
    metadata: {
      annotations: Object.fromEntries(HELD_ANNOTATIONS.map((key) => [key, null])),
      labels: Object.fromEntries(HELD_LABELS.map((key) => [key, null])),
    },
    spec: partitionPatch(user.partition),
  });

export const partitionPatch = (partition: number | null): Readonly<Record<string, unknown>> => ({
  updateStrategy: { rollingUpdate: { partition } },
});

/** The record for a template that is held from now on: `partition` is the user's. */
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
