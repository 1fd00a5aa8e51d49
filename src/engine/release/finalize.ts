// The ends of a release: rolled back, finished, disabled, deleted. Each gives the workload back with the user's own settings.
import { CHANGED_BY, HELD, ON_DELETE, PAUSED_UNSEEN, ROLLOUT_FINALIZER, WORKLOAD_TYPE } from '../../api/keys.ts';
import type { Outcome } from '../../api/reasons.ts';
import { CONTROLLER_REVISIONS } from '../../api/resources.ts';
import type { HoldRecord, TemplateDigest, Workload } from '../../api/types.ts';
import { podsOf } from '../lib/replicas.ts';
import { patchRollout, withEvictions } from '../workload/effects.ts';
import { decisionOf, effectsOf, type Move, type Progress, type WorkloadKind } from '../workload/kind.ts';
import { WITHOUT_HOLD } from '../workload/record.ts';
import { kindOf } from '../workload/registry.ts';
import { isLeftBehind } from './openkruise.ts';
import { releaseNamed, rollbackId, rolloutIdOf } from './release-id.ts';
import { withoutReplan } from '../steps/replan.ts';
import { gate } from '../traffic/gate.ts';
import { nothing, type Decision, type Effect, type EventNote } from '../decision.ts';
import type { Snapshot } from '../snapshot.ts';
import { completedBy, remember } from './completed.ts';
import { copyName, knownStable, templateOf } from './stable.ts';
import {
  closeHistory,
  conditionOf,
  draftOf,
  dropConditions,
  isTrue,
  progressingReason,
  report,
  setCondition,
  type Draft,
} from '../status.ts';
import { withNumbers } from '../steps/run.ts';
import { UNKNOWN } from '../lib/template.ts';
import { formatTime } from '../lib/time.ts';
import { goBack, wayBack, type WayBack } from './way-back.ts';
import * as messages from '../messages.ts';

/** The stable template was restored: the workload's controller rolls back without steps. */
export function cancel(snapshot: Snapshot, progress: Progress, template: TemplateDigest): Decision {
  const { rollout, now } = snapshot;
  const { kind } = progress;
  const draft = draftOf(rollout);
  const events: EventNote[] = [];
  if (progressingReason(rollout) !== 'Cancelling') {
    const message = 'the stable template was restored: the release is cancelled';
    setCondition(draft, now, 'Progressing', 'True', 'Cancelling', message);
    events.push({ reason: 'RolledBack', message });
  }
  draft.message = withRemark('rolling back', progress);
  if (progress.held) return giveBack(snapshot, kind.giveBack(progress, progress.held), draft, events, progress);
  if (!kind.isSettled(progress, 0))
    return {
      ...report(snapshot, draft, events),
      ...withEvictions([...kind.resumeUnseen(progress.workload), ...kind.repair(progress)], progress),
      needsChildren: true,
    };
  if (draft.canary?.restores !== undefined) return close(snapshot, progress, template, draft, 'Restored', events);
  const failed = isTrue(rollout, 'Stalled') && rollout.spec.strategy.canary?.onFailure === 'Rollback';
  return close(snapshot, progress, template, draft, failed ? 'Failed' : 'RolledBack', events);
}

/** All steps are done: the workload's controller updates the remaining Pods, if any. */
export function finalize(snapshot: Snapshot, progress: Progress, template: TemplateDigest): Decision {
  const { kind } = progress;
  const draft = draftOf(snapshot.rollout);
  draft.message = withRemark('finishing', progress);
  if (progress.held) return giveBack(snapshot, kind.giveBack(progress, progress.held), draft, [], progress);
  if (!kind.isSettled(progress, toleratedBy(snapshot, progress)))
    return {
      ...report(snapshot, draft, []),
      ...withEvictions([...kind.resumeUnseen(progress.workload), ...kind.repair(progress)], progress),
      needsChildren: true,
    };
  // A workload that was resumed before its last step did not complete the release.
  const state = snapshot.rollout.status?.canaryStatus?.currentStepState;
  // With 0 replicas, no step starts.
  const begins = state === 'BeforeStepUpgrade' && !isTrue(snapshot.rollout, 'Bypassed');
  const completed = state === 'Completed' || begins;
  return close(snapshot, progress, template, draft, completed ? 'Completed' : 'Bypassed', []);
}

