// What slipped past the webhook, found by comparing what is stored: held, taken over, and reported.
import { HELD, PAUSED_UNSEEN, ROLLOUT_ID } from '../../api/keys.ts';
import type { Deployment, Held } from '../../api/types.ts';
import { freeze, type Move } from '../workload/deployment/budget.ts';
import { patchDeployment, patchHeld } from '../workload/deployment/effects.ts';
import {
  HELD_ANNOTATIONS,
  heldSettings,
  isMarked,
  NO_BUDGET,
  noticeEdits,
  parseHeld,
  settingsOf,
  type Settings,
} from '../workload/deployment/hold.ts';
import { nothing, type Decision, type EventNote, type Snapshot } from '../snapshot.ts';
import { isUsedId } from './release-id.ts';
import { availableOf } from './stable.ts';
import { draftOf, progressingReason, report, setCondition } from '../status.ts';
import { isActive, sizeOf, type View } from '../workload/deployment/view.ts';

/** What slipped past the webhook is held at once, with everything the webhook would have written. The release follows. */
export function catchUp(snapshot: Snapshot, view: View, bypassed: string): Decision {
  const { rollout, digest, sha256 } = snapshot;
  const { deployment, replicas, updated, old } = view;
  const status = rollout.status?.canaryStatus;
  const unfinished = rollout.status?.phase === 'Progressing' && progressingReason(rollout) !== 'Finalising';
  const running = unfinished ? status?.stableDigest : status?.templateDigest;
  // The limits stay as they stand: with less surge the native controller, which may just be spending it, would take good old Pods.
  const surge = Math.max(view.limits.surge, updated + old - replicas);
  const budget =
    surge > 0 ? { maxSurge: surge, maxUnavailable: Math.min(view.limits.unavailable, replicas) } : NO_BUDGET;
  const held: Held = view.held
    ? { ...ofNewRelease(view.held), bypassed }
    : {
        v: 1,
        rollout: rollout.metadata.name,
        // Outside of a release nothing was borrowed: what stands there is the user's.
        user: unfinished ? originalSettings(view) : asUserWrote(deployment),
        stable: running ?? stableGuess(view, digest) ?? '',
        budget,
        bypassed,
      };
  const settings = view.held ? { ...settingsOf(deployment), paused: true } : heldSettings(held);
  const id = deployment.metadata.labels?.[ROLLOUT_ID];
  const announced = id !== undefined && (unfinished ? id !== status?.observedRolloutID : !isUsedId(rollout, id));
  const template = digest(deployment.spec.template);
  const own = sha256(`${deployment.metadata.uid}/${deployment.metadata.generation}/${template}`).slice(0, 10);
  const labels = { [ROLLOUT_ID]: announced ? id : own };
  const effects = patchHeld('hold', deployment, held, settings, labels);
  return { effects, events: [{ reason: 'Bypassed', message: `${bypassed}: it is held now` }], needsChildren: true };
}

/** The trace on record is that of a release which the webhook saw begin. */
function ofNewRelease({ trace: _, ...held }: Held): Held {
  return held;
}

/** The API server's own policy may have paused it; it has noted what the pause was before. */
export function asUserWrote(deployment: Deployment): Settings {
  const before = deployment.metadata.annotations?.[PAUSED_UNSEEN];
  const settings = settingsOf(deployment);
  return before === undefined ? settings : { ...settings, paused: before === 'true' ? true : null };
}

/**
 * The user's settings of a Deployment whose record is gone. Where the fields still are as we left them, the native controller's copy
 * of the record on a ReplicaSet is what is left of the user's.
 */
function originalSettings(view: View): Settings {
  const now = asUserWrote(view.deployment);
  const sets = [view.newSet, ...view.oldSets].filter((set) => set !== undefined && isActive(set));
  const copy = sets.map((set) => parseHeld(set?.metadata.annotations?.[HELD])).find((held) => held !== undefined);
  if (!copy) return now;
  const asWeLeftIt = [NO_BUDGET, copy.budget].some(
    (budget) => budget?.maxSurge === now.maxSurge && budget?.maxUnavailable === now.maxUnavailable,
  );
  return asWeLeftIt || isMarked(view.deployment) ? copy.user : now;
}

/** With no history to go by: what most available Pods run, or most Pods. */
function stableGuess(view: View, digest: Snapshot['digest']): string | undefined {
  const [largest] = view.oldSets.toSorted((a, b) => availableOf(b) - availableOf(a) || sizeOf(b) - sizeOf(a));
  return largest && digest(largest.spec.template);
}

/** An edit of the borrowed fields that no webhook saw is the user's; the budget it changed is the budget there is now. */
export function takeOverEdits({ deployment }: View, held: Held): Decision | undefined {
  const taken = noticeEdits(held, deployment);
  if (taken === held) return undefined;
  return { ...nothing, effects: patchHeld('hold', deployment, taken, settingsOf(deployment)), needsChildren: true };
}

/** Un-paused while no webhook saw it. Where that has brought everything to the new version the release is done. */
export function holdAgain(snapshot: Snapshot, view: View, held: Held): Decision {
  const bypassed = 'the Deployment was un-paused during the release';
  if (view.old > 0) return act(freeze(view, { ...held, bypassed }), 'Bypassed', `${bypassed}: it is held again`);
  const draft = draftOf(snapshot.rollout);
  setCondition(draft, snapshot.now, 'Bypassed', 'True', 'NotSeenByWebhook', bypassed);
  setCondition(draft, snapshot.now, 'Progressing', 'True', 'Finalising', bypassed);
  return { ...report(snapshot, draft, [{ reason: 'Bypassed', message: bypassed }]), needsChildren: true };
}

/**
 * A record that says nothing about this Deployment: it cannot be read, or `kubectl rollout undo` brought it back from a ReplicaSet of
 * an earlier release.
 */
export function isStale({ held, deployment }: View): boolean {
  if (!held) return true;
  const { maxSurge, maxUnavailable } = settingsOf(deployment);
  const { budget = NO_BUDGET } = held;
  const asWeLeftIt = maxSurge === budget.maxSurge && maxUnavailable === budget.maxUnavailable;
  return deployment.spec.paused !== true && !isMarked(deployment) && !asWeLeftIt;
}

export function dropRecord(deployment: Deployment): Decision {
  const annotations = Object.fromEntries(HELD_ANNOTATIONS.map((key) => [key, null]));
  return { ...nothing, effects: patchDeployment('leave', deployment, { annotations }), needsChildren: true };
}

/** One move as a decision; it is told only when it is made. */
export function act(move: Move | undefined, reason: EventNote['reason'], message: string): Decision {
  const effects = move?.kind === 'Act' ? [move.effect] : [];
  return { effects, events: effects.length > 0 ? [{ reason, message }] : [], needsChildren: true };
}
