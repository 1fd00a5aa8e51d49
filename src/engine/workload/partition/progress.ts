// The numbers of a workload with a partition, counted from its Pods, because those in its status are unreliable during an update.
import type { ControllerRevision, Pod } from '../../../api/types.ts';
import { sameTemplate } from '../../lib/template.ts';
import { earliestAfter } from '../../lib/time.ts';
import { stableDigest } from '../../release/stable.ts';
import type { Children } from '../../snapshot.ts';
import { evictAgainAt, refusalOf } from '../eviction.ts';
import type { Progress, ProgressFacts, Version, WorkloadKind } from '../kind.ts';
import { revisionOf, templateIn } from '../revisions.ts';
import { isAlive, isFailed, isOwnedBy, readySince } from '../pods.ts';
import { isPausedBy, readHeld, wantedBy, type PartitionHeld } from './hold.ts';
import { borrowedIn, pathOf, strategyOf, type Partitioned, type PartitionShape } from './shape.ts';
import type { Borrowed } from '../edits.ts';
import * as messages from './messages.ts';

export interface PartitionProgress extends Progress {
  readonly workload: Partitioned;
  readonly held: PartitionHeld | undefined;
  /** The number of Pods that the current partition keeps. Absent is 0. */
  readonly partition: number;
  /** There are surge Pods, so old Pods are about to be deleted. */
  readonly surges: boolean;
  /**
   * Only of kinds whose partition is an ordinal: the unbroken row of ordinals with the new version, from the highest one down. An ordinal without a Pod
   * belongs to it if the partition lets its Pod be created with the new version. `pods` and `available` are the Pods in the row. A Pod of the new version
   * below an old one is outside: a partition that includes it would let the old one be updated, too.
   */
  readonly row: { readonly ordinals: number; readonly pods: number; readonly available: number } | undefined;
  /** All Pods that the partition lets be updated are of the new version and available. */
  readonly grantedAreThere: boolean;
  readonly missing: NonNullable<Progress['missing']>;
  /** Pods that any partition keeps are created with the new version. */
  readonly isCurrent: boolean;
}

