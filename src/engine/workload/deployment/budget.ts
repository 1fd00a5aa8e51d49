// The budget protocol (docs/holding.md): one write at a time towards a number of updated Pods, and never an unsafe one.
import { DESIRED_REPLICAS, MAX_REPLICAS, TRIM } from '../../../api/keys.ts';
import type { Held, Pod, ReplicaSet } from '../../../api/types.ts';
import type { Effect } from '../../decision.ts';
import { stableLabel } from '../effects.ts';
import { act, wait, type Goal, type MetadataChange, type Move } from '../kind.ts';
import { freeDeployment, patchHeld, patchReplicaSet } from './effects.ts';
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
import { readySince } from '../pods.ts';
import { areInPlace, markedTooMuch, marksFor, type Marks } from './marks.ts';
import { formatTime, parseTime } from '../../lib/time.ts';
import { availableInAll, availableOf, hashOf, isActive, isMarkedSet, sizeOf, type View } from './view.ts';

/**
 * So long Pods may take, or the next ones may be waited for, before it is worth two more writes that every number Kubernetes shows is true
 * meanwhile: the Deployment is held in the middle of a batch, and moved again.
 */
const LINGER_MS = 5_000;

/**
 * The budget towards a target: as many Pods may be missing from the old versions as new ones are available, and the user's limit on
 * top. But never less than is spent or granted already: fewer old Pods may be missing than are, and the native controller would make
 * that up with new ones; less surge than there is, and a pause would make it take Pods from the largest ReplicaSet.
 */
export function budgetFor(
  target: number,
  { available, updated, old, replicas, limits }: Pick<View, 'available' | 'updated' | 'old' | 'replicas' | 'limits'>,
  granted = 0,
): NumericBudget {
  const maxUnavailable = Math.min(target, Math.max(available + limits.unavailable, replicas - old, granted));
  const maxSurge = Math.max(Math.min(limits.surge, target - maxUnavailable), updated - maxUnavailable);
  return { maxUnavailable, maxSurge: Math.max(0, maxSurge) };
}

