// The ways out of a release: rolled back, finished, disabled, deleted. Each gives the Deployment back as its user wrote it.
import {
  CHANGED_BY,
  HELD,
  ON_DELETE,
  PAUSED_UNSEEN,
  ROLLOUT_FINALIZER,
  ROLLOUT_ID,
  WORKLOAD_TYPE,
} from '../../api/keys.ts';
import type { Outcome } from '../../api/reasons.ts';
import type { Deployment, Held } from '../../api/types.ts';
import { podsOf } from '../lib/replicas.ts';
import { act, asUserWrote } from './bypass.ts';
import { freeze, letGo, repair, type Move } from '../workload/deployment/budget.ts';
import { freeDeployment, patchDeployment, patchHeld, patchRollout } from '../workload/deployment/effects.ts';
import {
  firstHold,
  HELD_ANNOTATIONS,
  HELD_LABELS,
  noticeEdits,
  readHeld,
  type Settings,
} from '../workload/deployment/hold.ts';
import { isLeftBehind } from './openkruise.ts';
import { withoutReplan } from '../steps/replan.ts';
import { nothing, type Decision, type Effect, type EventNote, type Snapshot } from '../snapshot.ts';
import { copyName, knownStable } from './stable.ts';
import {
  closeHistory,
  conditionOf,
  draftOf,
  dropConditions,
  isTrue,
  progressingReason,
  report,
  rollbackId,
  setCondition,
  type Draft,
} from '../status.ts';
import { effectsOf, withNumbers } from '../steps/run.ts';
import { formatTime } from '../lib/time.ts';
import { hashOf, viewOf, type View } from '../workload/deployment/view.ts';
import { goBack, wayBack } from './way-back.ts';
import * as words from '../messages.ts';

/** The stable template is back: the native controller rolls back, and nothing is batched. */
export function cancel(snapshot: Snapshot, view: View, template: string): Decision {
  const { rollout, now } = snapshot;
  const draft = draftOf(rollout);
  const events: EventNote[] = [];
  if (progressingReason(rollout) !== 'Cancelling') {
    const message = 'the stable template was put back: the release is cancelled';
    setCondition(draft, now, 'Progressing', 'True', 'Cancelling', message);
    events.push({ reason: 'RolledBack', message });
  }
  draft.message = words.natively('rolling back', view.updated, view.replicas);
  if (view.held) return giveBack(snapshot, letGo(view, view.held), draft, events);
  if (!isSettledNatively(view))
    return { ...report(snapshot, draft, events), effects: repair(view), needsChildren: true };
  const failed = isTrue(rollout, 'Stalled') && rollout.spec.strategy.canary?.onFailure === 'Rollback';
  return close(snapshot, view, template, draft, failed ? 'Failed' : 'RolledBack', events);
}

/** All steps are done: what is left of the Pods, if anything, follows natively. */
export function finalise(snapshot: Snapshot, view: View, template: string): Decision {
  const draft = draftOf(snapshot.rollout);
  draft.message = words.natively('finishing', view.updated, view.replicas);
  if (view.held) return giveBack(snapshot, letGo(view, view.held), draft, []);
  if (!isSettledNatively(view, toleratedBy(snapshot, view)))
    return { ...report(snapshot, draft, []), effects: repair(view), needsChildren: true };
  // Whatever un-paused the Deployment before its last step did not complete the release.
  const state = snapshot.rollout.status?.canaryStatus?.currentStepState;
  // With 0 replicas no step ever begins.
  const begins = state === 'BeforeStepUpgrade' && !isTrue(snapshot.rollout, 'Bypassed');
  const completed = state === 'Completed' || begins;
  return close(snapshot, view, template, draft, completed ? 'Completed' : 'Bypassed', []);
}

function toleratedBy({ rollout }: Snapshot, { replicas }: View): number {
  const threshold = rollout.spec.strategy.canary?.failureThreshold;
  return threshold === undefined ? 0 : podsOf(threshold, replicas, 'up');
}

/** The native controller has nothing left to do, by its own account; with 0 replicas a release is never done. */
function isSettledNatively({ deployment, replicas, old, updated }: View, tolerated = 0): boolean {
  const { status, metadata } = deployment;
  return (
    replicas > 0 &&
    old === 0 &&
    updated === replicas &&
    (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0) &&
    (status?.updatedReplicas ?? 0) === replicas &&
    (status?.replicas ?? 0) === replicas &&
    (status?.availableReplicas ?? 0) >= replicas - tolerated
  );
}

