// The registry of workload kinds.
import type { Resource } from '../../api/resources.ts';
import type { Rollout } from '../../api/types.ts';
import { deploymentKind } from './deployment/kind.ts';
import type { WorkloadKind } from './kind.ts';
import { statefulSetKind } from './statefulset/kind.ts';

/** The supported kinds. */
export const KINDS: readonly WorkloadKind[] = [deploymentKind];

/** Implemented kinds that are disabled: the program does not watch, hold or change them. */
export const SWITCHED_OFF: readonly WorkloadKind[] = [statefulSetKind];

/**
 * The kind that a reference names. Undefined if it is not supported. The group only distinguishes kinds of the same name. A stored reference may have
 * passed no schema: fields may be missing or have a wrong type.
 */
export const kindOf = ({ kind, apiVersion }: Partial<Rollout['spec']['workloadRef']>): WorkloadKind | undefined => {
  const named = KINDS.filter(({ resource }) => resource.kind === kind);
  return named.find(({ resource }) => groupOf(resource.apiVersion) === groupOf(apiVersion)) ?? named[0];
};

const groupOf = (apiVersion: unknown): string =>
  typeof apiVersion === 'string' && apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';

/** The kind of a resource. */
export const kindOfResource = (resource: Resource): WorkloadKind | undefined =>
  KINDS.find((kind) => kind.resource === resource);
