// The budget protocol (docs/holding.md): moves a Deployment towards a number of updated Pods with one safe write at a time.
import { DESIRED_REPLICAS, MAX_REPLICAS, TRIM } from '../../../api/keys.ts';
import type { Held, ReplicaSet } from '../../../api/types.ts';
import type { Effect } from '../../decision.ts';
import { stableLabel } from '../effects.ts';
import { act, wait, type Goal, type MetadataChange, type Move } from '../kind.ts';
import { freeDeployment, guardedBySpec, patchHeld, patchReplicaSet } from './effects.ts';
import {
  heldSettings,
  isMarked,
  isMoving,
  MARK,
  mayFreeAtOnce,
  markedSettings,
  movingSettings,
  NO_BUDGET,
  noticeEdits,
  settingsOf,
  type Budget,
} from './hold.ts';
import { shareOf } from '../../lib/replicas.ts';
import { areInPlace, markedTooMuch, marksFor, type Marks } from './marks.ts';
import { formatTime } from '../../lib/time.ts';
import { goesOnFrom, isWorthIt, lingersUntil, notYet, type NumericBudget } from './waves.ts';
import { availableInAll, availableOf, hashOf, isActive, isMarkedSet, sizeOf, type View } from './view.ts';

/**
 * The budget towards a target: the old versions may lose as many Pods as new ones are available, plus the user's maxUnavailable. It is never less
 * than already spent or granted: with a smaller maxUnavailable the Deployment controller would create more new Pods, and with a smaller maxSurge a
 * paused Deployment would delete Pods of the largest ReplicaSet. `surgesFirst`: as many new Pods, but old ones go only if surge does not suffice.
 * What surge leaves over goes with the budget of the next step, so the Deployment controller scales the old versions once less.
 */
export function budgetFor(
  target: number,
  { available, updated, old, replicas, limits }: Pick<View, 'available' | 'updated' | 'old' | 'replicas' | 'limits'>,
  granted = 0,
  surgesFirst = false,
): NumericBudget {
  const most = available + limits.unavailable;
  const needed = surgesFirst ? Math.min(target, most + limits.surge) - limits.surge : most;
  const maxUnavailable = Math.min(target, Math.max(0, needed, replicas - old, granted));
  const maxSurge = Math.max(Math.min(limits.surge, target - maxUnavailable), updated - maxUnavailable);
  return { maxUnavailable, maxSurge: Math.max(0, maxSurge) };
}

/** Limits the budget to the old Pods that the marks cover. What is already granted stays. */
function within(
  { covers }: Marks,
  budget: NumericBudget,
  { target, granted }: { target: number; granted: number },
  { old, replicas, updated, limits }: View,
): NumericBudget {
  const most = Math.max(0, granted, replicas - old + covers);
  if (budget.maxUnavailable <= most) return budget;
  const maxSurge = Math.max(0, Math.min(limits.surge, target - most), updated - most);
  return { maxUnavailable: most + maxSurge > 0 ? most : 1, maxSurge };
}

/** The budget as percentages, so that it scales with the Deployment even if the operator is down. */
const inShares = ({ maxSurge, maxUnavailable }: NumericBudget, replicas: number): Budget => ({
  maxSurge: shareOf(maxSurge, replicas, 'up'),
  maxUnavailable: shareOf(maxUnavailable, replicas, 'down'),
});

