// The workload kinds that are held with a partition (docs/statefulsets.md, docs/openkruise-workloads.md).
import { GLASS_BROKEN, PAUSED_UNSEEN } from '../../../api/keys.ts';
import { argumentOf } from '../../../api/resources.ts';
import type { Effect, Why } from '../../decision.ts';
import { namespaceFlag } from '../../lib/text.ts';
import { formatTime } from '../../lib/time.ts';
import { advise } from '../../validate/advice.ts';
import type { Borrowed } from '../edits.ts';
import { patchObject, replaceTemplate, stableLabel } from '../effects.ts';
import { act, wait, type Changes, type Goal, type MetadataChange, type Move, type WorkloadKind } from '../kind.ts';
import { isOwnedBy } from '../pods.ts';
import { WITHOUT_HOLD } from '../record.ts';
import { partitionEdits, partitionFields } from './edits.ts';
import {
  firstHold,
  heldAnnotations,
  isPausedBy,
  noticed,
  originalUser,
  reachesBelow,
  readHeld,
  wantedBy,
  type PartitionHeld,
} from './hold.ts';
import { hashOfPod, progressOf, type PartitionProgress } from './progress.ts';
import {
  borrowedIn,
  EVERY,
  hasPause,
  hollow,
  pathOf,
  specPatch,
  type Field,
  type Partitioned,
  type PartitionShape,
} from './shape.ts';

export type PartitionKind = WorkloadKind<Partitioned, PartitionHeld, PartitionProgress>;

/** Everything that the kinds with a partition have in common. */
export function partitionKind(shape: PartitionShape): PartitionKind {
  const { resource } = shape;
  const noun = argumentOf(resource);
  const fields = partitionFields(shape);
  const pausedBy: Field = hasPause(shape) ? 'paused' : 'partition';
  const whole = specPatch(shape, { partition: 0, ...(hasPause(shape) && { paused: false }) });
  const write = writer(shape);
  const isFree = (workload: Partitioned): boolean =>
    shape.kept(borrowedIn(shape, workload)['partition'] as PartitionHeld['user']['partition'], EVERY) === 0;

  const kind: PartitionKind = {
    resource,
    workloadType: shape.workloadType,
    children: ['pods', 'revisions'],
    words: {
      keeper: 'ControllerRevision',
      pause: hasPause(shape) ? pathOf(shape, 'paused') : `${pathOf(shape, 'partition')} ${shape.all}`,
      pausedBy,
      unpause: hasPause(shape) ? specPatch(shape, { paused: false }) : whole,
      whole,
      ...(shape.none !== undefined && { none: shape.none }),
      resumed: `the partition of the ${resource.kind} was lowered`,
      strategyType: 'spec.updateStrategy.type',
      fields: Object.fromEntries(shape.borrows.map((field) => [field, pathOf(shape, field)])),
      recorded: new Set(['partition']),
      resume: (workload) =>
        `kubectl patch ${noun} ${workload.metadata.name}${namespaceFlag(workload)} --type=merge -p '${JSON.stringify({ spec: whole })}'`,
    },
    openKruise: {
      holds: (workload) => !isFree(workload),
      user: (_workload, partition) => ({ partition: partition ?? null, ...(hasPause(shape) && { paused: null }) }),
    },
    fields,
    edits: partitionEdits(shape, fields),
    borrowed: (workload) => borrowedIn(shape, workload),
    replicas: shape.replicas,
    ...(shape.counted && { counted: shape.counted }),
    minReadySeconds: shape.minReadySeconds,
    strategyType: ({ spec }) => spec.updateStrategy?.type,
    obstacle: shape.obstacle,

    readHold: (workload) => readHeld(shape, workload),
    isPaused: ({ user }) => isPausedBy(shape, { ...user }),
    isPausedBy: (user) => isPausedBy(shape, user),
    mayFreeAtOnce: (held) => !reachesBelow(shape, held),

    progress: (facts, workload, children) => progressOf(shape, kind, facts, workload, children),
    advance: (progress, held, goal) => advance(write, shape, progress, held, goal),
    freeze: (progress, held) => freeze(write, shape, progress, held),
    giveBack: (progress, held, more, leaves) => giveBack(write, shape, progress, held, more, leaves),
    revert: (workload, template, held) => replaceTemplate(resource, workload, template, held),
    // A node that should not run a Pod any more may still have one.
    isSettled: ({ replicas, old, updated, available, unsettled }, tolerated) =>
      replicas > 0 && old === 0 && updated >= replicas && unsettled === undefined && available >= replicas - tolerated,
    repair: () => [],
    // The controllers retry forever.
    remind: () => [],

    isLoose: ({ partition, held, replicas }) =>
      held !== undefined && partition < shape.kept(held.partition ?? shape.all, replicas),
    isStale: ({ held }) => held === undefined,
    holdUnseen({ workload, held, replicas }, { labels, unfinished, granted = [], ...hold }) {
      const ours = [shape.all, ...granted.map((pods) => shape.keeping(replicas - pods, replicas))];
      const user = held?.user ?? (unfinished ? originalUser(shape, workload, ours) : borrowedIn(shape, workload));
      const { made, moved } = held ?? {};
      const again = { ...(made !== undefined && { made }), ...(moved !== undefined && { moved }) };
      return write.held('hold', workload, { ...firstHold(shape, workload, { ...user }, hold), ...again }, labels);
    },
    holdNow: (workload, hold) =>
      write.held('hold', workload, firstHold(shape, workload, borrowedIn(shape, workload), hold)),
    noticeEdits({ workload }, held) {
      const edited = noticed(shape, workload, held);
      return edited === held ? undefined : write.held('hold', workload, edited);
    },
    giveUp: (workload, held, more) => write.free(workload, noticed(shape, workload, held), more),
    resumeUnseen: () => [],
    leave: (workload, more) => patchObject('leave', resource, workload, more),
    whyNoVersion: ({ metadata }) => ({
      failure: undefined,
      what: `the revision of the new version is not created; for the reason, run: kubectl describe ${noun} ${metadata.name}${namespaceFlag({ metadata })}`,
    }),

    podsOf: (workload, { revision }, pods) =>
      pods.filter((pod) => isOwnedBy(pod, workload) && hashOfPod(shape, pod) === revision),
    spending(workload, replicas) {
      const limits = shape.limits(workload, replicas);
      return {
        limits,
        worst(from, target) {
          const more = Math.max(0, target - from);
          return { surge: Math.min(limits.surge, more), unavailable: Math.min(limits.unavailable, more) };
        },
      };
    },
    advise: (rollout, workload) =>
      advise({ rollout, deployment: workload, minReadySeconds: shape.minReadySeconds(workload) }),
  };
  return kind;
}

