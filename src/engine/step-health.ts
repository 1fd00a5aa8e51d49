// What stops a step: a pause, or Pods that fail.
import { freeze } from './budget.ts';
import { revertDeployment } from './effects.ts';
import { judgePods, type Health } from './signals.ts';
import { conditionOf, progressingReason, setCondition } from './status.ts';
import { effectsOf, type Answer, type Run } from './step-run.ts';
import { formatTime, parseTime } from './time.ts';
import { wayBack } from './way-back.ts';
import * as words from './words.ts';

const DEFAULT_DEADLINE_SECONDS = 600;

/** Why no budget is spent and no timer runs; undefined when nothing freezes the release. */
export function frozenBy({ snapshot, held }: Run): string | undefined {
  if (snapshot.rollout.spec.strategy.paused === true) return 'spec.strategy.paused is taken off the Rollout';
  if (held.user.paused === true) return 'the Deployment is resumed: its own spec.paused is set';
  return undefined;
}

export function stayFrozen(run: Run, waitsFor: string): Answer {
  const { snapshot, view, held, draft, name, events } = run;
  draft.message = `${name} paused until ${waitsFor}`;
  if (progressingReason(snapshot.rollout) !== 'Paused')
    events.push({ reason: 'ReleasePaused', message: draft.message });
  setCondition(draft, snapshot.now, 'Progressing', 'True', 'Paused', 'Rollout has been paused');
  return { effects: effectsOf(freeze(view, held)) };
}

/** After a pause the step's timers go on where they were. */
export function resume({ snapshot, draft, events, name }: Run): void {
  const { rollout, now } = snapshot;
  const before = conditionOf(rollout.status?.conditions, 'Progressing');
  setCondition(draft, now, 'Progressing', 'True', 'InRolling', 'Rollout is in Progressing');
  if (before?.reason !== 'Paused') return;
  const pausedFor = now - (parseTime(before.lastUpdateTime) ?? now);
  const since = parseTime(draft.canary!.lastUpdateTime) ?? now;
  draft.canary = { ...draft.canary!, lastUpdateTime: formatTime(Math.min(now, since + pausedFor)) };
  events.push({ reason: 'ReleaseResumed', message: `${name}: the release goes on` });
}

export function healthOf({ snapshot, view, draft }: Run): Health {
  const { rollout, now } = snapshot;
  return judgePods(view.pods, {
    now,
    minReadySeconds: view.minReadySeconds,
    stepStartedAt: parseTime(draft.canary!.lastUpdateTime) ?? now,
    stepDeadlineSeconds: rollout.spec.strategy.canary?.stepDeadlineSeconds ?? DEFAULT_DEADLINE_SECONDS,
  });
}

/** Stalled: nothing more is spent, or the stable version is put back. Undefined when the step may go on. */
export function judge(run: Run, health: Health): Answer | undefined {
  const { snapshot, view, held, goal, draft, name, events } = run;
  const { now, rollout } = snapshot;
  const before = conditionOf(draft.conditions, 'Stalled');
  const upgrading = draft.canary!.currentStepState === 'StepUpgrade';
  const failing = health.failing.length > goal.tolerated;
  if (!failing && !(upgrading && health.late.length > goal.tolerated)) {
    if (before?.status === 'True') {
      setCondition(draft, now, 'Stalled', 'False', 'Recovered', '');
      events.push({ reason: 'Recovered', message: `${name}: the Pods are available, the release goes on` });
    }
    return undefined;
  }
  const reason = failing ? 'PodsFailing' : 'StepDeadlineExceeded';
  const message = words.stalled(name, failing ? health.failing : health.late);
  const way = rollout.spec.strategy.canary?.onFailure === 'Rollback' ? wayBack(snapshot, view, held) : undefined;
  if (way?.kind === 'Ask') return { needsCopy: way.decision.needsCopy };
  const rollsBack = way?.kind === 'Template';
  draft.message = rollsBack ? message : words.withWayBack(message, rollout, view.stableSet !== undefined);
  if (way?.kind === 'Unknown') draft.message = `${message}; ${words.stableUnknown(view.deployment.metadata.name)}`;
  setCondition(draft, now, 'Stalled', 'True', reason, message);
  if (before?.status !== 'True') events.push({ reason: 'Stalled', message: draft.message });
  if (!rollsBack) return { effects: effectsOf(freeze(view, held)), againAtMs: health.changesAt };
  draft.message = `${name} failed: putting the stable version back, because of ${words.namePods(failing ? health.failing : health.late)}`;
  // The reason is in the status before the template is put back: whoever finishes this knows why.
  if (before?.status !== 'True') return { againAtMs: now };
  events.push({ reason: 'FailureRollback', message: draft.message });
  return { effects: [revertDeployment(view.deployment, way.template)] };
}
