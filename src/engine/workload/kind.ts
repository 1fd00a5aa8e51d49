// The interface for workload kinds: what a release reads from a workload and does to it. Each kind has one implementation and one line in registry.ts.
import type { Resource } from '../../api/resources.ts';
import type {
  Condition,
  HoldRecord,
  IntOrString,
  KubeObject,
  Pod,
  PodTemplate,
  ReplicaSet,
  Rollout,
  Workload,
  TemplateDigest,
} from '../../api/types.ts';
import type { Decision, Effect } from '../decision.ts';
import type { Limits } from '../lib/replicas.ts';
import type { Children, Snapshot } from '../snapshot.ts';
import type { Borrowed, WorkloadEdits } from './edits.ts';
import type { Eviction } from './eviction.ts';
import type { FieldOwners } from './field-owners.ts';

/** A version of a workload: a ReplicaSet of a Deployment, or a revision of a StatefulSet or DaemonSet. */
export interface Version {
  /** Hash in the labels of the version's Pods. */
  readonly revision: string;
  readonly template: PodTemplate;
  /** Wanted number of Pods of the version. */
  readonly replicas: number;
  /** Number of its Pods that its controller counts as available. */
  readonly available: number;
  /** The object that keeps the template: a ReplicaSet or a ControllerRevision. */
  readonly keeper: KubeObject;
  /** Number of the revision, as `kubectl rollout undo` takes it. */
  readonly number: string | undefined;
  /** When the version was created, as in `metadata.creationTimestamp`, which users cannot write. */
  readonly created: string;
  /** The object that creates its Pods, for messages: "ReplicaSet web-5d4f". */
  readonly maker: string;
  /** Conditions of the maker, with errors about Pods that it cannot create. */
  readonly conditions: readonly Condition[] | undefined;
}

/** The progress of a release, common to all kinds. Numbers are Pods. */
export interface Progress {
  readonly kind: WorkloadKind;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly workload: Workload;
  readonly held: HoldRecord | undefined;
  /** R: wanted number of Pods of the workload. */
  readonly replicas: number;
  /** The user's setting. */
  readonly minReadySeconds: number;
  /** The version of the workload's template. Undefined until its controller has created it. */
  readonly newVersion: Version | undefined;
  readonly oldVersions: readonly Version[];
  /** The version to roll back to. Equals newVersion if the workload has the stable template. */
  readonly stableVersion: Version | undefined;
  /** n: wanted number of Pods of the new version. */
  readonly updated: number;
  /** Wanted number of Pods of the old versions. */
  readonly old: number;
  /** Pods of the new version that are not terminating or finished. */
  readonly pods: readonly Pod[];
  /** Pods of the new version that failed and still exist. */
  readonly failed: readonly Pod[];
  /** a: number of Pods that have been Ready for the user's minReadySeconds, at most n. */
  readonly available: number;
  /** When the next Ready Pod of the new version or the old versions becomes available, in milliseconds. Undefined if there is none. */
  readonly availableAt: number | undefined;
  readonly oldAvailableAt: number | undefined;
  /** What the workload's controller has not observed yet. Undefined if it has observed everything in this snapshot. */
  readonly unsettled: string | undefined;
  /** The workload's controller does not replace Pods now. */
  readonly stopped: boolean;
  /** The workload's controller may replace Pods now, within a budget. */
  readonly moving: boolean;
  /**
   * Pods of the new version that the controller has to create, and since when at the earliest, in milliseconds. Absent if the version has a size of
   * its own: `updated` without `pods`.
   */
  readonly missing?: { readonly pods: number; readonly sinceMs: number };
  /** What Tranche cannot do itself, for status.message. */
  readonly remark?: string | undefined;
  /** A Pod to evict, because the controller waits for it and never replaces it. */
  readonly evict?: Eviction;
  /** When a refused eviction is tried again, in milliseconds. */
  readonly evictAgainAt?: number;
}

/** The numbers of Pods in the status of a workload. */
export type Counted = Pick<
  NonNullable<Workload['status']>,
  'replicas' | 'updatedReplicas' | 'readyReplicas' | 'availableReplicas'
>;

/** The goal of a step. */
export interface Goal {
  /** T: number of updated Pods. */
  readonly target: number;
  /** Number of these Pods that may be unavailable when the step is done. */
  readonly tolerated: number;
  /** Updated Pods beyond the target are kept. */
  readonly keeps: boolean;
  /** The last step: the workload is given back after it instead of held. */
  readonly last: boolean;
  /** The next step starts as soon as the Pods of this one are there: the workload need not be held in between. */
  readonly goesOn: boolean;
  /** The step has just started: it may continue for a while before it is held during a batch. */
  readonly young: boolean;
}

export type Move =
  /** One write. The next decision follows when it is observed. */
  | { readonly kind: 'Act'; readonly effect: Effect; readonly trimmed?: { readonly from: number; readonly to: number } }
  /** Another controller must act first. */
  | { readonly kind: 'Wait'; readonly waitsFor: string; readonly againAtMs?: number | undefined }
  /** Held, and the goal is reached. */
  | { readonly kind: 'Done' }
  /** Held with more updated Pods than the target, because a size correction was reverted. */
  | { readonly kind: 'TrimRefused' };

