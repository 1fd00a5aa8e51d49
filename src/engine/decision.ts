// The output of the engine: effects as data, the next status, and the facts that it still needs.
import type { EventReason } from '../api/reasons.ts';
import type { AnalysisCheck } from '../api/analysis.ts';
import type { Resource } from '../api/resources.ts';
import type { KubeObject, Pod, RolloutStatus } from '../api/types.ts';
import type { PodFacts } from './analysis/counters.ts';
import type { Release } from './analysis/query.ts';
import type { PatchOp } from './lib/json-patch.ts';
import type { TrafficAsk } from './traffic/facts.ts';

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
      /** The decision depends on the spec and the record of `before`: a newer status does not make the patch stale. */
      readonly guard?: 'Spec';
    }
  /** Evicts the Pod as it was in this decision. A PodDisruptionBudget may refuse it. */
  | {
      readonly kind: 'Evict';
      readonly why: 'evict';
      readonly resource: Resource;
      readonly pod: Pod;
      /** For the event, if it was evicted. */
      readonly says: string;
    }
  /** Removes Tranche's entry from `metadata.managedFields`, which a crash after a write may have left. A missing object is not an error. */
  | { readonly kind: 'Disown'; readonly why: 'route'; readonly resource: Resource; readonly name: string }
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
  | 'evict'
  | 'label'
  | 'route'
  | 'service'
  | 'finalizer';

export interface EventNote {
  readonly reason: EventReason;
  readonly message: string;
}

/** Facts that a decision asks for: the shell reads them (operator/facts.ts) and decides again with them. */
export interface Asks {
  /** Name of the ControllerRevision with the stable template, if no child of the workload has it. */
  readonly needsCopy?: string;
  /** A route and its Services. The shell watches them as long as decisions ask for them. */
  readonly needsTraffic?: TrafficAsk;
}

/** What the checks of a release need. The shell watches it as long as decisions ask for it. */
export interface EvidenceAsk {
  readonly release: Release;
  readonly checks: readonly AnalysisCheck[];
  /** The Pods of both versions that exist now. */
  readonly pods: readonly PodFacts[];
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
  /** The evidence is needed for the next decisions. */
  readonly needsEvidence?: EvidenceAsk;
}

export const nothing: Decision = { effects: [], events: [], needsChildren: false };
