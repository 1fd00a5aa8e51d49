// A Deployment whose change no webhook saw: finds the user's settings, and holds it.
import { HELD, PAUSED_UNSEEN } from '../../../api/keys.ts';
import type { Deployment, Held } from '../../../api/types.ts';
import type { Effect } from '../../decision.ts';
import type { UnseenHold } from '../kind.ts';
import { patchHeld } from './effects.ts';
import { grantOn, heldSettings, isMarked, NO_BUDGET, parseHeld, settingsOf, type Settings } from './hold.ts';
import { isActive, type View } from './view.ts';

/** Holds the Deployment with everything that the webhook would have written. */
export function holdUnseen(
  view: View,
  { rollout, stable, bypassed, unfinished, labels }: UnseenHold,
): readonly Effect[] {
  const { deployment, replicas, updated, old } = view;
  // maxSurge does not shrink: the Deployment controller may be using it, and would delete good old Pods.
  const surge = Math.max(view.limits.surge, updated + old - replicas);
  const budget =
    surge > 0 ? { maxSurge: surge, maxUnavailable: Math.min(view.limits.unavailable, replicas) } : NO_BUDGET;
  const held: Held = view.held
    ? { ...ofNewRelease(view.held), bypassed }
    : {
        v: 1,
        rollout,
        // Outside a release nothing was borrowed, so the current values are the user's.
        user: unfinished ? originalSettings(view) : asUserWrote(deployment),
        stable,
        budget,
        bypassed,
      };
  const settings = view.held ? { ...settingsOf(deployment), paused: true } : heldSettings(held);
  return patchHeld('hold', deployment, held, settings, labels);
}

/** The record without the trace, which belongs to an earlier release. */
function ofNewRelease({ trace: _, ...held }: Held): Held {
  return held;
}

/** The user's settings. A MutatingAdmissionPolicy may have paused the Deployment and recorded the old pause. */
export function asUserWrote(deployment: Deployment): Settings {
  const before = deployment.metadata.annotations?.[PAUSED_UNSEEN];
  const settings = settingsOf(deployment);
  return before === undefined ? settings : { ...settings, paused: before === 'true' ? true : null };
}

/**
 * The user's settings of a Deployment that lost its record. If the fields still have Tranche's values, the settings come from the copy of the record
 * that the Deployment controller keeps on a ReplicaSet.
 */
function originalSettings(view: View): Settings {
  const now = asUserWrote(view.deployment);
  const sets = [view.newSet, ...view.oldSets].filter((set) => set !== undefined && isActive(set));
  const copy = sets.map((set) => parseHeld(set?.metadata.annotations?.[HELD])).find((held) => held !== undefined);
  if (!copy) return now;
  const asWeLeftIt = [NO_BUDGET, copy.budget, grantOn(view.deployment.metadata).budget].some(
    (budget) => budget?.maxSurge === now.maxSurge && budget?.maxUnavailable === now.maxUnavailable,
  );
  return asWeLeftIt || isMarked(view.deployment) ? copy.user : now;
}

/**
 * True if the record is not about this Deployment: it is invalid, or `kubectl rollout undo` restored it from a ReplicaSet of an earlier release.
 */
export function isStale({ held, deployment }: View): boolean {
  if (!held) return true;
  const { maxSurge, maxUnavailable } = settingsOf(deployment);
  const { budget = NO_BUDGET } = held;
  const asWeLeftIt = maxSurge === budget.maxSurge && maxUnavailable === budget.maxUnavailable;
  return deployment.spec.paused !== true && !isMarked(deployment) && !asWeLeftIt;
}
