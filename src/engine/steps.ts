// The step machine of a release that is held: OpenKruise's states, one step at a time.
import { ON_RESTART } from '../api/keys.ts';
import type { CanaryStatus, Held } from '../api/types.ts';
import { hasFallen, isWhole, podsOf, stepTarget } from './batch.ts';
import { advance, type Move } from './budget.ts';
import { approvalsOf } from './policy-approval.ts';
import { isOurs } from './openkruise.ts';
import { isRestartOnly } from './revision.ts';
import type { Health } from './signals.ts';
import type { Decision, Snapshot } from './snapshot.ts';
import { conditionOf, draftOf, dropConditions, setCondition, settle, type Draft } from './status.ts';
import { frozenBy, healthOf, judge, resume, stayFrozen } from './step-health.ts';
import { labelPods, noteApprovals, noteGlass, noteTakeover, noteTrim } from './step-notes.ts';
import { atStep, effectsOf, withNumbers, type Answer, type Run } from './step-run.ts';
import { formatTime, parseTime } from './time.ts';
import type { View } from './view.ts';
import * as words from './words.ts';

/** So long a step's batches may move without being held on the way. */
const YOUNG_MS = 30_000;

/** One decision about a release that goes through its steps. */
export function proceed(snapshot: Snapshot, view: View, held: Held, before: CanaryStatus): Decision {
  const { rollout, now } = snapshot;
  const canary = rollout.spec.strategy.canary;
  const steps = canary?.steps ?? [];
  const index = Math.max(1, Math.min(before.currentStepIndex, steps.length));
  const step = steps[index - 1] ?? { replicas: '100%' };
  const last = index >= steps.length;
  const fallen = hasFallen(step, view.replicas, before.stepReplicas, last);
  const target = Math.min(
    stepTarget(step.replicas, view.replicas, last),
    fallen ? Math.max(0, view.replicas - 1) : Infinity,
  );
  const atRest = before.currentStepState === 'StepPaused' || before.currentStepState === 'StepReady';
  const name = words.stepOf(index, Math.max(steps.length, 1));
  const foreign = !isOurs(rollout);
  // As after a jump back: what OpenKruise has brought stays.
  const status = foreign ? { ...before, stableDigest: held.stable, keepsReplicas: view.updated > target } : before;
  const threshold = canary?.failureThreshold;
  const goal = {
    // While it waits, nothing moves towards the new version because the Deployment has become smaller.
    target: fallen && atRest ? Math.min(target, view.updated) : target,
    tolerated: threshold === undefined ? 0 : podsOf(threshold, target, 'up'),
    keeps: status.keepsReplicas === true || held.bypassed !== undefined,
    last: last && !fallen && isWhole(step, view.replicas),
    young: now - (parseTime(status.lastUpdateTime) ?? 0) < YOUNG_MS,
  };
  const draft = draftOf(rollout);
  const templateDigest = snapshot.digest(view.deployment.spec.template);
  draft.canary = { ...withNumbers(status, view), currentStepIndex: index, templateDigest };
  if (held.bypassed) setCondition(draft, now, 'Bypassed', 'True', 'NotSeenByWebhook', held.bypassed);
  const run: Run = {
    snapshot,
    view,
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
  const { effects = [], againAtMs } = decideRun(run);
  // What is written now is looked at again at once: its progress is told then.
  const acts = effects.some(({ kind }) => kind !== 'LabelPod');
  const settled = settle(rollout, draft, now, acts ? now : snapshot.reportedAt);
  const again = [settled.againAfterMs, againAtMs === undefined ? undefined : Math.max(0, againAtMs - now)];
  const waits = again.filter((ms) => ms !== undefined);
  return {
    effects,
    events: run.events,
    needsChildren: true,
    ...(settled.status ? { status: settled.status } : {}),
    ...(waits.length > 0 ? { againAfterMs: Math.min(...waits) } : {}),
  };
}

function decideRun(run: Run): Answer {
  const { view, draft } = run;
  if (view.replicas === 0) {
    draft.message = words.noReplicas;
    return {};
  }
  const frozen = frozenBy(run);
  if (frozen) return stayFrozen(run, frozen);
  resume(run);
  noteGlass(run);
  const state = draft.canary!.currentStepState;
  const health = healthOf(run);
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
      return beginStep(run);
  }
}

function upgrade(run: Run, health: Health): Answer {
  const { view, held, goal, draft, name } = run;
  const move = advance(view, held, goal);
  const labels = labelPods(run);
  const againAtMs = earliest(lookAt(move), view.availableAt, view.oldAvailableAt, health.changesAt);
  const waitsFor =
    health.waiting.length > 0 ? words.namePods(health.waiting) : move.kind === 'Wait' ? move.waitsFor : 'the next Pods';
  draft.message = words.updating(name, Math.min(view.available, goal.target), goal.target, waitsFor);
  if (move.kind === 'Done' && labels.length === 0) return completeStep(run);
  noteTrim(run, move);
  return { effects: [...effectsOf(move), ...labels], againAtMs };
}

