// Compares Pod templates as canonical JSON, so that field order or empty fields do not start a release.
import { POD_TEMPLATE_HASH, RESTARTED_AT } from '../../api/keys.ts';
import type { PodTemplate, TemplateDigest } from '../../api/types.ts';

/** Lower-case hex SHA-256 of a text. The caller passes Node.js' implementation. */
export type Sha256 = (text: string) => string;

/**
 * Maps and structs for which empty and absent mean the same. Other empty objects have a meaning:
 * `emptyDir: {}` is a volume, and `labelSelector: {}` matches everything.
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

/** The value with sorted keys, without nulls, empty lists and empty maps. Undefined if nothing is left. */
function sorted(value: unknown, key: string): unknown {
  if (value === null || typeof value !== 'object') return value ?? undefined;
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((item) => sorted(item, '') ?? null);
  const names = Object.keys(value);
  if (isPlain(value as Record<string, unknown>, names)) return value;
  const map: Record<string, unknown> = {};
  let empty = true;
  for (const name of inOrder(names)) {
    const field = sorted((value as Record<string, unknown>)[name], name);
    if (field === undefined) continue;
    empty = false;
    if (name !== '__proto__') map[name] = field;
    else Object.defineProperty(map, name, { value: field, enumerable: true });
  }
  return empty && EMPTY_IS_ABSENT.has(key) ? undefined : map;
}

/** True for an object that is its own canonical form: its names are in order, and its values are neither objects nor absent. */
function isPlain(value: Record<string, unknown>, names: readonly string[]): boolean {
  let last = '';
  for (const name of names) {
    const field = value[name];
    if (name <= last || field === undefined || typeof field === 'object') return false;
    last = name;
  }
  return names.length > 0;
}

/** Up to this number of names, an insertion sort is faster. */
const FEW = 32;

/** Sorts in place. */
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

/** Canonical JSON via native `JSON.stringify`. */
const canonical = (value: unknown): string | undefined => JSON.stringify(sorted(value, ''));

/** Canonical JSON of any value: equal texts mean equal values. */
export const canonicalJson = (value: unknown): string => canonical(value) ?? 'null';

/** Deep equality. An absent field equals an undefined one. */
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
 * A fast comparison of canonical texts, in a tenth of the time. Undefined if only one value has a field, which may be empty or the hash of a
 * ReplicaSet. Then the texts must be compared.
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
  // Not for-in: V8 does not optimize it for objects of many shapes, and it took a sixth of the time of an edit (measured).
  const keys = Object.keys(x);
  for (const key of keys) {
    const both = key !== POD_TEMPLATE_HASH && Object.hasOwn(y, key);
    const field = both ? plainlySame(x[key], y[key]) : undefined;
    if (field === false) return false;
    same &&= field;
  }
  return keys.length === Object.keys(y).length ? same : undefined;
}

/** Stored objects are frozen, so the text of each template is computed once. */
const known = new WeakMap<PodTemplate, string>();

/** Canonical JSON of the template without `pod-template-hash`: equal texts mean equal templates. */
export function canonicalTemplate(template: PodTemplate): string {
  let text = known.get(template);
  if (text === undefined) known.set(template, (text = textOf(template)));
  return text;
}

const textOf = (template: PodTemplate): string => canonical(without(template, 'labels', POD_TEMPLATE_HASH)) ?? '{}';

export const sameTemplate = (a: PodTemplate, b: PodTemplate): boolean =>
  plainlySame(a, b) ?? canonicalTemplate(a) === canonicalTemplate(b);

export type DigestOf = (template: PodTemplate) => TemplateDigest;

/** The digest if the stable version is unknown. */
export const UNKNOWN = '' as TemplateDigest;

/** The digest of a template, for annotations and the status. The text of several kilobytes is not cached, because most templates need only the digest. */
export const templateDigest = (template: PodTemplate, sha256: Sha256): TemplateDigest =>
  sha256(known.get(template) ?? textOf(template)) as TemplateDigest;

/** How an edit changes a template. `Restart`: only the annotation of `kubectl rollout restart` differs. */
export type TemplateChange = 'None' | 'Restart' | 'Version';

export function changeBetween(before: PodTemplate, after: PodTemplate): TemplateChange {
  if (sameTemplate(before, after)) return 'None';
  return isRestarted(before, after) &&
    sameTemplate(without(before, 'annotations', RESTARTED_AT), without(after, 'annotations', RESTARTED_AT))
    ? 'Restart'
    : 'Version';
}

/** True if the templates differ only in the annotation of `kubectl rollout restart`. */
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
