// The whole decision for one Rollout: where its release stands, and which part of the engine goes on from there.
import { HELD, ON_RESTART, PLAN_HASH, ROLLOUT_ID, WORKLOAD_TYPE } from '../api/keys.ts';
import type { CanaryStatus, HoldRecord, Rollout, Workload } from '../api/types.ts';
import { nothing, type Decision, type EventNote } from './decision.ts';
import { stepTarget } from './lib/replicas.ts';
import { adopt, begin } from './release/start.ts';
import { catchUp, dropRecord, holdAgain, takeOverEdits } from './release/bypass.ts';
import { cancel, finalise, leave } from './release/finalize.ts';
import { enrol, guard } from './release/enrol.ts';
import { isInFlight } from './release/in-flight.ts';
import { isLeftBehind, isOurs } from './release/openkruise.ts';
import { notReached } from './release/reach.ts';
import { lastReleaseId } from './release/release-id.ts';
import { isRestartOnly } from './lib/template.ts';
import type { Snapshot } from './snapshot.ts';
import { knownStable } from './release/stable.ts';
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
} from './status.ts';
import { proceed } from './steps/machine.ts';
import { misnamedWorkload } from './validate/names.ts';
import { sentence } from './validate/violation.ts';
import { decisionOf, effectsOf, type Progress, type WorkloadKind } from './workload/kind.ts';
import { kindOf } from './workload/registry.ts';
import { goBack, wayBack } from './release/way-back.ts';
import * as words from './messages.ts';

const MISSING_AGAIN_MS = 60_000;

/** The same snapshot gives the same decision; a decision that was carried out, taken again, changes nothing. */
export function decide(snapshot: Snapshot): Decision {
  const { rollout, workload } = snapshot;
  const kind = kindOf(rollout.spec.workloadRef);
  if (!kind) return nothing;
  if (workload && !isNamedBy(rollout, workload))
    return decide({ ...snapshot, workload: undefined, children: undefined });
  if (rollout.metadata.deletionTimestamp !== undefined) return leave(snapshot, 'Deleted');
  if (rollout.spec.disabled === true) return leave(snapshot, 'Disabled');
  const misnamed = misnamedWorkload(rollout);
  if (misnamed) return standAside(snapshot, 'InvalidWorkloadRef', sentence(misnamed));
  // A release that is in flight there goes on to its end.
  if (snapshot.unreached && !isInFlight(rollout, workload)) return standAside(snapshot, 'NotReached');
  const guarded = guard(snapshot);
  if (guarded) return guarded;
  if (!workload) return standAside(snapshot, 'WorkloadNotFound');
  if (workload.metadata.labels?.[WORKLOAD_TYPE] === undefined) return enrol(snapshot, kind, workload);
  if (isLeftBehind(workload, rollout)) return standAside(snapshot, 'LeftByOpenKruise');
  const obstacle = kind.obstacle(workload);
  if (obstacle) return standAside(snapshot, obstacle.reason, obstacle.message);
  if (isIdle(snapshot, workload)) return report(snapshot, rest(snapshot, kind, workload), []);
  if (!snapshot.children) return waitForChildren;
  return govern(snapshot, kind.progress(snapshot, workload, snapshot.children));
}

/** A Rollout speaks of one workload, by name, in its own namespace. */
const isNamedBy = ({ metadata, spec }: Rollout, workload: Workload): boolean =>
  workload.metadata.namespace === metadata.namespace && workload.metadata.name === spec.workloadRef.name;

