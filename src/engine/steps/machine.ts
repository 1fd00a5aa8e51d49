// The step machine of a held release, with OpenKruise's states.
import { PLAN_HASH } from '../../api/keys.ts';
import type { CanaryStatus, HoldRecord, IntOrString } from '../../api/types.ts';
import { hasFallen, podsOf } from '../lib/replicas.ts';
import { approvalsOf } from '../policy/approval.ts';
import { isOurs, withExtraStatus } from '../release/openkruise.ts';
import { replan, replanned, usualNext, withoutReplan } from './replan.ts';
import type { Health } from './pod-health.ts';
import { nothing, type Decision } from '../decision.ts';
import type { Snapshot } from '../snapshot.ts';
import { conditionOf, draftOf, dropConditions, setCondition, settle, type Draft } from '../status.ts';
import { approvedReplicas, approvedTarget, isUnattended, standingOfStep } from './approval.ts';
import { frozenBy, healthOf, judge, remind, resume, stayFrozen } from './health.ts';
import { labelPods, noteApprovals, noteBrokenGlass, noteTakeover, noteTrim } from './notes.ts';
import { atStep, withNumbers, type Answer, type Run } from './run.ts';
import { formatTime, parseTime } from '../lib/time.ts';
import { effectsOf, type Move, type Progress } from '../workload/kind.ts';
import * as messages from '../messages.ts';

/** During this time after its start, a step may continue without being held between batches. */
const YOUNG_MS = 30_000;

/** The decision for a release in one of its steps. */
export function proceed(snapshot: Snapshot, progress: Progress, held: HoldRecord, known: CanaryStatus): Decision {
  const { rollout, now } = snapshot;
  const canary = rollout.spec.strategy.canary;
  const steps = canary?.steps ?? [];
  const before = replan(known, steps, progress, now);
  const index = Math.max(1, Math.min(before.currentStepIndex, steps.length));
  const step = steps[index - 1] ?? { replicas: '100%' };
  const last = index >= steps.length;
  const fallen = hasFallen(step, progress.replicas, before.stepReplicas, last);
  const approved = approvedReplicas(snapshot, progress, before, step);
  const wanted = Math.min(
    approvedTarget(step, approved, progress.replicas, last),
    fallen ? Math.max(0, progress.replicas - 1) : Infinity,
  );
  // No Pods are granted before a required approval.
  const target = before.notBegun === true ? Math.min(wanted, progress.updated) : wanted;
  const atRest = before.currentStepState === 'StepPaused' || before.currentStepState === 'StepReady';
  const name = messages.stepOf(index, Math.max(steps.length, 1));
  const foreign = !isOurs(rollout);
  // Pods that OpenKruise updated stay, as after a jump back.
  const status = foreign
    ? {
        ...before,
        stableDigest: held.stable,
        keepsReplicas: progress.updated > target,
        // OpenKruise jumps at once, so a remaining nextStepIndex is not a wish of the user.
        nextStepIndex: usualNext(before, index, steps.length),
      }
    : before;
  const threshold = canary?.failureThreshold;
  const goal = {
    // While the step waits, scaling down does not update more Pods.
    target: fallen && atRest ? Math.min(target, progress.updated) : target,
    tolerated: threshold === undefined ? 0 : podsOf(threshold, target, 'up'),
    keeps: status.keepsReplicas === true || held.bypassed !== undefined,
    last: status.notBegun !== true && last && !fallen && target >= progress.replicas,
    young: now - (parseTime(status.lastUpdateTime) ?? 0) < YOUNG_MS,
  };
  const draft = draftOf(rollout);
  const templateDigest = snapshot.digest(progress.workload.spec.template);
  const rolloutHash = rollout.metadata.annotations?.[PLAN_HASH] ?? '';
  const { grantedReplicas: _, ...numbers } = withNumbers(status, progress);
  draft.canary = { ...numbers, currentStepIndex: index, templateDigest, rolloutHash };
  if (approved !== undefined) draft.canary = { ...draft.canary, grantedReplicas: approved };
  if (held.bypassed) setCondition(draft, now, 'Bypassed', 'True', 'NotSeenByWebhook', held.bypassed);
  const run: Run = {
    snapshot,
    progress,
    held,
    steps,
    index,
    step,
    name,
    goal,
    draft,
    events: [],
  };
  if (foreign) noteTakeover(run);
  const changed = replanned(known, before);
  if (changed !== undefined) run.events.push({ reason: 'PlanChanged', message: changed });
  const { effects: wantedEffects = [], againAtMs, needsCopy } = decideRun(run, !foreign);
  if (needsCopy !== undefined) return { ...nothing, needsChildren: true, needsCopy };
  const effects = withExtraStatus(wantedEffects, progress.kind.resource, draft.canary, goal.target);
  // After a write the next decision follows at once and reports the progress.
  const acts = effects.some(({ why }) => why !== 'label');
  const settled = settle(rollout, draft, now, acts ? now : snapshot.reportedAt);
  const again = [settled.againAfterMs, ...[againAtMs, snapshot.labelsAgainAt].map((at) => at && Math.max(0, at - now))];
  const waits = again.filter((ms) => ms !== undefined);
  return {
    effects,
    events: run.events,
    needsChildren: true,
    ...(settled.status ? { status: settled.status } : {}),
    ...(waits.length > 0 ? { againAfterMs: Math.min(...waits) } : {}),
  };
}