type Writer = ReturnType<typeof writer>;

const writer = (shape: PartitionShape) => ({
  /** Writes the record and its values. */
  held: (why: Why, workload: Partitioned, held: PartitionHeld, labels: Changes = {}): Effect[] =>
    patchObject(why, shape.resource, workload, {
      labels,
      annotations: { ...heldAnnotations(shape, held), [PAUSED_UNSEEN]: null },
      spec: differing(shape, workload, { ...wantedBy(shape, held) }),
    }),
  /** Writes the user's values, and removes the record. */
  free: (workload: Partitioned, { user, made }: PartitionHeld, more: MetadataChange = {}): Effect[] =>
    patchObject('free', shape.resource, workload, {
      labels: { ...WITHOUT_HOLD.labels, ...more.labels },
      annotations: { ...WITHOUT_HOLD.annotations, [GLASS_BROKEN]: null, ...more.annotations },
      spec: differing(shape, workload, { ...user }, made),
    }),
});

function differing(
  shape: PartitionShape,
  workload: Partitioned,
  wanted: Readonly<Record<string, unknown>>,
  made = 0,
): Readonly<Record<string, unknown>> | undefined {
  const now = borrowedIn(shape, workload);
  const changes = shape.borrows.filter((field) => now[field] !== (wanted[field] ?? null));
  const isBare = shape.borrows.every((field) => (wanted[field] ?? null) === null);
  const empty = isBare ? hollow(shape, workload.spec, made) : undefined;
  if (empty) return empty.reduceRight<object | null>((inner, key) => ({ [key]: inner }), null) as object & Borrowed;
  return changes.length === 0
    ? undefined
    : specPatch(shape, Object.fromEntries(changes.map((field) => [field, wanted[field] ?? null])));
}

