// Annotations on a workload that only Tranche may write: their values after an edit. Values from users are replaced by the old ones.
import * as keys from '../../api/keys.ts';
import type { BrokenGlass } from '../../api/policy.ts';
import type { PatchOp } from '../lib/json-patch.ts';
import { readRecord } from '../workload/record.ts';
import { ownersNote } from './hold.ts';
import { annotationOf, labelOf, type Context } from './edit.ts';
import { patchFor, type Wanted } from './patch.ts';

/** A mark of broken glass without the release that it counts for. */
export type PastPolicy = Pick<BrokenGlass, 'user' | 'reason' | 'time' | 'policies'>;

export function patchOf(context: Context, wanted: Wanted, past: PastPolicy | undefined): PatchOp[] {
  const { old, next, changed } = context;
  // A mark counts for one release: a new template or the end of the release removes it.
  const ends = changed || wanted.annotations?.[keys.HELD] === null;
  const kept = ends ? undefined : annotationOf(old, keys.GLASS_BROKEN);
  const marks = {
    [keys.BREAK_GLASS]: null,
    [keys.GLASS_BROKEN]: (past && JSON.stringify(withRelease(context, wanted, past))) ?? kept ?? null,
    [keys.FIELD_OWNERS]: ownersNote(context, wanted),
  };
  const held = annotationOf(old, keys.HELD) !== undefined;
  const annotations = {
    [keys.PAUSED_UNSEEN]: null,
    [keys.TRAFFIC]: (held ? annotationOf(old, keys.TRAFFIC) : undefined) ?? null,
    ...wanted.annotations,
    ...marks,
  };
  return patchFor(context.kind, next, { ...wanted, annotations });
}

/** The mark for the release that this edit starts. */
function withRelease({ old, next, digest }: Context, { labels, annotations }: Wanted, past: PastPolicy): BrokenGlass {
  const rolloutID = labels?.[keys.ROLLOUT_ID] ?? labelOf(next, keys.ROLLOUT_ID);
  const stable = readRecord(annotations?.[keys.HELD] ?? undefined)?.record.stable;
  const uid = old?.metadata.uid || next.metadata.uid;
  return {
    ...past,
    ...(rolloutID && { rolloutID }),
    ...(uid && { uid }),
    template: digest(next),
    ...(stable !== undefined && { stable }),
  };
}
