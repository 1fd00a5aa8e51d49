// kubectl's annotation of client-side apply, for users who switch between the two kinds of apply.
import type { KubeObject, ResourceType } from '../core/types.ts';
import { isObject } from '../patch/values.ts';
import { apiVersionOf, atomOf } from './atoms.ts';
import type { Conflicts } from './conflict.ts';
import { compare, fieldsOf } from './typed.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** When kubectl switches to server-side apply, fields that are unchanged since its annotation do not conflict. */
export function withoutLastApplied(
  { conflicts }: Conflicts,
  live: KubeObject,
  type: ResourceType,
): Conflicts['conflicts'] {
  const annotation = live.metadata?.annotations?.[LAST_APPLIED];
  if (!annotation) return conflicts;
  let lastApplied: unknown;
  try {
    lastApplied = JSON.parse(annotation);
  } catch {
    return conflicts;
  }
  if (!isObject(lastApplied) || lastApplied['apiVersion'] !== apiVersionOf(type)) return conflicts;
  const atom = atomOf(type);
  const { modified, added, removed } = compare(lastApplied, live, atom);
  const allowed = fieldsOf(lastApplied, atom).difference(modified).difference(added).difference(removed);
  return conflicts.filter(({ path }) => !allowed.has(path));
}

/** Updates the annotation with the applied configuration, so that users can switch back to client-side apply. */
export function withLastApplied(object: KubeObject, applied: KubeObject): KubeObject {
  if (!object.metadata?.annotations?.[LAST_APPLIED]) return object;
  const { [LAST_APPLIED]: _, ...annotations } = applied.metadata?.annotations ?? {};
  const { annotations: __, ...metadata } = applied.metadata ?? { name: '' };
  const bare = {
    ...applied,
    metadata: { ...metadata, ...(Object.keys(annotations).length ? { annotations } : {}) },
  };
  return {
    ...object,
    metadata: {
      ...object.metadata,
      annotations: { ...object.metadata.annotations, [LAST_APPLIED]: `${JSON.stringify(sorted(bare))}\n` },
    },
  };
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  );
}