/** Lets all but `kept` Pods be updated. */
function grant(
  write: Writer,
  shape: PartitionShape,
  progress: PartitionProgress,
  held: PartitionHeld,
  kept: number,
  why: Why,
): Effect[] {
  const { workload, replicas, stableVersion } = progress;
  const partition = kept === EVERY ? shape.all : shape.keeping(kept, replicas);
  return write.held(why, workload, { ...held, partition }, stableLabel(stableVersion?.revision));
}

const thawed = ({ frozen: _, ...held }: PartitionHeld): PartitionHeld => held;

/**
 * Lets the Pods of the step be updated, with the parallelism of the controller. The partition is lowered only if all Pods that it lets be updated
 * have the new version and are available. It is raised at once, for Pods that are created later.
 */
function advance(
  write: Writer,
  shape: PartitionShape,
  progress: PartitionProgress,
  record: PartitionHeld,
  goal: Goal,
): Move {
  const { replicas, partition, unsettled, row } = progress;
  const updated = row?.ordinals ?? progress.updated;
  const available = row?.available ?? progress.available;
  if (unsettled !== undefined) return wait(unsettled);
  const target = Math.min(replicas, goal.keeps ? Math.max(goal.target, updated) : goal.target);
  const wanted = target === 0 ? EVERY : replicas - target;
  const held = thawed(record);
  if (wanted > partition || (wanted === partition && record.frozen === true)) {
    return act(grant(write, shape, progress, held, wanted, 'hold')) ?? wait('Pods');
  }
  if (wanted < partition) {
    // If no Pod was granted yet, broken Pods of an earlier version do not block the release that fixes them.
    if (partition < replicas && !progress.grantedAreThere) return wait('Pods');
    return act(move(write, shape, progress, held, wanted)) ?? wait('Pods');
  }
  const isDone = available >= target - goal.tolerated && updated >= target && !progress.surges;
  return isDone ? { kind: 'Done' } : wait('Pods');
}

const move = (
  write: Writer,
  shape: PartitionShape,
  progress: PartitionProgress,
  held: PartitionHeld,
  kept: number,
): Effect[] => grant(write, shape, progress, { ...held, moved: formatTime(progress.now) }, kept, 'move');

/** Stops updating Pods. Updated Pods, and those that are already deleted for it, get the new version when they are created again. */
function freeze(
  write: Writer,
  shape: PartitionShape,
  progress: PartitionProgress,
  record: PartitionHeld,
): Move | undefined {
  const { replicas, partition, workload, old } = progress;
  const updated = progress.row?.ordinals ?? progress.updated + progress.missing.pods;
  // With surge Pods, one of the old Pods would be deleted if fewer were kept than exist.
  const exist = shape.indexIn(workload) === undefined ? Math.min(old, replicas) : 0;
  // While the user pauses it with the partition, 0 is another value, so that writing 0 ends the pause.
  const least = isPausedBy(shape, { ...record.user }) ? 1 : 0;
  const at = updated === 0 ? EVERY : Math.max(least, replicas - updated, exist);
  const stops = hasPause(shape) && Math.max(at, partition) < EVERY;
  const isWritten = partition === shape.kept(record.partition ?? shape.all, replicas);
  if (partition >= at && isWritten && (!stops || record.frozen === true)) return undefined;
  const held = noticed(shape, workload, record);
  const brake: PartitionHeld = stops ? { ...held, frozen: true } : thawed(held);
  return act(grant(write, shape, progress, brake, Math.max(at, partition), 'freeze'));
}

/**
 * With a partition of the user, the version of the template first gets all Pods, and becomes the current one: otherwise the Pods that the partition
 * keeps would keep the other version, or get it when they are created again. A Rollout that goes waits only for its rollback.
 */
function giveBack(
  write: Writer,
  shape: PartitionShape,
  progress: PartitionProgress,
  record: PartitionHeld,
  more?: MetadataChange,
  leaves = false,
): Move {
  const { workload, replicas, old, isCurrent, unsettled, partition, newVersion, stableVersion } = progress;
  const held = noticed(shape, workload, record);
  const isBack = newVersion === undefined || newVersion === stableVersion;
  if (reachesBelow(shape, held) && replicas > 0 && (isBack || !leaves)) {
    if (partition > 0 || record.frozen === true)
      return act(move(write, shape, progress, thawed(held), 0)) ?? wait('Pods');
    if (unsettled !== undefined) return wait(unsettled);
    if (old > 0 || !isCurrent) return wait('Pods');
  }
  return act(write.free(workload, held, more)) ?? { kind: 'Done' };
}
