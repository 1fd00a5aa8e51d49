// Finds Rollouts, Deployments and ReleasePolicies among the objects of files.
import { convertRollout, type Version } from '../../api/convert.ts';
import { GROUP, OWN_GROUP } from '../../api/keys.ts';
import type { Deployment, Rollout } from '../../api/types.ts';
import { checkRollout, type RolloutShape } from '../../schema/rollout.ts';
import type { Found } from './read.ts';

export interface FoundRollout extends Found {
  readonly version: Version;
  /** Converted to v1beta1. */
  readonly stored: Readonly<Record<string, unknown>>;
  readonly shape: RolloutShape;
}

/** Undefined if the object is not a Rollout of the group rollouts.kruise.io. */
export function asRollout(found: Found): FoundRollout | undefined {
  const { object } = found;
  if (object['kind'] !== 'Rollout' || typeof object['apiVersion'] !== 'string') return undefined;
  const [group, version] = object['apiVersion'].split('/');
  if (group !== GROUP || (version !== 'v1alpha1' && version !== 'v1beta1')) return undefined;
  const stored = convertRollout(object, GROUP, version, 'v1beta1');
  return { ...found, version, stored, shape: checkRollout(stored, 'v1beta1') };
}

export function asDeployment({ object }: Found): Deployment | undefined {
  const deployment = object as Partial<Deployment>;
  const fits =
    deployment.apiVersion === 'apps/v1' && deployment.kind === 'Deployment' && deployment.metadata?.name !== undefined;
  return fits && deployment.spec?.template !== undefined && deployment.spec.selector !== undefined
    ? (deployment as Deployment)
    : undefined;
}

export const isPolicy = ({ object }: Found): boolean =>
  object['kind'] === 'ReleasePolicy' && String(object['apiVersion']).startsWith(`${OWN_GROUP}/`);

/** In a file, a missing namespace matches any namespace. */
export const sameNamespace = (a: Rollout | Deployment, b: Rollout | Deployment): boolean =>
  a.metadata.namespace === undefined ||
  b.metadata.namespace === undefined ||
  a.metadata.namespace === b.metadata.namespace;

export const releases = (rollout: Rollout, deployment: Deployment): boolean =>
  rollout.spec.workloadRef.name === deployment.metadata.name && sameNamespace(rollout, deployment);