function giveBack(snapshot: Snapshot, move: Move, draft: Draft, events: readonly EventNote[]): Decision {
  const effects = move.kind === 'Act' ? [move.effect] : [];
  return { ...report(snapshot, draft, events), effects, needsChildren: true };
}

function close(
  snapshot: Snapshot,
  view: View,
  template: string,
  draft: Draft,
  outcome: Outcome,
  events: readonly EventNote[],
): Decision {
  const { rollout, now } = snapshot;
  const done = outcome === 'Completed';
  const runs = done || outcome === 'Bypassed';
  const id = view.deployment.metadata.labels?.[ROLLOUT_ID];
  const message = done
    ? 'Rollout progressing has been completed'
    : runs
      ? 'the new version went out to all Pods before the steps were done'
      : 'Rollout progressing has been canceled';
  const ended = draft.canary?.stableDigest;
  closeHistory(draft, now, outcome);
  dropConditions(draft, 'PolicyBlocked');
  draft.phase = 'Healthy';
  draft.message = message;
  const {
    keepsReplicas: _,
    plan: __,
    releasedRolloutID: ___,
    ...canary
  } = withNumbers(withoutReplan(draft.canary!), view);
  draft.canary = {
    ...canary,
    ...(id ? { observedRolloutID: runs ? id : rollbackId(id) } : {}),
    stableRevision: hashOf(view.newSet),
    nextStepIndex: -1,
    currentStepState: 'Completed',
    templateDigest: template,
    stableDigest: template,
    lastUpdateTime: formatTime(now),
  };
  if (isTrue(rollout, 'Stalled')) setCondition(draft, now, 'Stalled', 'False', 'Recovered', '');
  setCondition(draft, now, 'Progressing', 'False', 'Completed', message);
  setCondition(draft, now, 'Succeeded', done ? 'True' : 'False', '', message);
  const note: EventNote[] = done ? [{ reason: 'ReleaseCompleted', message: `release ${id ?? ''} is completed` }] : [];
  return { ...report(snapshot, draft, [...events, ...note]), effects: dropCopy(view.deployment, ended) };
}

const dropCopy = (deployment: Deployment, stable: string | undefined): Effect[] =>
  stable ? [{ kind: 'DeleteCopy', why: 'keep', name: copyName(deployment, stable) }] : [];

/**
 * The program leaves the cluster: as if every Rollout were disabled, and its Deployment not another's; `onDelete` as the annotation of
 * that name.
 */
export function depart(snapshot: Snapshot, onDelete: 'Finish' | 'Rollback'): Decision {
  const { rollout, deployment } = snapshot;
  // Left as it is: OpenKruise, should it come back, goes on with it.
  if (deployment && isLeftBehind(deployment)) return nothing;
  if (rollout.metadata.deletionTimestamp !== undefined) return leave(snapshot, 'Deleted');
  const annotations = { ...rollout.metadata.annotations, [ON_DELETE]: onDelete };
  return leave(
    { ...snapshot, alone: true, rollout: { ...rollout, metadata: { ...rollout.metadata, annotations } } },
    'Disabled',
  );
}

/** The Rollout goes, or is disabled: first the Deployment is given back, then the finalizer or the phase follows. */
export function leave(snapshot: Snapshot, outcome: 'Deleted' | 'Disabled'): Decision {
  const { deployment, alone, children } = snapshot;
  if (!deployment || !alone) return left(snapshot, outcome);
  if (isLeftBehind(deployment, snapshot.rollout)) return waitForTakeover(snapshot, outcome);
  const held = readHeld(deployment);
  if (!held && slippedBy(snapshot, deployment)) return holdFirst(snapshot, deployment);
  if (!held) {
    const effects = patchDeployment('leave', deployment, { ...nothingOfOurs, ...withoutUnseenPause(deployment) });
    return effects.length > 0 ? { ...nothing, effects } : left(snapshot, outcome);
  }
  if (!children) return { ...nothing, needsChildren: true };
  const view = viewOf(snapshot, deployment, children);
  return { ...leaving(snapshot, view, outcome), needsChildren: true };
}

/** We cannot give back what OpenKruise has left in Recreate, and whoever lets go of it now leaves it paused for ever. */
function waitForTakeover(snapshot: Snapshot, outcome: 'Deleted' | 'Disabled'): Decision {
  const { rollout, now } = snapshot;
  const draft = draftOf(rollout);
  const before = conditionOf(draft.conditions, 'Stalled');
  draft.phase = outcome === 'Deleted' ? 'Terminating' : 'Disabling';
  draft.message = words.leftByOpenKruise(rollout);
  setCondition(draft, now, 'Stalled', 'True', 'LeftByOpenKruise', draft.message);
  const known = before?.status === 'True' && before.message === draft.message;
  return report(snapshot, draft, known ? [] : [{ reason: 'Stalled', message: draft.message }]);
}

