// The budget protocol (docs/holding.md): one write at a time towards a number of updated Pods, and never an unsafe one.
import { DESIRED_REPLICAS, MAX_REPLICAS, TRIM } from '../api/keys.ts';
import type { Held, ReplicaSet } from '../api/types.ts';
import { freeDeployment, patchHeld, patchReplicaSet, stableLabel } from './effects.ts';
import {
  heldSettings,
  isMarked,
  isMoving,
  MARK,
  mayFreeAtOnce,
  movingSettings,
  NO_BUDGET,
  noticeEdits,
  settingsOf,
} from './hold.ts';
import type { Effect } from './snapshot.ts';
import { formatTime } from './time.ts';
import { abandonedSets, availableInAll, hashOf, isActive, isMarkedSet, sizeOf, type View } from './view.ts';

export interface Goal {
  /** T: updated Pods of the step. */
  readonly target: number;
  /** Of these, so many may be unavailable and the step is done all the same. */
  readonly tolerated: number;
  /** More updated Pods than the target are left alone. */
  readonly keeps: boolean;
  /** Nothing is left to release after it: the Deployment is given back instead of held. */
  readonly last: boolean;
}

export type Move =
  /** One write; look again when it is seen. */
  | { readonly kind: 'Act'; readonly effect: Effect; readonly trimmed?: { readonly from: number; readonly to: number } }
  /** Somebody else has to do or see something first. */
  | { readonly kind: 'Wait'; readonly waitsFor: string }
  /** At rest, and as many Pods of the new version are available as the goal asks for. */
  | { readonly kind: 'Done' }
  /** At rest with more updated Pods than the target, because a trim did not last. */
  | { readonly kind: 'TrimRefused' };

const wait = (waitsFor: string): Move => ({ kind: 'Wait', waitsFor });
const act = (effects: readonly Effect[]): Move | undefined => effects[0] && { kind: 'Act', effect: effects[0] };

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

/** Towards the goal, on a held Deployment. */
export function advance(view: View, held: Held, goal: Goal): Move {
  const { deployment, updated, old, available, replicas } = view;
  const moving = isMoving(deployment);
  if (!moving && view.unsettled) return wait(view.unsettled);
  const stuck = act(repair(view));
  if (stuck) return stuck;
  // Sizes that scaling has left above the target are corrected at rest, never while moving.
  const target = Math.min(replicas, Math.max(goal.target, updated));
  const budget = budgetFor(target, view, moving ? view.budget.unavailable : 0);
  const enough = available >= Math.min(target, goal.target) - goal.tolerated;
  const complete = updated === target && old === replicas - target && view.budget.surge === 0;
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
    if (complete || sameBudget(view, budget)) return wait('Pods');
    // Less surge only when we know all there is.
    if (budget.maxSurge < view.budget.surge && view.unsettled) return wait(view.unsettled);
    return act(move(view, held, budget))!;
  }
  if (!atRest) return start(view, held, budget);
  const overfull = updated > goal.target && complete && !goal.keeps;
  const settle =
    (overfull ? trim(view, held, goal.target) : undefined) ?? act(rest(view, held, complete)) ?? unmark(view, held);
  if (settle) return settle;
  // Old Pods may never come: a release that mends a broken version does not wait for them. It is corrected later, in the pause.
  if (overfull && available < updated) return wait('all its Pods, to correct the sizes after scaling');
  return enough ? { kind: 'Done' } : wait('Pods');
}

/** Marks first, then the budget: only from a state that the native controller has seen. */
function start(view: View, held: Held, budget: NumericBudget): Move {
  const { deployment, newSet, updated } = view;
  // Which of its Ready Pods a ReplicaSet lets go is chance: one that counts may go for one that does not yet.
  if (view.oldAvailableAt !== undefined) return wait('the old Pods to have been Ready for minReadySeconds');
  const now = settingsOf(deployment);
  const abandoned = abandonedSets(view);
  // A mark is a lie about good Pods: beside truly broken ones it would cost good Pods first.
  const marks = abandoned.length > 0 && view.oldAvailable;
  const flagged = marks ? { ...held, marks: true } : held;
  const needsMark = updated > 0 && !isMarked(deployment);
  if (needsMark || (marks && held.marks !== true))
    return act(patchHeld('mark', deployment, flagged, { ...now, ...MARK }, stableLabel(hashOf(view.stableSet))))!;
  const marked = act(marks ? markSets(abandoned) : unmarkSets(view));
  if (marked) return marked;
  if (updated > 0 && !seesMark(newSet)) return wait('the Deployment controller to see the marks');
  return act(move(view, flagged, budget))!;
}

/**
 * None of its Pods counts as available any more, and none will: the ReplicaSet itself is looked at, since its watch may be behind the
 * Deployment's, and a Pod that becomes Ready before the mark comes would count.
 */
const seesMark = (set: ReplicaSet | undefined): boolean =>
  set !== undefined && isMarkedSet(set) && (set.status?.availableReplicas ?? 0) === 0;

function move(view: View, held: Held, budget: NumericBudget): Effect[] {
  const moving = { ...held, budget, moved: formatTime(view.now) };
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
  const budget =
    complete || surge === 0
      ? NO_BUDGET
      : { maxSurge: surge, maxUnavailable: Math.min(view.limits.unavailable, view.replicas) };
  const resting = { ...held, budget };
  const why = complete ? 'hold' : 'freeze';
  return patchHeld(why, view.deployment, resting, heldSettings(resting), stableLabel(hashOf(view.stableSet)));
}

/** Takes the marks off: every number Kubernetes shows is true again. Last of all the record says so. */
function unmark(view: View, held: Held): Move | undefined {
  const { marks, ...unmarked } = held;
  return (
    act(unmarkSets(view)) ??
    (marks === true ? act(patchHeld('unmark', view.deployment, unmarked, settingsOf(view.deployment))) : undefined)
  );
}

const markSets = (sets: readonly ReplicaSet[]): Effect[] =>
  sets
    .filter((set) => !isMarkedSet(set))
    .map((set) => patchReplicaSet('mark', set, { minReadySeconds: MARK.minReadySeconds }));

const unmarkSets = (view: View): Effect[] =>
  view.oldSets
    .filter((set) => isActive(set) && isMarkedSet(set))
    .map((set) => patchReplicaSet('unmark', set, { minReadySeconds: view.minReadySeconds }));

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
export function letGo(view: View, held: Held, more: Parameters<typeof freeDeployment>[2] = {}): Move {
  if (!mayFreeAtOnce(held) && view.old > 0) {
    // As in freeze().
    if (isMoving(view.deployment) && view.unsettled) return wait(view.unsettled);
    const step = act(rest(view, held, false)) ?? act(unmarkSets(view));
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
  if (updated === replicas && !isMarked(deployment))
    return act(patchHeld('mark', deployment, held, { ...settingsOf(deployment), ...MARK }));
  if (updated === replicas && !seesMark(newSet)) return wait('the Deployment controller to see the marks');
  const [set, size] = to < sizeOf(largest) ? [newSet, to] : [largest, sizeOf(largest) + updated - to];
  const effect = patchReplicaSet(
    'trim',
    set,
    { replicas: size },
    {
      [TRIM]: `${generation}/${to}`,
      // One that had no Pods kept these from another size of the Deployment, and would be scaled by the ratio of the two.
      [DESIRED_REPLICAS]: String(replicas),
      [MAX_REPLICAS]: String(replicas),
    },
  );
  return { kind: 'Act', effect, trimmed: { from: updated, to } };
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
