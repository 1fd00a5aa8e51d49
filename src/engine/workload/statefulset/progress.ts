// The numbers of a StatefulSet, counted from its Pods, because status.currentReplicas and updatedReplicas are unreliable with a partition.
import { CONTROLLER_REVISION_HASH } from '../../../api/keys.ts';
import type { ControllerRevision, Pod, StatefulSet } from '../../../api/types.ts';
import { earliestAfter } from '../../lib/time.ts';
import { stableDigest } from '../../release/stable.ts';
import type { Children } from '../../snapshot.ts';
import type { Progress, ProgressFacts, Version, WorkloadKind } from '../kind.ts';
import { isAlive, isFailed, isOwnedBy, readySince } from '../pods.ts';
import { ALL, partitionOf, readHeld, type PartitionHeld } from './hold.ts';

export interface PartitionProgress extends Progress {
  readonly workload: StatefulSet;
  readonly held: PartitionHeld | undefined;
  /** The current partition. Absent is 0. */
  readonly partition: number;
  /** All Pods at or above the partition are of the new version and available. */
  readonly grantedAreThere: boolean;
}

export function progressOf(
  kind: WorkloadKind,
  { now, rollout, digest }: ProgressFacts,
  workload: StatefulSet,
  children: Children,
): PartitionProgress {
  const { spec, status, metadata } = workload;
  const replicas = spec.replicas ?? 1;
  const minReadySeconds = spec.minReadySeconds ?? 0;
  const seen = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
  const all = children.pods.filter((pod) => isOwnedBy(pod, workload));
  const alive = all.filter(isAlive);
  const dueAt = (pod: Pod): number | undefined => {
    const since = readySince(pod, now);
    return since === undefined ? undefined : since + minReadySeconds * 1000;
  };
  const isAvailable = (pod: Pod): boolean => (dueAt(pod) ?? Infinity) <= now;
  const versionOf = ({ metadata: { name }, data }: ControllerRevision): Version => {
    const pods = alive.filter((pod) => revisionOf(pod) === name);
    return {
      revision: name,
      template: data?.spec?.template ?? {},
      replicas: pods.length,
      available: pods.filter(isAvailable).length,
      maker: `StatefulSet ${metadata.name}`,
      conditions: status?.conditions,
    };
  };
  const versions = (children.revisions ?? []).filter((one) => isOwnedBy(one, workload)).map(versionOf);
  const updateRevision = seen ? status?.updateRevision : undefined;
  const newVersion = versions.find(({ revision }) => revision === updateRevision);
  const record = readHeld(workload);
  const held = record && {
    ...record,
    rollout: rollout.metadata.name,
    stable: stableDigest(record, rollout, versions, digest),
  };
  const stableRevision = rollout.status?.canaryStatus?.stableRevision;
  const stableVersion =
    (held && versions.find(({ template }) => digest(template) === held.stable)) ??
    versions.find(({ revision }) => revision === stableRevision);
  const isNew = (pod: Pod): boolean => newVersion !== undefined && revisionOf(pod) === newVersion.revision;
  const pods = alive.filter(isNew);
  const partition = partitionOf(workload) ?? 0;
  // Ordinals count from ordinals.start; the partition counts from 0.
  const indexOf = (pod: Pod): number =>
    Number(/-(\d+)$/.exec(pod.metadata.name)?.[1] ?? -1) - (spec.ordinals?.start ?? 0);
  const granted = alive.filter((pod) => indexOf(pod) >= partition);
  const grantedAreThere =
    granted.length >= replicas - Math.min(partition, replicas) &&
    granted.every((pod) => isNew(pod) && isAvailable(pod));
  return {
    kind,
    now,
    workload,
    held,
    replicas,
    minReadySeconds,
    newVersion,
    oldVersions: versions.filter((version) => version !== newVersion && version.replicas > 0),
    stableVersion,
    updated: pods.length,
    old: alive.length - pods.length,
    pods,
    failed: all.filter((pod) => isNew(pod) && isFailed(pod)),
    available: pods.filter(isAvailable).length,
    availableAt: earliestAfter(now, pods.map(dueAt)),
    oldAvailableAt: earliestAfter(now, alive.filter((pod) => !isNew(pod)).map(dueAt)),
    unsettled: seen ? undefined : 'the StatefulSet controller to observe the last change',
    stopped: Math.min(partition, replicas) >= replicas - pods.length,
    moving: held !== undefined && partition < replicas - pods.length && partition === (held.partition ?? ALL),
    partition,
    grantedAreThere,
  };
}

const revisionOf = ({ metadata }: Pod): string | undefined => metadata.labels?.[CONTROLLER_REVISION_HASH];
