// What the engine answers: effects as data, the next status, and what it needs to know before it can answer.
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
 * One write of any object, in the namespace of the Rollout. A patch carries the resourceVersion of the object it was decided on, so that it fails
 * instead of acting on what is no longer so, and doing it twice does it once. (Labels of Pods carry the uid only.)
 */
export type Effect =
  | {
      readonly kind: 'Patch';
      readonly why: Why;
      readonly resource: Resource;
      /** The object that it was decided on. */
      readonly before: KubeObject;
      readonly patch: MergePatch | readonly PatchOp[];
    }
  /** An object of this name that exists already is left as it is. */
  | { readonly kind: 'Create'; readonly why: Why; readonly resource: Resource; readonly object: KubeObject }
  /** Only an object that this owner controls is deleted; one that is gone already is no error. */
  | {
      readonly kind: 'Delete';
      readonly why: Why;
      readonly resource: Resource;
      readonly name: string;
      readonly owner: KubeObject;
    };

/** What a write is for: metrics and logs. A release does not wait for a `label`. */
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

export interface Decision {
  /** In this order. */
  readonly effects: readonly Effect[];
  /** The whole next status; undefined = as it is. */
  readonly status?: RolloutStatus;
  /** To be sent once effects and status are written. */
  readonly events: readonly EventNote[];
  /** Milliseconds: look again after this time, unless something happens before. */
  readonly againAfterMs?: number;
  /** The workload's children are needed, to decide now or to see what comes. */
  readonly needsChildren: boolean;
  /** The ControllerRevision of this name is needed to decide: no child of the workload has the stable template. */
  readonly needsCopy?: string;
}

export const nothing: Decision = { effects: [], events: [], needsChildren: false };
