// The step machine of a held release, with OpenKruise's states.
import { PLAN_HASH } from '../../api/keys.ts';
import type { CanaryStatus, HoldRecord } from '../../api/types.ts';
import { hasFallen, podsOf } from '../lib/replicas.ts';
import { approvalsOf } from '../policy/approval.ts';
import { isOurs, withExtraStatus } from '../release/openkruise.ts';
import { replan, replanned, usualNext } from './replan.ts';
import type { Health } from './pod-health.ts';
import { nothing, type Decision } from '../decision.ts';
import type { Snapshot } from '../snapshot.ts';
import { draftOf, noteInHistory, setCondition, settle } from '../status.ts';
import {
  afterApprovals,
  currentEvidence,
  evidenceAsk,
  hadFewRequests,
  mayAccept,
  noteChecks,
  outcomeOfStep,
  shownFailed,
  type Checks,
} from './analysis.ts';
import { approvedReplicas, approvedTarget, isUnattended, standingOfStep } from './approval.ts';
import { enterNext, finish, jumpOf, setState, startStep } from './enter.ts';
import { frozenBy, healthOf, judge, remind, resume, stayFrozen } from './health.ts';
import { labelPods, noteBeyond, noteBrokenGlass, noteTakeover, noteTrim } from './notes.ts';
import { retreating, routes, routing, trafficAsk } from './routing.ts';
import { withNumbers, type Answer, type Run } from './run.ts';
import { pauseSeconds } from '../lib/pause.ts';
import { UNKNOWN } from '../lib/template.ts';
import { pods } from '../lib/text.ts';
import { earliest, formatTime, parseTime } from '../lib/time.ts';
import { routingOf } from '../traffic/plan.ts';
import { withEvictions } from '../workload/effects.ts';
import { effectsOf, type Move, type Progress } from '../workload/kind.ts';
import * as messages from '../messages.ts';

/** During this time after its start, a step may continue without being held between batches. */
const YOUNG_MS = 30_000;

/** In these states, the Pods of the step are there. */
const AT_REST: ReadonlySet<string> = new Set(['StepTrafficRouting', 'StepMetricsAnalysis', 'StepPaused', 'StepReady']);

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
  const atRest = AT_REST.has(before.currentStepState);
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
    : { ...before, ...stableOf(before, held) };
  const threshold = canary?.failureThreshold;
  const ends = status.notBegun !== true && last && !fallen && target >= progress.replicas;
  const goal = {
    // While the step waits, scaling down does not update more Pods.
    target: fallen && atRest ? Math.min(target, progress.updated) : target,
    tolerated: threshold === undefined ? 0 : podsOf(threshold, target, 'up'),
    keeps: status.keepsReplicas === true || held.bypassed !== undefined,
    // The workload stays held until the checks have watched the last step.
    last: ends && step.analysis === undefined,
    goesOn: false,
    young: now - (parseTime(status.lastUpdateTime) ?? 0) < YOUNG_MS,
  };
  const draft = draftOf(rollout);
  const templateDigest = snapshot.digest(progress.workload.spec.template);
  const rolloutHash = rollout.metadata.annotations?.[PLAN_HASH] ?? '';
  const { grantedReplicas: _, ...numbers } = withNumbers(status, progress);
  draft.canary = { ...numbers, currentStepIndex: index, templateDigest, rolloutHash };
  if (approved !== undefined) draft.canary = { ...draft.canary, grantedReplicas: approved };
  if (held.bypassed) {
    setCondition(draft, now, 'Bypassed', 'True', 'NotSeenByWebhook', held.bypassed);
    noteInHistory(draft, { bypassed: held.bypassed });
  }
  const found: Run = {
    snapshot,
    progress,
    held,
    steps,
    index,
    step,
    name,
    goal,
    ends,
    draft,
    events: [],
  };
  const run: Run = { ...found, snapshot: { ...snapshot, evidence: currentEvidence(found) } };
  const needsTraffic = trafficAsk(run);
  if (needsTraffic && !snapshot.traffic) return { ...nothing, needsChildren: true, needsTraffic };
  if (foreign) noteTakeover(run);
  const changed = replanned(known, before);
  if (changed !== undefined) run.events.push({ reason: 'PlanChanged', message: changed });
  const { effects: wantedEffects = [], againAtMs, needsCopy } = decideRun(run, !foreign);
  draft.message = messages.withRemark(draft.message, noteBeyond(run) ?? progress.remark);
  const asks = { needsChildren: true, ...(needsTraffic && { needsTraffic }) };
  if (needsCopy !== undefined) return { ...nothing, ...asks, needsCopy };
  const needsEvidence = evidenceAsk(run);
  const annotated = withExtraStatus(wantedEffects, progress.kind.resource, draft.canary, goal.target);
  const { effects, againAfterMs } = withEvictions(annotated, progress);
  // After a write the next decision follows at once and reports the progress.
  const acts = effects.some(({ why }) => why !== 'label');
  const settled = settle(rollout, draft, now, acts ? now : snapshot.reportedAt);
  const again = [
    againAfterMs,
    settled.againAfterMs,
    ...[againAtMs, snapshot.labelsAgainAt].map((at) => at && Math.max(0, at - now)),
  ];
  const waits = again.filter((ms) => ms !== undefined);
  return {
    effects,
    events: run.events,
    ...asks,
    ...(needsEvidence && { needsEvidence }),
    ...(settled.status ? { status: settled.status } : {}),
    ...(waits.length > 0 ? { againAfterMs: Math.min(...waits) } : {}),
  };
}

