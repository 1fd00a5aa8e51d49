// The workload kind DaemonSet, released by evictions of its Pods (docs/daemonsets.md).
import { GLASS_BROKEN, PAUSED_UNSEEN } from '../../../api/keys.ts';
import { DAEMON_SETS } from '../../../api/resources.ts';
import type { DaemonSet, Pod } from '../../../api/types.ts';
import type { Effect, Why } from '../../decision.ts';
import { nodesOf, podsOf } from '../../lib/replicas.ts';
import { namespaceFlag } from '../../lib/text.ts';
import { formatTime } from '../../lib/time.ts';
import { advise } from '../../validate/advice.ts';
import { patchObject, replaceTemplate, stableLabel } from '../effects.ts';
import { evictAgainAt, evictPod, refusalOf } from '../eviction.ts';
import {
  act,
  wait,
  type Changes,
  type Goal,
  type MetadataChange,
  type Move,
  type Obstacle,
  type WorkloadKind,
} from '../kind.ts';
import { isOwnedBy } from '../pods.ts';
import { WITHOUT_HOLD } from '../record.ts';
import { revisionOf } from '../revisions.ts';
import { daemonSetEdits, daemonSetFields } from './edits.ts';
import {
  firstHold,
  hasSigns,
  heldAnnotations,
  HOLDS,
  isHolding,
  readHeld,
  typeOf,
  typePatch,
  USUAL,
  type DaemonHeld,
} from './hold.ts';
import * as messages from './messages.ts';
import { atOnce } from './placement.ts';
import { countedNodes, progressOf, type DaemonProgress } from './progress.ts';

const FIELD = 'spec.updateStrategy.type';

export const daemonSetKind: WorkloadKind<DaemonSet, DaemonHeld, DaemonProgress> = {
  resource: DAEMON_SETS,
  workloadType: 'daemonset',
  children: ['pods', 'revisions'],
  words: {
    keeper: 'ControllerRevision',
    pause: `${FIELD} ${HOLDS}`,
    pausedBy: 'type',
    unpause: typePatch(USUAL),
    resumed: `the update strategy of the DaemonSet was set to ${USUAL}`,
    strategyType: FIELD,
    fields: { type: FIELD },
    recorded: new Set(['type']),
    whole: typePatch(USUAL),
    none: messages.noNodes,
    resume: (daemonSet) =>
      `kubectl patch daemonset ${daemonSet.metadata.name}${namespaceFlag(daemonSet)} --type=merge -p '${JSON.stringify({ spec: typePatch(USUAL) })}'`,
  },
  openKruise: { holds: isHolding, user: () => ({ type: USUAL }), known: true },
  fields: daemonSetFields,
  edits: daemonSetEdits,
  borrowed: (daemonSet) => ({ type: typeOf(daemonSet) }),
  replicas: nodesOf,
  counted: countedNodes,
  minReadySeconds: ({ spec }) => spec.minReadySeconds ?? 0,
  // During a hold, the type is Tranche's.
  strategyType: (daemonSet) => readHeld(daemonSet)?.user.type ?? typeOf(daemonSet),
  obstacle,

  readHold: readHeld,
  // spec.strategy.paused of the Rollout pauses it.
  isPaused: () => false,
  isPausedBy: () => false,
  mayFreeAtOnce: () => true,

  progress: (facts, daemonSet, children) => progressOf(daemonSetKind, facts, daemonSet, children),
  advance,
  freeze: ({ workload, stableVersion }, held) =>
    isHolding(workload) ? undefined : act(patchHeld('freeze', workload, held, stableLabel(stableVersion?.revision))),
  giveBack: ({ workload }, held, more) => act(free(workload, held, more)) ?? { kind: 'Done' },
  revert: (daemonSet, template, held) => replaceTemplate(DAEMON_SETS, daemonSet, template, held),
  isSettled: ({ replicas, old, updated, available, unsettled }, tolerated) =>
    old === 0 && updated >= replicas && unsettled === undefined && available >= replicas - tolerated,
  repair: () => [],
  // The DaemonSet controller retries forever.
  remind: () => [],

  isLoose: ({ workload, held }) => held !== undefined && !isHolding(workload),
  isStale: ({ held }) => held === undefined,
  holdUnseen: ({ workload }, { labels, unfinished: _, ...hold }) =>
    patchHeld('hold', workload, firstHold(hold), labels),
  holdNow: (daemonSet, hold) => patchHeld('hold', daemonSet, firstHold(hold)),
  // Another type than that of the hold makes it loose.
  noticeEdits: () => undefined,
  giveUp: free,
  resumeUnseen: () => [],
  leave: (daemonSet, more) => patchObject('leave', DAEMON_SETS, daemonSet, more),
  whyNoVersion: ({ metadata }) => ({
    failure: undefined,
    what: `the revision of the new version is not created; for the reason, run: kubectl describe daemonset ${metadata.name}${namespaceFlag({ metadata })}`,
  }),

  podsOf: (daemonSet, { revision }, pods) =>
    pods.filter((pod) => isOwnedBy(pod, daemonSet) && revisionOf(pod) === revision),
  atOnce,
  beyond: ({ updated }, target) => (updated > target ? messages.surplus(updated - target) : undefined),
  spending(daemonSet, replicas) {
    const unavailable = maxUnavailable(daemonSet, replicas);
    return {
      limits: { surge: 0, unavailable },
      worst: (from, target) => ({ surge: 0, unavailable: Math.min(unavailable, Math.max(0, target - from)) }),
    };
  },
  warnings,
  advise: (rollout, daemonSet) => [
    ...advise({ rollout, deployment: daemonSet, minReadySeconds: daemonSetKind.minReadySeconds(daemonSet) }),
    ...warnings(daemonSet),
  ],
};

