// What the engine is told: everything known about one Rollout and its workload at one moment.
import type { ControllerRevision, Pod, ReplicaSet, Rollout, Workload } from '../api/types.ts';
import type { DigestOf } from './lib/template.ts';
import type { Gate } from './policy/gate.ts';
import type { Violation } from './validate/violation.ts';

/** Objects under the workload's selector; those of other owners may be among them. What its kind does not ask for is empty. */
export interface Children {
  readonly replicaSets: readonly ReplicaSet[];
  readonly pods: readonly Pod[];
  readonly revisions?: readonly ControllerRevision[];
}

export interface Snapshot {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly rollout: Rollout;
  readonly workload: Workload | undefined;
  /** Undefined until a decision has asked for them. */
  readonly children: Children | undefined;
  /** No other Rollout names the workload. */
  readonly alone: boolean;
  /** When this process last wrote the status, in milliseconds; undefined = not yet. */
  readonly reportedAt: number | undefined;
  /** When labels of Pods may be written again; absent = now. */
  readonly labelsAgainAt?: number;
  /** Digest of a template's canonical JSON. */
  readonly digest: DigestOf;
  readonly sha256: (text: string) => string;
  /** Why no change in its namespace can be held; absent = the webhooks reach it. */
  readonly unreached?: Violation;
  /** What policies say; absent = there are none. */
  readonly gate?: Gate;
  /** The kept copy of the stable template that a decision has asked for; null = there is none. */
  readonly copy?: ControllerRevision | null;
}
