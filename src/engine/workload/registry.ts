// The registry of workload kinds.
import { groupOf, type Resource } from '../../api/resources.ts';
import type { Rollout } from '../../api/types.ts';
import { advancedDaemonSetKind } from './advanced-daemonset/kind.ts';
import { advancedStatefulSetKind } from './advanced-statefulset/kind.ts';
import { cloneSetKind } from './cloneset/kind.ts';
import { daemonSetKind } from './daemonset/kind.ts';
import { deploymentKind } from './deployment/kind.ts';
import type { WorkloadKind } from './kind.ts';
import { statefulSetKind } from './statefulset/kind.ts';

/** Kubernetes' own kinds, which every cluster serves. */
const NATIVE: readonly WorkloadKind[] = [deploymentKind, statefulSetKind, daemonSetKind];

/** Kinds that come with a CRD, which may be absent. */
export const OPTIONAL_KINDS: readonly WorkloadKind[] = [cloneSetKind, advancedStatefulSetKind, advancedDaemonSetKind];

/** The supported kinds. */
export const KINDS: readonly WorkloadKind[] = [...NATIVE, ...OPTIONAL_KINDS];

/**
 * The kind that a reference names. Undefined if it is not supported. For Kubernetes' own kinds, the group only distinguishes kinds of the same name. A
 * stored reference may have passed no schema: fields may be missing or have a wrong type.
 */
export const kindOf = ({ kind, apiVersion }: Partial<Rollout['spec']['workloadRef']>): WorkloadKind | undefined =>
  OPTIONAL_GROUPS.has(groupOf(apiVersion)) ? namedIn(OPTIONAL_KINDS, kind) : namedIn(NATIVE, kind);

const namedIn = (kinds: readonly WorkloadKind[], kind: unknown): WorkloadKind | undefined =>
  kinds.find(({ resource }) => resource.kind === kind);

const OPTIONAL_GROUPS: ReadonlySet<string> = new Set(
  OPTIONAL_KINDS.map(({ resource }) => groupOf(resource.apiVersion)),
);

/** The kind of a resource. */
export const kindOfResource = (resource: Resource): WorkloadKind | undefined =>
  KINDS.find((kind) => kind.resource === resource);

/** The kind of an object of this API group. */
export const kindIn = (group: string, kind: unknown): WorkloadKind | undefined =>
  KINDS.find(({ resource }) => resource.kind === kind && groupOf(resource.apiVersion) === group);
