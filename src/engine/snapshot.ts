// The input of the engine: the facts about one Rollout and its workload at one time.
import type { ControllerRevision, Pod, ReplicaSet, Rollout, Workload } from '../api/types.ts';
import type { DigestOf } from './lib/template.ts';
import type { Gate } from './policy/gate.ts';
import type { Violation } from './validate/violation.ts';

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
}

export interface Snapshot extends Found {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly rollout: Rollout;
  readonly workload: Workload | undefined;
  /** Undefined until a decision needs them. */
  readonly children: Children | undefined;
  /** No other Rollout names the workload. */
  readonly alone: boolean;
  /** When this process last wrote the status, in milliseconds. Undefined if it has not written it. */
  readonly reportedAt: number | undefined;
  /** When labels of Pods may be written again. Absent means now. */
  readonly labelsAgainAt?: number;
  /** Digest of a template's canonical JSON. */
  readonly digest: DigestOf;
  readonly sha256: (text: string) => string;
  /** Why changes in the namespace are not held. Absent if the webhooks select it. */
  readonly unreached?: Violation;
  /** What policies require. Absent if there are no policies. */
  readonly gate?: Gate;
}
