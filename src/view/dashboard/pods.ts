// The Pods of a release as dots.
import type { Pod } from '../../api/types.ts';
import { judgePods, signalOf } from '../../engine/steps/pod-health.ts';
import { parseTime } from '../../engine/lib/time.ts';
import { isAlive, readySince } from '../../engine/workload/pods.ts';
import type { Progress, Version } from '../../engine/workload/kind.ts';
import { versionsOf, type Facts } from '../facts.ts';
import { roleOf } from '../release.ts';
import { at, LONGEST, name, optional } from './text.ts';
import type { Dots, PodDot, PodState, PodVersion } from './types.ts';

/** Pods that are drawn for one release, at most. */
export const MOST_DOTS = 1000;

/** A dot, or a number of Pods that are not created yet. */
export type Slot = PodDot | { readonly missing: number; readonly version: PodVersion };

export interface PodsOfRelease {
  /** Alive Pods of the new version, in the order in which they were or will be created. Without a release: of the current version. */
  readonly fresh: readonly PodDot[];
  /** Alive Pods of the other versions, in the order in which they are replaced. */
  readonly old: readonly PodDot[];
  /** Pods that are being deleted or have failed. */
  readonly gone: readonly PodDot[];
  /** Pods of the new version that are wanted and not created. */
  readonly missing: number;
  /** Number of available Pods of each version. */
  readonly available: ReadonlyMap<Version, number>;
}

const VERSIONS = { New: 'new', Current: 'stable', Stable: 'stable', Old: 'abandoned' } as const;

/** A Pod that is drawn. */
interface Drawn {
  readonly pod: Pod;
  readonly of: Version;
  readonly dot: PodDot;
}

/** `now`: milliseconds since the epoch. */
export function podsOfRelease({ view, pods, rollout }: Facts, now: number): PodsOfRelease {
  if (view === undefined) return { fresh: [], old: [], gone: [], missing: 0, available: new Map() };
  const { kind, workload, newVersion, minReadySeconds } = view;
  const stepStartedAt = parseTime(rollout.status?.canaryStatus?.lastUpdateTime) ?? 0;
  const drawnOf = (of: Version): Drawn[] => {
    const own = kind.podsOf(workload, of, pods);
    const { waiting } = judgePods(own.filter(isAlive), { now, minReadySeconds, stepStartedAt, stepDeadlineSeconds: 0 });
    const why = new Map(waiting.map((trouble) => [trouble.pod, trouble.why]));
    const version = versionOf(of, view);
    return own.map((pod) => ({ pod, of, dot: dotOf(pod, version, why.get(pod.metadata.name), minReadySeconds, now) }));
  };
  const all = versionsOf(view)
    .flatMap(drawnOf)
    .sort(orderOf(pods, workload.metadata.name, newVersion));
  const alive = all.filter(({ pod }) => isAlive(pod));
  const fresh = alive.filter(({ of }) => of === newVersion);
  return {
    fresh: fresh.map(dotOfDrawn),
    old: alive.filter(({ of }) => of !== newVersion).map(dotOfDrawn),
    gone: all.filter(({ pod }) => !isAlive(pod) && pod.status?.phase !== 'Succeeded').map(dotOfDrawn),
    missing: Math.max(0, view.updated - fresh.length),
    available: new Map(
      versionsOf(view).map((version) => [
        version,
        alive.filter(({ of, dot }) => of === version && dot.state === 'available').length,
      ]),
    ),
  };
}

const dotOfDrawn = ({ dot }: Drawn): PodDot => dot;

export const versionOf = (version: Version, view: Progress): PodVersion => VERSIONS[roleOf(version, view)];

/**
 * Pods with ordinals from the highest to the lowest, as their controllers replace them. Others: those of the new version from the oldest to the newest;
 * those of an abandoned version before those of the stable one, unavailable ones before available ones, and the newest first.
 */
