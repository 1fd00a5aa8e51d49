// The situation of a release: classifies a workload before the engine decides what to do.
import { HELD, ON_RESTART, PAUSED_UNSEEN } from '../api/keys.ts';
import type { CanaryStatus, HoldRecord, Rollout, TemplateDigest } from '../api/types.ts';
import type { Effect } from './decision.ts';
import { strayPods } from './lib/replicas.ts';
import { isRestartOnly } from './lib/template.ts';
import { isOurs } from './release/openkruise.ts';
import { grantFor, LAG_MS, type Grant } from './release/completed.ts';
import { isStableGone } from './release/stable-gone.ts';
import { knownStable } from './release/stable.ts';
import type { Snapshot } from './snapshot.ts';
import { isTrue, progressingReason } from './status.ts';
import type { Progress } from './workload/kind.ts';
import * as messages from './messages.ts';
import { rolloutIdOf } from './release/release-id.ts';

export type Situation =
  /** The workload was created with a hold, from a backup or a manifest that was exported during a release, and has no Pods. */
  | { readonly name: 'BornHeld'; readonly held: HoldRecord }
  /** No release is in progress, and the record on the workload is not about it. */
  | { readonly name: 'StaleRecord' }
  /** The workload is held with the stable template, without a release. */
  | { readonly name: 'HeldForNothing'; readonly held: HoldRecord }
  /** The workload's controller has not created the version of the template yet. */
  | { readonly name: 'VersionNotMade' }
  /** The running version becomes the stable version. `bypassed`: why it was not held. */
  | { readonly name: 'Settled'; readonly bypassed: string | undefined }
  /** A new template is held, or there are no replicas to hold: the release starts at step 1. */
  | { readonly name: 'NewTemplate' }
  /** No webhook saw the new template, or the hold was removed. */
  | { readonly name: 'NotHeld'; readonly bypassed: string }
  /** The stable template was restored. */
  | { readonly name: 'PutBack' }
  /** A version that was completed before was put back, and may be restored without steps. */
  | { readonly name: 'Restored'; readonly grant: Grant }
  /** The steps are done, or nothing is left to release. */
  | { readonly name: 'StepsDone' }
  /** The workload has 0 replicas, so there is nothing to release. */
  | { readonly name: 'NoReplicas' }
  /** The workload's controller replaces Pods although it is held. */
  | { readonly name: 'Loose'; readonly held: HoldRecord }
  /** Borrowed fields were edited without a webhook. */
  | { readonly name: 'EditedUnseen'; readonly effects: readonly Effect[] }
  /** No version has the stable template any more. */
  | { readonly name: 'StableGone'; readonly held: HoldRecord }
  /** The release is in one of its steps. */
  | { readonly name: 'InSteps'; readonly held: HoldRecord; readonly status: CanaryStatus };

/** `template`: digest of the workload's template. */
export function situationOf(snapshot: Snapshot, progress: Progress, template: TemplateDigest): Situation {
  const { rollout } = snapshot;
  const { held } = progress;
  const status = rollout.status?.canaryStatus;
  if (held && !status?.stableRevision && hasNeverRun(progress)) return { name: 'BornHeld', held };
  return rollout.status?.phase === 'Progressing' && status
    ? duringRelease(snapshot, progress, template, status)
    : outsideRelease(snapshot, progress, template);
}