export const wait = (waitsFor: string, againAtMs?: number): Move => ({ kind: 'Wait', waitsFor, againAtMs });

/** The first of these effects. The others follow when it is observed. Undefined if there are none. */
export const act = (effects: readonly Effect[]): (Move & { readonly kind: 'Act' }) | undefined =>
  effects[0] && { kind: 'Act', effect: effects[0] };

export const effectsOf = (move: Move | undefined): readonly Effect[] => (move?.kind === 'Act' ? [move.effect] : []);

/** Labels and annotations. Null removes a key. */
export interface MetadataChange {
  readonly labels?: Changes;
  readonly annotations?: Changes;
}
export type Changes = Readonly<Record<string, string | null>>;

/** Why a workload cannot be released in steps: the type of its update strategy. */
export interface Obstacle {
  readonly reason: 'RecreateStrategy' | 'OnDeleteStrategy' | 'UnsupportedStrategy';
  /** `Deployment "web" has strategy Recreate, which cannot run two versions side by side: set spec.strategy.type to RollingUpdate`. */
  readonly message: string;
  /** `strategy Recreate`. */
  readonly strategy: string;
  /** Completes "which": `cannot run two versions side by side`. */
  readonly why: string;
  /** The effect of a new template. Completes "which": `replaces all Pods at the same time`. */
  readonly effect: string;
  /** `set spec.strategy.type to RollingUpdate`. */
  readonly remedy: string;
}

/** What is called differently in each kind. */
export interface KindWords {
  /** The kind of object that keeps the template of a version: `ReplicaSet`. */
  readonly keeper: string;
  /** What its user sets to pause it: `spec.paused`. */
  readonly pause: string;
  /** The borrowed value with which its user pauses it. */
  readonly pausedBy: string;
  /** Part of a merge patch of the spec that ends a pause by the user. */
  readonly unpause: Readonly<Record<string, unknown>>;
  /** Part of a merge patch of the spec after which the workload's controller updates all Pods. */
  readonly whole: Readonly<Record<string, unknown>>;
  /** How the hold ends without Tranche: `the Deployment was resumed`. */
  readonly resumed: string;
  /** Field of the type of the update strategy. */
  readonly strategyType: string;
  /** The user's field of each borrowed value. */
  readonly fields: Readonly<Record<string, string>>;
  /** Borrowed values that are never in effect during a release. The others are, outside a batch. */
  readonly recorded: ReadonlySet<string>;
  /** A release of a workload without Pods: what it waits for. Absent: it has 0 replicas. */
  readonly none?: string;
  /** The command after which the workload's controller updates all Pods. */
  resume(workload: Workload): string;
}

/** How OpenKruise Rollouts holds a workload of the kind during a release: with a field that Tranche borrows too. */
export interface OpenKruiseHold<W extends Workload = Workload> {
  /** The field keeps Pods from being updated. */
  holds(workload: W): boolean;
  /** The user's values of the borrowed fields: Kubernetes' defaults, and the partition that the user names. */
  user(workload: W, partition: IntOrString | undefined): Borrowed;
  /** The user has no other values than these. Absent: OpenKruise does not keep them. */
  readonly known?: true;
}

/** A hold that the operator starts, because no webhook saw the change. */
export interface UnseenHold {
  /** Name of the Rollout. */
  readonly rollout: string;
  /** Digest of the stable template. */
  readonly stable: TemplateDigest;
  /** What happened, for messages. */
  readonly bypassed: string;
  /** The record of a release in progress was lost, so the current settings may be Tranche's. */
  readonly unfinished: boolean;
  /** The number of Pods that the step of this release, and the one before, let be updated. */
  readonly granted?: readonly number[];
  readonly labels: Changes;
}

/** Limits of a step, for predictions. */
export interface Spending {
  readonly limits: Limits;
  /**
   * Maximum number of Pods beyond R and missing from R, while the updated Pods go from one number to the other. `goesOn`: the next step starts as
   * soon as they are there.
   */
  worst(from: number, target: number, goesOn?: boolean): { readonly surge: number; readonly unavailable: number };
}

export type ProgressFacts = Pick<Snapshot, 'now' | 'rollout' | 'digest' | 'evicts' | 'evictions'>;

/** Kinds of objects that the operator watches during a release. */
export type ChildKind = 'replicaSets' | 'pods' | 'revisions';

/**
 * Pure: facts in, effects out. `H` is the record on the workload, from which the user's settings are restored. Arguments must come from the same
 * kind.
 */
export interface WorkloadKind<
  W extends Workload = Workload,
  H extends HoldRecord = HoldRecord,
  P extends Progress = Progress,
