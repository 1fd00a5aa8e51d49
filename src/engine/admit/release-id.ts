// The id of a release, decided with the edit that starts it.
import * as keys from '../../api/keys.ts';
import type { Deployment, RolloutId } from '../../api/types.ts';
import { GENERATED_LENGTH, isUsedId } from '../release/release-id.ts';
import { annotationOf, labelOf, type Context } from './edit.ts';

const LABEL_VALUE = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

/** The id that this edit sets, as a label or an annotation. The id of the current release is no new one. */
export const idSet = ({ next }: Context, old: Deployment): RolloutId | undefined =>
  [
    [labelOf(next, keys.ROLLOUT_ID), labelOf(old, keys.ROLLOUT_ID)],
    [annotationOf(next, keys.ROLLOUT_ID), annotationOf(old, keys.ROLLOUT_ID)],
  ].find(
    ([now, before]) =>
      now !== undefined && now !== before && now !== labelOf(old, keys.ROLLOUT_ID) && LABEL_VALUE.test(now),
  )?.[0];

/** The id that an earlier edit set for this release. No earlier release has used it. */
function idAnnounced({ rollout }: Context, old: Deployment): RolloutId | undefined {
  const id = labelOf(old, keys.ROLLOUT_ID);
  // During a release, the label is the id of that release.
  if (rollout?.status === undefined || annotationOf(old, keys.HELD) !== undefined) return undefined;
  return id !== undefined && LABEL_VALUE.test(id) && !isUsedId(rollout, id) ? id : undefined;
}

/**
 * The id of the release: the id that the user set with this edit or an earlier one, but not the id of the last release. Otherwise a digest of facts
 * that stay the same when the edit is retried or follows its dry run: the object, the previous id, and both templates. Because of the previous id,
 * v1 → v2 → v1 → v2 are three different releases.
 */
export function rolloutId(context: Context, old: Deployment): RolloutId {
  const { next, sha256, digest } = context;
  const set = idSet(context, old) ?? idAnnounced(context, old);
  if (set !== undefined) return set;
  // Federation tools send an object without a uid, but the old object has one.
  const uid = next.metadata.uid || old.metadata.uid || '';
  const before = labelOf(old, keys.ROLLOUT_ID) ?? '';
  // The new template is not canonicalized: a different field order may give a different id.
  return sha256([uid, before, digest(old), JSON.stringify(next.spec.template)].join('\n')).slice(0, GENERATED_LENGTH);
}