/** A release that began while the workload's controller adopted its versions does not know the stable one, and finds it later. */
const stableOf = ({ stableDigest }: CanaryStatus, { stable }: HoldRecord): Pick<CanaryStatus, 'stableDigest'> =>
  stableDigest === undefined && stable !== UNKNOWN ? { stableDigest: stable } : {};

function decideRun(run: Run, mayJump: boolean): Answer {
  const { progress, draft } = run;
  const retreat = retreating(run);
  if (retreat) return retreat;
  if (progress.replicas === 0) {
    draft.message = messages.noReplicas(progress.kind);
    return {};
  }
  const frozen = frozenBy(run);
  if (frozen) return stayFrozen(run, frozen);
  resume(run);
  noteBrokenGlass(run);
  const state = draft.canary!.currentStepState;
  const health = healthOf(run);
  const checks = noteChecks(run);
  if (mayJump && checks.failed === undefined && isJump(run)) return ready(run, health, checks);
  // An approval is about what the status showed.
  const approved = state === 'StepReady' && (checks.failed === undefined || shownFailed(run).length > 0);
  const stalled = approved ? undefined : judge(run, health, checks);
  if (stalled) return stalled;
  const waits = state === 'Completed' ? undefined : routing(run);
  if (waits) return { ...waits, againAtMs: earliest(waits.againAtMs, health.changesAt) };
  switch (state) {
    case 'StepReady':
      return ready(run, health, checks);
    case 'StepUpgrade':
      return upgrade(run, health, checks);
    case 'StepPaused':
      return pause(run, health, checks);
    case 'StepMetricsAnalysis':
      return run.step.analysis === undefined ? completeStep(run, checks) : analyse(run, health, checks);
    case 'StepTrafficRouting':
      return watchOrComplete(run, checks);
    case 'Completed':
      return finish(run);
    case 'BeforeStepUpgrade':
    case '':
      return startStep(run);
  }
}

function upgrade(run: Run, health: Health, checks: Checks): Answer {
  const { snapshot, progress, held, goal, draft, name } = run;
  const move = progress.kind.advance(progress, held, { ...goal, goesOn: goesOn(run, checks) });
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
  if (move.kind === 'Done' && labels.length === 0) {
    if (!routes(run)) return watchOrComplete(run, checks);
    setState(draft, 'StepTrafficRouting', snapshot.now);
    return {};
  }
  noteTrim(run, move);
  return { effects: [...effectsOf(move), ...(reminder?.effects ?? []), ...labels], againAtMs };
}

/** The Pods of the step are there, and get its requests. */
function watchOrComplete(run: Run, checks: Checks): Answer {
  const { snapshot, progress, draft, step } = run;
  // Without a Pod of the new version, there is nothing to watch.
  if (step.analysis === undefined || progress.newVersion === undefined) return completeStep(run, checks);
  setState(draft, 'StepMetricsAnalysis', afterApprovals(draft.canary!, snapshot.now));
  return watch(run, checks);
}

/** The Pods are there, and the checks watch them. Sizes follow scaling. */
function analyse(run: Run, health: Health, checks: Checks): Answer {
  const { progress, held, goal } = run;
  const move = progress.kind.advance(progress, held, goal);
  noteTrim(run, move);
  const effects = [...effectsOf(move), ...labelPods(run)];
  const watching = effects.length > 0 ? {} : watch(run, checks);
  return { effects, againAtMs: nextLook(run, health, move, watching) };
}

function watch(run: Run, checks: Checks): Answer {
  const { draft, name } = run;
  const outcome = outcomeOfStep(run, checks);
  switch (outcome.kind) {
    case 'Blind':
      draft.message = messages.waitsForCheck(name, checks.blind ?? '');
      return {};
    case 'Reading':
      draft.message = messages.waitsForCheck(name, outcome.what);
      return {};
    case 'Watching':
      draft.message = messages.watched(name, timeOf(outcome.until), outcome.message);
      return { againAtMs: outcome.until };
    case 'Failed':
    case 'WaitsForApproval':
    case 'Done':
      return completeStep(run, checks);
  }
}