/** The next move of a held Deployment towards the goal. */
export function advance(view: View, held: Held, goal: Goal): Move {
  const { deployment, updated, old, available, replicas } = view;
  const moving = isMoving(deployment);
  if (!moving && view.unsettled) return wait(view.unsettled);
  const stuck = act(repair(view));
  if (stuck) return stuck;
  // Sizes above the target after scaling are corrected only while the Deployment is paused.
  const target = Math.min(replicas, Math.max(goal.target, updated));
  const granted = moving ? view.budget.unavailable : 0;
  const marks = marksFor(view);
  const budget = within(marks, budgetFor(target, view, granted, goal.goesOn), { target, granted }, view);
  const enough = available >= Math.min(target, goal.target) - goal.tolerated;
  // A single ReplicaSet gets all Pods and no surge, regardless of maxSurge.
  const complete =
    updated === target &&
    old === replicas - target &&
    (view.budget.surge === 0 || (!moving && (old === 0 || updated === 0)));
  const exhausted =
    updated === budget.maxUnavailable + budget.maxSurge &&
    old === replicas - budget.maxUnavailable &&
    view.budget.surge === budget.maxSurge;
  // A budget of 0 and 0 is invalid. Surge Pods of an abandoned version stay until a step asks for Pods.
  const atRest = complete || (enough && exhausted) || target === 0;

  if (moving) {
    if (enough && goesOnFrom(view, held, goal)) return { kind: 'Done' };
    if (atRest && enough) {
      if (complete && goal.last) return { kind: 'Done' };
      return view.unsettled ? wait(view.unsettled) : act(rest(view, held, complete))!;
    }
    if (complete || sameBudget(view, budget)) return linger(view, held, goal, complete || exhausted, complete);
    const until = isWorthIt(view, target, budget) ? 0 : lingersUntil(view, goal);
    if (until > view.now) return wait('Pods', until);
    // Reduce the surge only if all Pods have been observed.
    const shrinks = budget.maxSurge < view.budget.surge;
    if (shrinks && view.unsettled) return wait(view.unsettled);
    // Set the marks before more old Pods may be deleted.
    if (budget.maxUnavailable > replicas - old && !areInPlace(view, marks))
      return view.unsettled ? wait(view.unsettled) : act(rest(view, held, false))!;
    const effects = move(view, held, budget);
    return act(shrinks ? effects : guardedBySpec(effects))!;
  }
  const back = bringBack(view, held, goal, enough);
  if (back) return back;
  if (!atRest && exhausted) return act(rest(view, held, false)) ?? wait('Pods');
  if (!atRest) return notYet(view, target, budget) ?? start(view, held, budget, marks);
  const overfull = updated > goal.target && complete && !goal.keeps;
  const settle =
    (overfull ? trim(view, held, goal.target) : undefined) ?? act(rest(view, held, complete)) ?? unmark(view, held);
  if (settle) return settle;
  // Broken old Pods may never become available, so a release that fixes them does not wait for them. The pause corrects the sizes later.
  if (overfull && available < updated)
    return wait('all updated Pods to become available, to correct the sizes after scaling');
  return enough ? { kind: 'Done' } : wait('Pods');
}

/** The budget is spent or nearly spent. If its Pods take long, the Deployment is held until they are available. */
function linger(view: View, held: Held, goal: Goal, spent: boolean, complete: boolean): Move {
  const until = lingersUntil(view, goal);
  if (!spent || view.updated === 0 || view.pods.length < view.updated) return wait('Pods');
  if (until > view.now) return wait('Pods', until);
  return view.unsettled ? wait(view.unsettled) : (act(rest(view, held, complete)) ?? wait('Pods'));
}

/** Starts a batch: first the marks, then the budget, only from a state that the Deployment controller has observed. */
function start(view: View, held: Held, budget: NumericBudget, marks: Marks): Move {
  const { deployment, newSet, updated } = view;
  // A ReplicaSet deletes any of its Ready Pods: it could delete an available one instead of one that is not available yet.
  if (view.oldAvailableAt !== undefined) return wait('the old Pods to be Ready for minReadySeconds');
  // With the mark, updated Pods no longer count. If as many old Pods are counted at the same moment, the sum stays, and does not show what the
  // Deployment controller has observed.
  if (view.countedUntil !== undefined)
    return wait('the ReplicaSet controller to count the available Pods', view.countedUntil);
  // After scaling, the Deployment controller first reduces the new ReplicaSet to spec.replicas.
  if (updated > view.replicas && view.availableAt !== undefined)
    return wait('the updated Pods to be Ready for minReadySeconds');
  const flagged = marks.sets.length > 0 ? { ...held, marks: true } : held;
  const needsMark = updated > 0 && !isMarked(deployment);
  if (needsMark || (flagged.marks === true && held.marks !== true)) return act(mark(view, flagged))!;
  const marked = act([...markSets(marks.sets), ...unmarkSets(markedTooMuch(view, marks), view)]);
  if (marked) return marked;
  if (updated > 0 && !seesMark(newSet)) return wait('the Deployment controller to observe the new minReadySeconds');
  return act(move(view, flagged, budget))!;
}

