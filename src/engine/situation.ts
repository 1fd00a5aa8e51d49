// Where a release stands, by name: what the operator finds out about a workload before it decides what to do.
import { HELD, ON_RESTART, ROLLOUT_ID } from '../api/keys.ts';
import type { CanaryStatus, HoldRecord, Rollout, TemplateDigest } from '../api/types.ts';
import type { Effect } from './decision.ts';
import { isRestartOnly } from './lib/template.ts';
import { isOurs } from './release/openkruise.ts';
import { isStableGone } from './release/stable-gone.ts';
import { knownStable } from './release/stable.ts';
import type { Snapshot } from './snapshot.ts';
import { isTrue, progressingReason } from './status.ts';
import type { Progress } from './workload/kind.ts';
import * as messages from './messages.ts';

export type Situation =
  /** It was made held, from a backup or from a manifest exported during a release, and nothing runs. */
  | { readonly name: 'BornHeld'; readonly held: HoldRecord }
  /** No release is under way, and a record on the workload says nothing about it. */
  | { readonly name: 'StaleRecord' }
  /** It is held, and its template is the stable one although nothing is released. */
  | { readonly name: 'HeldForNothing'; readonly held: HoldRecord }
  /** The version of the workload's template is not there yet. */
  | { readonly name: 'VersionNotMade' }
  /** What runs is the stable version from now on; `bypassed`: it was not held, and should have been. */
  | { readonly name: 'Settled'; readonly bypassed: string | undefined }
  /** A new template is held, or there are no replicas to hold: the release begins at step 1. */
  | { readonly name: 'NewTemplate' }
  /** A new template slipped past the webhook, or the hold was taken off. */
  | { readonly name: 'NotHeld'; readonly bypassed: string }
  /** The stable template was put back. */
  | { readonly name: 'PutBack' }
  /** The steps are done, or nothing is left for them. */
  | { readonly name: 'StepsDone' }
  /** There is nothing to release while the workload has 0 replicas. */
  | { readonly name: 'NoReplicas' }
  /** The workload's controller replaces Pods although it is held. */
  | { readonly name: 'Loose'; readonly held: HoldRecord }
  /** Borrowed fields were edited while no webhook saw it. */
  | { readonly name: 'EditedUnseen'; readonly effects: readonly Effect[] }
  /** No version has the stable template any more. */
  | { readonly name: 'StableGone'; readonly held: HoldRecord }
  /** The release goes through its steps. */
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
  const same = isSame(snapshot, progress, template, status);
  if (isStable(snapshot, progress, template) && (held || reason !== 'Finalising')) return { name: 'PutBack' };
  if (same && reason === 'Finalising') return { name: 'StepsDone' };
  if (!held && progress.replicas === 0) return { name: same ? 'NoReplicas' : 'NewTemplate' };
  if (!held && same && progress.old === 0 && reason !== 'Paused') return { name: 'StepsDone' };
  if (!held)
    return {
      name: 'NotHeld',
      bypassed: same ? 'the annotations of the hold were removed' : 'a new template was not held',
    };
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

/** No release is under way as far as the status knows. */
function outsideRelease(snapshot: Snapshot, progress: Progress, template: TemplateDigest): Situation {
  const { rollout } = snapshot;
  const { held, kind, newVersion, old, replicas, stopped, workload } = progress;
  const status = rollout.status?.canaryStatus;
  if (workload.metadata.annotations?.[HELD] !== undefined && kind.isStale(progress)) return { name: 'StaleRecord' };
  if (held) return held.stable !== template ? { name: 'NewTemplate' } : { name: 'HeldForNothing', held };
  const adopting = rollout.status?.phase !== 'Healthy' || !status;
  const settled: Situation = { name: 'Settled', bypassed: undefined };
  if (!newVersion && old === 0 && !stopped && replicas > 0) return { name: 'VersionNotMade' };
  if (old === 0 && replicas > 0) {
    const known = adopting || !status.canaryRevision || !isOurs(rollout) || isKnown(newVersion?.revision, status);
    return known ? settled : { ...settled, bypassed: 'a new template was rolled out without being held' };
  }
  if (replicas === 0) return adopting ? settled : { name: 'NewTemplate' };
  if (!adopting && isKnown(newVersion?.revision, status)) return settled;
  if (restartsNatively(snapshot, progress)) return newVersion ? settled : { name: 'VersionNotMade' };
  if (adopting && knownStable(rollout) === undefined && servesAlone(progress)) return settled;
  const bypassed = adopting ? 'the Rollout was created during a rolling update' : 'a new template was not held';
  return { name: 'NotHeld', bypassed };
}

/**
 * The template that the status is about. A newer API server may have added a default to it since: then its ReplicaSet still has the hash. But
 * that is a label, which whoever may make ReplicaSets can write: where a policy asks for approvals, or protects the release, only the digest
 * counts, as far as the status has one.
 */
function isSame({ gate }: Snapshot, progress: Progress, template: TemplateDigest, status: CanaryStatus): boolean {
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
function isStable({ rollout, gate }: Snapshot, progress: Progress, template: TemplateDigest): boolean {
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
