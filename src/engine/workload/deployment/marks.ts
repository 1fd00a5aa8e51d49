// Which abandoned versions go first: marks on their ReplicaSets, such that no Pod which becomes Ready meanwhile changes whose turn it is.
import type { ReplicaSet } from '../../../api/types.ts';
import { isActive, isMarkedSet, sizeOf, type View } from './view.ts';

export interface Marks {
  /** Their Pods do not count for the native controller, so that they go before any that does. */
  readonly sets: readonly ReplicaSet[];
  /** So many old Pods may go before one of the stable version does that another could have gone for. */
  readonly covers: number;
}

/**
 * The native controller lets old Pods go that are not available, oldest ReplicaSet first, and then available ones in the same order: the
 * stable version's before those of a version that was abandoned after it. A mark turns that round, whether the Pods are Ready by then
 * or not. But a mark is a lie about good Pods: before a ReplicaSet with broken ones it would cost the good ones first. So the newest
 * ReplicaSet with Pods that are not available is marked, where it is abandoned, and all that are newer; the older ones follow when it is
 * their turn.
 */
export function marksFor(view: View): Marks {
  const active = view.oldSets.filter(isActive);
  const from = active.findLastIndex((set) => view.lacking.includes(set));
  const stable = active.findIndex((set) => set === view.stableSet);
  const sets = active.filter((_, i) => i >= from && i !== stable);
  const late = active.some((_, i) => i > stable && i < from);
  const first = [...active.slice(0, Math.max(0, stable)), ...sets.filter((set) => active.indexOf(set) > stable)];
  return { sets, covers: late ? first.reduce((sum, set) => sum + sizeOf(set), 0) : Infinity };
}

/** Old ReplicaSets that still have a mark from before, and are not to have it now. */
export const markedTooMuch = (view: View, { sets }: Marks): readonly ReplicaSet[] =>
  view.oldSets.filter((set) => isActive(set) && isMarkedSet(set) && !sets.includes(set));

export const areInPlace = (view: View, marks: Marks): boolean =>
  marks.sets.every(isMarkedSet) && markedTooMuch(view, marks).length === 0;
