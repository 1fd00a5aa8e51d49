// JSON patch operations for an object exactly as it was received.
import { isObject, type Json } from '../../api/json.ts';

/** An RFC 6902 operation. */
export type PatchOp =
  | { readonly op: 'add' | 'replace'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

const escape = (key: string): string =>
  key.includes('/') || key.includes('~') ? key.replaceAll('~', '~0').replaceAll('/', '~1') : key;

/** JSON pointer of an annotation. */
export const annotationPath = (key: string): string => `/metadata/annotations/${escape(key)}`;

export const read = (object: Json, key: string): unknown => (Object.hasOwn(object, key) ? object[key] : undefined);

/** Operations that set `values` in the map at `path`, which may be absent or null in the received object. Null removes a key. */
export const patchMap = (path: string, received: unknown, values: Json): PatchOp[] => {
  const ops: PatchOp[] = [];
  if (!isObject(received)) {
    const present = Object.entries(values).filter(([, value]) => (value ?? null) !== null);
    return present.length === 0 ? ops : [{ op: 'add', path, value: Object.fromEntries(present) }];
  }
  for (const key in values) {
    const value = values[key];
    if (read(received, key) === (value ?? undefined)) continue;
    const at = `${path}/${escape(key)}`;
    if (value !== null) ops.push({ op: Object.hasOwn(received, key) ? 'replace' : 'add', path: at, value });
    else if (Object.hasOwn(received, key)) ops.push({ op: 'remove', path: at });
  }
  return ops;
};