/** A Rollout that is not the oldest for its Deployment, or whose Deployment cannot be released. */
export function standAside(
  snapshot: Snapshot,
  reason:
    | 'WorkloadNotFound'
    | 'RecreateStrategy'
    | 'LeftByOpenKruise'
    | 'WorkloadTaken'
    | 'InvalidWorkloadRef'
    | 'NotReached',
  by = '',
): Decision {
  const { rollout, now, unreached } = snapshot;
  const name = rollout.spec.workloadRef.name;
  const draft = draftOf(rollout);
  draft.message = {
    WorkloadNotFound: `Deployment "${name}" does not exist: waiting for it`,
    RecreateStrategy: by,
    LeftByOpenKruise: words.leftByOpenKruise(rollout),
    InvalidWorkloadRef: `nothing is read or written for this Rollout: ${by}`,
    WorkloadTaken: `Rollout "${by}" already releases Deployment "${name}": delete one of the two`,
    NotReached: unreached === undefined ? '' : notReached(name, unreached),
  }[reason];
  if (reason === 'WorkloadNotFound') {
    closeHistory(draft, now, 'WorkloadGone');
    dropConditions(draft, 'Progressing', 'Succeeded');
    draft.canary = undefined;
    draft.phase = 'Initial';
  } else if (draft.phase === '') draft.phase = 'Initial';
  setCondition(draft, now, 'Stalled', 'True', reason, draft.message);
  const before = conditionOf(rollout.status?.conditions, 'Stalled');
  // A Deployment that comes after its Rollout is nothing to alarm anybody about.
  const known = reason === 'WorkloadNotFound' || (before?.status === 'True' && before.reason === reason);
  const decision = report(snapshot, draft, known ? [] : [{ reason: 'Stalled', message: draft.message }]);
  return reason === 'WorkloadNotFound' ? { ...decision, againAfterMs: MISSING_AGAIN_MS } : decision;
}

/** Nothing has changed since the last release: no ReplicaSet need be looked at. */
function isIdle({ rollout, digest }: Snapshot, workload: Workload): boolean {
  return (
    rollout.status?.phase === 'Healthy' &&
    workload.metadata.annotations?.[HELD] === undefined &&
    rollout.status.canaryStatus?.templateDigest === digest(workload.spec.template)
  );
}

function rest({ rollout, now }: Snapshot, kind: WorkloadKind, workload: Workload): Draft {
  const draft = draftOf(rollout);
  if (isTrue(rollout, 'Stalled')) {
    setCondition(draft, now, 'Stalled', 'False', 'Recovered', '');
    draft.message = words.idle;
  }
  const id = workload.metadata.labels?.[ROLLOUT_ID];
  const rolloutHash = rollout.metadata.annotations?.[PLAN_HASH] ?? '';
  const steps = rollout.spec.strategy.canary?.steps?.length ?? 0;
  if (draft.canary)
    draft.canary = {
      ...draft.canary,
      ...followId(draft.canary, id),
      ...followScale(draft.canary, workload, kind.replicas(workload)),
      rolloutHash,
      // There may be fewer than there were when it ended.
      currentStepIndex: Math.min(draft.canary.currentStepIndex, steps),
    };
  return draft;
}

/** An id that is set at rest is the status' id; that no release had it is kept beside it. */
function followId(canary: CanaryStatus, id: string | undefined): Partial<CanaryStatus> {
  const observed = canary.observedRolloutID ?? '';
  const last = lastReleaseId(canary);
  if (!id || id === observed || observed === rollbackId(id)) return {};
  return { observedRolloutID: id, ...(id === last ? {} : { releasedRolloutID: last }) };
}

/**
 * A scale at rest: one write when the native controller has seen it, and one when all its Pods are Ready. Pods that are not Ready for a
 * while are for the Deployment to tell.
 */
function followScale(canary: CanaryStatus, { metadata, status }: Workload, replicas: number): Partial<CanaryStatus> {
  const generation = metadata.generation ?? 0;
  if ((status?.observedGeneration ?? 0) < generation) return {};
  const ready = status?.readyReplicas ?? 0;
  if (canary.observedWorkloadGeneration !== generation)
    return {
      observedWorkloadGeneration: generation,
      canaryReplicas: replicas,
      canaryReadyReplicas: Math.min(replicas, ready),
    };
  return ready >= replicas && canary.canaryReplicas === replicas ? { canaryReadyReplicas: replicas } : {};
}

