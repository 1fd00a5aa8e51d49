// The resource that a Rollout names, without the engine: commands that only print their help do not load it.
import {
  ADVANCED_DAEMON_SETS,
  ADVANCED_STATEFUL_SETS,
  CLONE_SETS,
  DEPLOYMENTS,
  groupOf,
  STATEFUL_SETS,
  DAEMON_SETS,
  type Resource,
} from '../api/resources.ts';
import type { Rollout } from '../api/types.ts';

/** The resources of the supported kinds. */
export const WORKLOADS: readonly Resource[] = [
  DEPLOYMENTS,
  STATEFUL_SETS,
  DAEMON_SETS,
  CLONE_SETS,
  ADVANCED_STATEFUL_SETS,
  ADVANCED_DAEMON_SETS,
];

/** The kinds of OpenKruise, whose CRDs may be absent. */
export const isOptional = ({ apiVersion }: Pick<Resource, 'apiVersion'>): boolean =>
  groupOf(apiVersion) === 'apps.kruise.io';

/** Deployments if it names no supported kind. */
export const resourceOf = ({ spec }: Pick<Rollout, 'spec'>): Resource =>
  WORKLOADS.find(
    (resource) => resource.kind === spec.workloadRef.kind && isOptional(resource) === isOptional(spec.workloadRef),
  ) ?? DEPLOYMENTS;
