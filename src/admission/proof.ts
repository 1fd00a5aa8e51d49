// Without client certificates, anybody who reaches the port can forge reviews. This decides which reviews may cause an event, an entry in a policy's
// status, or a request to the API server. A forger does not know the uid of an object that they cannot read.
import type { KubeObject, Rollout } from '../api/types.ts';
import { sameJson } from '../engine/lib/template.ts';
import type { WorkloadKind } from '../engine/workload/kind.ts';
import { groupOf } from '../api/resources.ts';
import { kindIn } from '../engine/workload/registry.ts';
import type { Api, Clock } from '../kube/api.ts';
import { findObject } from '../kube/get.ts';
import { sleep } from '../kube/clock.ts';
import { isOlder } from '../kube/versions.ts';

export interface ProofDeps {
  readonly api: Api;
  readonly clock: Clock;
  /** Client certificates are checked, so every review is from an API server. */
  readonly verified: boolean;
  readonly rollout: (namespace: string, name: string) => Rollout | undefined;
  readonly workload: (kind: WorkloadKind, namespace: string, name: string) => KubeObject | undefined;
}

/** Rate limit for each namespace: this burst, and one more after each refill time. */
export const BURST = 20;
const REFILL_MS = 3_000;
const MAX_NAMESPACES = 1_000;
/** Maximum time to wait for the cache. */
const CATCH_UP_MS = 1_000;
const LOOK_EVERY_MS = 50;
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const LOOK_UP_TIMEOUT_MS = 5_000;

export class Proof {
  private readonly deps: ProofDeps;
  private readonly reports: Rate;
  private readonly questions: Rate;
  private readonly looks: Rate;

  constructor(deps: ProofDeps) {
    this.deps = deps;
    this.reports = new Rate(deps.clock);
    this.questions = new Rate(deps.clock);
    this.looks = new Rate(deps.clock);
  }

  /**
   * Resolves with true if the review's object exists with this uid. A workload that no Rollout names is not in the cache and costs one GET.
   */
  async mayReport({ apiVersion, kind, metadata: { namespace = '', name, uid } }: KubeObject): Promise<boolean> {
    if (this.deps.verified) return true;
    if (!uid || ![namespace, name].every((one) => NAME.test(one)) || !this.reports.take(namespace)) return false;
    const of = kindIn(groupOf(apiVersion), kind);
    const cached =
      kind === 'Rollout' ? this.deps.rollout(namespace, name) : of && this.deps.workload(of, namespace, name);
    if (cached !== undefined || of === undefined) return cached?.metadata.uid === uid;
    try {
      const signal = AbortSignal.timeout(LOOK_UP_TIMEOUT_MS);
      return (await findObject(this.deps.api, of.resource, { namespace, name, uid, signal })) !== undefined;
    } catch {
      return false;
    }
  }

  /** True if the API server may be asked about the routes of a Rollout in this namespace, which may not exist yet. */
  mayLook(namespace: string): boolean {
    return this.deps.verified || (NAME.test(namespace) && this.looks.take(namespace));
  }

  /**
   * Resolves with true if the API server may be asked about an approval of this Rollout: the cache has it in this version or a newer one. The API
   * server refuses a write over an older version with a conflict, and retries it for most clients.
   */
  async mayAsk(old: Rollout): Promise<boolean> {
    if (this.deps.verified) return true;
    const { namespace = '', name } = old.metadata;
    if (!this.questions.take(namespace)) return false;
    for (let waited = 0; ; waited += LOOK_EVERY_MS) {
      const known = this.deps.rollout(namespace, name);
      if (known !== undefined && (isSame(known, old) || isBefore(old, known))) return true;
      if (known?.metadata.uid !== old.metadata.uid || waited >= CATCH_UP_MS) return false;
      await sleep(this.deps.clock, LOOK_EVERY_MS);
    }
  }
}

const isSame = (known: Rollout, { metadata, status }: Rollout): boolean =>
  known.metadata.uid === metadata.uid &&
  (known.metadata.resourceVersion === metadata.resourceVersion || sameJson(known.status, status));

const isBefore = (old: Rollout, known: Rollout): boolean =>
  old.metadata.uid === known.metadata.uid &&
  isOlder(old.metadata.resourceVersion ?? '', known.metadata.resourceVersion ?? '');

/** A rate limit for each namespace, so that requests in one do not affect the others. */
class Rate {
  private readonly clock: Clock;
  private readonly buckets = new Map<string, { tokens: number; at: number }>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  take(namespace: string): boolean {
    const now = this.clock.now();
    const { tokens, at } = this.buckets.get(namespace) ?? { tokens: BURST, at: now };
    const full = Math.min(BURST, tokens + Math.max(0, now - at) / REFILL_MS);
    // Moves the namespace to the end of the map. The first entry is the least recently used.
    this.buckets.delete(namespace);
    this.buckets.set(namespace, { tokens: full < 1 ? full : full - 1, at: now });
    if (this.buckets.size > MAX_NAMESPACES) this.buckets.delete(this.buckets.keys().next().value!);
    return full >= 1;
  }
}