/** As the DaemonSet controller computes it. With maxSurge, it may be 0, and a release needs one. */
const maxUnavailable = ({ spec }: DaemonSet, replicas: number): number =>
  Math.max(1, podsOf(spec.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1, replicas, 'up'));

function warnings(daemonSet: DaemonSet): string[] {
  const { maxSurge = 0 } = daemonSet.spec.updateStrategy?.rollingUpdate ?? {};
  return maxSurge === 0 || maxSurge === '0%' ? [] : [messages.surges(daemonSet)];
}

/** A rollback must replace Pods at once, and with OnDelete no controller does. */
function obstacle(daemonSet: DaemonSet): Obstacle | undefined {
  if (!isHolding(daemonSet) || hasSigns(daemonSet)) return undefined;
  const words = {
    strategy: 'update strategy OnDelete',
    why: 'updates a Pod only after somebody deletes it, also in a rollback',
    effect: 'updates a Pod only after somebody deletes it',
    remedy: 'set spec.updateStrategy.type to RollingUpdate',
  };
  const message = `DaemonSet "${daemonSet.metadata.name}" has ${words.strategy}, which ${words.why}: ${words.remedy}`;
  return { reason: 'OnDeleteStrategy', message, ...words };
}

/** Writes the record and the type that holds every Pod. */
const patchHeld = (why: Why, daemonSet: DaemonSet, held: DaemonHeld, labels: Changes = {}): Effect[] =>
  patchObject(why, DAEMON_SETS, daemonSet, {
    labels,
    annotations: { ...heldAnnotations(held), [PAUSED_UNSEEN]: null },
    spec: isHolding(daemonSet) ? undefined : typePatch(HOLDS),
  });

function free(daemonSet: DaemonSet, { user }: DaemonHeld, more: MetadataChange = {}): Effect[] {
  return patchObject('free', DAEMON_SETS, daemonSet, {
    labels: { ...WITHOUT_HOLD.labels, ...more.labels },
    annotations: { ...WITHOUT_HOLD.annotations, [GLASS_BROKEN]: null, ...more.annotations },
    spec: typeOf(daemonSet) === user.type ? undefined : typePatch(user.type),
  });
}

/**
 * Evicts one Pod of an old version: never one that would bring the step above its target, and an available one only if no more than maxUnavailable
 * are unavailable after it. Nodes whose Pod is terminating or missing count as unavailable, and as updated, because their next Pod is a new one. The
 * Pods are counted, so this is the same after a crash, and a status with too many nodes stops evictions.
 */
function advance(progress: DaemonProgress, _held: DaemonHeld, goal: Goal): Move {
  const { now, workload, replicas, updated, available, granted, unavailable, unsettled, evictions } = progress;
  if (unsettled !== undefined) return wait(unsettled);
  const uncounted = progress.pods.length - updated;
  const target = Math.min(replicas, goal.keeps ? Math.max(goal.target, updated) : goal.target);
  if (updated >= target && available >= target - goal.tolerated) return { kind: 'Done' };
  const max = maxUnavailable(workload, replicas);
  const due = dueOf(progress, target - granted, max);
  const [next] = due;
  if (next === undefined)
    return wait(
      granted < target ? messages.unavailable(unavailable, progress.nodes, max) : messages.pending(uncounted),
      progress.newsAt,
    );
  const since = formatTime(progress.dueAt);
  if (!progress.evicts) return wait(messages.asks(due, since));
  if (progress.isNew) return wait('Pods', progress.newsAt);
  const again = evictAgainAt(next, evictions, now);
  const refusal = refusalOf(next, evictions);
  if (again !== undefined) return wait(refusal === undefined ? 'Pods' : messages.refused(next, refusal, since), again);
  return { kind: 'Act', effect: evictPod({ pod: next, says: messages.evicted(next, granted + 1, target) }) };
}

/** At most `room` Pods that may be replaced now. One that is not Ready takes nothing away; an available one must be within maxUnavailable. */
function dueOf({ replaceable, unavailable }: DaemonProgress, room: number, max: number): readonly Pod[] {
  const due: Pod[] = [];
  let missing = unavailable;
  for (const { pod, isReady, isAvailable } of replaceable.slice(0, Math.max(0, room))) {
    if (isAvailable) missing += 1;
    if (isReady && missing > max) break;
    due.push(pod);
  }
  return due;
}