function completeStep(run: Run, checks: Checks): Answer {
  const { snapshot, progress, draft, events, name, ends } = run;
  // The event ReleaseCompleted follows.
  if (ends && hadFewRequests(run, checks) === undefined) return finish(run);
  if (draft.canary!.grantedReplicas !== 0)
    events.push({ reason: 'StepCompleted', message: `${name}: ${pods(progress.available)} updated and available` });
  setState(draft, 'StepPaused', afterApprovals(draft.canary!, snapshot.now));
  draft.canary = { ...draft.canary!, stepReplicas: progress.replicas };
  return waitOrGoOn(run, checks);
}

/** The step waits for approval or for its pause. Sizes follow scaling. */
function pause(run: Run, health: Health, checks: Checks): Answer {
  const { progress, held, goal } = run;
  if (goal.last && progress.available >= progress.replicas && progress.old === 0) return finish(run);
  const move = progress.kind.advance(progress, held, goal);
  noteTrim(run, move);
  const effects = [...effectsOf(move), ...labelPods(run)];
  // Correct the sizes before the next step starts.
  const waiting = effects.length > 0 ? {} : waitOrGoOn(run, checks);
  return { effects, againAtMs: nextLook(run, health, move, waiting) };
}

/** When anything can change without a change of an object. */
const nextLook = ({ progress }: Run, health: Health, move: Move, waiting: Answer): number | undefined =>
  earliest(waiting.againAtMs, lookAt(move), progress.availableAt, progress.oldAvailableAt, health.changesAt);

/** A timed pause waits for its duration. If a policy requires approvals, every pause also waits for them. */
function waitOrGoOn(run: Run, checks: Checks): Answer {
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
  const few = hadFewRequests(run, checks);
  const goesOn =
    standing === undefined && few === undefined && (until !== undefined || isUnattended(snapshot, progress));
  if (goesOn && checks.blind === undefined) return enterNext(run);
  if (goesOn) {
    draft.message = messages.waitsForCheck(name, checks.blind ?? '');
    return {};
  }
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
  const { keeper } = progress.kind.words;
  const why = few === undefined ? message : `${message}; ${few}`;
  draft.message = messages.withWayBack(why, snapshot.rollout, progress.stableVersion !== undefined, keeper);
  return {};
}

/** True if the next step starts as soon as the Pods of this one are there. Required approvals count only from then on. */
function goesOn(run: Run, { blind }: Checks): boolean {
  const { snapshot, progress, draft, step, ends } = run;
  if (ends || step.analysis !== undefined || blind !== undefined || snapshot.gate?.blocked !== undefined) return false;
  // Requests are routed between the steps.
  if (routingOf(snapshot.rollout) !== undefined) return false;
  if (standingOfStep(run) !== undefined) return false;
  const seconds = draft.canary!.planChanged === true ? Infinity : pauseSeconds(step);
  return seconds <= 0 || (seconds === Infinity && isUnattended(snapshot, progress));
}

/** When a timed pause ends, in milliseconds. Undefined if the step has none. */
function pausedUntil({ snapshot, draft, step }: Run): number | undefined {
  const seconds = draft.canary!.planChanged === true ? Infinity : pauseSeconds(step);
  if (seconds === Infinity) return undefined;
  return seconds <= 0 ? snapshot.now : (parseTime(draft.canary!.lastUpdateTime) ?? snapshot.now) + seconds * 1000;
}

const givenOf = ({ snapshot, draft }: Run): { given: number; required: number } => ({
  given: new Set(approvalsOf(draft.canary!).map(({ user }) => user)).size,
  required: snapshot.gate?.required ?? 1,
});

/** State StepReady. If the next step may not start yet, the sizes follow scaling as in a pause. */
function ready(run: Run, health: Health, checks: Checks): Answer {
  const { progress, held, goal, snapshot, draft, events, name, step } = run;
  const standing = standingOfStep(run);
  if (standing?.enough === false) {
    const { policies, given, required } = standing;
    draft.canary = { ...draft.canary!, currentStepState: 'StepPaused' };
    events.push({ reason: 'PolicyBlocked', message: messages.notApproved(name, policies, given, required) });
    return (checks.failed && judge(run, health, checks)) ?? pause(run, health, checks);
  }
  if (!mayAccept(run)) {
    draft.canary = { ...draft.canary!, currentStepState: 'StepPaused' };
    events.push({ reason: 'PolicyBlocked', message: messages.notAccepted(name) });
    return judge(run, health, checks) ?? {};
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

const timeOf = (at: number | undefined): string | undefined => (at === undefined ? undefined : formatTime(at));

const lookAt = (move: Move): number | undefined => (move.kind === 'Wait' ? move.againAtMs : undefined);
