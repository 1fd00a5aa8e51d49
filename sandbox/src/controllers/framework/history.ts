// ControllerRevisions: the stored Pod templates of StatefulSets and DaemonSets.
import type { GroupResource, KubeObject } from '../../core/types.ts';
import { byAge } from './meta.ts';

export const CONTROLLER_REVISIONS: GroupResource = { group: 'apps', resource: 'controllerrevisions' };
/** On Pods: the revision that they were created from. */
export const REVISION_LABEL = 'controller-revision-hash';
const HASH_LABEL = 'controller.kubernetes.io/hash';

/** A Pod template of an owner. */
export interface PodTemplate {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string>; finalizers?: string[] };
  spec: Record<string, unknown>;
}

/** The patch that a revision stores: it puts the template back. */
export const dataOf = (template: object): object => ({ spec: { template: { $patch: 'replace', ...template } } });

/** The template that a revision stores. */
export const templateOf = (revision: KubeObject): PodTemplate => {
  const { $patch: _, ...template } = revision.data?.spec?.template ?? {};
  return template as PodTemplate;
};

const texts = new WeakMap<object, string>();

/** The patch as Go writes it: the bytes are hashed, and revisions with the same bytes are equal. Cached, because stored objects do not change. */
const textOf = (owner: object, data: () => unknown): string => {
  let text = texts.get(owner);
  if (text === undefined) texts.set(owner, (text = goJson(data())));
  return text;
};

const templateText = (template: object): string => textOf(template, () => dataOf(template));

export const hasTemplate = (revision: KubeObject, template: object): boolean =>
  textOf(revision, () => revision.data) === templateText(template);

/** JSON with sorted keys, and the characters escaped that have a meaning in HTML. */
const goJson = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(goJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${fields.map(([key, field]) => `${goString(key)}:${goJson(field)}`).join(',')}}`;
  }
  return typeof value === 'string' ? goString(value) : JSON.stringify(value);
};

const goString = (text: string): string =>
  JSON.stringify(text).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

const SAFE = 'bcdfghjklmnpqrstvwxz2456789';

/** FNV-1 with 32 bits, as digits in Kubernetes' safe alphabet. */
const hashOf = (text: string): string => {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash, 0x01000193) ^ byte;
  return Array.from(String(hash >>> 0), (digit) => SAFE[digit.charCodeAt(0) % SAFE.length]).join('');
};

const LONGEST_PREFIX = 223;

/** The name of a StatefulSet's revision. Equal to the name in a real cluster, if the template is. */
export const revisionName = (owner: KubeObject, collisions: number): string =>
  `${owner.metadata.name.slice(0, LONGEST_PREFIX)}-${revisionHash(owner, collisions)}`;

const revisionHash = ({ spec }: KubeObject, collisions: number): string =>
  hashOf(`${templateText(spec.template)}${collisions}`);

/** A revision of a StatefulSet, without a name. As in Kubernetes, its hash label ignores collisions that are found later. */
export const newRevision = (owner: KubeObject, revision: number, collisions: number): Omit<KubeObject, 'metadata'> => ({
  apiVersion: 'apps/v1',
  kind: 'ControllerRevision',
  metadata: {
    namespace: owner.metadata.namespace,
    labels: { ...owner.spec.template.metadata?.labels, [HASH_LABEL]: revisionHash(owner, collisions) },
    ...(owner.metadata.annotations ? { annotations: owner.metadata.annotations } : {}),
  },
  data: dataOf(owner.spec.template),
  revision,
});

/** Oldest first. */
export const byRevision = (a: KubeObject, b: KubeObject): number => a.revision - b.revision || byAge(a, b);
