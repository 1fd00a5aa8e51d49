// The order in which abandoned versions lose Pods. Marks on their ReplicaSets keep the order even if Pods become Ready meanwhile.
import type { ReplicaSet } from '../../../api/types.ts';
import { isActive, isMarkedSet, sizeOf, type View } from './view.ts';

export interface Marks {
  /** ReplicaSets to mark. The Deployment controller deletes their Pods first, because they do not count as available. */
  readonly sets: readonly ReplicaSet[];
  /** Number of old Pods that can be deleted before a Pod of the stable version is deleted unnecessarily. */
  readonly covers: number;
}

/**
 * The Deployment controller first deletes old Pods that are not available, from the oldest ReplicaSet on, and then available ones in the same
 * order: Pods of the stable version before those of later abandoned versions. Marks reverse this order, whether the Pods become Ready or not. But
 * a mark also hides good Pods: if an older ReplicaSet has broken Pods, marked good Pods could be deleted before them. So the marks start at the
 * newest ReplicaSet with unavailable Pods, if it is abandoned, and include all newer ones. Older ReplicaSets are marked later.
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

/** Old ReplicaSets with a mark that they must not have any more. */
export const markedTooMuch = (view: View, { sets }: Marks): readonly ReplicaSet[] =>
  view.oldSets.filter((set) => isActive(set) && isMarkedSet(set) && !sets.includes(set));

export const areInPlace = (view: View, marks: Marks): boolean =>
  marks.sets.every(isMarkedSet) && markedTooMuch(view, marks).length === 0;
