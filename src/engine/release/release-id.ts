// Whether a release has already used an id.
import type { CanaryStatus, Rollout } from '../../api/types.ts';
import { rollbackId } from '../status.ts';

/** The id of the last release, or of the version that ran when the Rollout was created. The Deployment may have another id since. */
export const lastReleaseId = ({ releasedRolloutID, observedRolloutID }: CanaryStatus): string =>
  releasedRolloutID ?? observedRolloutID ?? '';

/** True if a release in the history had this id. The id cannot be used for another release. */
export function isUsedId({ status }: Rollout, id: string): boolean {
  const last = status?.canaryStatus && lastReleaseId(status.canaryStatus);
  return last === id || last === rollbackId(id) || (status?.history ?? []).some(({ rolloutID }) => rolloutID === id);
}