/** Sets the marks while paused. maxUnavailable covers the Pods that will no longer count, so that the Deployment stays Available. */
function mark(view: View, held: Held, surge = view.budget.surge): Effect[] {
  const { deployment, replicas, old } = view;
  const uncounted = Math.min(replicas, Math.max(1, replicas - old));
  const now = settingsOf(deployment);
  const maxSurge = surge === view.budget.surge ? now.maxSurge : shareOf(surge, replicas, 'up');
  const budget: Budget = { maxSurge: maxSurge ?? '25%', maxUnavailable: shareOf(uncounted, replicas, 'down') };
  const marked = { ...held, budget };
  return patchHeld('mark', deployment, marked, markedSettings(marked), stableLabel(hashOf(view.stableSet)));
}

/**
 * True if no Pod of the ReplicaSet counts as available. The ReplicaSet itself is checked, because its watch may lag behind that of the Deployment,
 * and a Pod that becomes Ready before the mark counts.
 */
const seesMark = (set: ReplicaSet | undefined): boolean =>
  set !== undefined && isMarkedSet(set) && availableOf(set) === 0;

function move(view: View, held: Held, budget: NumericBudget): Effect[] {
  const moving = { ...held, budget: inShares(budget, view.replicas), moved: formatTime(view.now) };
  return patchHeld('move', view.deployment, moving, movingSettings(moving), stableLabel(hashOf(view.stableSet)));
}

const sameBudget = (view: View, { maxSurge, maxUnavailable }: NumericBudget): boolean =>
  view.budget.surge === maxSurge && view.budget.unavailable === maxUnavailable;

/**
 * Pauses the Deployment again. If the sizes are complete, no budget is left. While surge Pods exist, maxSurge stays: with a smaller value the
 * Deployment controller would delete Pods of the largest ReplicaSet, which are good old ones.
 */
function rest(view: View, held: Held, complete: boolean): Effect[] {
  const { surge } = view.budget;
  const bare = complete || surge === 0;
  // While Pods start, the user's maxUnavailable applies, so that the Deployment stays Available.
  const maxUnavailable = Math.max(bare ? 1 : 0, Math.min(view.limits.unavailable, view.replicas));
  const starting = { maxSurge: shareOf(bare ? 0 : surge, view.replicas, 'up'), maxUnavailable };
  const stays = view.deployment.spec.paused === true && !isMarked(view.deployment) && surge === 0 && held.budget;
  const budget = bare && stays ? stays : bare && view.available >= view.updated ? NO_BUDGET : starting;
  const resting = { ...held, budget };
  const why = complete ? 'hold' : 'freeze';
  return patchHeld(why, view.deployment, resting, heldSettings(resting), stableLabel(hashOf(view.stableSet)));
}

/** Removes the marks, so that all numbers in the status are true again. The record is updated last. */
function unmark(view: View, held: Held): Move | undefined {
  const { marks, ...unmarked } = held;
  return (
    act(unmarkSets(view.oldSets, view)) ??
    (marks === true ? act(patchHeld('unmark', view.deployment, unmarked, settingsOf(view.deployment))) : undefined)
  );
}

const markSets = (sets: readonly ReplicaSet[]): Effect[] =>
  sets
    .filter((set) => !isMarkedSet(set))
    .map((set) => patchReplicaSet('mark', set, { minReadySeconds: MARK.minReadySeconds }));

