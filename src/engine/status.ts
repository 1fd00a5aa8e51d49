// The next status of a Rollout: a draft that decisions change, and the rule for when to write it.
import type { Outcome, ProgressingReason, StalledReason } from '../api/reasons.ts';
import type {
  CanaryStatus,
  CompletedVersion,
  Condition,
  HistoryEntry,
  Phase,
  Rollout,
  RolloutStatus,
} from '../api/types.ts';
import type { BlockedReason } from './policy/gate.ts';
import { sameJson } from './lib/template.ts';
import { nothing, type Decision, type EventNote } from './decision.ts';
import type { Snapshot } from './snapshot.ts';
import { formatTime, parseTime } from './lib/time.ts';

export interface Draft {
  phase: Phase | '';
  message: string;
  canary: CanaryStatus | undefined;
  conditions: readonly Condition[];
  history: readonly HistoryEntry[];
  completed: readonly CompletedVersion[];
}

const HISTORY_LENGTH = 10;
/**
 * Minimum interval between writes of numbers and messages that follow Pods. Changes that clients wait for are written at once. During a long
 * batch the interval grows: 10 and 40 seconds after its start, then once a minute.
 */
const QUIET_MS = 10_000;
const LONGEST_QUIET_MS = 60_000;

export const draftOf = ({ status }: Rollout): Draft => ({
  phase: status?.phase ?? '',
  message: status?.message ?? '',
  canary: status?.canaryStatus,
  conditions: status?.conditions ?? [],
  history: status?.history ?? [],
  completed: status?.completedVersions ?? [],
});

export const conditionOf = <T extends Pick<Condition, 'type'>>(
  conditions: readonly T[] | undefined,
  type: string,
): T | undefined => conditions?.find((condition) => condition.type === type);

export const isTrue = (rollout: Rollout, type: string): boolean =>
  conditionOf(rollout.status?.conditions, type)?.status === 'True';

/** The reason of the condition Progressing: the stage of the release as a whole. */
export const progressingReason = (rollout: Rollout): ProgressingReason | undefined =>
  conditionOf(rollout.status?.conditions, 'Progressing')?.reason as ProgressingReason | undefined;

export function setCondition(
  draft: Draft,
  now: number,
  type: 'Progressing' | 'Succeeded' | 'Stalled' | 'Bypassed' | 'PolicyBlocked' | 'Terminating',
  status: 'True' | 'False',
  reason:
    | ProgressingReason
    | StalledReason
    | BlockedReason
    | 'Recovered'
    | 'NotSeenByWebhook'
    | 'CreatedDuringRelease'
    | 'InTerminating'
    | '',
  message: string,
): void {
  const old = conditionOf(draft.conditions, type);
  if (old?.status === status && old.reason === reason && old.message === message) return;
  const at = formatTime(now);
  const lastTransitionTime = old?.status === status ? (old.lastTransitionTime ?? at) : at;
  const condition: Condition = { type, status, reason, message, lastUpdateTime: at, lastTransitionTime };
  draft.conditions = old
    ? draft.conditions.map((other) => (other === old ? condition : other))
    : [...draft.conditions, condition];
}

export function dropConditions(draft: Draft, ...types: string[]): void {
  draft.conditions = draft.conditions.filter(({ type }) => !types.includes(type));
}

/** Records the outcome of the release in progress, if there is one. */
export function closeHistory(draft: Draft, now: number, outcome: Outcome): void {
  const [current, ...rest] = draft.history;
  if (!current || current.endTime !== undefined) return;
  const approvals = draft.canary?.approvals;
  const revision = draft.canary?.canaryRevision || current.revision;
  const verdicts = draft.canary?.analysis?.map(({ name, verdict }) => [name, verdict] as const) ?? [];
  draft.history = [
    {
      ...current,
      revision,
      endTime: formatTime(now),
      outcome,
      ...(approvals?.length ? { approvals } : {}),
      ...(verdicts.length > 0 ? { analysis: Object.fromEntries(verdicts) } : {}),
    },
    ...rest,
  ];
}

export function openHistory(draft: Draft, entry: HistoryEntry): void {
  draft.history = [entry, ...draft.history].slice(0, HISTORY_LENGTH);
}

/** Step starts that one entry keeps. */
const STEPS_KEPT = 50;

/** Records the start of a step in the entry of the release in progress. */
export function noteStep(draft: Draft, step: number, now: number): void {
  const [current, ...rest] = draft.history;
  if (!current || current.endTime !== undefined) return;
  const steps = [...(current.steps ?? []), { step, time: formatTime(now) }].slice(-STEPS_KEPT);
  draft.history = [{ ...current, steps }, ...rest];
}

