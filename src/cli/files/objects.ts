// Finds Rollouts, workloads and ReleasePolicies among the objects of files.
import { convertRollout, type Version } from '../../api/convert.ts';
import { GROUP, OWN_GROUP } from '../../api/keys.ts';
import { groupOf, SERVICES, type Resource } from '../../api/resources.ts';
import type { Deployment, KubeObject, Rollout } from '../../api/types.ts';
import { namesIn } from '../../engine/traffic/registry.ts';
import { asRoute, asService } from '../../engine/traffic/shape.ts';
import type { RolloutEdit } from '../../engine/validate/rollout.ts';
import { KINDS } from '../../engine/workload/registry.ts';
import { checkRollout, type RolloutShape } from '../../schema/rollout.ts';
import { resourceOf } from '../../view/reference.ts';
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
  return { ...found, version, stored, shape: checkRollout(stored) };
}

/** A workload that Rollouts can release. */
export function asDeployment({ object }: Found): Deployment | undefined {
  const deployment = object as Partial<Deployment>;
  const fits =
    KINDS.some(({ resource }) => resource.apiVersion === deployment.apiVersion && resource.kind === deployment.kind) &&
    deployment.metadata?.name !== undefined;
  return fits && deployment.spec?.template !== undefined && deployment.spec.selector !== undefined
    ? (deployment as Deployment)
    : undefined;
}

/** The route and the Service that a Rollout names, as far as the files contain them. */
export function routedIn(objects: readonly Found[], rollout: Rollout): RolloutEdit['routed'] {
  const names = namesIn(rollout);
  if (names === undefined) return undefined;
  const find = <T extends KubeObject>(resource: Resource, name: string, read: (object: unknown) => T | undefined) => {
    const named = objects
      .map(({ object }) => object)
      .find(({ apiVersion, kind, metadata }) => {
        const written = metadata as Partial<KubeObject['metadata']> | null | undefined;
        const isThere = sameNamespace({ metadata: { namespace: written?.namespace || undefined } }, rollout);
        return apiVersion === resource.apiVersion && kind === resource.kind && written?.name === name && isThere;
      });
    return named && read(named);
  };
  const route = find(names.route.resource, names.route.name, asRoute);
  const service = find(SERVICES, names.service, asService);
  return { ...(route && { route }), ...(service && { service }) };
}

export const isPolicy = ({ object }: Found): boolean =>
  object['kind'] === 'ReleasePolicy' && String(object['apiVersion']).startsWith(`${OWN_GROUP}/`);

/** In a file, a missing namespace matches any namespace. */
interface Placed {
  readonly metadata: { readonly namespace?: string | undefined };
}

export const sameNamespace = (a: Placed, b: Placed): boolean =>
  a.metadata.namespace === undefined ||
  b.metadata.namespace === undefined ||
  a.metadata.namespace === b.metadata.namespace;

export const releases = (rollout: Rollout, deployment: Deployment): boolean =>
  rollout.spec.workloadRef.name === deployment.metadata.name &&
  rollout.spec.workloadRef.kind === (deployment.kind ?? 'Deployment') &&
  groupOf(resourceOf(rollout).apiVersion) === groupOf(deployment.apiVersion ?? 'apps/v1') &&
  sameNamespace(rollout, deployment);