function decideRun(run: Run, mayJump: boolean): Answer {
  const { progress, draft } = run;
  if (progress.replicas === 0) {
    draft.message = messages.noReplicas;
    return {};
  }
  const frozen = frozenBy(run);
  if (frozen) return stayFrozen(run, frozen);
  resume(run);
  noteBrokenGlass(run);
  const state = draft.canary!.currentStepState;
  const health = healthOf(run);
  if (mayJump && isJump(run)) return ready(run, health);
  const stalled = state === 'StepReady' ? undefined : judge(run, health);
  if (stalled) return stalled;
  switch (state) {
    case 'StepReady':
      return ready(run, health);
    case 'StepUpgrade':
      return upgrade(run, health);
    case 'StepPaused':
      return pause(run, health);
    case 'StepTrafficRouting':
    case 'StepMetricsAnalysis':
      return completeStep(run);
    case 'Completed':
      return finish(run);
    case 'BeforeStepUpgrade':
    case '':
      return startStep(run);
  }
}

function upgrade(run: Run, health: Health): Answer {
  const { progress, held, goal, draft, name } = run;
  const move = progress.kind.advance(progress, held, goal);
  const labels = labelPods(run);
  const reminder = move.kind === 'Wait' ? remind(run) : undefined;
  const againAtMs = earliest(
    lookAt(move),
    progress.availableAt,
    progress.oldAvailableAt,
    health.changesAt,
    reminder?.againAtMs,
  );
  const waitsFor =
    health.waiting.length > 0
      ? messages.namePods(health.waiting)
      : move.kind === 'Wait'
        ? move.waitsFor
        : 'the next Pods';
  draft.message = messages.updating(name, Math.min(progress.available, goal.target), goal.target, waitsFor);
  if (move.kind === 'Done' && labels.length === 0) return completeStep(run);
  noteTrim(run, move);
  return { effects: [...effectsOf(move), ...(reminder?.effects ?? []), ...labels], againAtMs };
}

function completeStep(run: Run): Answer {
  const { snapshot, progress, draft, events, name, goal } = run;
  if (draft.canary!.grantedReplicas !== 0)
    events.push({ reason: 'StepCompleted', message: `${name}: ${progress.available} Pods updated and available` });
  if (goal.last) return finish(run);
  // Later than any approval of an earlier visit, which may have been in the same second.
  const given = (draft.canary!.approvals ?? []).map(({ time }) => (parseTime(time) ?? 0) + 1000);
  setState(draft, 'StepPaused', Math.max(snapshot.now, ...given));
  draft.canary = { ...draft.canary!, stepReplicas: progress.replicas };
  return waitOrGoOn(run);
}

/** The step waits for approval or for its pause. Sizes follow scaling. */
function pause(run: Run, health: Health): Answer {
  const { progress, held, goal } = run;
  if (goal.last && progress.available >= progress.replicas && progress.old === 0) return finish(run);
  const move = progress.kind.advance(progress, held, goal);
  noteTrim(run, move);
  const effects = [...effectsOf(move), ...labelPods(run)];
  // Correct the sizes before the next step starts.
  const waiting = effects.length > 0 ? {} : waitOrGoOn(run);
  return { effects, againAtMs: nextLook(run, health, move, waiting) };
}