function toleratedBy({ rollout }: Snapshot, { replicas }: Progress): number {
  const threshold = rollout.spec.strategy.canary?.failureThreshold;
  return threshold === undefined ? 0 : podsOf(threshold, replicas, 'up');
}

function giveBack(
  snapshot: Snapshot,
  move: Move,
  draft: Draft,
  events: readonly EventNote[],
  progress: Progress,
): Decision {
  const decision = report(snapshot, draft, events);
  return { ...decision, ...withEvictions(effectsOf(move), progress), needsChildren: true };
}

const withRemark = (what: string, { updated, replicas, remark }: Progress): string =>
  messages.withRemark(messages.natively(what, updated, replicas), remark);

function close(
  snapshot: Snapshot,
  progress: Progress,
  template: TemplateDigest,
  draft: Draft,
  outcome: Outcome,
  events: readonly EventNote[],
): Decision {
  const { rollout, now } = snapshot;
  const done = outcome === 'Completed';
  const restored = outcome === 'Restored';
  const runs = done || restored || outcome === 'Bypassed';
  const id = rolloutIdOf(progress.workload);
  const message = done
    ? 'Rollout progressing has been completed'
    : restored
      ? 'an earlier version was restored without steps'
      : runs
        ? 'all Pods were updated before the steps were done'
        : 'Rollout progressing has been canceled';
  const ended = draft.canary?.stableDigest;
  const revision = progress.newVersion?.revision ?? '';
  draft.completed = remember(
    draft.completed,
    { workload: completedBy(rollout), templateDigest: template, revision },
    done && wentThroughSteps(draft, template),
    now,
  );
  closeHistory(draft, now, outcome);
  dropConditions(draft, 'PolicyBlocked');
  draft.phase = 'Healthy';
  draft.message = message;
  const {
    keepsReplicas: _,
    plan: __,
    releasedRolloutID: ___,
    restores: ____,
    ...canary
  } = withNumbers(withoutReplan(draft.canary!), progress);
  draft.canary = {
    ...canary,
    ...(id ? { observedRolloutID: runs ? id : rollbackId(id) } : {}),
    stableRevision: revision,
    nextStepIndex: -1,
    currentStepState: 'Completed',
    templateDigest: template,
    stableDigest: template,
    lastUpdateTime: formatTime(now),
  };
  if (isTrue(rollout, 'Stalled')) setCondition(draft, now, 'Stalled', 'False', 'Recovered', '');
  setCondition(draft, now, 'Progressing', 'False', 'Completed', message);
  setCondition(draft, now, 'Succeeded', done || restored ? 'True' : 'False', '', message);
  const note: EventNote[] = done ? [{ reason: 'ReleaseCompleted', message: `${releaseNamed(id)} completed` }] : [];
  return { ...report(snapshot, draft, [...events, ...note]), effects: dropCopy(progress.workload, ended) };
}

/** With 0 replicas, or if the workload was resumed, a release ends without its steps. */
const wentThroughSteps = ({ canary, history: [current] }: Draft, template: TemplateDigest): boolean =>
  canary?.currentStepState === 'Completed' &&
  canary.templateDigest === template &&
  current?.endTime === undefined &&
  current?.bypassed === undefined;

export const dropCopy = (workload: Workload, stable: TemplateDigest | undefined): Effect[] =>
  stable
    ? [
        {
          kind: 'Delete',
          why: 'keep',
          resource: CONTROLLER_REVISIONS,
          name: copyName(workload, stable),
          owner: workload,
        },
      ]
    : [];

