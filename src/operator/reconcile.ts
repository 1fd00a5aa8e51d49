// One pass over a workload: reads the facts, calls the engine, and carries out the decision.
import type { KubeObject, Rollout, Workload } from '../api/types.ts';
import type { decide as decideRelease } from '../engine/decide.ts';
import type { Decision } from '../engine/decision.ts';
import { releaseOrphan } from '../engine/release/finalize.ts';
import { olderFirst, ownerOf } from '../engine/release/governing-rollout.ts';
import { standAside } from '../engine/release/stand-aside.ts';
import type { WorkloadKind } from '../engine/workload/kind.ts';
import type { Outcome } from '../kube/queue.ts';
import type { Applier } from './apply.ts';
import type { ChildWatches } from './children.ts';
import type { EvidenceWatches } from './evidence.ts';
import type { Facts } from './facts.ts';
import type { MutationCache } from './mutation-cache.ts';
import type { TrafficWatches } from './traffic.ts';
import { readKey } from './workload.ts';

/** Delay of a retry if caches may be out of date. */
const LOOK_AGAIN_MS = 5_000;

export interface ReconcilerDeps {
  readonly facts: Facts;
  readonly applier: Applier;
  readonly children: ChildWatches;
  readonly writes: MutationCache;
  /** Absent if there are no sources of metrics. */
  readonly evidence?: EvidenceWatches | undefined;
  readonly traffic: TrafficWatches;
  readonly decide: typeof decideRelease;
}

export class Reconciler {
  private readonly deps: ReconcilerDeps;

  constructor(deps: ReconcilerDeps) {
    this.deps = deps;
  }

  async reconcile(key: string): Promise<Outcome | void> {
    const { facts, applier } = this.deps;
    if (!facts.syncedFor(key)) return { againAfterMs: LOOK_AGAIN_MS };
    await applier.evictions.settle(key);
    const wanting = facts.rolloutsOf(key).sort(olderFirst);
    applier.keepOnly(key, wanting);
    const at = readKey(key);
    const kind = 'kind' in at ? at.kind : undefined;
    const workload = 'kind' in at ? await facts.workload(key, at, wanting.length > 0) : undefined;
    const owners = kind && workload ? await applier.giveBackOwners(key, kind, workload) : 'Done';
    if (owners === 'Written') return { againAfterMs: 0 };
    const outcome = await this.release(key, kind, workload, wanting);
    // A pass that the release waits for tries again, too.
    return owners === 'Failed' && outcome.againAfterMs === undefined ? { retry: true } : outcome;
  }

  private async release(
    key: string,
    kind: WorkloadKind | undefined,
    workload: Workload | undefined,
    wanting: readonly Rollout[],
  ): Promise<Outcome> {
    const owner = ownerOf(wanting);
    if (owner) return this.govern(key, kind, workload, owner, wanting);
    if (kind && workload) return this.releaseOrphan(key, kind, workload);
    this.forget(key);
    return {};
  }

  forget(key: string): void {
    const { facts, writes, applier, children, evidence, traffic } = this.deps;
    writes.keepOnly(key, facts.cached(key));
    void traffic.close(key);
    evidence?.close(key);
    applier.forgetWorkload(key);
    void children.close(key);
  }

  /** The oldest Rollout governs. Deleted Rollouts leave, and the others report that they stand aside. */
  private async govern(
    key: string,
    kind: WorkloadKind | undefined,
    workload: Workload | undefined,
    owner: Rollout,
    wanting: readonly Rollout[],
  ): Promise<Outcome> {
    const { facts, applier, children, evidence, traffic, writes, decide } = this.deps;
    const others: Decision[] = [];
    let changed = false;
    for (const other of wanting) {
      if (other === owner) continue;
      const snapshot = facts.snapshot(key, other, workload, false);
      const decision = isDeleting(other)
        ? await facts.decide(key, workload, (found) => decide({ ...snapshot, ...found }))
        : standAside(snapshot, 'WorkloadTaken', owner.metadata.name);
      others.push(decision);
      // It may share a route with the others.
      const written = await applier.carryOut(key, decision, other, workload).finally(() => {
        if (decision.needsTraffic) traffic.forget(key);
      });
      changed ||= written;
    }
    const alone = wanting.every((rollout) => rollout === owner || isDeleting(rollout));
    const decision = await facts.decide(key, workload, (found) =>
      decide({ ...facts.snapshot(key, owner, workload, alone), ...found }),
    );
    if (decision.needsChildren && kind && workload) children.open(key, kind, workload);
    if (decision.needsEvidence) evidence?.open(key, decision.needsEvidence);
    const written = await applier.carryOut(key, decision, owner, workload).catch(async (error: unknown) => {
      traffic.forget(key);
      await applier.reportRefusal(key, owner, workload, error);
      throw error;
    });
    traffic.wrote(key, decision.effects, (before) => writes.newest(key, before));
    if (!written && !decision.needsChildren) applier.forget(key, owner);
    return this.next(key, withWaits(decision, others), changed || written);
  }

  /** A workload without a known Rollout, which may be held. */
  private async releaseOrphan(key: string, kind: WorkloadKind, workload: Workload): Promise<Outcome> {
    const { facts, applier, children } = this.deps;
    const held = kind.readHold(workload);
    if (!held || (await facts.rolloutExists(kind, workload, held.rollout))) {
      if (!held) this.forget(key);
      return held ? { againAfterMs: LOOK_AGAIN_MS } : {};
    }
    const known = facts.orphan(key, workload);
    const decision = await facts.decide(key, workload, (found) =>
      releaseOrphan(kind, workload, { ...known, ...found }),
    );
    if (decision.needsChildren) children.open(key, kind, workload);
    return this.next(key, decision, await applier.carryOut(key, decision, undefined, workload));
  }

  private next(key: string, decision: Decision, written: boolean): Outcome {
    if (written) return { againAfterMs: 0 };
    if (!decision.needsTraffic) void this.deps.traffic.close(key);
    if (!decision.needsChildren) {
      void this.deps.children.close(key);
      this.deps.evidence?.close(key);
      this.deps.writes.keepOnly(key, this.deps.facts.cached(key));
      this.deps.applier.evictions.forget(key);
    }
    return decision.againAfterMs === undefined ? {} : { againAfterMs: decision.againAfterMs };
  }
}

/** Also looks again, and watches, for what the others wait for. */
function withWaits(decision: Decision, others: readonly Decision[]): Decision {
  const needsTraffic = [decision, ...others].find((one) => one.needsTraffic)?.needsTraffic;
  const waits = [decision, ...others].flatMap(({ againAfterMs }) => (againAfterMs === undefined ? [] : [againAfterMs]));
  return {
    ...decision,
    ...(needsTraffic && { needsTraffic }),
    ...(waits.length > 0 && { againAfterMs: Math.min(...waits) }),
  };
}

const isDeleting = (object: KubeObject): boolean => object.metadata.deletionTimestamp !== undefined;
