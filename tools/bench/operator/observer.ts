// Observes all changes in the cluster, to measure the time from the last Ready Pod of a batch until the status reports the batch as done.
import { performance } from 'node:perf_hooks';
import type { Change, Store } from '@tranche/sandbox/store';
import type { KubeObject } from '@tranche/sandbox/types';

interface Batch {
  /** Times of a batch: first Pod created, slowest Pod from creation to Ready, last Pod Ready, ReplicaSet counts it, status reports it. */
  firstMadeAt?: number;
  slowestMs: number;
  readyAt?: number;
  countedAt?: number;
  saidAt?: number;
}

interface Release {
  readonly startedAt: number;
  readonly batches: readonly Batch[];
  readonly madeAt: Map<string, number>;
  ready: number;
  heldAt?: number;
  doneAt?: number;
}

export interface ReleaseResults {
  readonly releases: number;
  readonly finished: number;
  /** All values are in milliseconds. */
  readonly wall: number;
  readonly podsOwn: readonly number[];
  readonly each: readonly number[];
  /** From the last Ready Pod until the status reports it. */
  readonly reaction: readonly number[];
  /** The cluster's part of it: from the last Ready Pod until its ReplicaSet counts it. */
  readonly counted: readonly number[];
  /** From the start of a step in the status until its first Pod is created. */
  readonly begin: readonly number[];
}

export class Observer {
  private readonly releases = new Map<string, Release>();
  private readonly perBatch: number;
  private readonly batches: number;
  readonly stop: () => void;

  constructor(store: Store, replicas: number, batches: number) {
    this.perBatch = replicas / batches;
    this.batches = batches;
    this.stop = store.observe((change) => this.see(change));
  }

  begin(namespace: string, name: string): void {
    const batches = Array.from({ length: this.batches }, () => ({ slowestMs: 0 }));
    this.releases.set(`${namespace}/${name}`, { startedAt: performance.now(), batches, madeAt: new Map(), ready: 0 });
  }

  progress(): { finished: number; batches: number } {
    const all = [...this.releases.values()];
    return {
      finished: all.filter(({ doneAt }) => doneAt !== undefined).length,
      batches: all.reduce((sum, { batches }) => sum + batches.filter(({ saidAt }) => saidAt !== undefined).length, 0),
    };
  }

  results(): ReleaseResults {
    const all = [...this.releases.values()];
    const done = all.filter(({ doneAt }) => doneAt !== undefined);
    const batches = done.flatMap((release) => release.batches);
    const between = (from: keyof Batch, to: keyof Batch): number[] =>
      batches.flatMap((batch) =>
        batch[from] === undefined || batch[to] === undefined ? [] : [batch[to] - batch[from]],
      );
    return {
      releases: all.length,
      finished: done.length,
      wall: Math.max(...done.map(({ doneAt }) => doneAt!)) - Math.min(...all.map(({ startedAt }) => startedAt)),
      podsOwn: done.map((release) => release.batches.reduce((sum, { slowestMs }) => sum + slowestMs, 0)),
      each: done.map(({ doneAt, startedAt }) => doneAt! - startedAt),
      reaction: between('readyAt', 'saidAt'),
      counted: between('readyAt', 'countedAt'),
      begin: done.flatMap(({ batches: of }) =>
        of.slice(1).flatMap(({ firstMadeAt }, i) => (firstMadeAt === undefined ? [] : [firstMadeAt - of[i]!.saidAt!])),
      ),
    };
  }

  private see({ collection, object, previous }: Change): void {
    if (collection === '/pods') this.seePod(object, previous);
    else if (collection === 'apps/replicasets') this.seeReplicaSet(object);
    else if (collection === 'rollouts.kruise.io/rollouts') this.seeStatus(object);
  }

  private seePod(pod: KubeObject, previous: KubeObject | undefined): void {
    const release = this.releases.get(workloadOf(pod));
    if (!release) return;
    const now = performance.now();
    const uid = pod.metadata.uid!;
    if (!previous) {
      const batch = release.batches[Math.floor(release.madeAt.size / this.perBatch)];
      release.madeAt.set(uid, now);
      if (batch) batch.firstMadeAt ??= now;
      return;
    }
    const madeAt = release.madeAt.get(uid);
    if (madeAt === undefined || isReady(previous) || !isReady(pod)) return;
    const batch = release.batches[Math.floor(release.ready / this.perBatch)];
    release.ready += 1;
    if (!batch) return;
    batch.slowestMs = Math.max(batch.slowestMs, now - madeAt);
    if (release.ready % this.perBatch === 0) batch.readyAt = now;
  }

  private seeReplicaSet(set: KubeObject): void {
    const release = this.releases.get(workloadOf(set));
    if (
      !release ||
      Date.parse(set.metadata.creationTimestamp!) < Date.now() - performance.now() + release.startedAt - 1000
    )
      return;
    const counted = Math.floor((set.status?.readyReplicas ?? 0) / this.perBatch);
    for (const batch of release.batches.slice(0, counted)) batch.countedAt ??= performance.now();
  }

  private seeStatus({ metadata, status }: KubeObject): void {
    const release = this.releases.get(`${metadata.namespace}/${metadata.name}`);
    if (!release || !status) return;
    if (status.phase === 'Progressing') release.heldAt ??= performance.now();
    if (release.heldAt === undefined) return;
    const { currentStepIndex, currentStepState } = status.canaryStatus ?? {};
    const done = status.phase === 'Healthy' || currentStepState === 'Completed' ? this.batches : currentStepIndex - 1;
    for (const batch of release.batches.slice(0, done)) batch.saidAt ??= performance.now();
    if (status.phase === 'Healthy') release.doneAt ??= performance.now();
  }
}

/** Namespace and name. */
export const workloadOf = ({ metadata }: KubeObject): string =>
  `${metadata.namespace}/${metadata.labels?.['app.kubernetes.io/name'] ?? ''}`;

const isReady = ({ status }: KubeObject): boolean =>
  ((status?.conditions ?? []) as { type: string; status: string }[]).some(
    ({ type, status: is }) => type === 'Ready' && is === 'True',
  );