/**
 * The decision during a drain, which treats each Rollout as disabled and as the only one of its workload. `onDelete` overrides the annotation
 * of that name.
 */
export const depart = (snapshot: Snapshot, onDelete: 'Finish' | 'Rollback'): Decision =>
  gate(snapshot, departing(snapshot, onDelete));

function departing(snapshot: Snapshot, onDelete: 'Finish' | 'Rollback'): Decision {
  const { rollout, workload } = snapshot;
  // Kept as it is, so that OpenKruise can continue it.
  if (workload && isLeftBehind(workload, undefined, kindOf(rollout.spec.workloadRef))) return nothing;
  if (rollout.metadata.deletionTimestamp !== undefined) return leave(snapshot, 'Deleted');
  const annotations = { ...rollout.metadata.annotations, [ON_DELETE]: onDelete };
  return leave(
    { ...snapshot, alone: true, rollout: { ...rollout, metadata: { ...rollout.metadata, annotations } } },
    'Disabled',
  );
}

/** The Rollout is deleted or disabled: the workload is given back first, then the finalizer is removed or the phase set. */
export function leave(snapshot: Snapshot, outcome: 'Deleted' | 'Disabled'): Decision {
  const { rollout, workload, alone, children } = snapshot;
  const kind = kindOf(rollout.spec.workloadRef);
  if (!kind || !workload || !alone) return left(snapshot, outcome);
  if (isLeftBehind(workload, rollout, kind)) return waitForTakeover(snapshot, outcome);
  const held = kind.readHold(workload);
  if (!held && slippedBy(snapshot, workload)) return holdFirst(snapshot, kind, workload);
  if (!held) {
    const effects = kind.leave(workload, nothingOfOurs);
    return effects.length > 0 ? { ...nothing, effects } : left(snapshot, outcome);
  }
  if (!children) return { ...nothing, needsChildren: true };
  return { ...leaving(snapshot, kind.progress(snapshot, workload, children), outcome), needsChildren: true };
}

/**
 * A Deployment that OpenKruise left with strategy Recreate cannot be given back, and without a Rollout a workload would stay paused or partitioned
 * forever.
 */
function waitForTakeover(snapshot: Snapshot, outcome: 'Deleted' | 'Disabled'): Decision {
  const { rollout, now } = snapshot;
  const draft = draftOf(rollout);
  const before = conditionOf(draft.conditions, 'Stalled');
  draft.phase = outcome === 'Deleted' ? 'Terminating' : 'Disabling';
  draft.message = messages.leftByOpenKruise(rollout, kindOf(rollout.spec.workloadRef)?.resource);
  setCondition(draft, now, 'Stalled', 'True', 'LeftByOpenKruise', draft.message);
  const known = before?.status === 'True' && before.message === draft.message;
  return report(snapshot, draft, known ? [] : [{ reason: 'Stalled', message: draft.message }]);
}

/**
 * True if no webhook saw the template, and it must not be released without its Rollout: a policy protects releases, or the API server paused the
 * template and releases roll back.
 */
function slippedBy({ rollout, gate, digest }: Snapshot, workload: Workload): boolean {
  const { annotations } = workload.metadata;
  const goesBack =
    annotations?.[PAUSED_UNSEEN] === undefined ? gate?.protects : whyBack({ rollout, ...(gate && { gate }) });
  if (goesBack === undefined || annotations?.[HELD] !== undefined) return false;
  const known = knownStable(rollout);
  return known !== undefined && known !== digest(workload.spec.template);
}

function holdFirst({ rollout }: Snapshot, kind: WorkloadKind, workload: Workload): Decision {
  const bypassed = 'a new template was not held';
  const stable = knownStable(rollout) ?? UNKNOWN;
  const effects = kind.holdNow(workload, { rollout: rollout.metadata.name, stable, bypassed });
  return { effects, events: [{ reason: 'Bypassed', message: `${bypassed}: it is held now` }], needsChildren: true };
}