const unmarkSets = (sets: readonly ReplicaSet[], { minReadySeconds }: View): Effect[] =>
  sets
    .filter((set) => isActive(set) && isMarkedSet(set))
    .map((set) => patchReplicaSet('unmark', set, { minReadySeconds }));

/** Stops at the current sizes: no budget is spent, and no running Pod is deleted. Undefined if it is already stopped. */
export function freeze(view: View, held: Held): Move | undefined {
  // If it were paused before it has observed its own writes, the Deployment controller would change correct sizes.
  if (isMoving(view.deployment) && view.unsettled) return wait(view.unsettled);
  return act(rest(view, held, false)) ?? unmark(view, held);
}

/**
 * Gives the Deployment back, with `more` in the same write. While an abandoned version is marked, the Deployment controller would delete good Pods
 * before broken ones. In this case it first pauses, removes the marks and waits until that is observed.
 */
export function letGo(view: View, held: Held, more: MetadataChange = {}): Move {
  const { deployment } = view;
  const noticed = noticeEdits(held, deployment);
  if (!mayFreeAtOnce(held) && view.old > 0) {
    // See freeze().
    if (isMoving(view.deployment) && view.unsettled) return wait(view.unsettled);
    // The pause writes the limits again, so an edit that no webhook saw is recorded first.
    const note = noticed === held ? [] : patchHeld('hold', deployment, noticed, settingsOf(deployment));
    const step = act(note) ?? act(rest(view, noticed, false)) ?? act(unmarkSets(view.oldSets, view));
    if (step) return step;
    if (view.unsettled) return wait(view.unsettled);
  }
  const free = freeDeployment(deployment, noticed, more);
  return act(mayFreeAtOnce(held) ? guardedBySpec(free) : free) ?? { kind: 'Done' };
}

/**
 * Corrects too many updated Pods after proportional scaling of a held Deployment. If one ReplicaSet changes, the Deployment controller adjusts the
 * largest one to keep the sum. So this shrinks the new ReplicaSet if the old one is larger, and otherwise grows the old one.
 * Undefined if it is not possible now.
 */
function trim(view: View, held: Held, target: number): Move | undefined {
  const { updated, replicas, newSet, oldSets, deployment } = view;
  const largest = [...oldSets].sort(
    (a, b) => sizeOf(b) - sizeOf(a) || Number(b === view.stableSet) - Number(a === view.stableSet),
  )[0];
  if (!newSet || !largest) return undefined;
  const generation = deployment.metadata.generation ?? 0;
  const meant = [newSet, ...oldSets].map((set) => parseTrim(set)).filter((trim) => trim?.generation === generation);
  if (meant.length > 0 && Math.min(...meant.map((trim) => trim!.to)) !== updated) return { kind: 'TrimRefused' };
  const spare = availableInAll(view) - (replicas - view.limits.unavailable);
  const step = Math.min(updated - target, spare);
  let to = updated - step;
  if (to === sizeOf(largest)) to += 1;
  if (step < 1 || to >= updated) return undefined;
  // If the new ReplicaSet has all Pods and all are available, the Deployment controller scales the old ones to 0, even if paused.
  if (updated === replicas && !isMarked(deployment)) return act(mark(view, held));
  if (updated === replicas && !seesMark(newSet))
    return wait('the Deployment controller to observe the new minReadySeconds');
  const [set, size] = to < sizeOf(largest) ? [newSet, to] : [largest, sizeOf(largest) + updated - to];
  const effect = patchReplicaSet(
    'trim',
    set,
    { replicas: size },
    { [TRIM]: `${generation}/${to}`, ...sizesNoted(replicas, replicas) },
  );
  return { kind: 'Act', effect, trimmed: { from: updated, to } };
}

/** A ReplicaSet without Pods may have an outdated size in these annotations, and would be scaled by the ratio of both sizes. */
const sizesNoted = (replicas: number, most: number): Record<string, string> => ({
  [DESIRED_REPLICAS]: String(replicas),
  [MAX_REPLICAS]: String(most),
});

