// Is this the same template? Compared as stored JSON, so that field order, defaulting or a library's version start no release.
import { POD_TEMPLATE_HASH, RESTARTED_AT } from '../../api/keys.ts';
import type { PodTemplate, TemplateDigest } from '../../api/types.ts';

/** Lower-case hex sha256 of a text; the shell passes node's in. */
export type Sha256 = (text: string) => string;

/**
 * Maps and plain structs that mean the same empty as absent. Elsewhere an empty object says something:
 * `emptyDir: {}` is a volume, `labelSelector: {}` matches everything.
 */
const EMPTY_IS_ABSENT = new Set([
  'metadata',
  'labels',
  'annotations',
  'nodeSelector',
  'overhead',
  'resources',
  'limits',
  'requests',
  'matchLabels',
  'securityContext',
]);

/** The value with sorted keys, without nulls, empty lists and empty maps; undefined when nothing is left. */
function sorted(value: unknown, key: string): unknown {
  if (value === null || typeof value !== 'object') return value ?? undefined;
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((item) => sorted(item, '') ?? null);
  const map: Record<string, unknown> = {};
  let empty = true;
  for (const name of inOrder(Object.keys(value))) {
    const field = sorted((value as Record<string, unknown>)[name], name);
    if (field === undefined) continue;
    empty = false;
    if (name !== '__proto__') map[name] = field;
    else Object.defineProperty(map, name, { value: field, enumerable: true });
  }
  return empty && EMPTY_IS_ABSENT.has(key) ? undefined : map;
}

/** Up to so many, the general sort costs more. */
const FEW = 32;

/** In place. */
function inOrder(names: string[]): string[] {
  if (names.length > FEW) return names.sort();
  for (let i = 1; i < names.length; i++) {
    const name = names[i]!;
    let at = i;
    for (; at > 0 && names[at - 1]! > name; at--) names[at] = names[at - 1]!;
    names[at] = name;
  }
  return names;
}

/** The text of it, of which there is only one; written by the engine's own stringify, which takes a third less than ours did. */
const canonical = (value: unknown): string | undefined => JSON.stringify(sorted(value, ''));

/** Any JSON as one text: equal texts are equal values. */
export const canonicalJson = (value: unknown): string => canonical(value) ?? 'null';

/** Equal values, an absent field and an undefined one being the same. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => sameJson(item, b[i]));
  }
  const [x, y] = [a as Record<string, unknown>, b as Record<string, unknown>];
  for (const key in x) if (!sameJson(x[key], y[key])) return false;
  for (const key in y) if (y[key] !== undefined && x[key] === undefined) return false;
  return true;
}

/**
 * Whether the canonical texts of two values are equal, as far as a glance tells, for a tenth of the time: undefined where only one of them
 * has something, which may be empty, or the hash of a ReplicaSet.
 */
function plainlySame(a: unknown, b: unknown): boolean | undefined {
  if (a === b) return true;
  if (a === null || b === null || a === undefined || b === undefined) return undefined;
  if (typeof a !== 'object' || typeof b !== 'object') return false;
  let same: boolean | undefined = true;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b)) return undefined;
    if (a.length !== b.length) return a.length > 0 && b.length > 0 ? false : undefined;
    for (let i = 0; i < a.length; i++) {
      const item = plainlySame(a[i], b[i]);
      if (item === false) return false;
      same &&= item;
    }
    return same;
  }
  const [x, y] = [a as Record<string, unknown>, b as Record<string, unknown>];
  // Not for-in: with it the engine gave up compiling this, where many kinds of objects come by, and it took a sixth of the time of an edit (measured).
  const keys = Object.keys(x);
  for (const key of keys) {
    const both = key !== POD_TEMPLATE_HASH && Object.hasOwn(y, key);
    const field = both ? plainlySame(x[key], y[key]) : undefined;
    if (field === false) return false;
    same &&= field;
  }
  return keys.length === Object.keys(y).length ? same : undefined;
}

/** Stored objects are frozen, so the text of a template is worked out once. */
const known = new WeakMap<PodTemplate, string>();

/** The template as one text, `pod-template-hash` left aside: equal texts are equal templates. */
export function canonicalTemplate(template: PodTemplate): string {
  let text = known.get(template);
  if (text === undefined) known.set(template, (text = textOf(template)));
  return text;
}

const textOf = (template: PodTemplate): string => canonical(without(template, 'labels', POD_TEMPLATE_HASH)) ?? '{}';

export const sameTemplate = (a: PodTemplate, b: PodTemplate): boolean =>
  plainlySame(a, b) ?? canonicalTemplate(a) === canonicalTemplate(b);

export type DigestOf = (template: PodTemplate) => TemplateDigest;

/** Where nobody knows which version is the stable one. */
export const UNKNOWN = '' as TemplateDigest;

/** What the annotation and the status keep of a template. The text, kilobytes of it, is not kept: of most templates the digest is all that is ever asked. */
export const templateDigest = (template: PodTemplate, sha256: Sha256): TemplateDigest =>
  sha256(known.get(template) ?? textOf(template)) as TemplateDigest;

/** What an edit does to a template. `Restart`: nothing but the time at which `kubectl rollout restart` was called differs. */
export type TemplateChange = 'None' | 'Restart' | 'Version';

export function changeBetween(before: PodTemplate, after: PodTemplate): TemplateChange {
  if (sameTemplate(before, after)) return 'None';
  return isRestarted(before, after) &&
    sameTemplate(without(before, 'annotations', RESTARTED_AT), without(after, 'annotations', RESTARTED_AT))
    ? 'Restart'
    : 'Version';
}

/** The templates differ in nothing but when `kubectl rollout restart` was called. */
export const isRestartOnly = (before: PodTemplate, after: PodTemplate): boolean =>
  isRestarted(before, after) && changeBetween(before, after) === 'Restart';

const isRestarted = (before: PodTemplate, after: PodTemplate): boolean =>
  before.metadata?.annotations?.[RESTARTED_AT] !== after.metadata?.annotations?.[RESTARTED_AT];

/** A ReplicaSet's template as a Deployment would write it: without `pod-template-hash`. */
export const deploymentTemplate = (template: PodTemplate): PodTemplate =>
  without(template, 'labels', POD_TEMPLATE_HASH);

function without(template: PodTemplate, map: 'labels' | 'annotations', key: string): PodTemplate {
  const entries = template.metadata?.[map];
  if (entries?.[key] === undefined) return template;
  const { [key]: _, ...rest } = entries;
  return { ...template, metadata: { ...template.metadata, [map]: rest } };
}
