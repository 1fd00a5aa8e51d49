// The id of a release: where it stands, and whether a release has already used it.
import { ROLLOUT_ID } from '../../api/keys.ts';
import type { CanaryStatus, Rollout, RolloutId, Workload } from '../../api/types.ts';

/** The label on the workload. Users may write it. */
export const rolloutIdOf = ({ metadata }: Workload): RolloutId | undefined => metadata.labels?.[ROLLOUT_ID];

/** Length of an id that admission generates: hexadecimal digits of a digest. */
export const GENERATED_LENGTH = 16;
const GENERATED = new RegExp(`^[0-9a-f]{${GENERATED_LENGTH}}$`);

/** True if admission generated the id, and nobody asked for it. */
export const isGenerated = (id: RolloutId): boolean => GENERATED.test(id);

/** As in OpenKruise, a rollback gets its own id. */
export const rollbackId = (id: RolloutId): RolloutId => `rollback-${id}`;

/** The id of the last release, or of the version that ran when the Rollout was created. The workload may have another id since. */
export const lastReleaseId = ({ releasedRolloutID, observedRolloutID }: CanaryStatus): RolloutId =>
  releasedRolloutID ?? observedRolloutID ?? '';

/** True if a release in the history had this id. The id cannot be used for another release. */
export function isUsedId({ status }: Rollout, id: RolloutId): boolean {
  const last = status?.canaryStatus && lastReleaseId(status.canaryStatus);
  return last === id || last === rollbackId(id) || (status?.history ?? []).some(({ rolloutID }) => rolloutID === id);
}

/** The release in an event. It has no id if no webhook saw its template and the workload had no replicas. */
export const releaseNamed = (id: string | undefined): string => (id ? `release ${id}` : 'the release');
