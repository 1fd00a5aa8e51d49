// The seam for workload kinds: what a release needs to know of one and do to it. One implementation for each kind, one line in registry.ts.
import type { Resource } from '../../api/resources.ts';
import type { Condition, HoldRecord, Pod, PodTemplate, Rollout, Workload, TemplateDigest } from '../../api/types.ts';
import type { Decision, Effect } from '../decision.ts';
import type { Limits } from '../lib/replicas.ts';
import type { Children, Snapshot } from '../snapshot.ts';
import type { WorkloadEdits } from './edits.ts';
import type { FieldOwners } from './field-owners.ts';

/** One of the versions that a workload runs: a ReplicaSet of a Deployment, a revision of a StatefulSet. */
export interface Version {
  /** Hash by which the Pods of the version are labelled. */
  readonly revision: string;
  readonly template: PodTemplate;
  /** Pods that the version is to have. */
  readonly replicas: number;
  /** Pods of it that its controller counts as available. */
  readonly available: number;
  /** What makes its Pods, for messages: "ReplicaSet web-5d4f". */
  readonly maker: string;
  /** What the maker says about Pods that it cannot make. */
  readonly conditions: readonly Condition[] | undefined;
}

/** Where a release stands: what all kinds have in common. Numbers are Pods. */
export interface Progress {
  readonly kind: WorkloadKind;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly workload: Workload;
  readonly held: HoldRecord | undefined;
  /** R: Pods that the workload is to have. */
  readonly replicas: number;
  /** The user's own. */
  readonly minReadySeconds: number;
  /** The version of the workload's template; undefined until its controller has made it. */
  readonly newVersion: Version | undefined;
  readonly oldVersions: readonly Version[];
  /** The version that a rollback goes to; the new one when the workload's template is the stable one. */
  readonly stableVersion: Version | undefined;
  /** n: Pods that the new version is to have. */
  readonly updated: number;
  /** Pods that the old versions are to have. */
  readonly old: number;
  /** Pods of the new version that are not on their way out. */
  readonly pods: readonly Pod[];
  /** Pods of the new version that have failed and are still there. */
  readonly failed: readonly Pod[];
  /** a: those Ready for the user's minReadySeconds, never more than n. */
  readonly available: number;
  /** When the next Pod that is Ready becomes available, in milliseconds; undefined when none is on its way. Of the new version, and of the old ones. */
  readonly availableAt: number | undefined;
  readonly oldAvailableAt: number | undefined;
  /** What the workload's controller has not seen yet; undefined when it has seen everything that we see. */
  readonly unsettled: string | undefined;
  /** The workload's controller replaces no Pod now. */
  readonly stopped: boolean;
  /** It may replace Pods now, and it was us who let it. */
  readonly moving: boolean;
}

/** What a step asks for. */
export interface Goal {
  /** T: updated Pods of the step. */
  readonly target: number;
  /** Of these, so many may be unavailable and the step is done all the same. */
  readonly tolerated: number;
  /** More updated Pods than the target are left alone. */
  readonly keeps: boolean;
  /** Nothing is left to release after it: the workload is given back instead of held. */
  readonly last: boolean;
  /** The step has just begun: it may move for a while before it is held in the middle of a batch. */
  readonly young: boolean;
}

export type Move =
  /** One write; look again when it is seen. */
  | { readonly kind: 'Act'; readonly effect: Effect; readonly trimmed?: { readonly from: number; readonly to: number } }
  /** Somebody else has to do or see something first. */
  | { readonly kind: 'Wait'; readonly waitsFor: string; readonly againAtMs?: number | undefined }
  /** At rest, and as many Pods of the new version are available as the goal asks for. */
  | { readonly kind: 'Done' }
  /** At rest with more updated Pods than the target, because a trim did not last. */
  | { readonly kind: 'TrimRefused' };

export const wait = (waitsFor: string, againAtMs?: number): Move => ({ kind: 'Wait', waitsFor, againAtMs });

/** The first of these effects; the others follow when it is seen. Undefined when there are none. */
export const act = (effects: readonly Effect[]): (Move & { readonly kind: 'Act' }) | undefined =>
  effects[0] && { kind: 'Act', effect: effects[0] };

export const effectsOf = (move: Move | undefined): readonly Effect[] => (move?.kind === 'Act' ? [move.effect] : []);

/** Labels and annotations; null takes one off. */
export interface MetadataChange {
  readonly labels?: Changes;
  readonly annotations?: Changes;
}
export type Changes = Readonly<Record<string, string | null>>;

/** Why a workload cannot be released in steps as it is. */
export interface Obstacle {
  readonly reason: 'RecreateStrategy' | 'OnDeleteStrategy';
  readonly message: string;
}

