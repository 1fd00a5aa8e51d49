// Where nobody checks who sends reviews: which of them may lead to an event, to a line in a policy's status, or to a question to the API
// server. Whoever reaches the port can write one; what he cannot guess is the uid of an object that he may not read.
import type { KubeObject, Rollout } from '../api/types.ts';
import { sameJson } from '../engine/lib/template.ts';
import type { Api, Clock } from '../kube/api.ts';
import { findObject } from '../kube/get.ts';
import { DEPLOYMENTS } from '../api/resources.ts';
import { sleep } from '../kube/clock.ts';
import { isOlder } from '../kube/versions.ts';

export interface ProofDeps {
  readonly api: Api;
  readonly clock: Clock;
  /** The peers are: then every review is the API server's. */
  readonly verified: boolean;
  readonly rollout: (namespace: string, name: string) => Rollout | undefined;
  readonly deployment: (namespace: string, name: string) => KubeObject | undefined;
}

/** So many at once in each namespace, and one more after each of these times. */
export const BURST = 20;
const REFILL_MS = 3_000;
const MAX_NAMESPACES = 1_000;
/** Our cache may be a moment behind the API server. */
const CATCH_UP_MS = 1_000;
const LOOK_EVERY_MS = 50;
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const LOOK_UP_TIMEOUT_MS = 5_000;

export class Proof {
  private readonly deps: ProofDeps;
  private readonly reports: Rate;
  private readonly questions: Rate;

  constructor(deps: ProofDeps) {
    this.deps = deps;
    this.reports = new Rate(deps.clock);
    this.questions = new Rate(deps.clock);
  }

  /**
   * True when what a review says of this object may be reported: it is there, by its uid. A Deployment that no Rollout names is not in the
   * cache: that costs one GET.
   */
  async mayReport({ kind, metadata: { namespace = '', name, uid } }: KubeObject): Promise<boolean> {
    if (this.deps.verified) return true;
    if (!uid || ![namespace, name].every((one) => NAME.test(one)) || !this.reports.take(namespace)) return false;
    const cached = kind === 'Rollout' ? this.deps.rollout(namespace, name) : this.deps.deployment(namespace, name);
    if (cached !== undefined || kind !== 'Deployment') return cached?.metadata.uid === uid;
    try {
      const signal = AbortSignal.timeout(LOOK_UP_TIMEOUT_MS);
      return (await findObject(this.deps.api, DEPLOYMENTS, { namespace, name, uid, signal })) !== undefined;
    } catch {
      return false;
    }
  }

  /**
   * True when it may be asked whether somebody may approve this Rollout: it is the one that we know, in the version that we know or in one before
   * it. The API server refuses a write over an older version with a conflict, and for most clients it tries again by itself.
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

/** Bounded by namespace: who may write in one takes nothing from the others. */
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
    // Last used, last in the map; the first was not used for the longest time.
    this.buckets.delete(namespace);
    this.buckets.set(namespace, { tokens: full < 1 ? full : full - 1, at: now });
    if (this.buckets.size > MAX_NAMESPACES) this.buckets.delete(this.buckets.keys().next().value!);
    return full >= 1;
  }
}