export function progressOf(
  shape: PartitionShape,
  kind: WorkloadKind,
  { now, rollout, digest, evicts, evictions }: ProgressFacts,
  workload: Partitioned,
  children: Children,
): PartitionProgress {
  const { status, metadata, spec } = workload;
  const noun = shape.resource.kind;
  const replicas = shape.replicas(workload);
  const minReadySeconds = shape.minReadySeconds(workload);
  const seen = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
  const indexOf = shape.indexIn(workload);
  const members = children.pods.filter(
    (pod) => isOwnedBy(pod, workload) && (indexOf === undefined || hasNameOf(pod, workload)),
  );
  // Pods beyond the replicas are about to be deleted, and everybody who may create Pods can create them. They grant nothing.
  const all = members.filter((pod) => indexOf === undefined || (indexOf(pod) >= 0 && indexOf(pod) < replicas));
  const alive = all.filter(isAlive);
  const hashOf = (pod: Pod): string | undefined => hashOfPod(shape, pod);
  const dueAt = (pod: Pod): number | undefined => {
    const since = readySince(pod, now);
    return since === undefined ? undefined : since + minReadySeconds * 1000;
  };
  const isAvailable = (pod: Pod): boolean => (dueAt(pod) ?? Infinity) <= now;
  const versionOf = (revision: ControllerRevision): Version => {
    const { name, creationTimestamp } = revision.metadata;
    const hash = shape.hashIn(name);
    const pods = alive.filter((pod) => hashOf(pod) === hash);
    return {
      revision: hash,
      template: templateIn(revision),
      replicas: pods.length,
      available: pods.filter(isAvailable).length,
      keeper: revision,
      number: String(revision.revision),
      created: creationTimestamp ?? '',
      maker: `${noun} ${metadata.name}`,
      conditions: status?.conditions,
    };
  };
  const versions = (children.revisions ?? []).filter((one) => isOwnedBy(one, workload)).map(versionOf);
  const named = seen ? shape.updateRevision(workload) : undefined;
  const updateRevision = named === undefined ? undefined : shape.hashIn(named);
  const isUpdate = ({ revision }: Version): boolean => revision === updateRevision;
  // The template tells the version, also before the controller has seen a change of the partition. Of the status alone, users may be the authors.
  const same = versions.filter(({ template }) => sameTemplate(template, spec.template));
  const newVersion = same.find(isUpdate) ?? same[0] ?? versions.find(isUpdate);
  const record = readHeld(shape, workload);
  const held = record && {
    ...record,
    rollout: rollout.metadata.name,
    stable: stableDigest(record, rollout, spec.template, versions, digest),
  };
  const stableRevision = rollout.status?.canaryStatus?.stableRevision;
  const stableVersion =
    (held && versions.find(({ template }) => digest(template) === held.stable)) ??
    versions.find(({ revision }) => revision === stableRevision);
  const isNew = (pod: Pod): boolean => newVersion !== undefined && hashOf(pod) === newVersion.revision;
  const pods = alive.filter(isNew);
  const old = alive.length - pods.length;
  // Each old Pod takes the place of a new one. More new ones are about to be deleted, and everybody who may create Pods can create them.
  const most = replicas + shape.limits(workload, replicas).surge + (status?.numberMisscheduled ?? 0);
  const updated = Math.min(pods.length, Math.max(0, most - old));
  const kept = (values: Borrowed): number =>
    shape.kept(values['partition'] as PartitionHeld['user']['partition'], replicas);
  const partition = kept(borrowedIn(shape, workload));
  const paused = strategyOf(shape, workload).paused === true && shape.borrows.includes('paused');
  const isGranted = (pod: Pod): boolean =>
    indexOf === undefined ? isNew(pod) : indexOf(pod) >= partition && indexOf(pod) < replicas;
  const granted = alive.filter(isGranted);
  const due = replicas - Math.min(partition, replicas);
  const row = indexOf && rowOf(alive, { indexOf, replicas, partition, isNew, isAvailable });
  const least = replicas - (row?.pods ?? pods.length);
  const moving = held !== undefined && !paused && partition < least && partition === kept(wantedBy(shape, held));
  const blocks = shape.blocks(workload, replicas);
  const notReady = unreadyPods(members.filter(isAlive), indexOf ?? ordinalOf, now);
  const isBlocked = newVersion !== undefined && blocks !== undefined && notReady.length >= blocks.from;
  const unready = isBlocked ? notReady.filter((pod) => !isNew(pod)) : [];
  // On a rollback, the new version is the stable one.
  const isAbandoned = (pod: Pod): boolean => stableVersion !== undefined && hashOf(pod) !== stableVersion.revision;
  // The controller does not replace these, and Pods that are created in their place get another version.
  const stuck = unready.filter((pod) => isGranted(pod) || isAbandoned(pod));
  const evict = evicts === true ? stuck.find((pod) => isGranted(pod) && isAbandoned(pod)) : undefined;
  const again = evict && evictAgainAt(evict, evictions, now);
  const refused = evict && refusalOf(evict, evictions);
  // Without a hold, the partition is the user's.
  const keeps =
    held === undefined &&
    alive.some((pod) => !isNew(pod) && (indexOf === undefined || indexOf(pod) < partition)) &&
    partition > 0;
  const isReleasing = held !== undefined && !isPausedBy(shape, { ...held.user }) && newVersion !== stableVersion;
  // A Pod that is being deleted is not missing yet.
  const lacks =
    indexOf === undefined ? Math.min(due - pods.length, replicas - all.length) : due - all.filter(isGranted).length;
  return {
    kind,
    now,
    workload,
    held,
    replicas,
    minReadySeconds,
    newVersion,
    oldVersions: versions.filter((version) => version !== newVersion),
    stableVersion,
    updated,
    old,
    pods,
    failed: all.filter((pod) => isNew(pod) && isFailed(pod)),
    available: pods.filter(isAvailable).length,
    availableAt: earliestAfter(now, pods.map(dueAt)),
    oldAvailableAt: earliestAfter(now, alive.filter((pod) => !isNew(pod)).map(dueAt)),
    unsettled: seen ? undefined : `the ${noun} controller to observe the last change`,
    stopped: paused || Math.min(partition, replicas) >= least,
    moving,
    missing: {
      pods: seen ? Math.max(0, lacks) : 0,
      // A Pod is deleted only when the Pods before it are Ready.
      sinceMs: Math.max(0, ...pods.map((pod) => readySince(pod, now) ?? 0)),
    },
    remark: messages.remarkOf({
      evict,
      refused,
      stuck,
      unready: moving ? unready : [],
      blocks,
      kept: keeps ? messages.kept(pathOf(shape, 'partition'), partition, indexOf !== undefined) : undefined,
      surplus: isReleasing ? pods.length - due : 0,
      startsNew: shape.startsNew,
    }),
    ...(evict &&
      (again === undefined
        ? { evict: { pod: evict, says: messages.evicted(evict, blocks?.known ?? '') } }
        : { evictAgainAt: again })),
    partition,
    row,
    surges: shape.limits(workload, replicas).surge > 0 && alive.length > replicas + (status?.numberMisscheduled ?? 0),
    grantedAreThere: granted.length >= due && granted.every((pod) => isNew(pod) && isAvailable(pod)),
    isCurrent: shape.isCurrent(workload, named),
  };
}

interface RowRules {
  readonly indexOf: (pod: Pod) => number;
  readonly replicas: number;
  readonly partition: number;
  readonly isNew: (pod: Pod) => boolean;
  readonly isAvailable: (pod: Pod) => boolean;
}

/** Looks at Pods and not at ordinals, of which a user can ask for two billion. */
function rowOf(
  pods: readonly Pod[],
  { indexOf, replicas, partition, isNew, isAvailable }: RowRules,
): NonNullable<PartitionProgress['row']> {
  const row = { ordinals: 0, pods: 0, available: 0 };
  // The lowest ordinal of the row so far.
  let lowest = replicas;
  for (const pod of pods.toSorted((a, b) => indexOf(b) - indexOf(a))) {
    const index = indexOf(pod);
    const isReached = index === lowest - 1 || index + 1 >= partition;
    if (!isReached || !isNew(pod)) {
      lowest = Math.min(lowest, Math.max(index + 1, partition));
      return { ...row, ordinals: replicas - lowest };
    }
    lowest = index;
    row.pods += 1;
    if (isAvailable(pod)) row.available += 1;
  }
  return { ...row, ordinals: replicas - Math.min(lowest, partition) };
}

/** The Pods that are not Ready, the lowest first. */
const unreadyPods = (pods: readonly Pod[], indexOf: (pod: Pod) => number, now: number): readonly Pod[] =>
  pods.filter((pod) => readySince(pod, now) === undefined).toSorted((a, b) => indexOf(a) - indexOf(b));

/** The controller releases Pods with other names. */
const hasNameOf = (pod: Pod, { metadata }: Partitioned): boolean =>
  pod.metadata.name === `${metadata.name}-${ordinalOf(pod)}`;

export const ordinalOf = ({ metadata }: Pod): number => Number(/-(\d+)$/.exec(metadata.name)?.[1] ?? -1);

export const hashOfPod = (shape: PartitionShape, pod: Pod): string | undefined => {
  const label = revisionOf(pod);
  return label === undefined ? undefined : shape.hashIn(label);
};
