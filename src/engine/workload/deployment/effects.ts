// Writes of a Deployment and its ReplicaSets, as effects.
import { annotationPath, patchMap } from '../../lib/json-patch.ts';
import { GLASS_BROKEN, HELD, PAUSED_UNSEEN } from '../../../api/keys.ts';
import { DEPLOYMENTS, REPLICA_SETS } from '../../../api/resources.ts';
import type { Deployment, Held, PodTemplate, ReplicaSet } from '../../../api/types.ts';
import type { Effect, Why } from '../../decision.ts';
import { patchObject, version } from '../effects.ts';
import type { Changes, MetadataChange } from '../kind.ts';
import { WITHOUT_HOLD } from '../record.ts';
import { freedSettings, heldAnnotations, heldLabels, settingsPatch, writeHeld, type Settings } from './hold.ts';

interface DeploymentChange extends MetadataChange {
  readonly settings?: Settings;
}

/** Empty if nothing differs. */
export const patchDeployment = (
  why: Why,
  deployment: Deployment,
  { settings, ...change }: DeploymentChange,
): Effect[] =>
  patchObject(why, DEPLOYMENTS, deployment, { ...change, spec: settings && settingsPatch(deployment, settings) });

/** Writes the record and its settings. */
export function patchHeld(
  why: Why,
  deployment: Deployment,
  held: Held,
  settings: Settings,
  labels: Changes = {},
): Effect[] {
  const annotations = { ...heldAnnotations(held), [PAUSED_UNSEEN]: null };
  return patchDeployment(why, deployment, { settings, labels: { ...labels, ...heldLabels(held) }, annotations });
}

/** The same writes, which a newer status of the Deployment does not make stale. */
export const guardedBySpec = (effects: readonly Effect[]): Effect[] =>
  effects.map((effect) => (effect.kind === 'Patch' ? { ...effect, guard: 'Spec' } : effect));

/** Gives the Deployment back with the user's settings and `more`. */
export const freeDeployment = (deployment: Deployment, held: Held, more: MetadataChange = {}): Effect[] =>
  patchDeployment('free', deployment, {
    settings: freedSettings(held),
    labels: { ...WITHOUT_HOLD.labels, ...more.labels },
    annotations: { ...WITHOUT_HOLD.annotations, [GLASS_BROKEN]: null, [PAUSED_UNSEEN]: null, ...more.annotations },
  });

/** Replaces the whole template, because a merge patch cannot remove unknown fields. The Deployment stays held, with the record `held`. */
export const revertDeployment = (deployment: Deployment, template: PodTemplate, held?: Held): Effect => ({
  kind: 'Patch',
  why: 'revert',
  resource: DEPLOYMENTS,
  before: deployment,
  patch: [
    { op: 'replace', path: '/metadata/resourceVersion', value: version(deployment) },
    { op: 'replace', path: '/spec/template', value: template },
    { op: 'add', path: '/spec/paused', value: true },
    ...(held
      ? [
          { op: 'add', path: annotationPath(HELD), value: writeHeld(held) } as const,
          ...patchMap('/metadata/labels', deployment.metadata.labels, heldLabels(held)),
        ]
      : []),
  ],
});

export const patchReplicaSet = (
  why: Why,
  set: ReplicaSet,
  spec: Record<string, unknown>,
  annotations?: Changes,
): Effect => ({
  kind: 'Patch',
  why,
  resource: REPLICA_SETS,
  before: set,
  patch: { metadata: { resourceVersion: version(set), ...(annotations ? { annotations } : {}) }, spec },
});