function orderOf(
  pods: readonly Pod[],
  workload: string,
  newVersion: Version | undefined,
): (a: Drawn, b: Drawn) => number {
  const ordinal = ({ metadata }: Pod): number =>
    metadata.name.startsWith(`${workload}-`)
      ? Number(/^\d+$/.exec(metadata.name.slice(workload.length + 1))?.[0] ?? NaN)
      : NaN;
  if (pods.length > 0 && pods.every((pod) => !Number.isNaN(ordinal(pod))))
    return (a, b) => ordinal(b.pod) - ordinal(a.pod);
  const rank = ({ of, dot }: Drawn): number =>
    of === newVersion ? 0 : 1 + 2 * Number(dot.version !== 'abandoned') + Number(dot.state === 'available');
  const created = ({ pod }: Drawn): number => parseTime(pod.metadata.creationTimestamp) ?? 0;
  const byAge = (a: Drawn, b: Drawn): number => (a.of === newVersion ? 1 : -1) * (created(a) - created(b));
  const byName = (a: Drawn, b: Drawn): number => (a.pod.metadata.name < b.pod.metadata.name ? -1 : 1);
  return (a, b) => rank(a) - rank(b) || byAge(a, b) || byName(a, b);
}

function dotOf(pod: Pod, version: PodVersion, why: string | undefined, minReadySeconds: number, now: number): PodDot {
  const { metadata, spec, status } = pod;
  const state = stateOfPod(pod, why, now);
  const restarts = Math.max(0, ...(status?.containerStatuses ?? []).map(({ restartCount }) => restartCount ?? 0));
  const ready = state === 'ready' ? at('readyAt', readySince(pod, now)) : {};
  return {
    name: name(metadata.name),
    version,
    state,
    ...(state === 'failing' && why === undefined && optional('why', status?.reason ?? 'Failed', LONGEST.word)),
    ...(state !== 'ready' && optional('why', why, LONGEST.word)),
    ...ready,
    ...(state === 'ready' && { minReadySeconds }),
    ...at('createdAt', metadata.creationTimestamp),
    ...optional('node', spec?.nodeName, LONGEST.name),
    ...(restarts > 0 && { restarts }),
  };
}

/** `why`: why it is not available; undefined if it is. */
function stateOfPod(pod: Pod, why: string | undefined, now: number): PodState {
  if (pod.metadata.deletionTimestamp !== undefined) return 'leaving';
  if (!isAlive(pod)) return 'failing';
  if (why === undefined) return 'available';
  if (signalOf(pod, now) !== undefined) return 'failing';
  return readySince(pod, now) === undefined ? 'starting' : 'ready';
}

const NONE: Readonly<Record<PodState, number>> = {
  missing: 0,
  starting: 0,
  ready: 0,
  available: 0,
  failing: 0,
  leaving: 0,
};

/** Which Pods are left out if there are too many, over all rows of a release: available ones before others, later ones before earlier ones. */
export class Budget {
  private important: number;
  private available: number;

  constructor(rows: readonly (readonly Slot[])[]) {
    const important = rows.flat().reduce((sum, slot) => sum + (isAvailable(slot) ? 0 : countOf(slot)), 0);
    this.important = Math.min(important, MOST_DOTS);
    this.available = MOST_DOTS - this.important;
  }

  dotsFrom(slots: readonly Slot[]): Dots {
    const counts = { ...NONE };
    const pods: PodDot[] = [];
    let all = 0;
    for (const slot of slots) {
      const count = countOf(slot);
      all += count;
      counts[stateOf(slot)] += count;
      const shown = Math.min(count, isAvailable(slot) ? this.available : this.important);
      if (isAvailable(slot)) this.available -= shown;
      else this.important -= shown;
      const dot: PodDot = 'missing' in slot ? { version: slot.version, state: 'missing' } : slot;
      for (let i = 0; i < shown; i++) pods.push(dot);
    }
    return { pods, leftOut: all - pods.length, counts };
  }
}

const stateOf = (slot: Slot): PodState => ('missing' in slot ? 'missing' : slot.state);
const countOf = (slot: Slot): number => ('missing' in slot ? slot.missing : 1);
const isAvailable = (slot: Slot): boolean => stateOf(slot) === 'available';