/** A hold that no webhook has seen begin. */
export interface UnseenHold {
  /** Name of the Rollout. */
  readonly rollout: string;
  /** Digest of the stable template. */
  readonly stable: TemplateDigest;
  /** What happened, in words. */
  readonly bypassed: string;
  /** The record of a release that is under way was lost: the settings that stand there may be ours. */
  readonly unfinished: boolean;
  readonly labels: Changes;
}

/** What the most that a step may do to the number of Pods is told from, before it begins. */
export interface Spending {
  readonly limits: Limits;
  /** Pods beyond R, and missing from R, at most at any moment between these numbers of updated Pods. */
  worst(from: number, target: number): { readonly surge: number; readonly unavailable: number };
}

export type ProgressFacts = Pick<Snapshot, 'now' | 'rollout' | 'digest'>;

/** Which objects the operator watches while one is released. */
export type ChildKind = 'replicaSets' | 'pods' | 'revisions';

/**
 * Pure: facts in, effects out. `H` is what the record on the workload keeps, so that it can be given back as its user wrote it. Methods take what
 * the same kind has made.
 */
export interface WorkloadKind<
  W extends Workload = Workload,
  H extends HoldRecord = HoldRecord,
  P extends Progress = Progress,
> {
  readonly resource: Resource;
  /** Value of the label that enrols a workload. */
  readonly workloadType: string;
  readonly children: readonly ChildKind[];
  /** Who owns the fields that we borrow. */
  readonly fields: FieldOwners;
  /** What an edit means for the hold. */
  readonly edits: WorkloadEdits<W, H>;
  /** The fields that we borrow, as they are now; null where absent. */
  borrowed(workload: W): Readonly<Record<string, unknown>>;
  replicas(workload: W): number;
  obstacle(workload: W): Obstacle | undefined;

  /** The record of the hold; undefined when there is none, or none that can be read. */
  readHold(workload: W): H | undefined;
  /** The user wants nothing released: the brake was the user's own before it was ours. */
  isPaused(held: H): boolean;
  /** Nothing has to be undone before the workload is given back. */
  mayFreeAtOnce(held: H): boolean;

  progress(facts: ProgressFacts, workload: W, children: Children): P;
  /** Towards the goal, on a workload that is held. */
  advance(progress: P, held: H, goal: Goal): Move;
  /** Stops where it is, whatever the sizes. Undefined when it is stopped. */
  freeze(progress: P, held: H): Move | undefined;
  /** Gives the workload back as its user wrote it, `more` in the same write; steps that must come before it come first. */
  giveBack(progress: P, held: H, more?: MetadataChange): Move;
  /** Puts another template in place of the workload's, whole. It stays held, by `held`. */
  revert(workload: W, template: PodTemplate, held?: H): Effect;
  /** The workload's controller has nothing left to do, but for so many Pods that are not available. */
  isSettled(progress: P, tolerated: number): boolean;
  /** Corrects what keeps the workload's controller from going on by itself. */
  repair(progress: P): readonly Effect[];
  /** Asks the workload's controller once more to do what it has given up. */
  remind(progress: P, held: H): readonly Effect[];

  /** The record says that it is held, and nothing holds it. */
  isLoose(progress: P): boolean;
  /** A record that says nothing about this workload. */
  isStale(progress: P): boolean;
  /** Holds what slipped past the webhook. */
  holdUnseen(progress: P, hold: UnseenHold): readonly Effect[];
  /** Holds a workload whose children are not known yet. */
  holdNow(workload: W, hold: Pick<UnseenHold, 'rollout' | 'stable' | 'bypassed'>): readonly Effect[];
  /** Takes down as the user's what was edited on the held workload while no webhook saw it. Undefined when nothing was. */
  noticeEdits(progress: P, held: H): readonly Effect[] | undefined;
  /** Gives back a workload that is held, without knowing its children. */
  giveUp(workload: W, held: H, more: MetadataChange): readonly Effect[];
  /** Takes our labels and annotations off a workload that is not held, and a pause that only the API server's own policy made. */
  leave(workload: W, more: MetadataChange): readonly Effect[];
  /** Why the controller makes no new version: what it says, and what to look at. */
  whyNoVersion(workload: W): { readonly failure: Condition | undefined; readonly what: string };

  /** At this size. */
  spending(workload: W, replicas: number): Spending;
  /** What the author of a Rollout should know about it on this workload. */
  advise(rollout: Rollout, workload: W): readonly string[];
}

/** One move as a decision; it is told only when it is made. */
export function decisionOf(
  move: Move | undefined,
  reason: Decision['events'][number]['reason'],
  message: string,
): Decision {
  const effects = effectsOf(move);
  return { effects, events: effects.length > 0 ? [{ reason, message }] : [], needsChildren: true };
}
