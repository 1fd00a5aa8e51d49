// The id of a release, decided with the edit that begins it.
import * as keys from '../../api/keys.ts';
import type { Deployment } from '../../api/types.ts';
import { isUsedId } from '../release/release-id.ts';
import { annotationOf, labelOf, type Context } from './edit.ts';

const LABEL_VALUE = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

/** The id that this very edit sets, as label or as annotation. */
export const idSet = ({ next }: Context, old: Deployment): string | undefined =>
  [
    [labelOf(next, keys.ROLLOUT_ID), labelOf(old, keys.ROLLOUT_ID)],
    [annotationOf(next, keys.ROLLOUT_ID), annotationOf(old, keys.ROLLOUT_ID)],
  ].find(([now, before]) => now !== undefined && now !== before && LABEL_VALUE.test(now))?.[0];

/** The id that an edit before this one has set, for the release to come: no release has had it. */
function idAnnounced({ rollout }: Context, old: Deployment): string | undefined {
  const id = labelOf(old, keys.ROLLOUT_ID);
  // While one is held, the label is the id of that one.
  if (rollout?.status === undefined || annotationOf(old, keys.HELD) !== undefined) return undefined;
  return id !== undefined && LABEL_VALUE.test(id) && !isUsedId(rollout, id) ? id : undefined;
}

/**
 * The id of the release: the user's when this very edit sets one, or one before it did; an id left from the last release
 * does not name this one. Otherwise a digest of facts that the same edit has again when it is retried or was a dry run:
 * the object, the id before it, and both templates. The id before it makes v1 → v2 → v1 → v2 three different releases.
 */
export function rolloutId(context: Context, old: Deployment): string {
  const { next, sha256, digest } = context;
  const set = idSet(context, old) ?? idAnnounced(context, old);
  if (set !== undefined) return set;
  // Federation tools send an object without uid: the old one has it.
  const uid = next.metadata.uid || old.metadata.uid || '';
  const before = labelOf(old, keys.ROLLOUT_ID) ?? '';
  // The new template as the API server writes it: to name a release, another order of its fields may make another name.
  return sha256([uid, before, digest(old), JSON.stringify(next.spec.template)].join('\n')).slice(0, 16);
}
