// The input of the engine: the facts about one Rollout and its workload at one time.
import type { ControllerRevision, Pod, ReplicaSet, Rollout, Workload } from '../api/types.ts';
import type { Finding } from './analysis/watch.ts';
import type { DigestOf } from './lib/template.ts';
import type { Gate } from './policy/gate.ts';
import type { TrafficFacts } from './traffic/facts.ts';
import type { Violation } from './validate/violation.ts';
import type { Evictions } from './workload/eviction.ts';

/** Objects that the workload's selector matches, possibly of other owners. Empty for child kinds that the workload kind does not need. */
export interface Children {
  readonly replicaSets: readonly ReplicaSet[];
  readonly pods: readonly Pod[];
  readonly revisions?: readonly ControllerRevision[];
}

/** Facts that only a decision that asks for them gets (`Asks` in decision.ts). */
export interface Found {
  /** The copy of the stable template. Null if it does not exist. */
  readonly copy?: ControllerRevision | null;
  readonly traffic?: TrafficFacts;
}

export interface Snapshot extends Found {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly rollout: Rollout;
  readonly workload: Workload | undefined;
  /** Undefined until a decision needs them. */
  readonly children: Children | undefined;
  /** What the checks say. Undefined until a decision needs it and it was read. */
  readonly evidence?: readonly Finding[] | undefined;
  /** No other Rollout names the workload. */
  readonly alone: boolean;
  /** The Rollouts that name the same route or Service, with this one. Absent if it names none. */
  readonly routers?: readonly Rollout[];
  /** When this process last wrote the status, in milliseconds. Undefined if it has not written it. */
  readonly reportedAt: number | undefined;
  /** When labels of Pods may be written again. Absent means now. */
  readonly labelsAgainAt?: number;
  /** Pods of every release get labels, not only those of a release whose id the user set. */
  readonly labelsPods?: boolean;
  /** Digest of a template's canonical JSON. */
  readonly digest: DigestOf;
  readonly sha256: (text: string) => string;
  /** Why changes in the namespace are not held. Absent if the webhooks select it. */
  readonly unreached?: Violation;
  /** Why workloads of the kind cannot be read. `gone`: there are none. Absent if they can. */
  readonly absence?: { readonly message: string; readonly gone: boolean };
  /** Pods of this workload may be evicted (docs/statefulsets.md, docs/daemonsets.md). */
  readonly evicts?: boolean;
  /** The evictions by this process. */
  readonly evictions?: Evictions;
  /** What policies require. Absent if there are no policies. */
  readonly gate?: Gate;
}