/** Why the end of a Rollout during a release rolls back. Undefined if the workload continues to the new version. */
const whyBack = ({ rollout, gate }: Pick<Snapshot, 'gate' | 'rollout'>): string | undefined =>
  rollout.metadata.annotations?.[ON_DELETE] === 'Rollback'
    ? `because of the annotation ${ON_DELETE}`
    : gate?.protects === undefined
      ? undefined
      : `because policy ${gate.protects} protects releases in progress`;

function leaving(snapshot: Snapshot, progress: Progress, outcome: 'Deleted' | 'Disabled'): Decision {
  const { rollout, now } = snapshot;
  const draft = draftOf(rollout);
  const why = whyBack(snapshot);
  const { kind, workload } = progress;
  const stored = storedInstead(progress, snapshot.digest(workload.spec.template));
  const mayDiffer = snapshot.gate?.protects === undefined;
  const held = stored === undefined || !mayDiffer ? progress.held! : { ...progress.held!, reverted: stored };
  draft.phase = outcome === 'Deleted' ? 'Terminating' : 'Disabling';
  draft.message =
    outcome === 'Deleted' ? `deleted: giving the ${kind.resource.kind} back` : 'Disabling rollout, release resources';
  draft.message = messages.withRemark(draft.message, progress.remark);
  if (outcome === 'Deleted')
    setCondition(draft, now, 'Terminating', 'True', 'InTerminating', 'Rollout is in terminating');
  if (why !== undefined && (stored === undefined || !mayDiffer)) {
    const way = wayBack(snapshot, progress, held);
    if (way.kind === 'Ask') return way.decision;
    if (way.kind === 'Unknown')
      return stayHeld(snapshot, progress, draft, messages.stableUnknown(kind.resource.kind, workload.metadata.name));
    const effect = goBack(progress, way.template, { ...held, reverted: generationOf(workload) });
    if (effect && stored !== undefined)
      return stayHeld(snapshot, progress, draft, messages.stableChanged(kind.resource.kind, workload.metadata.name));
    if (effect) return { ...report(snapshot, draft, []), effects: [effect] };
  }
  const move = kind.giveBack(progress, held, nothingOfOurs, true);
  const how = why === undefined ? 'finishes without steps' : `rolls back, ${why}`;
  const message = `the Rollout was ${outcome.toLowerCase()} during a release: the ${kind.resource.kind} ${how}`;
  const events: EventNote[] = isFree(move) ? [{ reason: 'ReleaseEnded', message }] : [];
  const decision = giveBack(snapshot, move, draft, events, progress);
  return isFree(move) ? { ...decision, effects: [...decision.effects, ...dropCopy(workload, held.stable)] } : decision;
}

const isFree = (move: Move): boolean => move.kind === 'Act' && move.effect.why === 'free';

/** A policy forbids to finish, and the stable template is unknown: the workload stays held. */
function stayHeld(snapshot: Snapshot, progress: Progress, draft: Draft, message: string): Decision {
  const before = conditionOf(draft.conditions, 'Stalled');
  draft.message = message;
  setCondition(draft, snapshot.now, 'Stalled', 'True', 'StableUnknown', message);
  const known = before?.status === 'True' && before.reason === 'StableUnknown';
  const decision = report(snapshot, draft, known ? [] : [{ reason: 'Stalled', message }]);
  return { ...decision, effects: effectsOf(progress.kind.freeze(progress, progress.held!)), needsChildren: true };
}

/**
 * The digest of the stored template, if another program changed the stable template in the request that restored it. Trying again would give
 * the same, so the workload is given back with it. Undefined if nothing was restored, or if the workload changed since.
 */
function storedInstead({ held, workload }: Progress, template: TemplateDigest): string | undefined {
  const { reverted } = held!;
  const { generation = 0 } = workload.metadata;
  const byUs =
    reverted !== undefined && /^generation [0-9]{1,15}$/.test(reverted) && Number(reverted.slice(11)) >= generation - 1;
  return byUs || reverted === template ? template : undefined;
}