function duringRelease(
  snapshot: Snapshot,
  progress: Progress,
  template: TemplateDigest,
  status: CanaryStatus,
): Situation {
  const { rollout } = snapshot;
  const { held, kind } = progress;
  const reason = progressingReason(rollout);
  // The record on the workload may still name the version before.
  if (status.restores !== undefined && status.stableDigest === template) return { name: 'PutBack' };
  const same = isSame(snapshot, progress, template, status);
  if (isStable(snapshot, progress, template) && (held || reason !== 'Finalising')) return { name: 'PutBack' };
  if (same && reason === 'Finalising') return { name: 'StepsDone' };
  const grant = grantOf(snapshot, progress, template);
  if (grant) return { name: 'Restored', grant };
  if (!held && progress.replicas === 0 && !hasStrays(progress)) return { name: same ? 'NoReplicas' : 'NewTemplate' };
  if (!held && same && progress.old === 0 && reason !== 'Paused') return { name: 'StepsDone' };
  if (!held) return { name: 'NotHeld', bypassed: same ? whyNotHeld(snapshot, status) : A_NEW_TEMPLATE };
  if (!same && isAnnounced(snapshot, progress)) return { name: 'NewTemplate' };
  if (!same)
    return {
      name: 'NotHeld',
      bypassed: isPuttingBack(rollout) ? messages.changedBack : 'no webhook saw a newer template',
    };
  if (kind.isLoose(progress)) return { name: 'Loose', held };
  const effects = kind.noticeEdits(progress, held);
  if (effects !== undefined) return { name: 'EditedUnseen', effects };
  return isStableGone(snapshot, progress, held) ? { name: 'StableGone', held } : { name: 'InSteps', held, status };
}

/** No node should run a Pod of this DaemonSet, but old ones still run, and only a hold keeps them. */
const hasStrays = ({ workload, old }: Progress): boolean => old > 0 && strayPods(workload) > 0;

const A_NEW_TEMPLATE = 'a new template was not held';

/** A release of a workload without replicas starts without a hold, and step 1 waits for replicas. So it does for a policy, but in a hold. */
function whyNotHeld({ rollout }: Snapshot, { currentStepIndex, currentStepState }: CanaryStatus): string {
  const waits = currentStepIndex === 1 && currentStepState === 'BeforeStepUpgrade' && !isTrue(rollout, 'PolicyBlocked');
  return waits ? messages.startedEmpty : 'the annotations of the hold were removed';
}

/** The situation if the status has no release in progress. */
function outsideRelease(snapshot: Snapshot, progress: Progress, template: TemplateDigest): Situation {
  const { rollout } = snapshot;
  const { held, kind, newVersion, old, replicas, stopped, workload } = progress;
  const status = rollout.status?.canaryStatus;
  if (workload.metadata.annotations?.[HELD] !== undefined && kind.isStale(progress)) return { name: 'StaleRecord' };
  const grant = grantOf(snapshot, progress, template);
  if (grant) return { name: 'Restored', grant };
  if (held) return held.stable !== template ? { name: 'NewTemplate' } : { name: 'HeldForNothing', held };
  const adopting = rollout.status?.phase !== 'Healthy' || !status;
  const settled: Situation = { name: 'Settled', bypassed: undefined };
  if (!newVersion && old === 0 && !stopped && replicas > 0) return { name: 'VersionNotMade' };
  const known = (): boolean => !adopting && !isPausedUnseen(progress) && isKnown(newVersion?.revision, status);
  if (old === 0 && replicas > 0) {
    const expected = adopting || !status.canaryRevision || !isOurs(rollout) || known();
    return expected ? settled : { ...settled, bypassed: 'a new template was rolled out without being held' };
  }
  if (replicas === 0 && (adopting || !hasStrays(progress))) return adopting ? settled : { name: 'NewTemplate' };
  if (known()) return settled;
  if (restartsNatively(snapshot, progress)) return newVersion ? settled : { name: 'VersionNotMade' };
  if (adopting && knownStable(rollout) === undefined && (servesAlone(progress) || goesBack(progress))) return settled;
  const bypassed = adopting ? 'the Rollout was created during a rolling update' : A_NEW_TEMPLATE;
  return { name: 'NotHeld', bypassed };
}

/** Why this version may be restored without steps. Admission may have decided a moment ago. */
function grantOf(
  { rollout, gate, now, sha256 }: Snapshot,
  { workload, replicas }: Progress,
  template: TemplateDigest,
): Grant | undefined {
  if (replicas === 0) return undefined;
  return grantFor(
    { rollout, deployment: workload, policies: gate?.policies ?? [], now: now - LAG_MS, sha256 },
    template,
  );
}

/**
 * True if the template is the one in the status. A newer API server may have added a default to the template since, so a ReplicaSet with the
 * same hash counts too. Users who can create ReplicaSets can write that label, so if a policy requires approvals or protects the release, or if
 * the API server or the webhook saw a change, only the digest counts, if the status has one.
 */
