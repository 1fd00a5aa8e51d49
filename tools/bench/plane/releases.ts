// Follows releases by what an observer sees of Pods and Rollouts: when each batch is Ready, shown, and followed by the next. Pure.

/** Times in milliseconds of any clock. */
interface Batch {
  firstMadeAt?: number;
  /** The slowest Pod from its creation until it is Ready. */
  slowestMs: number;
  readyAt?: number;
  shownAt?: number;
}

interface Release {
  readonly startedAt: number;
  readonly version: string;
  readonly batches: readonly Batch[];
  readonly madeAt: Map<string, number>;
  ready: number;
  isShown: boolean;
  doneAt?: number;
}

export interface SeenPod {
  readonly uid: string;
  /** Namespace and name of the workload. */
  readonly workload: string;
  readonly version: string;
  readonly isReady: boolean;
}

export interface SeenRollout {
  readonly workload: string;
  readonly phase?: string | undefined;
  readonly stepIndex?: number | undefined;
  readonly stepState?: string | undefined;
}

/** All times are in milliseconds. */
export interface ReleaseTimes {
  /** From the first write until the last release was done. */
  readonly wallMs: number;
  /** Of each release: what the slowest Pods of its batches did not take. */
  readonly ownMs: readonly number[];
  /** From the last Ready Pod of a batch until the status shows the next step. */
  readonly shownMs: readonly number[];
  /** From the last Ready Pod of a batch until the first Pod of the next one exists. */
  readonly nextMs: readonly number[];
}

export class Releases {
  /** Pods of the new version after each step. */
  private readonly sizes: readonly number[];
  private readonly releases = new Map<string, Release>();

  constructor(sizes: readonly number[]) {
    this.sizes = sizes;
  }

  begin(workload: string, version: string, now: number): void {
    const batches = this.sizes.map(() => ({ slowestMs: 0 }));
    this.releases.set(workload, { startedAt: now, version, batches, madeAt: new Map(), ready: 0, isShown: false });
  }

  get unfinished(): readonly string[] {
    return [...this.releases].filter(([, { doneAt }]) => doneAt === undefined).map(([workload]) => workload);
  }

  seePod({ uid, workload, version, isReady }: SeenPod, now: number): void {
    const release = this.releases.get(workload);
    if (!release || release.version !== version) return;
    const madeAt = release.madeAt.get(uid);
    if (madeAt === undefined) {
      const batch = this.batchOf(release, release.madeAt.size);
      if (batch) batch.firstMadeAt ??= now;
      release.madeAt.set(uid, now);
    }
    if (!isReady || madeAt === Infinity) return;
    const batch = this.batchOf(release, release.ready);
    release.ready += 1;
    // It counts once.
    release.madeAt.set(uid, Infinity);
    if (!batch) return;
    batch.slowestMs = Math.max(batch.slowestMs, now - (madeAt ?? now));
    if (this.sizes.includes(release.ready)) batch.readyAt = now;
  }

  seeRollout({ workload, phase, stepIndex, stepState }: SeenRollout, now: number): void {
    const release = this.releases.get(workload);
    if (!release) return;
    release.isShown ||= phase === 'Progressing';
    if (!release.isShown) return;
    const isDone = phase === 'Healthy' || stepState === 'Completed';
    const done = isDone ? this.sizes.length : (stepIndex ?? 1) - 1;
    for (const batch of release.batches.slice(0, done)) batch.shownAt ??= now;
    if (phase === 'Healthy') release.doneAt ??= now;
  }

  /** Of all releases, which must be done. */
  times(): ReleaseTimes {
    const all = [...this.releases.values()];
    const between = (
      from: (batch: Batch) => number | undefined,
      to: (batch: Batch, next: Batch) => number | undefined,
    ) =>
      all.flatMap(({ batches }) =>
        batches.slice(0, -1).flatMap((batch, i) => {
          const [began, ended] = [from(batch), to(batch, batches[i + 1]!)];
          return began === undefined || ended === undefined ? [] : [ended - began];
        }),
      );
    return {
      wallMs: Math.max(...all.map(({ doneAt = NaN }) => doneAt)) - Math.min(...all.map(({ startedAt }) => startedAt)),
      ownMs: all.map(
        ({ startedAt, doneAt = NaN, batches }) =>
          doneAt - startedAt - batches.reduce((sum, { slowestMs }) => sum + slowestMs, 0),
      ),
      shownMs: between(
        ({ readyAt }) => readyAt,
        ({ shownAt }) => shownAt,
      ),
      nextMs: between(
        ({ readyAt }) => readyAt,
        (_, { firstMadeAt }) => firstMadeAt,
      ),
    };
  }

  private batchOf({ batches }: Release, index: number): Batch | undefined {
    return batches[this.sizes.findIndex((size) => index < size)];
  }
}