const generationOf = ({ metadata }: Workload): string => `generation ${metadata.generation ?? 0}`;

const nothingOfOurs = {
  labels: { [WORKLOAD_TYPE]: null, ...WITHOUT_HOLD.labels },
  annotations: { [CHANGED_BY]: null, [PAUSED_UNSEEN]: null, ...WITHOUT_HOLD.annotations },
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

/** The facts about a workload without a Rollout. */
export type OrphanFacts = Pick<Snapshot, 'now' | 'children' | 'digest' | 'sha256' | 'gate' | 'copy'>;

/** A workload that is held but whose Rollout no longer exists: it is given back, with the stable template if a policy protects releases. */
export function releaseOrphan(kind: WorkloadKind, workload: Workload, facts: OrphanFacts): Decision {
  const held = kind.readHold(workload);
  if (!held) return nothing;
  const protects = facts.gate?.protects;
  const how =
    protects === undefined
      ? 'finishes without steps'
      : `rolls back, because policy ${protects} protects releases in progress`;
  const message = `Rollout "${held.rollout}", which held the ${kind.resource.kind}, does not exist: the ${kind.resource.kind} ${how}`;
  const events: EventNote[] = [{ reason: 'HoldReleased', message }];
  if (kind.mayFreeAtOnce(held) && protects === undefined) {
    const effects = [...kind.giveUp(workload, held, nothingOfOurs), ...dropCopy(workload, held.stable)];
    return { ...nothing, effects, events };
  }
  if (!facts.children) return { ...nothing, needsChildren: true };
  const { name } = workload.metadata;
  const { apiVersion, kind: ofKind } = kind.resource;
  const rollout = {
    metadata: { name: held.rollout },
    spec: { workloadRef: { apiVersion, kind: ofKind, name }, strategy: {} },
  };
  const snapshot: Snapshot = { ...facts, rollout, workload, alone: true, reportedAt: undefined };
  const progress = kind.progress(snapshot, workload, facts.children);
  if (protects !== undefined) {
    const way = wayOfOrphan(snapshot, progress, held);
    if (way.kind === 'Ask') return way.decision;
    // Without a Rollout there is no status to report this in, so the log and an event do.
    const stay = (why: string): Decision => decisionOf(kind.freeze(progress, progress.held!), 'Stalled', why);
    if (way.kind === 'Unknown') return stay(messages.stableUnknown(ofKind, name));
    const effect = goBack(progress, way.template, { ...progress.held!, reverted: generationOf(workload) });
    if (effect && storedInstead(progress, facts.digest(workload.spec.template)) !== undefined)
      return stay(messages.stableChanged(ofKind, name));
    if (effect) return { effects: [effect], events: [], needsChildren: true };
  }
  const move = kind.giveBack(progress, progress.held!, nothingOfOurs, true);
  const effects = effectsOf(move);
  return isFree(move)
    ? { effects: [...effects, ...dropCopy(workload, held.stable)], events, needsChildren: true }
    : { effects, events: [], needsChildren: true };
}

/**
 * The way back of a workload without a Rollout. Without a status, only the record names the stable version, and users can write it. The record
 * counts if the version has Pods, or if the copy of its template exists: Kubernetes' role `edit` cannot write ControllerRevisions.
 */
function wayOfOrphan(snapshot: Snapshot, progress: Progress, record: HoldRecord): WayBack {
  const { digest, copy } = snapshot;
  if (progress.held!.stable === record.stable) return wayBack(snapshot, progress, progress.held!);
  if (copy === undefined) {
    const needsCopy = copyName(progress.workload, record.stable);
    return { kind: 'Ask', decision: { ...nothing, needsChildren: true, needsCopy } };
  }
  const template = templateOf(copy ?? undefined, record.stable, digest);
  return template ? { kind: 'Template', template } : wayBack(snapshot, progress, progress.held!);
}