function isSame(snapshot: Snapshot, progress: Progress, template: TemplateDigest, status: CanaryStatus): boolean {
  if (status.templateDigest === template) return true;
  const { gate } = snapshot;
  const changed = isPausedUnseen(progress) || (progress.held !== undefined && isAnnounced(snapshot, progress));
  return !((changed || isStrict(gate)) && status.templateDigest) && isKnown(progress.newVersion?.revision, status);
}

/** A policy requires approvals or protects the release. */
const isStrict = (gate: Snapshot['gate']): boolean => gate?.protects !== undefined || gate?.approval !== undefined;

/** The API server itself found that the template changes. */
const isPausedUnseen = ({ workload }: Progress): boolean =>
  workload.metadata.annotations?.[PAUSED_UNSEEN] !== undefined;

/** OpenKruise computes its own hash of the template, which may differ from Kubernetes' hash. */
const isKnown = (hash: string | undefined, { canaryRevision, podTemplateHash }: CanaryStatus): boolean =>
  !!hash && (hash === canaryRevision || hash === podTemplateHash);

/**
 * True if the template is the stable one. If a policy requires approvals or protects the release, only the digest counts, because users may have
 * edited a ReplicaSet, or replaced a ControllerRevision. Otherwise the stored version counts too, because a newer API server may have added a
 * default to both templates.
 */
function isStable({ rollout, gate }: Snapshot, progress: Progress, template: TemplateDigest): boolean {
  if (progress.held?.stable === template) return true;
  if (!isStrict(gate) && progress.stableVersion !== undefined && progress.stableVersion === progress.newVersion)
    return true;
  return progress.held === undefined && rollout.status?.canaryStatus?.stableDigest === template;
}

/** True if the template has its own release id: the webhook saw it, or the user announced it. */
function isAnnounced({ rollout }: Snapshot, { workload, stopped }: Progress): boolean {
  const id = rolloutIdOf(workload);
  return stopped && id !== rollout.status?.canaryStatus?.observedRolloutID;
}

/** The release failed, so the operator itself may have restored another template. */
const isPuttingBack = (rollout: Rollout): boolean =>
  isTrue(rollout, 'Stalled') && rollout.spec.strategy.canary?.onFailure === 'Rollback';

/** True for a workload created from a backup or an exported manifest. While paused, it would never get its first Pod. */
const hasNeverRun = ({ newVersion, oldVersions, replicas, workload: { status, metadata } }: Progress): boolean =>
  !newVersion &&
  oldVersions.length === 0 &&
  replicas > 0 &&
  (status?.replicas ?? 0) === 0 &&
  (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);

/**
 * True if only the new version has available Pods: there is no version to roll back to, so a hold has no purpose. Not if the controller keeps the
 * others, for example because of the partition of the user: only a release updates them.
 */
const servesAlone = ({ newVersion, oldVersions, stopped }: Progress): boolean =>
  !stopped && (newVersion?.available ?? 0) > 0 && oldVersions.every(({ available }) => available === 0);

/**
 * True if the workload's controller goes back to an earlier version, which has most of the available Pods: a rollback is not held, and the version
 * that it removes does not become the stable one.
 */
function goesBack({ newVersion, oldVersions }: Progress): boolean {
  const others = oldVersions.filter(({ replicas }) => replicas > 0);
  const available = others.reduce((sum, one) => sum + one.available, 0);
  return (
    newVersion !== undefined &&
    newVersion.available > available &&
    others.every(({ created }) => created > newVersion.created)
  );
}

function restartsNatively({ rollout, digest }: Snapshot, progress: Progress): boolean {
  const { canaryRevision, templateDigest } = rollout.status?.canaryStatus ?? {};
  const running = progress.oldVersions.find(
    ({ revision, template }) =>
      revision === canaryRevision && (templateDigest === undefined || digest(template) === templateDigest),
  );
  return (
    rollout.metadata.annotations?.[ON_RESTART] === 'Native' &&
    running !== undefined &&
    isRestartOnly(running.template, progress.workload.spec.template)
  );
}
