// How a DaemonSet is held and given back: with the update strategy OnDelete, under which its controller replaces no Pod.
import { GIVE_BACK, HELD, IN_PROGRESSING } from '../../../api/keys.ts';
import type { DaemonSet, HoldRecord } from '../../../api/types.ts';
import { HELD_ANNOTATIONS, WITHOUT_HOLD, inProgressing, readRecord } from '../record.ts';

/** The record on a DaemonSet. */
export interface DaemonHeld extends HoldRecord {
  /** The user's type. `rollingUpdate` stays in the DaemonSet. */
  readonly user: { readonly type: string };
}

export const HOLDS = 'OnDelete';
/** The only other type. A DaemonSet whose user wrote OnDelete is not held, so this is the type of every user. */
export const USUAL = 'RollingUpdate';

/** The API server sets a default. */
export const typeOf = ({ spec }: DaemonSet): string => spec.updateStrategy?.type ?? USUAL;

export const isHolding = (daemonSet: DaemonSet): boolean => typeOf(daemonSet) === HOLDS;

/** Signs of a hold, also if a part of it was removed. */
export const hasSigns = ({ metadata }: DaemonSet): boolean =>
  HELD_ANNOTATIONS.some((key) => metadata.annotations?.[key] !== undefined);

export function readHeld({ metadata }: DaemonSet): DaemonHeld | undefined {
  const read = readRecord(metadata.annotations?.[HELD]);
  return read && { ...read.record, user: { type: USUAL } };
}

export const heldAnnotations = (held: DaemonHeld): Readonly<Record<string, string>> => ({
  [HELD]: JSON.stringify(held),
  [GIVE_BACK]: giveBackPatch(held),
  [IN_PROGRESSING]: inProgressing(held.rollout),
});

/** A merge patch that gives the DaemonSet back with the user's type, for emergencies without a running program. */
export const giveBackPatch = ({ user }: DaemonHeld): string =>
  JSON.stringify({ metadata: WITHOUT_HOLD, spec: typePatch(user.type) });

export const typePatch = (type: string): Readonly<Record<string, unknown>> => ({ updateStrategy: { type } });

/** The record of a new hold. */
export const firstHold = ({
  rollout,
  stable,
  bypassed,
}: Pick<DaemonHeld, 'rollout' | 'stable' | 'bypassed'>): DaemonHeld => ({
  v: 1,
  rollout,
  user: { type: USUAL },
  stable,
  ...(bypassed === undefined ? {} : { bypassed }),
});
