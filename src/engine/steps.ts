// The step machine of a release that is held: OpenKruise's states, one step at a time.
import { ON_RESTART, ROLLOUT_BATCH_ID, ROLLOUT_ID } from '../api/keys.ts';
import type { CanaryStatus, CanaryStep, Held, Pod } from '../api/types.ts';
import { isWhole, podsOf, stepTarget } from './batch.ts';
import { advance, freeze, type Goal, type Move } from './budget.ts';
import { labelPod, revertDeployment } from './effects.ts';
import { approvalsOf } from './policy-approval.ts';
import { glassFor, withApprovalByEdit } from './policy-gate.ts';
import { deploymentTemplate, isRestartOnly } from './revision.ts';
import { judgePods, type Health } from './signals.ts';
import type { Decision, Effect, EventNote, Snapshot } from './snapshot.ts';
import { conditionOf, draftOf, dropConditions, progressingReason, setCondition, settle, type Draft } from './status.ts';
import { formatTime, parseTime } from './time.ts';
import { hashOf, readySince, type View } from './view.ts';
import * as words from './words.ts';

const DEFAULT_DEADLINE_SECONDS = 600;
/** Pods labelled in one go. */
const LABELS_AT_ONCE = 50;

/** A release under way: what every part of the machine reads and writes. */
interface Run {
  readonly snapshot: Snapshot;
  readonly view: View;
  readonly held: Held;
  readonly steps: readonly CanaryStep[];
  readonly index: number;
  readonly step: CanaryStep;
  readonly name: string;
  readonly goal: Goal;
  readonly draft: Draft;
  readonly events: EventNote[];
}

type Answer = { readonly effects?: readonly Effect[]; readonly againAtMs?: number | undefined };