/** Adds to the entry of the release in progress, if there is one. */
export function noteInHistory(draft: Draft, note: Pick<HistoryEntry, 'bypassed'>): void {
  const [current, ...rest] = draft.history;
  if (current && current.endTime === undefined) draft.history = [{ ...current, ...note }, ...rest];
}

/**
 * The status to write now, or the time of the next decision if the difference can wait. `reportedAt`: when this process last wrote the status, in
 * milliseconds.
 */
export function settle(
  rollout: Rollout,
  draft: Draft,
  now: number,
  reportedAt: number | undefined,
): { status?: RolloutStatus; againAfterMs?: number } {
  const { canary } = draft;
  const status: RolloutStatus = {
    observedGeneration: rollout.metadata.generation ?? 0,
    phase: draft.phase,
    message: draft.message,
    currentStepIndex: canary?.currentStepIndex ?? 0,
    currentStepState: canary?.currentStepState ?? '',
    conditions: draft.conditions,
    ...(canary ? { canaryStatus: { ...canary, message: draft.message } } : {}),
    ...(draft.history.length > 0 ? { history: draft.history } : {}),
    ...(draft.completed.length > 0 ? { completedVersions: draft.completed } : {}),
  };
  const old = rollout.status;
  if (sameJson(status, old)) return {};
  const againAfterMs = reportedAt === undefined ? 0 : reportedAt + quietMs(canary, old?.canaryStatus, reportedAt) - now;
  // While a step waits, only scaling changes the number of updated Pods, and without checks and failing Pods only people change what it waits for.
  const stalls = conditionOf(draft.conditions, 'Stalled')?.status === 'True';
  const told = canary?.analysis === undefined && !stalls && old?.message !== draft.message;
  const isNews = isWaiting(old?.canaryStatus) && (told || old?.canaryStatus?.canaryReplicas !== canary?.canaryReplicas);
  const canWait = old !== undefined && !isNews && sameJson(essence(status), essence(old));
  return canWait && againAfterMs > 0 ? { againAfterMs } : { status };
}

const isWaiting = (canary: CanaryStatus | undefined): boolean =>
  canary !== undefined && ['StepMetricsAnalysis', 'StepPaused', 'StepReady'].includes(canary.currentStepState);

function quietMs(canary: CanaryStatus | undefined, old: CanaryStatus | undefined, reportedAt: number): number {
  // A verdict can change with each look, and numbers do.
  if (!sameJson(verdictsOf(canary), verdictsOf(old))) return QUIET_MS;
  if (canary?.analysis !== undefined && canary.currentStepState !== 'StepUpgrade') return LONGEST_QUIET_MS;
  const since = canary?.currentStepState === 'StepUpgrade' ? parseTime(canary.lastUpdateTime) : undefined;
  return since === undefined ? QUIET_MS : Math.min(Math.max(3 * (reportedAt - since), QUIET_MS), LONGEST_QUIET_MS);
}

const verdictsOf = (canary: CanaryStatus | undefined): unknown =>
  canary?.analysis?.map(({ name, verdict }) => [name, verdict]);

/** A decision that only writes the status and events. */
export function report(snapshot: Snapshot, draft: Draft, events: readonly EventNote[]): Decision {
  const { status, againAfterMs } = settle(snapshot.rollout, draft, snapshot.now, snapshot.reportedAt);
  return {
    ...nothing,
    events,
    ...(status ? { status } : {}),
    ...(againAfterMs === undefined ? {} : { againAfterMs }),
  };
}

const FOLLOWS_PODS = new Set([
  'analysis',
  'message',
  'canaryReplicas',
  'canaryReadyReplicas',
  'canaryRevision',
  'podTemplateHash',
  'observedWorkloadGeneration',
]);

/** The status without the fields that follow the Pods, and without the numbers of the checks. */
function essence(status: RolloutStatus): unknown {
  const { message: _, canaryStatus, conditions, ...rest } = status;
  const canary = Object.entries(canaryStatus ?? {}).filter(([field]) => !FOLLOWS_PODS.has(field));
  return {
    ...rest,
    canary: Object.fromEntries(canary),
    checks: canaryStatus?.analysis?.map(({ name, verdict, check, acceptedBy, total }) => [
      name,
      verdict === 'Worse',
      check,
      acceptedBy,
      // The first requests are reported at once.
      (total ?? 0) > 0,
    ]),
    conditions: conditions?.map(({ type, status: state, reason }) => [type, state, reason]),
  };
}