function completeStep(run: Run): Answer {
  const { snapshot, view, draft, events, name, goal } = run;
  events.push({ reason: 'StepCompleted', message: `${name}: ${view.available} Pods updated and available` });
  if (goal.last) return finish(run);
  setState(draft, 'StepPaused', snapshot.now);
  draft.canary = { ...draft.canary!, stepReplicas: view.replicas };
  return waitOrGoOn(run);
}

/** At rest. Sizes are kept up with scaling; approval, or time, leads on. */
function pause(run: Run, health: Health): Answer {
  const { view, held, goal } = run;
  if (goal.last && view.available >= view.replicas && view.old === 0) return finish(run);
  const move = advance(view, held, goal);
  noteTrim(run, move);
  const effects = [...effectsOf(move), ...labelPods(run)];
  // Sizes first: what a step leaves behind is what the next one builds on.
  const waiting = effects.length > 0 ? {} : waitOrGoOn(run);
  return {
    effects,
    againAtMs: earliest(waiting.againAtMs, lookAt(move), view.availableAt, view.oldAvailableAt, health.changesAt),
  };
}

function waitOrGoOn(run: Run): Answer {
  const { snapshot, view, draft, step, name } = run;
  const { rollout, now } = snapshot;
  const seconds = step.pause?.duration;
  if (seconds === undefined || seconds === null) {
    const unattended =
      rollout.metadata.annotations?.[ON_RESTART] === 'Batches' &&
      view.stableSet !== undefined &&
      isRestartOnly(view.stableSet.spec.template, view.deployment.spec.template);
    if (unattended) return enterNext(run);
    const given = new Set(approvalsOf(draft.canary!).map(({ user }) => user)).size;
    draft.message = words.waitsForApproval(name, given, snapshot.gate?.required ?? 1);
    return {};
  }
  const until = (parseTime(draft.canary!.lastUpdateTime) ?? now) + seconds * 1000;
  if (seconds <= 0 || until <= now) return enterNext(run);
  draft.message = words.waitsUntil(name, formatTime(until), seconds);
  return { againAtMs: until };
}

/** Approved. While a policy does not let the next step begin, the sizes are kept up as they are in a pause. */
function ready(run: Run, health: Health): Answer {
  const { view, held, goal, snapshot } = run;
  if (snapshot.gate?.blocked === undefined) return enterNext(run);
  const move = advance(view, held, goal);
  noteTrim(run, move);
  const effects = [...effectsOf(move), ...labelPods(run)];
  const waiting = enterNext(run);
  return {
    effects,
    againAtMs: earliest(waiting.againAtMs, lookAt(move), view.availableAt, view.oldAvailableAt, health.changesAt),
  };
}

/** The release waits to begin. */
function beginStep(run: Run): Answer {
  const waiting = waitForPolicy(run);
  if (waiting !== undefined) return waiting;
  enter(run, run.index, run.snapshot.now);
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
  draft.message = words.blocked(name, blocked.message);
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
  const usual = index < steps.length ? index + 1 : -1;
  const wanted = draft.canary!.nextStepIndex;
  const next = wanted >= 1 && wanted <= steps.length ? wanted : usual;
  if (next === -1) return finish(run);
  enter(run, next, snapshot.now);
  return {};
}

function enter({ view, draft, steps, events }: Run, index: number, now: number): void {
  const target = stepTarget(steps[index - 1]?.replicas ?? '100%', view.replicas, index >= steps.length);
  // Where no Pod of another version is left nobody can have meant that: scaling did it.
  const keeps = view.updated > target && view.old > 0;
  draft.canary = { ...draft.canary!, ...atStep(index, steps.length, keeps, view.replicas) };
  setState(draft, 'StepUpgrade', now);
  const name = words.stepOf(index, Math.max(steps.length, 1));
  draft.message = words.updating(name, Math.min(view.available, target), target, 'the Deployment controller');
  events.push({ reason: 'StepStarted', message: `${name}: ${target} of ${view.replicas} Pods are to be updated` });
}

/** Nothing is left of the steps: the Deployment is given back in the next decision. */
function finish({ snapshot, draft, view }: Run): Answer {
  const { now } = snapshot;
  setState(draft, 'Completed', now);
  setCondition(draft, now, 'Progressing', 'True', 'Finalising', 'the steps are done, the Deployment is given back');
  draft.message = words.natively('finishing', view.updated, view.replicas);
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
