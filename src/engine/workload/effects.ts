// Effects for objects of any kind. Each contains only the differences and the resourceVersion that it was decided on.
import { PODS, ROLLOUTS, type Resource } from '../../api/resources.ts';
import { HELD, STABLE_REVISION } from '../../api/keys.ts';
import type { HoldRecord, KubeObject, Pod, PodTemplate, Workload } from '../../api/types.ts';
import type { Effect, MergePatch, Why } from '../decision.ts';
import { annotationPath } from '../lib/json-patch.ts';
import { evictPod } from './eviction.ts';
import type { Changes, MetadataChange, Progress } from './kind.ts';

interface Change extends MetadataChange {
  /** Part of a merge patch with only the differences. */
  readonly spec?: Readonly<Record<string, unknown>> | undefined;
}

/** Empty if nothing differs. */
export function patchObject(why: Why, resource: Resource, before: KubeObject, change: Change): Effect[] {
  const labels = differing(before.metadata.labels, change.labels);
  const annotations = differing(before.metadata.annotations, change.annotations);
  if (!labels && !annotations && !change.spec) return [];
  const patch: MergePatch = {
    metadata: {
      resourceVersion: version(before),
      ...(labels ? { labels } : {}),
      ...(annotations ? { annotations } : {}),
    },
    ...(change.spec ? { spec: change.spec } : {}),
  };
  return [{ kind: 'Patch', why, resource, before, patch }];
}

export const labelPod = (pod: Pod, labels: Changes): Effect => ({
  kind: 'Patch',
  why: 'label',
  resource: PODS,
  before: pod,
  // Without resourceVersion, because labels may be set on a newer state of the same Pod, and its status changes often.
  patch: { metadata: { uid: pod.metadata.uid, labels } },
});

export const patchRollout = (why: Why, rollout: KubeObject, metadata: Record<string, unknown>): Effect => ({
  kind: 'Patch',
  why,
  resource: ROLLOUTS,
  before: rollout,
  patch: { metadata: { resourceVersion: version(rollout), ...metadata } },
});

/** Also evicts the Pod that blocks the release, if there is one and it may be evicted. */
export const withEvictions = (
  effects: readonly Effect[],
  { evict, evictAgainAt, now }: Progress,
): { readonly effects: readonly Effect[]; readonly againAfterMs?: number } => ({
  effects: evict === undefined ? effects : [...effects, evictPod(evict)],
  ...(evictAgainAt === undefined ? {} : { againAfterMs: evictAgainAt - now }),
});

/** Replaces the whole template, and the record if there is one. */
export const replaceTemplate = (
  resource: Resource,
  workload: Workload,
  template: PodTemplate,
  record?: HoldRecord,
): Effect => ({
  kind: 'Patch',
  why: 'revert',
  resource,
  before: workload,
  patch: [
    { op: 'replace', path: '/metadata/resourceVersion', value: version(workload) },
    { op: 'replace', path: '/spec/template', value: template },
    ...(record ? ([{ op: 'add', path: annotationPath(HELD), value: JSON.stringify(record) }] as const) : []),
  ],
});

export const version = (object: KubeObject): string => object.metadata.resourceVersion ?? '';

export const stableLabel = (revision: string | undefined): Changes => (revision ? { [STABLE_REVISION]: revision } : {});

function differing(
  now: Readonly<Record<string, string>> | undefined,
  wanted: Changes | undefined,
): Changes | undefined {
  const changes = Object.entries(wanted ?? {}).filter(([key, value]) => (now?.[key] ?? null) !== value);
  return changes.length > 0 ? Object.fromEntries(changes) : undefined;
}
