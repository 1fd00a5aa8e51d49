// The id of a release: has a release used it already?
import type { CanaryStatus, Rollout } from '../../api/types.ts';
import { rollbackId } from '../status.ts';

/** The id of the last release, or of what ran when the Rollout came: another one may have been set on the Deployment since. */
export const lastReleaseId = ({ releasedRolloutID, observedRolloutID }: CanaryStatus): string =>
  releasedRolloutID ?? observedRolloutID ?? '';

/** True when a release that is remembered had this id; it names no other one. */
export function isUsedId({ status }: Rollout, id: string): boolean {
  const last = status?.canaryStatus && lastReleaseId(status.canaryStatus);
  return last === id || last === rollbackId(id) || (status?.history ?? []).some(({ rolloutID }) => rolloutID === id);
}
