// The workload kind StatefulSet, released with partitions. It is disabled (registry.ts).
import { annotationPath } from '../../lib/json-patch.ts';
import { HELD, PAUSED_UNSEEN } from '../../../api/keys.ts';
import { STATEFUL_SETS } from '../../../api/resources.ts';
import type { StatefulSet } from '../../../api/types.ts';
import type { Effect, Why } from '../../decision.ts';
import { formatTime } from '../../lib/time.ts';
import { advise } from '../../validate/advice.ts';
import { patchObject, stableLabel, version } from '../effects.ts';
import { act, wait, type Changes, type Goal, type MetadataChange, type Move, type WorkloadKind } from '../kind.ts';
import { WITHOUT_HOLD } from '../record.ts';
import { statefulSetEdits, statefulSetFields } from './edits.ts';
import { ALL, firstHold, heldAnnotations, partitionOf, partitionPatch, readHeld, type PartitionHeld } from './hold.ts';
import { progressOf, type PartitionProgress } from './progress.ts';

export const statefulSetKind: WorkloadKind<StatefulSet, PartitionHeld, PartitionProgress> = {
  resource: STATEFUL_SETS,
  workloadType: 'statefulset',
  children: ['pods', 'revisions'],
  fields: statefulSetFields,
  edits: statefulSetEdits,
  borrowed: (set) => ({ partition: partitionOf(set) }),
  replicas: ({ spec }) => spec.replicas ?? 1,
  obstacle({ metadata, spec }) {
    if (spec.updateStrategy?.type !== 'OnDelete') return undefined;
    const message = `StatefulSet "${metadata.name}" has update strategy OnDelete, so its controller does not replace Pods: set spec.updateStrategy.type to RollingUpdate`;
    return { reason: 'OnDeleteStrategy', message };
  },

  readHold: readHeld,
  isPaused: ({ user }) => user.partition === ALL,
  mayFreeAtOnce: () => true,

  progress: (facts, set, children) => progressOf(statefulSetKind, facts, set, children),
  advance,
  freeze,
  giveBack: ({ workload }, held, more) => act(free(workload, held, more)) ?? { kind: 'Done' },
  revert: (set, template, held) => ({
    kind: 'Patch',
    why: 'revert',
    resource: STATEFUL_SETS,
    before: set,
    patch: [
      { op: 'replace', path: '/metadata/resourceVersion', value: version(set) },
      { op: 'replace', path: '/spec/template', value: template },
      ...(held ? ([{ op: 'add', path: annotationPath(HELD), value: JSON.stringify(held) }] as const) : []),
    ],
  }),
  isSettled: ({ replicas, old, updated, available, unsettled }, tolerated) =>
    replicas > 0 && old === 0 && updated === replicas && unsettled === undefined && available >= replicas - tolerated,
  repair: () => [],
  // The StatefulSet controller retries forever.
  remind: () => [],

  isLoose: ({ partition, held }) => held !== undefined && partition < (held.partition ?? ALL),
  isStale: ({ held }) => held === undefined,
  holdUnseen: ({ workload, held }, { labels, ...hold }) =>
    patchHeld('hold', workload, firstHold(held?.user.partition ?? partitionOf(workload), hold), labels),
  holdNow: (set, hold) => patchHeld('hold', set, firstHold(partitionOf(set), hold)),
  noticeEdits({ workload, partition }, held) {
    if (partition === (held.partition ?? ALL)) return undefined;
    return patchHeld('hold', workload, { ...held, user: { partition: partitionOf(workload) } });
  },
  giveUp: (set, held, more) => free(set, held, more),
  resumeUnseen: () => [],
  leave: (set, more) => patchObject('leave', STATEFUL_SETS, set, more),
  whyNoVersion: ({ metadata: { name } }) => ({
    failure: undefined,
    what: `the revision of the new version is not created; for the reason, run: kubectl describe statefulset ${name}`,
  }),

  spending: () => ({
    limits: { surge: 0, unavailable: 1 },
    worst: (from, target) => ({ surge: 0, unavailable: from < target ? 1 : 0 }),
  }),
  advise: (rollout, set) => advise({ rollout, deployment: set }),
};

/** Writes the record and its partition. */
function patchHeld(why: Why, set: StatefulSet, held: PartitionHeld, labels: Changes = {}): Effect[] {
  const wanted = held.partition ?? ALL;
  return patchObject(why, STATEFUL_SETS, set, {
    labels,
    annotations: { ...heldAnnotations(held), [PAUSED_UNSEEN]: null },
    spec: partitionOf(set) === wanted ? undefined : partitionPatch(wanted),
  });
}

function free(set: StatefulSet, { user }: PartitionHeld, more: MetadataChange = {}): Effect[] {
  return patchObject('free', STATEFUL_SETS, set, {
    labels: { ...WITHOUT_HOLD.labels, ...more.labels },
    annotations: { ...WITHOUT_HOLD.annotations, ...more.annotations },
    spec: partitionOf(set) === user.partition ? undefined : partitionPatch(user.partition),
  });
}

const grant = (progress: PartitionProgress, held: PartitionHeld, partition: number, why: Why): Effect[] =>
  patchHeld(why, progress.workload, { ...held, partition }, stableLabel(progress.stableVersion?.revision));

/**
 * Updates the Pods from index R - T on, highest first, with the parallelism of the StatefulSet. The partition is lowered only if all Pods above it
 * are updated and available. It is raised at once, for Pods that are created later.
 */
function advance(progress: PartitionProgress, held: PartitionHeld, goal: Goal): Move {
  const { replicas, updated, available, partition, unsettled } = progress;
  if (unsettled !== undefined) return wait(unsettled);
  const target = Math.min(replicas, goal.keeps ? Math.max(goal.target, updated) : goal.target);
  const wanted = target === 0 ? ALL : replicas - target;
  if (wanted > partition) return act(grant(progress, held, wanted, 'hold')) ?? wait('Pods');
  if (wanted < partition) {
    // If no Pod was granted yet, broken Pods of an earlier version do not block the release that fixes them.
    if (partition < replicas && !progress.grantedAreThere) return wait('Pods');
    const moved = formatTime(progress.now);
    return act(grant(progress, { ...held, moved }, wanted, 'move')) ?? wait('Pods');
  }
  return available >= target - goal.tolerated && updated >= target ? { kind: 'Done' } : wait('Pods');
}

/** Stops updating Pods. Updated Pods keep their version when they are recreated. */
function freeze(progress: PartitionProgress, held: PartitionHeld): Move | undefined {
  const { replicas, updated, partition } = progress;
  const at = updated === 0 ? ALL : replicas - updated;
  return partition >= at ? undefined : act(grant(progress, held, at, 'freeze'));
}
