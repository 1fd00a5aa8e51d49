// A Deployment that no webhook of ours has seen change: what its user wrote, as far as that can be known, and a hold for it.
import { HELD, PAUSED_UNSEEN } from '../../../api/keys.ts';
import type { Deployment, Held } from '../../../api/types.ts';
import type { Effect } from '../../decision.ts';
import type { UnseenHold } from '../kind.ts';
import { patchHeld } from './effects.ts';
import { heldSettings, isMarked, NO_BUDGET, parseHeld, settingsOf, type Settings } from './hold.ts';
import { isActive, type View } from './view.ts';

/** Held with everything the webhook would have written. */
export function holdUnseen(
  view: View,
  { rollout, stable, bypassed, unfinished, labels }: UnseenHold,
): readonly Effect[] {
  const { deployment, replicas, updated, old } = view;
  // The limits stay as they stand: with less surge the native controller, which may just be spending it, would take good old Pods.
  const surge = Math.max(view.limits.surge, updated + old - replicas);
  const budget =
    surge > 0 ? { maxSurge: surge, maxUnavailable: Math.min(view.limits.unavailable, replicas) } : NO_BUDGET;
  const held: Held = view.held
    ? { ...ofNewRelease(view.held), bypassed }
    : {
        v: 1,
        rollout,
        // Outside of a release nothing was borrowed: what stands there is the user's.
        user: unfinished ? originalSettings(view) : asUserWrote(deployment),
        stable,
        budget,
        bypassed,
      };
  const settings = view.held ? { ...settingsOf(deployment), paused: true } : heldSettings(held);
  return patchHeld('hold', deployment, held, settings, labels);
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