/** A template that no webhook saw, under a policy by which it must not go out for want of its Rollout. */
function slippedBy({ rollout, gate, digest }: Snapshot, deployment: Deployment): boolean {
  if (gate?.protects === undefined || deployment.metadata.annotations?.[HELD] !== undefined) return false;
  const known = knownStable(rollout);
  return known !== undefined && known !== digest(deployment.spec.template);
}

function holdFirst({ rollout }: Snapshot, deployment: Deployment): Decision {
  const settings = asUserWrote(deployment);
  const hold = firstHold(deployment, settings, rollout.metadata.name, knownStable(rollout) ?? '');
  const bypassed = 'a new template was not held';
  const effects = patchHeld('hold', deployment, { ...hold.held, bypassed }, hold.settings);
  return { effects, events: [{ reason: 'Bypassed', message: `${bypassed}: it is held now` }], needsChildren: true };
}

/** Why a Rollout that is left in flight takes its Deployment back to the stable version; undefined: it goes on to the new one. */
const whyBack = ({ rollout, gate }: Pick<Snapshot, 'gate' | 'rollout'>): string | undefined =>
  rollout.metadata.annotations?.[ON_DELETE] === 'Rollback'
    ? `as its annotation ${ON_DELETE} says`
    : gate?.protects === undefined
      ? undefined
      : `as policy ${gate.protects} protects releases in flight`;

function leaving(snapshot: Snapshot, view: View, outcome: 'Deleted' | 'Disabled'): Decision {
  const { rollout, now } = snapshot;
  const draft = draftOf(rollout);
  const why = whyBack(snapshot);
  const { deployment } = view;
  const stored = storedInstead(view, snapshot.digest(deployment.spec.template));
  const mayDiffer = snapshot.gate?.protects === undefined;
  const held = stored === undefined || !mayDiffer ? view.held! : { ...view.held!, reverted: stored };
  draft.phase = outcome === 'Deleted' ? 'Terminating' : 'Disabling';
  draft.message =
    outcome === 'Deleted' ? 'deleted: giving the Deployment back' : 'Disabling rollout, release resources';
  if (outcome === 'Deleted')
    setCondition(draft, now, 'Terminating', 'True', 'InTerminating', 'Rollout is in terminating');
  if (why !== undefined && (stored === undefined || !mayDiffer)) {
    const way = wayBack(snapshot, view, held);
    if (way.kind === 'Ask') return way.decision;
    if (way.kind === 'Unknown') return stayHeld(snapshot, view, draft, words.stableUnknown(deployment.metadata.name));
    const effect = goBack(view, way.template, { ...held, reverted: generationOf(deployment) });
    if (effect && stored !== undefined)
      return stayHeld(snapshot, view, draft, words.stableChanged(deployment.metadata.name));
    if (effect) return { ...report(snapshot, draft, []), effects: [effect] };
  }
  const move = letGo(view, held, nothingOfOurs);
  const how = why === undefined ? 'it finishes natively' : `with the stable template, ${why}`;
  const message = `the Rollout was ${outcome.toLowerCase()} during a release: the Deployment is given back, ${how}`;
  const decision = giveBack(snapshot, move, draft, isFree(move) ? [{ reason: 'ReleaseEnded', message }] : []);
  return isFree(move)
    ? { ...decision, effects: [...decision.effects, ...dropCopy(deployment, held.stable)] }
    : decision;
}

const isFree = (move: Move): boolean =>
  move.kind === 'Act' && move.effect.kind === 'PatchDeployment' && move.effect.why === 'free';

/** Neither forward, which a policy forbids, nor back. */
function stayHeld(snapshot: Snapshot, view: View, draft: Draft, message: string): Decision {
  const before = conditionOf(draft.conditions, 'Stalled');
  draft.message = message;
  setCondition(draft, snapshot.now, 'Stalled', 'True', 'StableUnknown', message);
  const known = before?.status === 'True' && before.reason === 'StableUnknown';
  const decision = report(snapshot, draft, known ? [] : [{ reason: 'Stalled', message }]);
  return { ...decision, effects: effectsOf(freeze(view, view.held!)), needsChildren: true };
}

