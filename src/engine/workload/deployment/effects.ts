// Decisions as patches: each names only what differs, and the resourceVersion it was decided on.
import { GLASS_BROKEN, HELD, PAUSED_UNSEEN, STABLE_REVISION } from '../../../api/keys.ts';
import type { Deployment, Held, KubeObject, Pod, PodTemplate, ReplicaSet } from '../../../api/types.ts';
import {
  freedSettings,
  HELD_ANNOTATIONS,
  HELD_LABELS,
  heldAnnotations,
  settingsPatch,
  type Settings,
  writeHeld,
} from './hold.ts';
import type { Effect, MergePatch, Why } from '../../snapshot.ts';

type Changes = Readonly<Record<string, string | null>>;

interface DeploymentChange {
  readonly settings?: Settings;
  readonly labels?: Changes;
  readonly annotations?: Changes;
}

/** Nothing when nothing differs. */
export function patchDeployment(why: Why, deployment: Deployment, change: DeploymentChange): Effect[] {
  const labels = differing(deployment.metadata.labels, change.labels);
  const annotations = differing(deployment.metadata.annotations, change.annotations);
  const spec = change.settings && settingsPatch(deployment, change.settings);
  if (!labels && !annotations && !spec) return [];
  const patch: MergePatch = {
    metadata: {
      resourceVersion: version(deployment),
      ...(labels ? { labels } : {}),
      ...(annotations ? { annotations } : {}),
    },
    ...(spec ? { spec } : {}),
  };
  return [{ kind: 'PatchDeployment', why, patch }];
}

/** The record, and the fields that go with it. */
export function patchHeld(
  why: Why,
  deployment: Deployment,
  held: Held,
  settings: Settings,
  labels: Changes = {},
): Effect[] {
  const annotations = { ...heldAnnotations(held), [PAUSED_UNSEEN]: null };
  return patchDeployment(why, deployment, { settings, labels, annotations });
}

const GIVEN_BACK: { labels: Changes; annotations: Changes } = {
  labels: Object.fromEntries(HELD_LABELS.map((key) => [key, null])),
  annotations: Object.fromEntries([...HELD_ANNOTATIONS, GLASS_BROKEN].map((key) => [key, null])),
};

/** Gives the Deployment back as its user wrote it; `more` goes with it. */
export const freeDeployment = (
  deployment: Deployment,
  held: Held,
  more: { labels?: Changes; annotations?: Changes } = {},
): Effect[] =>
  patchDeployment('free', deployment, {
    settings: freedSettings(held),
    labels: { ...GIVEN_BACK.labels, ...more.labels },
    annotations: { ...GIVEN_BACK.annotations, ...more.annotations },
  });

/** Puts another template in place of the Deployment's, whole: a merge patch could not take fields away. It stays held, by `held`. */
export const revertDeployment = (deployment: Deployment, template: PodTemplate, held?: Held): Effect => ({
  kind: 'RevertDeployment',
  why: 'revert',
  ops: [
    { op: 'replace', path: '/metadata/resourceVersion', value: version(deployment) },
    { op: 'replace', path: '/spec/template', value: template },
    { op: 'add', path: '/spec/paused', value: true },
    ...(held
      ? [{ op: 'add', path: `/metadata/annotations/${HELD.replace('/', '~1')}`, value: writeHeld(held) } as const]
      : []),
  ],
});

export const patchReplicaSet = (
  why: Why,
  set: ReplicaSet,
  spec: Record<string, unknown>,
  annotations?: Changes,
): Effect => ({
  kind: 'PatchReplicaSet',
  why,
  before: set,
  patch: { metadata: { resourceVersion: version(set), ...(annotations ? { annotations } : {}) }, spec },
});

export const labelPod = (pod: Pod, labels: Changes): Effect => ({
  kind: 'LabelPod',
  before: pod,
  // Without resourceVersion: labels do no harm to a newer state of the same Pod, and its status changes all the time.
  patch: { metadata: { uid: pod.metadata.uid, labels } },
});

export const patchRollout = (why: Why, rollout: KubeObject, metadata: Record<string, unknown>): Effect => ({
  kind: 'PatchRollout',
  why,
  patch: { metadata: { resourceVersion: version(rollout), ...metadata } },
});

export const version = (object: KubeObject): string => object.metadata.resourceVersion ?? '';

export const stableLabel = (hash: string): Changes => (hash ? { [STABLE_REVISION]: hash } : {});

function differing(
  now: Readonly<Record<string, string>> | undefined,
  wanted: Changes | undefined,
): Changes | undefined {
  const changes = Object.entries(wanted ?? {}).filter(([key, value]) => (now?.[key] ?? null) !== value);
  return changes.length > 0 ? Object.fromEntries(changes) : undefined;
}
