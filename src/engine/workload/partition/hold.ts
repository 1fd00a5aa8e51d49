// How a workload is held and given back with its partition, which keeps Pods on the old version.
import { GIVE_BACK, HELD, IN_PROGRESSING } from '../../../api/keys.ts';
import type { HoldRecord, IntOrString } from '../../../api/types.ts';
import { percentOf } from '../../lib/replicas.ts';
import type { Borrowed } from '../edits.ts';
import { WITHOUT_HOLD, inProgressing, readRecord } from '../record.ts';
import {
  absentMaps,
  borrowedIn,
  hasPause,
  specPatch,
  strategyOf,
  EVERY,
  type Partitioned,
  type PartitionShape,
} from './shape.ts';

/** The user's values. Null if a field was absent. */
export interface UserPartition {
  readonly partition: IntOrString | null;
  /** Only of kinds that have this field. */
  readonly paused?: boolean | null;
}

/** The record on a workload. */
export interface PartitionHeld extends HoldRecord {
  readonly user: UserPartition;
  /** The last written partition. Absent means that of all Pods. Another value on the workload is an edit that no webhook saw. */
  readonly partition?: IntOrString;
  /** Number of the maps around the borrowed fields that were absent. */
  readonly made?: number;
  /** `paused` was set too, to stop during a step. */
  readonly frozen?: true;
}

/** A number, or a percentage for a kind whose partition may be one. */
const isPartition = ({ percent }: PartitionShape, value: unknown): value is IntOrString =>
  typeof value === 'number'
    ? Number.isInteger(value) && value >= 0 && value <= EVERY
    : typeof value === 'string' && percent && (percentOf(value) ?? Infinity) <= 100;

const userOf = (shape: PartitionShape, { partition, paused }: Partial<UserPartition>): UserPartition => ({
  // An invalid value is replaced by the default.
  partition: isPartition(shape, partition) ? partition : null,
  ...(hasPause(shape) && { paused: typeof paused === 'boolean' ? paused : null }),
});

export function readHeld(shape: PartitionShape, { metadata }: Partitioned): PartitionHeld | undefined {
  const read = readRecord(metadata.annotations?.[HELD]);
  if (read === undefined) return undefined;
  const { partition, made, frozen } = read.raw;
  return {
    ...read.record,
    user: userOf(shape, read.record.user),
    ...(isPartition(shape, partition) ? { partition } : {}),
    ...(typeof made === 'number' && made > 0 && { made }),
    ...(frozen === true && hasPause(shape) ? { frozen } : {}),
  };
}

/** The values of the borrowed fields during the hold. */
export const wantedBy = (shape: PartitionShape, { user, partition, frozen }: PartitionHeld): Borrowed => ({
  partition: partition ?? shape.all,
  ...(hasPause(shape) && { paused: frozen === true ? true : (user.paused ?? null) }),
});

/** The record with edits that no webhook saw: values that differ from the last write are the user's. */
export function noticed(shape: PartitionShape, workload: Partitioned, held: PartitionHeld): PartitionHeld {
  const now = borrowedIn(shape, workload);
  const wanted = wantedBy(shape, held);
  const edited = Object.entries(now).filter(([field, value]) => value !== wanted[field]);
  return edited.length === 0 ? held : { ...held, user: { ...held.user, ...Object.fromEntries(edited) } };
}

/** The user has paused the workload: with its own field, or, for a kind without one, with the partition that keeps every Pod. */
export const isPausedBy = (shape: PartitionShape, user: Borrowed): boolean =>
  hasPause(shape) ? user['paused'] === true : user['partition'] === shape.all;

/**
 * True if Pods that the release has updated may be among those that the user's partition keeps. With that partition, the controller would neither
 * take them back nor keep their version when they are created again.
 */
export const reachesBelow = (shape: PartitionShape, { user, moved }: PartitionHeld): boolean =>
  shape.kept(user.partition, EVERY) > 0 && user.partition !== shape.all && moved !== undefined;

export const heldAnnotations = (shape: PartitionShape, held: PartitionHeld): Readonly<Record<string, string>> => ({
  [HELD]: JSON.stringify(held),
  [GIVE_BACK]: giveBackPatch(shape, held),
  [IN_PROGRESSING]: inProgressing(held.rollout),
});

/** A merge patch that gives the workload back with the user's values, for emergencies without a running program. */
export const giveBackPatch = (shape: PartitionShape, { user }: Pick<PartitionHeld, 'user'>): string =>
  JSON.stringify({
    metadata: WITHOUT_HOLD,
    spec: specPatch(shape, user),
  });

/**
 * The user's values for a workload without a record in a release. With the patch that gives it back, the record was removed, and the patch has them.
 * Without the patch, Tranche has given the workload back, so the current values are the user's; or the patch was removed, too. `ours`: the partitions
 * that Tranche may have left then.
 */
export function originalUser(
  shape: PartitionShape,
  workload: Partitioned,
  ours: readonly IntOrString[],
): UserPartition {
  const text = workload.metadata.annotations?.[GIVE_BACK];
  const now = borrowedIn(shape, workload) as Partial<UserPartition>;
  if (text === undefined) return userOf(shape, ours.some((partition) => partition === now.partition) ? {} : now);
  try {
    const patch = JSON.parse(text) as Pick<Partitioned, 'spec'>;
    return userOf(shape, strategyOf(shape, patch as Partitioned));
  } catch {
    return userOf(shape, {});
  }
}

/** The record of a new hold of a workload. `user`: values of the borrowed fields. */
export function firstHold(
  shape: PartitionShape,
  { spec }: Partitioned,
  user: Borrowed,
  { rollout, stable, bypassed }: Pick<PartitionHeld, 'rollout' | 'stable' | 'bypassed'>,
): PartitionHeld {
  const made = absentMaps(shape, spec);
  return {
    v: 1,
    rollout,
    user: user as unknown as UserPartition,
    stable,
    partition: shape.all,
    ...(made > 0 && { made }),
    ...(bypassed === undefined ? {} : { bypassed }),
  };
}

/** The record with the partition of all Pods, without a pause by Tranche. */
export function heldWhole(shape: PartitionShape, { frozen: _, ...held }: PartitionHeld): PartitionHeld {
  return (held.partition ?? shape.all) === shape.all ? held : { ...held, partition: shape.all };
}