/** One decision about a release that goes through its steps. */
export function proceed(snapshot: Snapshot, view: View, held: Held, status: CanaryStatus): Decision {
  const { rollout, now } = snapshot;
  const canary = rollout.spec.strategy.canary;
  const steps = canary?.steps ?? [];
  const index = Math.max(1, Math.min(status.currentStepIndex, steps.length));
  const step = steps[index - 1] ?? { replicas: '100%' };
  const target = stepTarget(step.replicas, view.replicas);
  const threshold = canary?.failureThreshold;
  const goal = {
    target,
    tolerated: threshold === undefined ? 0 : podsOf(threshold, target, 'up'),
    keeps: status.keepsReplicas === true || held.bypassed !== undefined,
    last: index >= steps.length && isWhole(step, view.replicas),
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
    name: words.stepOf(index, Math.max(steps.length, 1)),
    goal,
    draft,
    events: [],
  };
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

/** What the status tells about sizes. */
export const withNumbers = (status: CanaryStatus, view: View): CanaryStatus => ({
  ...status,
  observedWorkloadGeneration: view.deployment.metadata.generation ?? 0,
  observedRolloutID: view.deployment.metadata.labels?.[ROLLOUT_ID] ?? status.observedRolloutID ?? '',
  canaryRevision: hashOf(view.newSet) || (status.canaryRevision ?? ''),
  podTemplateHash: hashOf(view.newSet) || status.podTemplateHash,
  canaryReplicas: view.updated,
  canaryReadyReplicas: Math.min(view.updated, view.pods.filter((pod) => readySince(pod) !== undefined).length),
});

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

/** Why no budget is spent and no timer runs; undefined when nothing freezes the release. */
function frozenBy({ snapshot, held }: Run): string | undefined {
  if (snapshot.rollout.spec.strategy.paused === true) return 'spec.strategy.paused is taken off the Rollout';
  if (held.user.paused === true) return 'the Deployment is resumed: its own spec.paused is set';
  return undefined;
}

function stayFrozen(run: Run, waitsFor: string): Answer {
  const { snapshot, view, held, draft, name, events } = run;
  draft.message = `${name} paused until ${waitsFor}`;
  if (progressingReason(snapshot.rollout) !== 'Paused')
    events.push({ reason: 'ReleasePaused', message: draft.message });
  setCondition(draft, snapshot.now, 'Progressing', 'True', 'Paused', 'Rollout has been paused');
  return { effects: effectsOf(freeze(view, held)) };
}

/** After a pause the step's timers go on where they were. */
function resume({ snapshot, draft, events, name }: Run): void {
  const { rollout, now } = snapshot;
  const before = conditionOf(rollout.status?.conditions, 'Progressing');
  setCondition(draft, now, 'Progressing', 'True', 'InRolling', 'Rollout is in Progressing');
  if (before?.reason !== 'Paused') return;
  const pausedFor = now - (parseTime(before.lastUpdateTime) ?? now);
  const since = parseTime(draft.canary!.lastUpdateTime) ?? now;
  draft.canary = { ...draft.canary!, lastUpdateTime: formatTime(Math.min(now, since + pausedFor)) };
  events.push({ reason: 'ReleaseResumed', message: `${name}: the release goes on` });
}

const effectsOf = (move: Move | undefined): readonly Effect[] => (move?.kind === 'Act' ? [move.effect] : []);

function healthOf({ snapshot, view, draft }: Run): Health {
  const { rollout, now } = snapshot;
  return judgePods(view.pods, {
    now,
    minReadySeconds: view.minReadySeconds,
    stepStartedAt: parseTime(draft.canary!.lastUpdateTime) ?? now,
    stepDeadlineSeconds: rollout.spec.strategy.canary?.stepDeadlineSeconds ?? DEFAULT_DEADLINE_SECONDS,
  });
}

/** Stalled: nothing more is spent, or the stable version is put back. Undefined when the step may go on. */
function judge(run: Run, health: Health): Answer | undefined {
  const { snapshot, view, held, goal, draft, name, events } = run;
  const { now, rollout } = snapshot;
  const before = conditionOf(rollout.status?.conditions, 'Stalled');
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
  draft.message = words.stalled(name, failing ? health.failing : health.late);
  setCondition(draft, now, 'Stalled', 'True', reason, draft.message);
  if (before?.status !== 'True') events.push({ reason: 'Stalled', message: draft.message });
  const rollsBack = rollout.spec.strategy.canary?.onFailure === 'Rollback' && view.stableSet !== undefined;
  if (!rollsBack) return { effects: effectsOf(freeze(view, held)), againAtMs: health.changesAt };
  draft.message = `${name} failed: putting the stable version back, because of ${words.namePods(failing ? health.failing : health.late)}`;
  // The reason is in the status before the template is put back: whoever finishes this knows why.
  if (before?.status !== 'True') return { againAtMs: now };
  events.push({ reason: 'FailureRollback', message: draft.message });
  return { effects: [revertDeployment(view.deployment, deploymentTemplate(view.stableSet.spec.template))] };
}

function upgrade(run: Run, health: Health): Answer {
  const { view, held, goal, draft, name } = run;
  const move = advance(view, held, goal);
  const labels = labelPods(run);
  const againAtMs = earliest(view.availableAt, view.oldAvailableAt, health.changesAt);
  const waitsFor =
    health.waiting.length > 0 ? words.namePods(health.waiting) : move.kind === 'Wait' ? move.waitsFor : 'the next Pods';
  draft.message = words.updating(name, Math.min(view.available, goal.target), goal.target, waitsFor);
  if (move.kind === 'Done' && labels.length === 0) return completeStep(run);
  noteTrim(run, move);
  return { effects: [...effectsOf(move), ...labels], againAtMs };
}

function noteTrim({ draft, events, name }: Run, move: Move): void {
  if (move.kind === 'Act' && move.trimmed) {
    const { from, to } = move.trimmed;
    events.push({ reason: 'Trimmed', message: `${name}: from ${from} updated Pods to ${to}, after scaling` });
  } else if (move.kind === 'TrimRefused') {
    draft.canary = { ...draft.canary!, keepsReplicas: true };
    const message = `${name}: the correction of the sizes did not last; they are left as they are`;
    events.push({ reason: 'TrimRefused', message });
  }
}

function completeStep(run: Run): Answer {
  const { snapshot, view, draft, events, name, goal } = run;
  events.push({ reason: 'StepCompleted', message: `${name}: ${view.available} Pods updated and available` });
  if (goal.last) return finish(run);
  setState(draft, 'StepPaused', snapshot.now);
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
  return { effects, againAtMs: earliest(waiting.againAtMs, view.availableAt, view.oldAvailableAt, health.changesAt) };
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
  return { effects, againAtMs: earliest(waiting.againAtMs, view.availableAt, view.oldAvailableAt, health.changesAt) };
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

/** Who went past a policy for this release is in its history, once. */
function noteGlass({ snapshot, view, draft, events }: Run): void {
  const [current, ...rest] = draft.history;
  if (current === undefined || current.endTime !== undefined) return;
  const noted = current.brokenGlass ?? [];
  const news = glassFor(snapshot.rollout, view.deployment)
    .map(({ user, reason, time }) => ({ user, reason, time }))
    .filter((glass) => !noted.some((one) => one.user === glass.user && one.time === glass.time));
  if (news.length === 0) return;
  draft.history = [{ ...current, brokenGlass: [...noted, ...news] }, ...rest];
  for (const { user, reason } of news) {
    events.push({ reason: 'GlassBroken', message: `${user} went past policy: ${reason}` });
  }
}

/** Who approved is on record before the step is left. */
function noteApprovals({ snapshot, draft, events, name }: Run): void {
  const approvals = withApprovalByEdit(draft.canary!, snapshot.rollout);
  if (approvals === undefined) return;
  draft.canary = { ...draft.canary!, approvals };
  const users = [...new Set(approvalsOf(draft.canary).map(({ user }) => user))];
  if (users.length > 0) events.push({ reason: 'Approved', message: `${name} approved by ${users.join(', ')}` });
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
  const target = stepTarget(steps[index - 1]?.replicas ?? '100%', view.replicas);
  draft.canary = { ...draft.canary!, ...atStep(index, steps.length, view.updated > target) };
  setState(draft, 'StepUpgrade', now);
  const name = words.stepOf(index, Math.max(steps.length, 1));
  draft.message = words.updating(name, Math.min(view.available, target), target, 'the Deployment controller');
  events.push({ reason: 'StepStarted', message: `${name}: ${target} of ${view.replicas} Pods are to be updated` });
}

/** The fields of a status that has just come to a step. */
export const atStep = (index: number, steps: number, keepsReplicas: boolean): Partial<CanaryStatus> => ({
  currentStepIndex: index,
  nextStepIndex: index < steps ? index + 1 : -1,
  keepsReplicas,
});

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

/** Labels for logs and metrics: the release and the step that brought the Pod. */
function labelPods({ view, draft, index }: Run): Effect[] {
  const id = draft.canary!.observedRolloutID;
  if (!id) return [];
  const startedAt = draft.history[0]?.startTime ?? '';
  const batchOf = (pod: Pod): string => {
    const known = pod.metadata.labels?.[ROLLOUT_BATCH_ID];
    return known !== undefined && (pod.metadata.creationTimestamp ?? '') >= startedAt ? known : String(index);
  };
  return view.pods
    .filter((pod) => pod.metadata.labels?.[ROLLOUT_ID] !== id)
    .slice(0, LABELS_AT_ONCE)
    .map((pod) => labelPod(pod, { [ROLLOUT_ID]: id, [ROLLOUT_BATCH_ID]: batchOf(pod) }));
}

function earliest(...times: (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}