> {
  readonly resource: Resource;
  /** Value of the enrolment label. */
  readonly workloadType: string;
  readonly children: readonly ChildKind[];
  readonly words: KindWords;
  /** Absent: OpenKruise Rollouts does not release the kind, or holds Deployments, in ways of their own (release/openkruise.ts). */
  readonly openKruise?: OpenKruiseHold<W>;
  /** Owners of the borrowed fields. */
  readonly fields: FieldOwners;
  /** Effects of edits on the hold. */
  readonly edits: WorkloadEdits<W, H>;
  /** Current values of the borrowed fields. Null if absent. */
  borrowed(workload: W): Readonly<Record<string, unknown>>;
  replicas(workload: W): number;
  /** The numbers of Pods that its controller has counted, if they are in other fields than those of a Deployment. */
  counted?(workload: W): Counted;
  /** Its controllers still observe or count a change, so another change follows. Absent: a state of the workload never shows it. */
  isInterim?(workload: W, replicaSets: readonly ReplicaSet[]): boolean;
  /** The user's own value in seconds, also while the workload is held. */
  minReadySeconds(workload: W): number;
  /** Type of the update strategy. */
  strategyType(workload: W): string | undefined;
  obstacle(workload: W): Obstacle | undefined;

  /** The record of the hold. Undefined if it is absent or invalid. */
  readHold(workload: W): H | undefined;
  /** The user paused the workload. */
  isPaused(held: H): boolean;
  /** With these values of the borrowed fields, the workload is paused. */
  isPausedBy(user: Borrowed): boolean;
  /** The workload can be given back in one write. */
  mayFreeAtOnce(held: H): boolean;

  progress(facts: ProgressFacts, workload: W, children: Children): P;
  /** The next move of a held workload towards the goal. */
  advance(progress: P, held: H, goal: Goal): Move;
  /** Stops at the current sizes. Undefined if it is already stopped. */
  freeze(progress: P, held: H): Move | undefined;
  /**
   * Gives the workload back with the user's settings and `more`. Required preparations are returned first. `leaves`: the Rollout is about to go, so
   * the end of its release is not waited for.
   */
  giveBack(progress: P, held: H, more?: MetadataChange, leaves?: boolean): Move;
  /** Replaces the whole template. The workload stays held, with the record `held`. */
  revert(workload: W, template: PodTemplate, held?: H): Effect;
  /** The workload's controller is done, except for at most this many unavailable Pods. */
  isSettled(progress: P, tolerated: number): boolean;
  /** Repairs a state in which the workload's controller would not continue. */
  repair(progress: P): readonly Effect[];
  /** Makes the workload's controller retry. */
  remind(progress: P, held: H): readonly Effect[];

  /** The workload has a record, but is not held. */
  isLoose(progress: P): boolean;
  /** The record is not about this workload. */
  isStale(progress: P): boolean;
  /** Holds a change that no webhook saw. */
  holdUnseen(progress: P, hold: UnseenHold): readonly Effect[];
  /** Holds a workload without knowing its children. */
  holdNow(workload: W, hold: Pick<UnseenHold, 'rollout' | 'stable' | 'bypassed'>): readonly Effect[];
  /** Records edits of a held workload that no webhook saw as the user's settings. Undefined if there are none. */
  noticeEdits(progress: P, held: H): readonly Effect[] | undefined;
  /** Gives a held workload back without knowing its children. */
  giveUp(workload: W, held: H, more: MetadataChange): readonly Effect[];
  /** Undoes a pause by the MutatingAdmissionPolicy on a workload that is not held and needs no hold. */
  resumeUnseen(workload: W): readonly Effect[];
  /** Removes Tranche's labels and annotations from a workload that is not held, and a pause by the MutatingAdmissionPolicy. */
  leave(workload: W, more: MetadataChange): readonly Effect[];
  /** Why the controller creates no new version: its condition, and a message. */
  whyNoVersion(workload: W): { readonly failure: Condition | undefined; readonly what: string };

  /** The Pods of a version. `pods`: Pods that the selector of the workload matches. */
  podsOf(workload: W, version: Version, pods: readonly Pod[]): readonly Pod[];
  /** Why more Pods than the target have the new version, if no change of the hold has caused it: it is reported as bypassed. */
  beyond?(progress: P, target: number): string | undefined;
  /** A field of the template that this edit changes, and with which Pods of an unreleased version would start at once on other nodes. */
  atOnce?(old: W, next: W): string | undefined;
  /** The limits at this number of replicas. */
  spending(workload: W, replicas: number): Spending;
  /** Warnings about a release of this workload, whatever its Rollout is. */
  warnings?(workload: W): readonly string[];
  /** Warnings about a Rollout on this workload. */
  advise(rollout: Rollout, workload: W): readonly string[];
}

/** A move as a decision, with an event if it has an effect. */
export function decisionOf(
  move: Move | undefined,
  reason: Decision['events'][number]['reason'],
  message: string,
): Decision {
  const effects = effectsOf(move);
  return { effects, events: effects.length > 0 ? [{ reason, message }] : [], needsChildren: true };
}
