// The step machine of a release that is held: OpenKruise's states, one step at a time.
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

/** So long a step's batches may move without being held on the way. */
const YOUNG_MS = 30_000;

/** One decision about a release that goes through its steps. */
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
  // Nothing is granted before the approval that it waits for.
  const target = before.notBegun === true ? Math.min(wanted, progress.updated) : wanted;
  const atRest = before.currentStepState === 'StepPaused' || before.currentStepState === 'StepReady';
  const name = messages.stepOf(index, Math.max(steps.length, 1));
  const foreign = !isOurs(rollout);
  // As after a jump back: what OpenKruise has brought stays.
  const status = foreign
    ? {
        ...before,
        stableDigest: held.stable,
        keepsReplicas: progress.updated > target,
        // A jump is done at once there: what is left of it is nobody's wish.
        nextStepIndex: usualNext(before, index, steps.length),
      }
    : before;
  const threshold = canary?.failureThreshold;
  const goal = {
    // While it waits, nothing moves towards the new version because the Deployment has become smaller.
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
  // What is written now is looked at again at once: its progress is told then.
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
  // Later than any approval of the visit before, which may have been in the same second.
  const given = (draft.canary!.approvals ?? []).map(({ time }) => (parseTime(time) ?? 0) + 1000);
  setState(draft, 'StepPaused', Math.max(snapshot.now, ...given));
  draft.canary = { ...draft.canary!, stepReplicas: progress.replicas };
  return waitOrGoOn(run);
}

/** At rest. Sizes are kept up with scaling; approval, or time, leads on. */
function pause(run: Run, health: Health): Answer {
  const { progress, held, goal } = run;
  if (goal.last && progress.available >= progress.replicas && progress.old === 0) return finish(run);
  const move = progress.kind.advance(progress, held, goal);
  noteTrim(run, move);
  const effects = [...effectsOf(move), ...labelPods(run)];
  // Sizes first: what a step leaves behind is what the next one builds on.
  const waiting = effects.length > 0 ? {} : waitOrGoOn(run);
  return {
    effects,
    againAtMs: earliest(
      waiting.againAtMs,
      lookAt(move),
      progress.availableAt,
      progress.oldAvailableAt,
      health.changesAt,
    ),
  };
}

/** A timed pause waits for its time; where a policy requires approvals, every pause waits for them, too. */
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

/** When a timed pause is over; undefined when the step has none. */
function pausedUntil({ snapshot, draft, step }: Run): number | undefined {
  const seconds = draft.canary!.planChanged === true ? undefined : step.pause?.duration;
  if (seconds === undefined || seconds === null) return undefined;
  return seconds <= 0 ? snapshot.now : (parseTime(draft.canary!.lastUpdateTime) ?? snapshot.now) + seconds * 1000;
}

const givenOf = ({ snapshot, draft }: Run): { given: number; required: number } => ({
  given: new Set(approvalsOf(draft.canary!).map(({ user }) => user)).size,
  required: snapshot.gate?.required ?? 1,
});

/** The step that nextStepIndex names, where it is not the usual one; else 0. */
function jumpOf({ draft, index, steps }: Run): number {
  const wanted = draft.canary!.nextStepIndex;
  const usual = usualNext(draft.canary!, index, steps.length);
  return wanted >= 1 && wanted <= steps.length && wanted !== usual ? wanted : 0;
}

/** Approved, as far as its state says. While something does not let the next step begin, the sizes are kept up as they are in a pause. */
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
  return {
    effects,
    againAtMs: earliest(
      waiting.againAtMs,
      lookAt(move),
      progress.availableAt,
      progress.oldAvailableAt,
      health.changesAt,
    ),
  };
}

/**
 * Somebody has named another step than the one that follows: as with OpenKruise, the release goes there at once. Where a policy requires
 * approvals it goes there when the step that runs is approved.
 */
function isJump({ snapshot, draft, index, steps }: Run): boolean {
  const { nextStepIndex, currentStepState } = draft.canary!;
  if (currentStepState === 'StepReady' || currentStepState === 'Completed') return false;
  if (nextStepIndex < 1 || nextStepIndex > steps.length) return false;
  if (nextStepIndex === usualNext(draft.canary!, index, steps.length)) return false;
  // A step that is under way goes on until the policy lets another one begin.
  return (
    snapshot.gate === undefined ||
    (snapshot.gate.approval === undefined && (snapshot.gate.blocked === undefined || currentStepState === 'StepPaused'))
  );
}

/** The release waits to begin. */
function startStep(run: Run): Answer {
  const waiting = waitForPolicy(run);
  if (waiting !== undefined) return waiting;
  enter(run, run.index, run.snapshot.now, run.draft.canary!.grantedReplicas);
  return {};
}

/** Looks again when it opens, and before that when policies or other releases change. Undefined when nothing blocks. */
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

/** To the next step, or to the one that nextStepIndex names. Only the status: the budget follows when that is written. */
function enterNext(run: Run): Answer {
  const { snapshot, draft, index, steps } = run;
  const waiting = waitForPolicy(run);
  if (waiting !== undefined) return waiting;
  noteApprovals(run);
  const usual = usualNext(draft.canary!, index, steps.length);
  const wanted = draft.canary!.nextStepIndex;
  // Approved before it began: it begins now.
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

/** `approved`: what the step may bring of its Pods, where a policy requires approvals. */
function enter(
  { progress, draft, steps, events, goal }: Run,
  index: number,
  now: number,
  approved?: IntOrString,
): void {
  const step = steps[index - 1] ?? { replicas: '100%' };
  const grantedReplicas = draft.canary!.grantedReplicas === undefined ? undefined : (approved ?? step.replicas);
  const target = approvedTarget(step, grantedReplicas, progress.replicas, index >= steps.length);
  // Where no Pod of another version is left nobody can have meant that: scaling did it. After a jump back, more than the target may have been
  // granted, and not have come yet.
  const keeps =
    (progress.updated > target && progress.old > 0) || (index < draft.canary!.currentStepIndex && goal.target > target);
  draft.canary = { ...withoutReplan(draft.canary!), ...atStep(index, steps.length, keeps, progress.replicas) };
  if (grantedReplicas !== undefined) draft.canary = { ...draft.canary, grantedReplicas };
  setState(draft, 'StepUpgrade', now);
  const name = messages.stepOf(index, Math.max(steps.length, 1));
  draft.message = messages.updating(name, Math.min(progress.available, target), target, 'the Deployment controller');
  events.push({ reason: 'StepStarted', message: `${name}: updating ${target} of ${progress.replicas} Pods` });
}

/** Nothing is left of the steps: the Deployment is given back in the next decision. */
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