/** When anything can change without a change of an object. */
const nextLook = ({ progress }: Run, health: Health, move: Move, waiting: Answer): number | undefined =>
  earliest(waiting.againAtMs, lookAt(move), progress.availableAt, progress.oldAvailableAt, health.changesAt);

/** A timed pause waits for its duration. If a policy requires approvals, every pause also waits for them. */
function waitOrGoOn(run: Run): Answer {
  const { snapshot, progress, draft, step, name } = run;
  const standing = standingOfStep(run);
  const until = pausedUntil(run);
  if (until !== undefined && until > snapshot.now) {
    draft.message =
      standing?.enough === false
        ? messages.waitsForTimeAndApproval(name, standing.given, standing.required, formatTime(until))
        : messages.waitsUntil(name, formatTime(until), step.pause?.duration ?? 0);
    return { againAtMs: until };
  }
  if (standing?.enough === true) return enterNext(run);
  if (standing === undefined && (until !== undefined || isUnattended(snapshot, progress))) return enterNext(run);
  const { given, required } = standing ?? givenOf(run);
  const jump = standing === undefined ? 0 : jumpOf(run);
  const { planChanged, notBegun, grantedReplicas, nextStepIndex } = draft.canary!;
  const next = nextStepIndex === usualNext(draft.canary!, run.index, run.steps.length) ? undefined : nextStepIndex;
  const message =
    grantedReplicas === 0
      ? messages.waitsBeforeAll(name, given, required)
      : jump > 0
        ? messages.waitsForJump(name, given, required, jump)
        : messages.waitsForApproval(name, given, required, {
            starts: notBegun === true,
            changed: planChanged === true,
            next: standing === undefined ? next : undefined,
          });
  draft.message = messages.withWayBack(message, snapshot.rollout, progress.stableVersion !== undefined);
  return {};
}

/** When a timed pause ends, in milliseconds. Undefined if the step has none. */
function pausedUntil({ snapshot, draft, step }: Run): number | undefined {
  const seconds = draft.canary!.planChanged === true ? undefined : step.pause?.duration;
  if (seconds === undefined || seconds === null) return undefined;
  return seconds <= 0 ? snapshot.now : (parseTime(draft.canary!.lastUpdateTime) ?? snapshot.now) + seconds * 1000;
}

const givenOf = ({ snapshot, draft }: Run): { given: number; required: number } => ({
  given: new Set(approvalsOf(draft.canary!).map(({ user }) => user)).size,
  required: snapshot.gate?.required ?? 1,
});

/** The step in nextStepIndex if it is not the usual next one, otherwise 0. */
function jumpOf({ draft, index, steps }: Run): number {
  const wanted = draft.canary!.nextStepIndex;
  const usual = usualNext(draft.canary!, index, steps.length);
  return wanted >= 1 && wanted <= steps.length && wanted !== usual ? wanted : 0;
}

/** State StepReady. If the next step may not start yet, the sizes follow scaling as in a pause. */
function ready(run: Run, health: Health): Answer {
  const { progress, held, goal, snapshot, draft, events, name, step } = run;
  const standing = standingOfStep(run);
  if (standing?.enough === false) {
    const { policies, given, required } = standing;
    draft.canary = { ...draft.canary!, currentStepState: 'StepPaused' };
    events.push({ reason: 'PolicyBlocked', message: messages.notApproved(name, policies, given, required) });
    return pause(run, health);
  }
  const until = standing === undefined ? undefined : pausedUntil(run);
  const waits = until !== undefined && until > snapshot.now;
  if (!waits && snapshot.gate?.blocked === undefined) return enterNext(run);
  const move = progress.kind.advance(progress, held, goal);
  noteTrim(run, move);
  const effects = [...effectsOf(move), ...labelPods(run)];
  if (waits) draft.message = messages.waitsUntil(name, formatTime(until), step.pause?.duration ?? 0);
  const waiting = waits ? { againAtMs: until } : enterNext(run);
  return { effects, againAtMs: nextLook(run, health, move, waiting) };
}

/**
 * True if nextStepIndex names another step than the usual next one. As in OpenKruise, the release jumps at once. If a policy requires approvals, it
 * jumps when the current step is approved.
 */
