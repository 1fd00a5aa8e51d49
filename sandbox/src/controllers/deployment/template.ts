// Finds the ReplicaSet of a Pod template: equality without pod-template-hash, and the hash itself.
import type { KubeObject } from '../../core/types.ts';
import { byAge } from '../framework/meta.ts';

export const HASH_LABEL = 'pod-template-hash';

const canonicals = new WeakMap<object, string>();

/** The same text for templates that Kubernetes considers equal. Cached per object, because stored objects do not change. */
export const canonicalTemplate = (template: object): string => {
  let text = canonicals.get(template);
  if (text === undefined) {
    const { metadata, ...rest } = template as { metadata?: { labels?: Record<string, string> } };
    const { [HASH_LABEL]: _, ...labels } = metadata?.labels ?? {};
    text = canonical({ ...rest, metadata: { ...metadata, labels } });
    canonicals.set(template, text);
  }
  return text;
};

/** Sorts keys. Null, empty lists and empty maps count as absent, except `{}` with a meaning, as in emptyDir. */
const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const object = value as Record<string, unknown>;
  const parts: string[] = [];
  for (const key of Object.keys(object).sort()) {
    const field = object[key];
    if (field === null || field === undefined || (Array.isArray(field) && field.length === 0)) continue;
    if (plainMaps.has(key) && Object.keys(field).length === 0) continue;
    parts.push(`${JSON.stringify(key)}:${canonical(field)}`);
  }
  return `{${parts.join(',')}}`;
};

const plainMaps = new Set(['metadata', 'labels', 'annotations', 'nodeSelector', 'resources', 'limits', 'requests']);

export const sameTemplate = (a: object, b: object): boolean => a === b || canonicalTemplate(a) === canonicalTemplate(b);

/** The oldest ReplicaSet with the template of the Deployment. */
export const findNewReplicaSet = (
  deployment: KubeObject,
  replicaSets: readonly KubeObject[],
): KubeObject | undefined => {
  let found: KubeObject | undefined;
  for (const replicaSet of replicaSets) {
    if (!sameTemplate(replicaSet.spec.template, deployment.spec.template)) continue;
    if (!found || byAge(replicaSet, found) < 0) found = replicaSet;
  }
  return found;
};

const SAFE = 'bcdfghjklmnpqrstvwxz2456789';

/** FNV-1a over the canonical template and the collision count, as ten letters of Kubernetes' safe alphabet. */
export const templateHash = (template: object, collisionCount?: number): string => {
  let hash = 0x811c9dc5;
  const text =
    collisionCount === undefined ? canonicalTemplate(template) : `${canonicalTemplate(template)}${collisionCount}`;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return Array.from(String(hash >>> 0).padStart(10, '0'), (digit) => SAFE[digit.charCodeAt(0) % SAFE.length]).join('');
};