interface NumericBudget {
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

/** No more old Pods than the marks cover. What is granted already stays. */
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

/** As shares of the Deployment's size: should it be scaled while nobody of ours is there, the grant is scaled with it. */
const inShares = ({ maxSurge, maxUnavailable }: NumericBudget, replicas: number): Budget => ({
  maxSurge: shareOf(maxSurge, replicas, 'up'),
  maxUnavailable: shareOf(maxUnavailable, replicas, 'down'),
});

/** Towards the goal, on a held Deployment. */
export function advance(view: View, held: Held, goal: Goal): Move {
  const { deployment, updated, old, available, replicas } = view;
  const moving = isMoving(deployment);
  if (!moving && view.unsettled) return wait(view.unsettled);
  const stuck = act(repair(view));
  if (stuck) return stuck;
  // Sizes that scaling has left above the target are corrected at rest, never while moving.
  const target = Math.min(replicas, Math.max(goal.target, updated));
  const granted = moving ? view.budget.unavailable : 0;
  const marks = marksFor(view);
  const budget = within(marks, budgetFor(target, view, granted), { target, granted }, view);
  const enough = available >= Math.min(target, goal.target) - goal.tolerated;
  // A single ReplicaSet gets all Pods and no surge, whatever maxSurge is.
  const complete =
    updated === target &&
    old === replicas - target &&
    (view.budget.surge === 0 || (!moving && (old === 0 || updated === 0)));
  const exhausted =
    updated === budget.maxUnavailable + budget.maxSurge &&
    old === replicas - budget.maxUnavailable &&
    view.budget.surge === budget.maxSurge;
  const atRest = complete || (enough && exhausted);

  if (moving) {
    if (atRest && enough) {
      if (complete && goal.last) return { kind: 'Done' };
      return view.unsettled ? wait(view.unsettled) : act(rest(view, held, complete))!;
    }
    if (complete || sameBudget(view, budget)) return linger(view, held, goal, complete || exhausted, complete);
    // Less surge only when we know all there is.
    if (budget.maxSurge < view.budget.surge && view.unsettled) return wait(view.unsettled);
    // Other marks, and only then more of the old Pods.
    if (budget.maxUnavailable > replicas - old && !areInPlace(view, marks))
      return view.unsettled ? wait(view.unsettled) : act(rest(view, held, false))!;
    return act(move(view, held, budget))!;
  }
  const back = bringBack(view, held, goal);
  if (back) return back;
  if (!atRest && exhausted) return act(rest(view, held, false)) ?? wait('Pods');
  if (!atRest) return notYet(view, budget) ?? start(view, held, budget, marks);
  const overfull = updated > goal.target && complete && !goal.keeps;
  const settle =
    (overfull ? trim(view, held, goal.target) : undefined) ?? act(rest(view, held, complete)) ?? unmark(view, held);
  if (settle) return settle;
  // Old Pods may never come: a release that mends a broken version does not wait for them. It is corrected later, in the pause.
  if (overfull && available < updated)
    return wait('all updated Pods to become available, to correct the sizes after scaling');
  return enough ? { kind: 'Done' } : wait('Pods');
}

/** The budget is spent, or is about to be. Once it is and its Pods take their time, the Deployment is held until they are there. */
function linger(view: View, held: Held, goal: Goal, spent: boolean, complete: boolean): Move {
  const until = Math.max(...view.pods.map(createdAt), 0) + (goal.young ? LINGER_MS : 0);
  if (!spent || view.updated === 0 || view.pods.length < view.updated) return wait('Pods');
  if (until > view.now) return wait('Pods', until);
  return view.unsettled ? wait(view.unsettled) : (act(rest(view, held, complete)) ?? wait('Pods'));
}

/** Held in the middle of a batch, it is not moved for each Pod that becomes available: for half of what may be on its way at once, or for the last of some. */
function notYet(
  { updated, available, limits, pods, minReadySeconds, now }: View,
  budget: NumericBudget,
): Move | undefined {
  const more = budget.maxUnavailable + budget.maxSurge - updated;
  if (available >= updated || more < 1 || 2 * more >= limits.surge + limits.unavailable) return undefined;
  const due = pods.map((pod) => (readySince(pod, now) ?? -Infinity) + minReadySeconds * 1000).filter((at) => at <= now);
  const until = Math.max(...due, 0) + LINGER_MS;
  return until > now ? wait('Pods', until) : undefined;
}

const createdAt = (pod: Pod): number => parseTime(pod.metadata.creationTimestamp) ?? 0;

/** Marks first, then the budget: only from a state that the native controller has seen. */
function start(view: View, held: Held, budget: NumericBudget, marks: Marks): Move {
  const { deployment, newSet, updated } = view;
  // Which of its Ready Pods a ReplicaSet lets go is chance: one that counts may go for one that does not yet.
  if (view.oldAvailableAt !== undefined) return wait('the old Pods to be Ready for minReadySeconds');
  const flagged = marks.sets.length > 0 ? { ...held, marks: true } : held;
  const needsMark = updated > 0 && !isMarked(deployment);
  if (needsMark || (flagged.marks === true && held.marks !== true)) return act(mark(view, flagged))!;
  const marked = act([...markSets(marks.sets), ...unmarkSets(markedTooMuch(view, marks), view)]);
  if (marked) return marked;
  if (updated > 0 && !seesMark(newSet)) return wait('the Deployment controller to observe the new minReadySeconds');
  return act(move(view, flagged, budget))!;
}

/** Still paused. As many Pods as it is about to stop counting may be unavailable, so that nobody calls the Deployment so. */
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
 * None of its Pods counts as available any more, and none will: the ReplicaSet itself is looked at, since its watch may be behind the
 * Deployment's, and a Pod that becomes Ready before the mark comes would count.
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
 * Held again. With the sizes complete nothing is left of the budget. With surge Pods about, maxSurge stays: lowering it would make
 * the native controller take the difference from the largest ReplicaSet, which is a good old one.
 */
function rest(view: View, held: Held, complete: boolean): Effect[] {
  const { surge } = view.budget;
  const bare = complete || surge === 0;
  // While Pods start, as many may be unavailable as the user allows: nobody calls the Deployment unavailable for less.
  const maxUnavailable = Math.max(bare ? 1 : 0, Math.min(view.limits.unavailable, view.replicas));
  const starting = { maxSurge: shareOf(bare ? 0 : surge, view.replicas, 'up'), maxUnavailable };
  const stays = view.deployment.spec.paused === true && !isMarked(view.deployment) && surge === 0 && held.budget;
  const budget = bare && stays ? stays : bare && view.available >= view.updated ? NO_BUDGET : starting;
  const resting = { ...held, budget };
  const why = complete ? 'hold' : 'freeze';
  return patchHeld(why, view.deployment, resting, heldSettings(resting), stableLabel(hashOf(view.stableSet)));
}

/** Takes the marks off: every number Kubernetes shows is true again. Last of all the record says so. */
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

/** Stops where it is, whatever the sizes: no more budget is spent, and nothing that runs is taken. Undefined when stopped. */
export function freeze(view: View, held: Held): Move | undefined {
  // Paused before it has seen its own last writes, the native controller would correct sizes that are right.
  if (isMoving(view.deployment) && view.unsettled) return wait(view.unsettled);
  return act(rest(view, held, false)) ?? unmark(view, held);
}

/**
 * Gives the Deployment back, with `more` in the same write. While an abandoned version is marked the native controller would take
 * good Pods before broken ones: then pause, take the marks off, and wait until that is seen.
 */
export function letGo(view: View, held: Held, more: MetadataChange = {}): Move {
  if (!mayFreeAtOnce(held) && view.old > 0) {
    // As in freeze().
    if (isMoving(view.deployment) && view.unsettled) return wait(view.unsettled);
    const step = act(rest(view, held, false)) ?? act(unmarkSets(view.oldSets, view));
    if (step) return step;
    if (view.unsettled) return wait(view.unsettled);
  }
  return act(freeDeployment(view.deployment, noticeEdits(held, view.deployment), more)) ?? { kind: 'Done' };
}

/**
 * Too many updated Pods after a native proportional scale, and the Deployment is held. We write one ReplicaSet and the native
 * controller makes up the sum with the largest: so we shrink the new one when the old one is larger, else grow the old one.
 * Undefined when it cannot be done now.
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
  // A new ReplicaSet that has all Pods, all available, makes the native controller end every old one, paused or not.
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

/** A ReplicaSet that had no Pods kept these from another size of the Deployment, and would be scaled by the ratio of the two. */
const sizesNoted = (replicas: number, most: number): Record<string, string> => ({
  [DESIRED_REPLICAS]: String(replicas),
  [MAX_REPLICAS]: String(most),
});

/**
 * Scaling down may leave the stable version without a Pod, and nothing to spare to bring one back with. As long as a single ReplicaSet has
 * all Pods the native controller gives it no surge: so the surge is the stable version's. Its Pods come first; then the new version's go
 * for them. Undefined when this is not how it stands.
 */
function bringBack(view: View, held: Held, goal: Goal): Move | undefined {
  const { replicas, updated, old, newSet, stableSet, budget, limits } = view;
  const ours = stableSet !== undefined && stableSet !== newSet && sizeOf(stableSet) === old;
  if (!ours || !newSet || goal.keeps || goal.target >= replicas || updated !== replicas) return undefined;
  const excess = updated - goal.target;
  const spare = availableInAll(view) - (replicas - limits.unavailable);
  if (old === 0) {
    // A singleton has nothing to share: its sizes would be 1 and 1, of which the older one goes.
    if (replicas > 1 && spare > 0) return undefined;
    const surge = replicas === 1 ? 1 : Math.min(Math.max(1, limits.surge), excess, replicas - 1);
    if (budget.surge !== surge || !isMarked(view.deployment)) return act(mark(view, held, surge));
    if (!seesMark(newSet)) return wait('the Deployment controller to observe the new minReadySeconds');
    const effect = patchReplicaSet('trim', stableSet, { replicas: surge }, sizesNoted(replicas, replicas + surge));
    return { kind: 'Act', effect, trimmed: { from: updated, to: updated - surge } };
  }
  if (old !== budget.surge || !isMarked(view.deployment)) return undefined;
  if (view.lacking.length > 0 && spare - old < 0)
    return wait('the stable Pods to become available, to correct the sizes after scaling');
  if (replicas > 1) return act(mark(view, held, 0));
  return act([patchReplicaSet('trim', newSet, { replicas: 0 }, sizesNoted(replicas, replicas + budget.surge))]);
}

/**
 * The native controller takes a Deployment for just scaled as long as an active ReplicaSet notes another size, and corrects that note
 * only together with a size. When a conflict has come in between, a single ReplicaSet that has the right size stays so for ever,
 * and nothing is rolled any more. We correct the note.
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
