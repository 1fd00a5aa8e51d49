// JSON patch operations that change nothing but the fields we mean, computed against the object exactly as it was received.
import { isObject, type Json } from '../../api/json.ts';
import type { Deployment } from '../../api/types.ts';
import type { Settings } from '../workload/deployment/hold.ts';

export type PatchOp =
  | { readonly op: 'add' | 'replace'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

/** What the object should be; a key that is not named stays as it was received, `null` = absent. */
export interface Wanted {
  readonly labels?: Readonly<Record<string, string | null>>;
  readonly annotations?: Readonly<Record<string, string | null>>;
  readonly settings?: Settings | undefined;
}

const escape = (key: string): string =>
  key.includes('/') || key.includes('~') ? key.replaceAll('~', '~0').replaceAll('/', '~1') : key;
const read = (object: Json, key: string): unknown => (Object.hasOwn(object, key) ? object[key] : undefined);

/** Operations that give `values` to the map at `path`, which may be missing or null in the object received. */
const patchMap = (path: string, received: unknown, values: Json): PatchOp[] => {
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

const patchSettings = (received: Json, { maxSurge, maxUnavailable, ...fields }: Settings): PatchOp[] => {
  const limits = { maxSurge, maxUnavailable };
  const strategy = read(received, 'strategy');
  // An API server fills the strategy in before admission; only a tool that talks to us directly leaves it out.
  const limitsPatch = isObject(strategy)
    ? patchMap('/spec/strategy/rollingUpdate', read(strategy, 'rollingUpdate'), limits)
    : patchMap('/spec', received, { strategy: { rollingUpdate: limits } });
  return [...patchMap('/spec', received, fields), ...limitsPatch];
};

export const patchFor = (received: Deployment, wanted: Wanted): PatchOp[] => [
  ...patchMap('/metadata/labels', received.metadata.labels, wanted.labels ?? {}),
  ...patchMap('/metadata/annotations', received.metadata.annotations, wanted.annotations ?? {}),
  ...(wanted.settings === undefined ? [] : patchSettings(received.spec as unknown as Json, wanted.settings)),
];