/** Everything that needs the children. */
function govern(snapshot: Snapshot, progress: Progress): Decision {
  const { rollout, digest } = snapshot;
  const { held, kind, workload } = progress;
  const status = rollout.status?.canaryStatus;
  const template = digest(workload.spec.template);
  const toStable = isStable(snapshot, progress, template);
  if (held && !status?.stableRevision && hasNeverRun(progress))
    return decisionOf(kind.giveBack(progress, held), 'HoldReleased', 'it was made held, with nothing running');
  if (rollout.status?.phase !== 'Progressing' || !status) return awake(snapshot, progress, template);

  const reason = progressingReason(rollout);
  const same = isSame(snapshot, progress, template, status);
  if (toStable && (held || reason !== 'Finalising')) return cancel(snapshot, progress, template);
  if (same && reason === 'Finalising') return finalise(snapshot, progress, template);
  if (!held && progress.replicas === 0)
    return same ? reportMessage(snapshot, words.noReplicas) : begin(snapshot, progress, template);
  if (!held && same && progress.old === 0 && reason !== 'Paused') return finalise(snapshot, progress, template);
  if (!held)
    return catchUp(snapshot, progress, same ? 'the record of the hold was taken off' : 'a new template was not held');
  if (!same && isAnnounced(snapshot, progress)) return begin(snapshot, progress, template);
  if (!same)
    return catchUp(
      snapshot,
      progress,
      isPuttingBack(rollout) ? words.changedBack : 'a newer template was not announced',
    );
  if (kind.isLoose(progress)) return holdAgain(snapshot, progress, held);
  return (
    takeOverEdits(progress, held) ??
    withoutStable(snapshot, progress, held) ??
    proceed(snapshot, progress, held, status)
  );
}

/**
 * The template that the status is about. A newer API server may have added a default to it since: then its ReplicaSet still has the hash. But
 * that is a label, which whoever may make ReplicaSets can write: where a policy asks for approvals, or protects the release, only the digest
 * counts, as far as the status has one.
 */
function isSame({ gate }: Snapshot, progress: Progress, template: string, status: CanaryStatus): boolean {
  if (status.templateDigest === template) return true;
  const strict = gate?.protects !== undefined || gate?.approval !== undefined;
  return !(strict && status.templateDigest) && isKnown(progress.newVersion?.revision, status);
}

/** OpenKruise works its own hash of the template out, which need not be the one that Kubernetes has. */
const isKnown = (hash: string | undefined, { canaryRevision, podTemplateHash }: CanaryStatus): boolean =>
  !!hash && (hash === canaryRevision || hash === podTemplateHash);

/**
 * Back to what ran before the release. Where a policy protects it, by its digest only: a ReplicaSet may have been edited; else also by the
 * ReplicaSet as it is stored, since a newer API server may have added a default to both templates.
 */
function isStable({ rollout, gate }: Snapshot, progress: Progress, template: string): boolean {
  if (progress.held?.stable === template) return true;
  if (
    gate?.protects === undefined &&
    progress.stableVersion !== undefined &&
    progress.stableVersion === progress.newVersion
  )
    return true;
  return progress.held === undefined && rollout.status?.canaryStatus?.stableDigest === template;
}

/** A template that came with its own release id was seen by the webhook, or announced by the user. */
function isAnnounced({ rollout }: Snapshot, { workload, stopped }: Progress): boolean {
  const id = workload.metadata.labels?.[ROLLOUT_ID];
  return stopped && id !== rollout.status?.canaryStatus?.observedRolloutID;
}

/**
 * The ReplicaSet of the stable version is gone, and the native controller has given its Pods to the new version, or to nobody. Nothing of
 * that was granted. It goes back where a policy protects the release, or nothing runs; else the step waits, as it would have.
 */
function withoutStable(snapshot: Snapshot, progress: Progress, held: HoldRecord): Decision | undefined {
  const { rollout, gate, digest, now } = snapshot;
  const { kind, newVersion, oldVersions, replicas, updated, old } = progress;
  const gone = ![newVersion, ...oldVersions].some((one) => one !== undefined && digest(one.template) === held.stable);
  const steps = rollout.spec.strategy.canary?.steps ?? [];
  const index = rollout.status?.canaryStatus?.currentStepIndex ?? 1;
  const nothingRuns = replicas > 0 && updated + old === 0;
  const tooMany = old === 0 && updated > stepTarget(steps[index - 1]?.replicas, replicas, index >= steps.length);
  if (
    !gone ||
    replicas === 0 ||
    !rollout.status?.canaryStatus?.stableRevision ||
    held.bypassed !== undefined ||
    !(nothingRuns || tooMany)
  )
    return undefined;
  const message = 'the ReplicaSet of the stable version was deleted or edited during the release';
  if (gate?.protects === undefined && !nothingRuns) {
    return decisionOf(kind.freeze(progress, { ...held, bypassed: message }), 'Bypassed', message);
  }
  const way = wayBack(snapshot, progress, held);
  if (way.kind === 'Ask') return way.decision;
  const draft = draftOf(rollout);
  setCondition(draft, now, 'Bypassed', 'True', 'NotSeenByWebhook', message);
  if (way.kind === 'Unknown') {
    draft.message = words.stableUnknown(progress.workload.metadata.name);
    return { ...report(snapshot, draft, []), effects: effectsOf(kind.freeze(progress, held)), needsChildren: true };
  }
  draft.message = `${message}: the stable version is put back`;
  const effects = [goBack(progress, way.template)].filter((effect) => effect !== undefined);
  const events: EventNote[] = [{ reason: 'Bypassed', message: draft.message }];
  return { ...report(snapshot, draft, events), effects, needsChildren: true };
}

