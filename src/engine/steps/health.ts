// What stops a step: a pause, or Pods that fail or are not created.
import { hasComeBack } from '../release/start.ts';
import { dueSince, lacksVersion, missingPods } from './missing.ts';
import { DEFAULT_DEADLINE_SECONDS, judgePods, podsIn, type Health } from './pod-health.ts';
import type { Effect } from '../decision.ts';
import { conditionOf, progressingReason, setCondition } from '../status.ts';
import type { Answer, Run } from './run.ts';
import { effectsOf } from '../workload/kind.ts';
import { formatTime, parseTime } from '../lib/time.ts';
import { wayBack } from '../release/way-back.ts';
import * as messages from '../messages.ts';

const REMIND_MS = 300_000;
/** After an outage all Pods seem late until the controllers and kubelets catch up. A rollback waits this long. */
const LATE_FOR_MS = 30_000;

/** What the release waits for while it is paused. Undefined if it is not paused. No budget is granted and no timer runs during a pause. */
export function frozenBy({ snapshot, progress, held }: Run): string | undefined {
  if (snapshot.rollout.spec.strategy.paused === true) return 'spec.strategy.paused is removed from the Rollout';
  if (progress.kind.isPaused(held)) return 'spec.paused is removed from the Deployment';
  return undefined;
}

export function stayFrozen(run: Run, waitsFor: string): Answer {
  const { snapshot, progress, held, draft, name, events } = run;
  draft.message = `${name} paused until ${waitsFor}`;
  if (progressingReason(snapshot.rollout) !== 'Paused')
    events.push({ reason: 'ReleasePaused', message: draft.message });
  setCondition(draft, snapshot.now, 'Progressing', 'True', 'Paused', 'Rollout has been paused');
  return { effects: effectsOf(progress.kind.freeze(progress, held)) };
}

/** Ends a pause. The timers of the step continue where they stopped. */
export function resume({ snapshot, draft, events, name }: Run): void {
  const { rollout, now } = snapshot;
  const before = conditionOf(rollout.status?.conditions, 'Progressing');
  setCondition(draft, now, 'Progressing', 'True', 'InRolling', 'Rollout is in Progressing');
  if (before?.reason !== 'Paused') return;
  const pausedFor = now - (parseTime(before.lastUpdateTime) ?? now);
  const since = parseTime(draft.canary!.lastUpdateTime) ?? now;
  draft.canary = { ...draft.canary!, lastUpdateTime: formatTime(Math.min(now, since + pausedFor)) };
  events.push({ reason: 'ReleaseResumed', message: `${name}: the release continues` });
}

export function healthOf(run: Run): Health {
  const { snapshot, progress, draft } = run;
  const { rollout, now } = snapshot;
  return judgePods(progress.pods, {
    now,
    minReadySeconds: progress.minReadySeconds,
    stepStartedAt: parseTime(draft.canary!.lastUpdateTime) ?? now,
    stepDeadlineSeconds: rollout.spec.strategy.canary?.stepDeadlineSeconds ?? DEFAULT_DEADLINE_SECONDS,
    dueSince: dueSince(run),
    failed: progress.failed,
    missing: missingPods(run),
  });
}

/**
 * The Deployment controller retries for a few minutes to create a ReplicaSet, and then only when the Deployment changes. This changes the record to
 * make it retry. Undefined if no retry is needed.
 */
export function remind(run: Run): { readonly effects: readonly Effect[]; readonly againAtMs: number } | undefined {
  const { snapshot, progress, held } = run;
  if (!lacksVersion(run) || !progress.moving) return undefined;
  const last = Math.max(parseTime(held.moved) ?? 0, parseTime(held.reminded) ?? 0);
  const againAtMs = last + REMIND_MS;
  if (againAtMs > snapshot.now) return { effects: [], againAtMs };
  const reminded = { ...held, reminded: formatTime(snapshot.now) };
  const effects = progress.kind.remind(progress, reminded);
  return { effects, againAtMs: snapshot.now + REMIND_MS };
}

/** True if another program changed the rollback of the failed release into this release. Another rollback would give the same result. */
const isChangedBack = ({ held, draft }: Run): boolean =>
  held.bypassed === messages.changedBack && hasComeBack(draft.history);

/** The decision for a stalled step: stop, or roll back to the stable version. Undefined if the step may continue. */
export function judge(run: Run, health: Health): Answer | undefined {
  const { snapshot, progress, held, goal, draft, name, events } = run;
  const { now, rollout } = snapshot;
  const before = conditionOf(draft.conditions, 'Stalled');
  const upgrading = draft.canary!.currentStepState === 'StepUpgrade';
  const failing = podsIn(health.failing) > goal.tolerated;
  if (!failing && !(upgrading && podsIn(health.late) > goal.tolerated)) {
    if (before?.status === 'True') {
      setCondition(draft, now, 'Stalled', 'False', 'Recovered', '');
      events.push({ reason: 'Recovered', message: `${name}: the Pods are available, the release continues` });
    }
    return undefined;
  }
  const reason = failing ? 'PodsFailing' : 'StepDeadlineExceeded';
  const message = messages.stalled(name, failing ? health.failing : health.late);
  const goesBack = rollout.spec.strategy.canary?.onFailure === 'Rollback' && !isChangedBack(run);
  const way = goesBack ? wayBack(snapshot, progress, held) : undefined;
  if (way?.kind === 'Ask') return { needsCopy: way.decision.needsCopy };
  const rollsBack = way?.kind === 'Template';
  draft.message = rollsBack ? message : messages.withWayBack(message, rollout, progress.stableVersion !== undefined);
  if (way?.kind === 'Unknown') draft.message = `${message}; ${messages.stableUnknown(progress.workload.metadata.name)}`;
  setCondition(draft, now, 'Stalled', 'True', reason, message);
  if (before?.status !== 'True') events.push({ reason: 'Stalled', message: draft.message });
  if (!rollsBack) {
    // Without a ReplicaSet the Deployment stays resumed: a paused Deployment gets none, and no budget is spent without one.
    const reminder = remind(run);
    const effects = reminder?.effects ?? effectsOf(progress.kind.freeze(progress, held));
    return { effects, againAtMs: Math.min(health.changesAt ?? Infinity, reminder?.againAtMs ?? Infinity) };
  }
  // The reason is written to the status before the template is restored, so that a new operator knows it.
  const since = before?.status === 'True' ? (parseTime(before.lastTransitionTime) ?? now) : now;
  const from = failing ? since : since + LATE_FOR_MS;
  if (before?.status !== 'True' || from > now) return { againAtMs: Math.min(from, health.changesAt ?? Infinity) };
  draft.message = `${name} failed: rolling back to the stable version because of ${messages.namePods(failing ? health.failing : health.late)}`;
  events.push({ reason: 'FailureRollback', message: draft.message });
  return { effects: [progress.kind.revert(progress.workload, way.template)] };
}
