// The output of the engine: effects as data, the next status, and the facts that it still needs.
import type { EventReason } from '../api/reasons.ts';
import type { Resource } from '../api/resources.ts';
import type { KubeObject, RolloutStatus } from '../api/types.ts';
import type { PatchOp } from './lib/json-patch.ts';

/** An RFC 7386 merge patch of an object. */
export interface MergePatch {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly spec?: Readonly<Record<string, unknown>>;
}

/**
 * One write of an object in the namespace of the Rollout. A patch contains the resourceVersion of the object that it was decided on, so a stale
 * patch fails and a repeated patch has no effect. (Labels of Pods contain only the uid.)
 */
export type Effect =
  | {
      readonly kind: 'Patch';
      readonly why: Why;
      readonly resource: Resource;
      /** The object that the patch was decided on. */
      readonly before: KubeObject;
      readonly patch: MergePatch | readonly PatchOp[];
    }
  /** An existing object of this name is not changed. */
  | { readonly kind: 'Create'; readonly why: Why; readonly resource: Resource; readonly object: KubeObject }
  /** Deletes only an object that this owner controls. A missing object is not an error. */
  | {
      readonly kind: 'Delete';
      readonly why: Why;
      readonly resource: Resource;
      readonly name: string;
      readonly owner: KubeObject;
    };

/** The purpose of a write, for metrics and logs. A release does not wait for a `label`. */
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
  | 'revert'
  | 'keep'
  | 'label'
  | 'finalizer';

export interface EventNote {
  readonly reason: EventReason;
  readonly message: string;
}

/** Facts that a decision asks for: the shell reads them (operator/facts.ts) and decides again with them. */
export interface Asks {
  /** Name of the ControllerRevision with the stable template, if no child of the workload has it. */
  readonly needsCopy?: string;
}

export interface Decision extends Asks {
  /** Carried out in this order. */
  readonly effects: readonly Effect[];
  /** The whole next status. Absent if it does not change. */
  readonly status?: RolloutStatus;
  /** Sent after the effects and the status are written. */
  readonly events: readonly EventNote[];
  /** Milliseconds until the next decision, if nothing changes before. */
  readonly againAfterMs?: number;
  /** The workload's children are needed for this decision or for the next ones. */
  readonly needsChildren: boolean;
}

export const nothing: Decision = { effects: [], events: [], needsChildren: false };
