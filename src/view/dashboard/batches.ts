// The Pods of a release as rows, one per step.
import type { Facts } from '../facts.ts';
import { stepViews, type StepView } from '../release.ts';
import { stateOf } from '../state.ts';
import { describeWait, describeWatch } from '../words.ts';
import { Budget, type PodsOfRelease, type Slot } from './pods.ts';
import { progressIn } from './row.ts';
import { text } from './text.ts';
import type { Batch, Dots, PodVersion } from './types.ts';

/** Rows that are shown, at most. */
const MOST_ROWS = 100;

export interface Batches {
  readonly batches: readonly Batch[];
  readonly surplus?: Dots;
}

/** `found`: undefined if the user may not read Pods. Then no Pods are drawn. */
export function batchesOf(facts: Facts, found: PodsOfRelease | undefined): Batches {
  const { view } = facts;
  if (view === undefined) return { batches: [] };
  const steps = releasesInSteps(facts) ? stepViews(facts) : [];
  const version: PodVersion = steps.length > 0 ? 'new' : 'stable';
  const queue = found && new Queue(found, version);
  const sizes =
    steps.length > 0 ? steps.map(({ updated }, i) => updated - (steps[i - 1]?.updated ?? 0)) : [view.replicas];
  const rows = sizes.slice(0, MOST_ROWS).map((size) => queue?.take(size) ?? []);
  const surplus = queue?.rest() ?? [];
  const budget = new Budget([...rows, surplus]);
  const batches = rows.map((slots, i): Batch => {
    const dots = budget.dotsFrom(slots);
    const step = steps[i];
    return step
      ? { ...stepOf(step, facts, sizes[i]!), ...(i === steps.length - 1 && stillMoving(step, slots)), dots }
      : { ...WHOLE, size: view.replicas, updated: view.updated, dots };
  });
  return { batches, ...(surplus.length > 0 && { surplus: budget.dotsFrom(surplus) }) };
}

/** False at rest, and while a version is restored without steps. */
const releasesInSteps = ({ rollout, deployment }: Facts): boolean =>
  rollout.status?.phase === 'Progressing' && stateOf(rollout, deployment) !== 'RollingBack';

/** All steps are done, and the workload's controller still replaces Pods. */
const stillMoving = ({ progress }: StepView, slots: readonly Slot[]): Pick<Batch, 'progress'> | undefined =>
  progress === 'Done' && slots.some((slot) => 'missing' in slot || slot.version !== 'new')
    ? { progress: 'current' }
    : undefined;

const WHOLE = { label: 'all Pods', progress: 'current' } as const;

const stepOf = (view: StepView, { rollout }: Facts, size: number): Omit<Batch, 'dots'> => ({
  ...(view.step !== undefined && { step: view.step }),
  label: text(`${view.replicas ?? 'the rest'}`, 20),
  progress: progressIn(view.step, rollout),
  size,
  updated: view.updated,
  ...(view.progress !== 'Done' && { then: thenOf(view) }),
});

/** `is watched for 10m, then waits for approval` */
export function thenOf({ watched, old, wait }: Pick<StepView, 'watched' | 'old' | 'wait'>): string {
  const then = old === 0 && wait === 'None' ? 'the release is done' : describeWait(wait);
  return watched === undefined ? then : `${describeWatch(watched)}, then ${then}`;
}

/** Fills rows with the Pods of the new version, then with those that it still has to create, then with the Pods that they will replace. */
class Queue {
  private readonly found: PodsOfRelease;
  private readonly version: PodVersion;
  private fresh = 0;
  private old = 0;
  private missing: number;

  constructor(found: PodsOfRelease, version: PodVersion) {
    this.found = found;
    this.version = version;
    this.missing = found.missing;
  }

  take(size: number): Slot[] {
    const slots: Slot[] = [];
    let left = size;
    const add = (pods: readonly Slot[], count: number): number => {
      slots.push(...pods);
      left -= count;
      return count;
    };
    const pods = (of: readonly Slot[], from: number): number => {
      const next = of.slice(from, from + left);
      return add(next, next.length);
    };
    const missing = (count: number): number =>
      count > 0 ? add([{ missing: count, version: this.version }], count) : 0;
    this.fresh += pods(this.found.fresh, this.fresh);
    this.missing -= missing(Math.min(this.missing, left));
    this.old += pods(this.found.old, this.old);
    missing(left);
    return slots;
  }

  /** Pods that are not among the wanted ones. */
  rest(): Slot[] {
    const { fresh, old, gone } = this.found;
    return [...fresh.slice(this.fresh), ...old.slice(this.old), ...gone];
  }
}
