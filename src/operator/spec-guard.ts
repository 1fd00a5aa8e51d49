// Writes that depend on the spec and the record of a workload, but not on its status, which its controller changes all the time.
import { HELD } from '../api/keys.ts';
import { isObject, type Json } from '../api/json.ts';
import type { KubeObject } from '../api/types.ts';
import type { MergePatch } from '../engine/decision.ts';
import { annotationPath, patchMap, read, type PatchOp } from '../engine/lib/json-patch.ts';

export type GuardedOp = PatchOp | { readonly op: 'test'; readonly path: string; readonly value: unknown };

/**
 * The merge patch as a JSON patch that fails if the object, its generation (its spec) or the record of its hold has changed since `before`.
 * A resourceVersion would also fail after a change of the status. Undefined if `before` has no record.
 */
export function specGuarded(before: KubeObject, { metadata, spec }: MergePatch): readonly GuardedOp[] | undefined {
  const { uid, generation, annotations, labels } = before.metadata;
  const record = annotations?.[HELD];
  if (uid === undefined || generation === undefined || record === undefined) return undefined;
  const test = (path: string, value: unknown): GuardedOp => ({ op: 'test', path, value });
  return [
    test('/metadata/uid', uid),
    test('/metadata/generation', generation),
    test(annotationPath(HELD), record),
    ...patchMap('/metadata/labels', labels, (metadata['labels'] ?? {}) as Json),
    ...patchMap('/metadata/annotations', annotations, (metadata['annotations'] ?? {}) as Json),
    ...merged('/spec', (before as unknown as { readonly spec: Json }).spec, spec ?? {}),
  ];
}

/** Like a merge patch of the map at `path`. */
function merged(path: string, now: Json, patch: Json): PatchOp[] {
  return Object.entries(patch).flatMap(([key, value]) => {
    const inner = read(now, key);
    return isObject(value) && isObject(inner)
      ? merged(`${path}/${key}`, inner, value as Json)
      : patchMap(path, now, { [key]: value });
  });
}