function isJump({ snapshot, draft, index, steps }: Run): boolean {
  const { nextStepIndex, currentStepState } = draft.canary!;
  if (currentStepState === 'StepReady' || currentStepState === 'Completed') return false;
  if (nextStepIndex < 1 || nextStepIndex > steps.length) return false;
  if (nextStepIndex === usualNext(draft.canary!, index, steps.length)) return false;
  // A step in progress continues until the policy allows another step to start.
  return (
    snapshot.gate === undefined ||
    (snapshot.gate.approval === undefined && (snapshot.gate.blocked === undefined || currentStepState === 'StepPaused'))
  );
}

/** The release waits to start. */
function startStep(run: Run): Answer {
  const waiting = waitForPolicy(run);
  if (waiting !== undefined) return waiting;
  enter(run, run.index, run.snapshot.now, run.draft.canary!.grantedReplicas);
  return {};
}

/** Waits until the policy's windows open, or until policies or other releases change. Undefined if no policy blocks the step. */
function waitForPolicy({ snapshot, draft, events, name }: Run): Answer | undefined {
  const { gate, rollout, now } = snapshot;
  const blocked = gate?.blocked;
  if (blocked === undefined) {
    dropConditions(draft, 'PolicyBlocked');
    return undefined;
  }
  draft.message = messages.blocked(name, blocked.message);
  const before = conditionOf(rollout.status?.conditions, 'PolicyBlocked');
  if (before?.reason !== blocked.reason) events.push({ reason: 'PolicyBlocked', message: draft.message });
  setCondition(draft, now, 'PolicyBlocked', 'True', blocked.reason, blocked.message);
  return { againAtMs: blocked.opensAt };
}

/** Enters the next step, or the one in nextStepIndex. It writes only the status. The budget follows when the status is written. */
function enterNext(run: Run): Answer {
  const { snapshot, draft, index, steps } = run;
  const waiting = waitForPolicy(run);
  if (waiting !== undefined) return waiting;
  noteApprovals(run);
  const usual = usualNext(draft.canary!, index, steps.length);
  const wanted = draft.canary!.nextStepIndex;
  // The step was approved before its start, so it starts now.
  const next =
    draft.canary!.grantedReplicas === 0 && jumpOf(run) === 0
      ? index
      : wanted >= 1 && wanted <= steps.length
        ? wanted
        : usual;
  if (next === -1) return finish(run);
  enter(run, next, snapshot.now);
  return {};
}

/** `approved`: the approved `replicas` of the step, if a policy requires approvals. */
function enter(
  { progress, draft, steps, events, goal }: Run,
  index: number,
  now: number,
  approved?: IntOrString,
): void {
  const step = steps[index - 1] ?? { replicas: '100%' };
  const grantedReplicas = draft.canary!.grantedReplicas === undefined ? undefined : (approved ?? step.replicas);
  const target = approvedTarget(step, grantedReplicas, progress.replicas, index >= steps.length);
  // If no Pod of another version is left, scaling caused the surplus, so it is not kept. After a jump back, Pods beyond the target may be granted
  // but not created yet.
  const keeps =
    (progress.updated > target && progress.old > 0) || (index < draft.canary!.currentStepIndex && goal.target > target);
  draft.canary = { ...withoutReplan(draft.canary!), ...atStep(index, steps.length, keeps, progress.replicas) };
  if (grantedReplicas !== undefined) draft.canary = { ...draft.canary, grantedReplicas };
  setState(draft, 'StepUpgrade', now);
  const name = messages.stepOf(index, Math.max(steps.length, 1));
  draft.message = messages.updating(name, Math.min(progress.available, target), target, 'the Deployment controller');
  events.push({ reason: 'StepStarted', message: `${name}: updating ${target} of ${progress.replicas} Pods` });
}

/** All steps are done. The next decision gives the Deployment back. */
function finish({ snapshot, draft, progress }: Run): Answer {
  const { now } = snapshot;
  setState(draft, 'Completed', now);
  setCondition(draft, now, 'Progressing', 'True', 'Finalising', 'the steps are done, the Deployment is given back');
  draft.message = messages.natively('finishing', progress.updated, progress.replicas);
  return {};
}

function setState(draft: Draft, state: CanaryStatus['currentStepState'], now: number): void {
  draft.canary = { ...draft.canary!, currentStepState: state, lastUpdateTime: formatTime(now) };
}

const lookAt = (move: Move): number | undefined => (move.kind === 'Wait' ? move.againAtMs : undefined);

function earliest(...times: (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}