/** The release has failed, and nobody but us may have put another template in its place. */
const isPuttingBack = (rollout: Rollout): boolean =>
  isTrue(rollout, 'Stalled') && rollout.spec.strategy.canary?.onFailure === 'Rollback';

/** Made from a backup, or from a manifest exported during a release: paused, it would never get its first Pod. */
const hasNeverRun = ({ newVersion, oldVersions, replicas, workload: { status, metadata } }: Progress): boolean =>
  !newVersion &&
  oldVersions.length === 0 &&
  replicas > 0 &&
  (status?.replicas ?? 0) === 0 &&
  (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);

/** No release is under way as far as the status knows. */
function awake(snapshot: Snapshot, progress: Progress, template: string): Decision {
  const { rollout } = snapshot;
  const { held, kind, newVersion, stopped, workload } = progress;
  const status = rollout.status?.canaryStatus;
  if (workload.metadata.annotations?.[HELD] !== undefined && kind.isStale(progress)) return dropRecord(progress);
  if (held) {
    if (held.stable !== template) return begin(snapshot, progress, template);
    return decisionOf(kind.giveBack(progress, held), 'HoldReleased', 'it was held although nothing is released');
  }
  const adopting = rollout.status?.phase !== 'Healthy' || !status;
  if (!newVersion && progress.old === 0 && !stopped && progress.replicas > 0) return waitForChildren;
  if (progress.old === 0 && progress.replicas > 0) {
    const known = adopting || !status.canaryRevision || !isOurs(rollout) || isKnown(newVersion?.revision, status);
    return adopt(snapshot, progress, template, known ? undefined : 'a new template went out without being held');
  }
  if (adopting && progress.replicas === 0) return adopt(snapshot, progress, template, undefined);
  if (progress.replicas === 0) return begin(snapshot, progress, template);
  if (!adopting && isKnown(newVersion?.revision, status)) return adopt(snapshot, progress, template, undefined);
  if (restartsNatively(snapshot, progress))
    return newVersion ? adopt(snapshot, progress, template, undefined) : waitForChildren;
  if (adopting && knownStable(rollout) === undefined && servesAlone(progress))
    return adopt(snapshot, progress, template, undefined);
  return catchUp(
    snapshot,
    progress,
    adopting ? 'the Rollout was made during a rolling update' : 'a new template was not held',
  );
}

const waitForChildren: Decision = { ...nothing, needsChildren: true };

/** What the workload has is all that is available: there is nothing to go back to, so nothing to hold it for. */
const servesAlone = ({ newVersion, oldVersions }: Progress): boolean =>
  (newVersion?.available ?? 0) > 0 && oldVersions.every(({ available }) => available === 0);

function restartsNatively({ rollout }: Snapshot, progress: Progress): boolean {
  const running = progress.oldVersions.find(
    ({ revision }) => revision === rollout.status?.canaryStatus?.canaryRevision,
  );
  return (
    rollout.metadata.annotations?.[ON_RESTART] === 'Native' &&
    running !== undefined &&
    isRestartOnly(running.template, progress.workload.spec.template)
  );
}

function reportMessage(snapshot: Snapshot, message: string): Decision {
  const draft = draftOf(snapshot.rollout);
  draft.message = message;
  return { ...report(snapshot, draft, []), needsChildren: true };
}
