// What stops a step: a pause, or Pods that fail or are not created.
import type { StalledReason } from '../../api/reasons.ts';
import { rollsBack, waitForPerson, type Checks } from './analysis.ts';
import { hasComeBack } from '../release/start.ts';
import { dueSince, lacksVersion, missingPods } from './missing.ts';
import { DEFAULT_DEADLINE_SECONDS, judgePods, podsIn, type Health } from './pod-health.ts';
import type { Effect } from '../decision.ts';
import { conditionOf, progressingReason, setCondition } from '../status.ts';
import type { Answer, Run } from './run.ts';
import { effectsOf } from '../workload/kind.ts';
import { earliest, formatTime, parseTime } from '../lib/time.ts';
import { pauseSeconds } from '../lib/pause.ts';
import { wayBack } from '../release/way-back.ts';
import * as messages from '../messages.ts';

const REMIND_MS = 300_000;
/** After an outage all Pods seem late until the controllers and kubelets catch up. A rollback waits this long. */
const LATE_FOR_MS = 30_000;

/** What the release waits for while it is paused. Undefined if it is not paused. No budget is granted and no timer runs during a pause. */
export function frozenBy({ snapshot, progress, held }: Run): string | undefined {
  if (snapshot.rollout.spec.strategy.paused === true) return 'spec.strategy.paused is removed from the Rollout';
  const { isPaused, words, resource } = progress.kind;
  if (isPaused(held)) return `${words.pause} is removed from the ${resource.kind}`;
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

/** Why a step may not continue. */
interface Cause {
  readonly reason: StalledReason;
  readonly message: string;
  /** The cause in a few words, for the message of a rollback. */
  readonly brief: string;
  readonly mayRollBack: boolean;
  /** How long it must last before a rollback, in milliseconds. */
  readonly lastsMs: number;
  /** A person must let the release go on: it does not recover. */
  readonly needsPerson?: true;
}

function causeOf(run: Run, health: Health, { failed, blindForLong }: Checks): Cause | undefined {
  const { snapshot, goal, draft, name } = run;
  const rollback = snapshot.rollout.spec.strategy.canary?.onFailure === 'Rollback';
  const ofPods = (reason: StalledReason, pods: Health['failing'], lastsMs: number): Cause => ({
    reason,
    message: messages.stalled(name, pods),
    brief: messages.namePods(pods),
    mayRollBack: rollback,
    lastsMs,
  });
  const state = draft.canary!.currentStepState;
  if (podsIn(health.failing) > goal.tolerated) return ofPods('PodsFailing', health.failing, 0);
  if (failed !== undefined)
    return {
      reason: 'AnalysisFailed',
      message: messages.checkFailed(name, failed),
      brief: `check ${failed.name}`,
      mayRollBack: rollsBack(run, failed),
      lastsMs: 0,
      needsPerson: true,
    };
  if (state === 'StepUpgrade' && podsIn(health.late) > goal.tolerated)
    return ofPods('StepDeadlineExceeded', health.late, LATE_FOR_MS);
  // A timed pause waits for data, too.
  const waits = state === 'StepMetricsAnalysis' || (state === 'StepPaused' && pauseSeconds(run.step) !== Infinity);
  if (!waits || blindForLong === undefined) return undefined;
  const message = messages.waitsForCheck(name, blindForLong);
  return { reason: 'AnalysisUnknown', message, brief: blindForLong, mayRollBack: false, lastsMs: 0 };
}

/** The decision for a stalled step: stop, or roll back to the stable version. Undefined if the step may continue. */
export function judge(run: Run, health: Health, checks: Checks): Answer | undefined {
  const { snapshot, progress, held, draft, name, events } = run;
  const { now, rollout } = snapshot;
  const { words, resource } = progress.kind;
  const before = conditionOf(draft.conditions, 'Stalled');
  const cause = causeOf(run, health, checks);
  if (cause === undefined) {
    // The traffic of the release says itself when it goes on.
    if (before?.status === 'True' && before.reason !== 'TrafficBlocked') {
      setCondition(draft, now, 'Stalled', 'False', 'Recovered', '');
      events.push({ reason: 'Recovered', message: messages.recovered(name, before.reason) });
    }
    return undefined;
  }
  const { reason, message } = cause;
  const goesBack = cause.mayRollBack && !isChangedBack(run);
  const way = goesBack ? wayBack(snapshot, progress, held) : undefined;
  if (way?.kind === 'Ask') return { needsCopy: way.decision.needsCopy };
  const goesBackNow = way?.kind === 'Template';
  draft.message = goesBackNow
    ? message
    : messages.withWayBack(message, rollout, progress.stableVersion !== undefined, words.keeper);
  if (way?.kind === 'Unknown')
    draft.message = `${message}; ${messages.stableUnknown(resource.kind, progress.workload.metadata.name)}`;
  setCondition(draft, now, 'Stalled', 'True', reason, message);
  const news = before?.status !== 'True' || (before.reason !== reason && cause.needsPerson === true);
  if (news) events.push({ reason: 'Stalled', message: draft.message });
  if (!goesBackNow) {
    if (cause.needsPerson) waitForPerson(run);
    // Without a ReplicaSet the Deployment stays resumed: a paused Deployment gets none, and no budget is spent without one.
    const reminder = remind(run);
    const effects = reminder?.effects ?? effectsOf(progress.kind.freeze(progress, held));
    return { effects, againAtMs: earliest(health.changesAt, reminder?.againAtMs) };
  }
  // The reason is written to the status before the template is restored, so that a new operator knows it.
  const written = before?.status === 'True' && before.reason === reason;
  const from = (written ? (parseTime(before.lastTransitionTime) ?? now) : now) + cause.lastsMs;
  if (!written || from > now) return { againAtMs: earliest(from, health.changesAt) };
  draft.message = `${name} failed: rolling back to the stable version because of ${cause.brief}`;
  events.push({ reason: 'FailureRollback', message: draft.message });
  return { effects: [progress.kind.revert(progress.workload, way.template)] };
}
