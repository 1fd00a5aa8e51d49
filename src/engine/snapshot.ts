// What the engine is told and what it answers: facts in, effects as data out.
import type { EventReason } from '../api/reasons.ts';
import type {
  ControllerRevision,
  Deployment,
  Pod,
  PodTemplate,
  ReplicaSet,
  Rollout,
  RolloutStatus,
} from '../api/types.ts';
import type { Gate } from './policy/gate.ts';
import type { Violation } from './validate/violation.ts';

/** ReplicaSets and Pods under the Deployment's selector; those of other owners may be among them. */
export interface Children {
  readonly replicaSets: readonly ReplicaSet[];
  readonly pods: readonly Pod[];
}

/** Everything known about one Rollout and its Deployment at one moment. */
export interface Snapshot {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly rollout: Rollout;
  readonly deployment: Deployment | undefined;
  /** Undefined until a decision has asked for them. */
  readonly children: Children | undefined;
  /** No other Rollout names the Deployment. */
  readonly alone: boolean;
  /** When this process last wrote the status, in milliseconds; undefined = not yet. */
  readonly reportedAt: number | undefined;
  /** When labels of Pods may be written again; absent = now. */
  readonly labelsAgainAt?: number;
  /** Digest of a template's canonical JSON. */
  readonly digest: (template: PodTemplate) => string;
  readonly sha256: (text: string) => string;
  /** Why no change in its namespace can be held; absent = the webhooks reach it. */
  readonly unreached?: Violation;
  /** What policies say; absent = there are none. */
  readonly gate?: Gate;
  /** The kept copy of the stable template that a decision has asked for; null = there is none. */
  readonly copy?: ControllerRevision | null;
}

/** An RFC 6902 operation. */
export interface JsonPatchOp {
  readonly op: 'add' | 'replace' | 'remove';
  readonly path: string;
  readonly value?: unknown;
}

/**
 * One write. Each carries the resourceVersion of the object it was decided on, so that it fails instead of acting on what is no
 * longer so, and doing it twice does it once.
 */
export type Effect =
  | { readonly kind: 'PatchDeployment'; readonly why: Why; readonly patch: MergePatch }
  | { readonly kind: 'RevertDeployment'; readonly why: 'revert'; readonly ops: readonly JsonPatchOp[] }
  | { readonly kind: 'PatchReplicaSet'; readonly why: Why; readonly before: ReplicaSet; readonly patch: MergePatch }
  | { readonly kind: 'LabelPod'; readonly before: Pod; readonly patch: MergePatch }
  | { readonly kind: 'PatchRollout'; readonly why: Why; readonly patch: MergePatch }
  /** One that exists already is left as it is. */
  | { readonly kind: 'CreateCopy'; readonly why: 'keep'; readonly object: ControllerRevision }
  /** One that is gone already is no error. */
  | { readonly kind: 'DeleteCopy'; readonly why: 'keep'; readonly name: string };

export interface MergePatch {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly spec?: Readonly<Record<string, unknown>>;
}

/** What a write is for: metrics and logs. */
export type Why =
  | 'enrol'
  | 'hold'
  | 'mark'
  | 'unmark'
  | 'move'
  | 'freeze'
  | 'trim'
  | 'free'
  | 'leave'
  | 'repair'
  | 'remind'
  | 'finalizer';

export interface EventNote {
  readonly reason: EventReason;
  readonly message: string;
}

export interface Decision {
  readonly effects: readonly Effect[];
  /** The whole next status; undefined = as it is. */
  readonly status?: RolloutStatus;
  /** To be sent once effects and status are written. */
  readonly events: readonly EventNote[];
  /** Look again after this time, unless something happens before. */
  readonly againAfterMs?: number;
  /** ReplicaSets and Pods are needed, to decide now or to see what comes. */
  readonly needsChildren: boolean;
  /** The ControllerRevision of this name is needed to decide: no ReplicaSet has the stable template. */
  readonly needsCopy?: string;
}

export const nothing: Decision = { effects: [], events: [], needsChildren: false };
