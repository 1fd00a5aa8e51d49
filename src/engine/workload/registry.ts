// The workload kinds that can be released: one line each.
import type { Resource } from '../../api/resources.ts';
import type { Rollout } from '../../api/types.ts';
import { deploymentKind } from './deployment/kind.ts';
import type { WorkloadKind } from './kind.ts';
import { statefulSetKind } from './statefulset/kind.ts';

/** Those that are released. */
export const KINDS: readonly WorkloadKind[] = [deploymentKind];

/** Those that the engine knows, and that are switched off: nothing watches, holds or moves them. */
export const SWITCHED_OFF: readonly WorkloadKind[] = [statefulSetKind];

type WorkloadRef = Rollout['spec']['workloadRef'];

/** The kind that a reference names; undefined when it cannot be released. Groups only tell kinds of the same name apart. */
export const kindOf = ({ kind, apiVersion }: WorkloadRef): WorkloadKind | undefined => {
  const named = KINDS.filter(({ resource }) => resource.kind === kind);
  return named.find(({ resource }) => groupOf(resource.apiVersion) === groupOf(apiVersion)) ?? named[0];
};

const groupOf = (apiVersion: string): string => (apiVersion.includes('/') ? (apiVersion.split('/', 1)[0] ?? '') : '');

/** The kind whose objects these are. */
export const kindOfResource = (resource: Resource): WorkloadKind | undefined =>
  KINDS.find((kind) => kind.resource === resource);