/**
 * Scaling down may leave the stable version without Pods, and no available Pod to replace. While a single ReplicaSet has all Pods, the Deployment
 * controller gives it no surge, so the surge can create Pods of the stable version first, which then replace Pods of the new version.
 * Undefined in other situations.
 */
function bringBack(view: View, held: Held, goal: Goal, enough: boolean): Move | undefined {
  const { replicas, updated, old, newSet, stableSet, budget, limits } = view;
  const ours = stableSet !== undefined && stableSet !== newSet && sizeOf(stableSet) === old;
  if (!ours || !newSet || goal.keeps || goal.target >= replicas || updated !== replicas) return undefined;
  const excess = updated - goal.target;
  const spare = availableInAll(view) - (replicas - limits.unavailable);
  if (old === 0) {
    // With 1 replica both sizes would be 1, and the older Pod would be deleted.
    if (replicas > 1 && spare > 0) return undefined;
    const most = spare < 0 ? keptOf(replicas) : replicas - 1;
    const surge = replicas === 1 ? 1 : Math.min(Math.max(1, limits.surge), excess, most);
    if (budget.surge !== surge || !isMarked(view.deployment)) return act(mark(view, held, surge));
    if (!seesMark(newSet)) return wait('the Deployment controller to observe the new minReadySeconds');
    const effect = patchReplicaSet('trim', stableSet, { replicas: surge }, sizesNoted(replicas, replicas + surge));
    return { kind: 'Act', effect, trimmed: { from: updated, to: updated - surge } };
  }
  if (old !== budget.surge || !isMarked(view.deployment)) return undefined;
  if (spare < old) {
    // The ReplicaSet controller counts a Pod as available a little later than this does. Broken stable Pods may never become available, so the step
    // does not wait for them. Its pause corrects the sizes.
    if (view.lacking.length > 0 || availableOf(stableSet) < old)
      return enough
        ? { kind: 'Done' }
        : wait('the stable Pods to become available, to correct the sizes after scaling');
    // See start().
    if (replicas > 1 && view.availableAt !== undefined)
      return wait('the updated Pods to be Ready for minReadySeconds, to correct the sizes after scaling');
    if (old > keptOf(replicas)) return undefined;
  }
  if (replicas > 1) return act(mark(view, held, 0));
  return act([patchReplicaSet('trim', newSet, { replicas: 0 }, sizesNoted(replicas, replicas + budget.surge))]);
}

/**
 * Without the surge, the Deployment controller scales all ReplicaSets in proportion. This is the largest number of surge Pods in a ReplicaSet of
 * their own that it keeps: s of them become s · R / (R + s), rounded.
 */
const keptOf = (replicas: number): number => Math.floor((1 + Math.sqrt(1 + 8 * replicas)) / 4);

/**
 * While an active ReplicaSet has another size in its annotation, the Deployment controller treats the Deployment as being scaled, and it updates the
 * annotation only together with the size. After a conflict, a single ReplicaSet with the right size can keep a wrong annotation forever, and no
 * rolling update happens. This corrects the annotation.
 */
export function repair({ deployment, newSet, oldSets, replicas, budget }: View): Effect[] {
  const active = [newSet, ...oldSets].filter((set) => set !== undefined && isActive(set));
  const [only] = active;
  const noted = only?.metadata.annotations?.[DESIRED_REPLICAS];
  const seen = (deployment.status?.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0);
  if (!only || !seen || active.length > 1 || noted === undefined || sizeOf(only) !== replicas) return [];
  if (Number(noted) === replicas) return [];
  const annotations = { [DESIRED_REPLICAS]: String(replicas), [MAX_REPLICAS]: String(replicas + budget.surge) };
  return [patchReplicaSet('repair', only, {}, annotations)];
}

function parseTrim(set: ReplicaSet): { generation: number; to: number } | undefined {
  const parts = /^(\d+)\/(\d+)$/.exec(set.metadata.annotations?.[TRIM] ?? '');
  return parts ? { generation: Number(parts[1]), to: Number(parts[2]) } : undefined;
}