/**
 * The digest of what others have made of the stable template in the very request that put it back. That is all that can be had, so the
 * Deployment is let go with it. Undefined when nothing was put back, or when somebody has changed the Deployment since.
 */
function storedInstead({ held, deployment }: View, template: string): string | undefined {
  const { reverted } = held!;
  const { generation = 0 } = deployment.metadata;
  const byUs =
    reverted !== undefined && /^generation [0-9]{1,15}$/.test(reverted) && Number(reverted.slice(11)) >= generation - 1;
  return byUs || reverted === template ? template : undefined;
}

const generationOf = ({ metadata }: Deployment): string => `generation ${metadata.generation ?? 0}`;

/** Paused by the API server's own policy while nobody of ours was there, and nobody's to release now. */
const withoutUnseenPause = (deployment: Deployment): { settings?: Settings } =>
  deployment.metadata.annotations?.[PAUSED_UNSEEN] === undefined ? {} : { settings: asUserWrote(deployment) };

const nothingOfOurs = {
  labels: Object.fromEntries([WORKLOAD_TYPE, ...HELD_LABELS].map((key) => [key, null])),
  annotations: Object.fromEntries([CHANGED_BY, PAUSED_UNSEEN, ...HELD_ANNOTATIONS].map((key) => [key, null])),
};

function left(snapshot: Snapshot, outcome: 'Deleted' | 'Disabled'): Decision {
  const { rollout, now } = snapshot;
  if (outcome === 'Deleted') {
    const finalizers = rollout.metadata.finalizers ?? [];
    if (!finalizers.includes(ROLLOUT_FINALIZER)) return nothing;
    const rest = finalizers.filter((name) => name !== ROLLOUT_FINALIZER);
    return { ...nothing, effects: [patchRollout('finalizer', rollout, { finalizers: rest })] };
  }
  const draft = draftOf(rollout);
  closeHistory(draft, now, 'Disabled');
  dropConditions(draft, 'Progressing', 'Stalled', 'Bypassed', 'PolicyBlocked');
  draft.phase = 'Disabled';
  draft.message = 'Rollout is disabled';
  draft.canary = undefined;
  return report(snapshot, draft, []);
}

/** A Deployment that is held although its Rollout does not exist any more: given back, with the stable template where a policy says so. */
export function releaseOrphan(
  deployment: Deployment,
  facts: Pick<Snapshot, 'now' | 'children' | 'digest' | 'sha256' | 'gate' | 'copy'>,
): Decision {
  const held = readHeld(deployment);
  if (!held) return nothing;
  const protects = facts.gate?.protects;
  const how =
    protects === undefined ? '' : ` with the stable template, as policy ${protects} protects releases in flight`;
  const message = `it was held by Rollout "${held.rollout}", which does not exist: the Deployment is given back${how}`;
  const events: EventNote[] = [{ reason: 'HoldReleased', message }];
  if (held.marks !== true && protects === undefined) return { ...nothing, effects: giveUp(deployment, held), events };
  if (!facts.children) return { ...nothing, needsChildren: true };
  const rollout = {
    metadata: { name: held.rollout },
    spec: { workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: deployment.metadata.name }, strategy: {} },
  };
  const snapshot: Snapshot = { ...facts, rollout, deployment, alone: true, reportedAt: undefined };
  const view = viewOf(snapshot, deployment, facts.children);
  if (protects !== undefined) {
    const way = wayBack(snapshot, view, view.held!);
    if (way.kind === 'Ask') return way.decision;
    // Nobody's status can say so; the log and an event do.
    if (way.kind === 'Unknown')
      return act(freeze(view, view.held!), 'Stalled', words.stableUnknown(deployment.metadata.name));
    const effect = goBack(view, way.template, { ...view.held!, reverted: generationOf(deployment) });
    if (effect && storedInstead(view, facts.digest(deployment.spec.template)) !== undefined)
      return act(freeze(view, view.held!), 'Stalled', words.stableChanged(deployment.metadata.name));
    if (effect) return { effects: [effect], events: [], needsChildren: true };
  }
  const move = letGo(view, view.held!, nothingOfOurs);
  const effects = effectsOf(move);
  return isFree(move)
    ? { effects: [...effects, ...dropCopy(deployment, held.stable)], events, needsChildren: true }
    : { effects, events: [], needsChildren: true };
}

const giveUp = (deployment: Deployment, held: Held): Effect[] => [
  ...freeDeployment(deployment, noticeEdits(held, deployment), nothingOfOurs),
  ...dropCopy(deployment, held.stable),
];
