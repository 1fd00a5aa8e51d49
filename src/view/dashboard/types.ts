// What the dashboard shows, as plain JSON of sentences and numbers: what the server sends and the browser draws. It imports nothing, so that the browser's
// program contains no other file.
//
// - Absent means unknown or not there. No field is null.
// - A text that comes from an object of the cluster is cut to a fixed length, and control characters and characters that change the direction of writing
//   are written as `\u202e`. It is plain text: draw it as text, never as HTML.
// - Sentences contain no ages, because these change every second. A `Time` is next to the sentence: the browser counts from it.

/** RFC 3339 in UTC, such as `2026-01-02T03:04:05Z`. */
export type Time = string;

/**
 * For colours. `waits`: a person must act. `bad`: it fails, or a check is Worse. `moving`: it goes on by itself, which includes waiting for time or for a
 * policy. `done`: no release is in progress, and the last one was completed. `idle`: no release is in progress.
 */
export type Tone = 'waits' | 'bad' | 'moving' | 'done' | 'idle';

// ---- Overview -------------------------------------------------------------------------------------------------------------------------------------

export interface Overview {
  /** Absent: all namespaces. */
  readonly namespace?: string;
  /** In the order in which they are shown: by `rank`, then the longest wait first, then by key. */
  readonly releases: readonly ReleaseRow[];
  /** Number of releases of each rank, including those that are left out. */
  readonly counts: Readonly<Record<RankName, number>>;
  /** How many releases are left out, because there are more than the dashboard shows. 0 if none. */
  readonly leftOut: number;
  /** Of all releases of the overview together. */
  readonly figures: Figures;
  /** What to do if there are no releases, in words with a command. Absent if there are some. */
  readonly empty?: string;
}

/** `person`: a person must act. `failing`: it does not go on, and no person is asked yet. `motion`: it goes on by itself. `rest`: no release. */
export type RankName = 'person' | 'failing' | 'motion' | 'rest';

/** One release in a list, made of the Rollout and its workload alone. */
export interface ReleaseRow {
  /** `namespace/name` of the Rollout: unique, and the same for all its updates. Compare it; do not show it. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  /** Kind and name of the workload, which may not exist. */
  readonly kind: string;
  readonly workload: string;
  readonly rank: RankName;
  readonly tone: Tone;
  /** A state of src/view/state.ts, as in `kubectl tranche list`: `Waiting`, `Stalled`, ... */
  readonly state: string;
  /** The state in a few words: `Waits for approval`. */
  readonly word: string;
  /** What it waits for or does, in one sentence: `step 1/3 done: waiting for approval (0 of 1)`. */
  readonly says: string;
  /** When the state began. */
  readonly since?: Time;
  /** When it goes on by itself. */
  readonly until?: Time;
  /** Absent without a release in progress. */
  readonly step?: StepCount;
  readonly pods: PodCount;
  /** One entry per step of the plan. Empty without a release in progress. */
  readonly strip: readonly StripStep[];
  /** Id of the release in progress, otherwise of the last one. */
  readonly release?: string;
  readonly author?: string;
  /** Images of the containers. At most three; `moreImages` counts the others. */
  readonly images: readonly string[];
  readonly moreImages?: number;
  /** The most serious verdict of the checks of the release in progress: Worse, Unknown, Open, Fine. */
  readonly checks?: string;
}

export interface StepCount {
  /** From 1. 0: before the first step. */
  readonly current: number;
  readonly of: number;
}

/** Numbers of Pods. */
export interface PodCount {
  /** Pods of the new version. Absent without a release in progress. */
  readonly updated?: number;
  /** Available Pods of all versions; during a step of a Deployment those that are Ready. Absent if the workload does not exist. */
  readonly available?: number;
  /** `spec.replicas` of the workload. Absent if it does not exist. */
  readonly wanted?: number;
}

export interface StripStep {
  readonly progress: Progress;
  /** Pods of the new version after the step, in percent: 0 to 100. */
  readonly percent: number;
}

export type Progress = 'done' | 'current' | 'ahead';

// ---- One release ----------------------------------------------------------------------------------------------------------------------------------

export interface ReleaseDetail {
  /** The same as in the overview. */
  readonly row: ReleaseRow;
  /** Absent without a release in progress. */
  readonly release?: RunningRelease;
  /** What it waits for. Absent if it waits for nothing: no release is in progress. */
  readonly waits?: Waits;
  /** What happens next. Absent if nothing does. */
  readonly next?: NextStep;
  /** One row per step, and one for the Pods after the last step. Without a release: one row with all Pods. Empty without a workload. */
  readonly batches: readonly Batch[];
  /** Pods that are none of the wanted ones: beyond their number during a surge, being deleted, or failed and replaced. */
  readonly surplus?: Dots;
  /** The versions that have Pods, the new one first. */
  readonly versions: readonly VersionView[];
  readonly checks: readonly CheckPanel[];
  /** Absent if the release routes no traffic. */
  readonly traffic?: Traffic;
  /** From the stable to the new Pod template. Absent without a release in progress, or if one of them is not known. */
  readonly diff?: Diff;
  readonly policies: Policies;
  /** Newest first, at most ten. */
  readonly history: readonly HistoryItem[];
  /** Of this Rollout. */
  readonly figures: Figures;
  /** Always all eight, in this order: approve, pause, resume, jump, finish, retry, undo, abort. */
  readonly actions: readonly ActionView[];
  /** What the dashboard could not read, in words: `you may not list Pods in namespace "shop"`. */
  readonly gaps: readonly string[];
}

export interface RunningRelease {
  readonly id?: string;
  /** The user who changed the workload, as recorded by the webhook. */
  readonly author?: string;
  readonly startedAt?: Time;
  /** How long the last completed releases took, including waits for approval: `about 12m, the median of the last 4 completed releases`. */
  readonly expected?: string;
}

export interface Waits {
  /** `operator`: the change is held, and the operator has not reported it. `nobody`: nothing more happens until the object is changed. */
  readonly for: 'approval' | 'time' | 'pods' | 'checks' | 'policy' | 'person' | 'operator' | 'nobody';
  /** Ends without a full stop: `step 1/3 done: waiting for approval (1 of 2)`. */
  readonly says: string;
  readonly since?: Time;
  /** When the wait ends by itself. */
  readonly until?: Time;
  /** Only if it waits for approval. */
  readonly approval?: ApprovalView;
}

export interface ApprovalView {
  /** The users who have approved, in order. */
  readonly given: readonly string[];
  /** Absent if the policies may not be read. */
  readonly required?: number;
  /** The users who may approve: `2 people, each a member of release-managers, not the author (policy production)`. */
  readonly who: string;
}

export interface NextStep {
  /** Absent: the Pods after the last step. */
  readonly step?: number;
  /** `4 more Pods: 1 → 5 of 10; at most 1 missing, 2 extra; then waits for approval`. */
  readonly says: string;
  /** Pods of the new version before and after it, of the wanted number. */
  readonly from: number;
  readonly to: number;
  readonly of: number;
  /** At most so many Pods are missing from the wanted number or beyond it during the step. */
  readonly missing: number;
  readonly extra: number;
}

/** The Pods that one step replaces. */
export interface Batch {
  /** From 1. Absent: the Pods after the last step, or all Pods if no release is in progress. */
  readonly step?: number;
  /** As written in the Rollout (`1`, `50%`), otherwise `the rest` or `all Pods`. */
  readonly label: string;
  readonly progress: Progress;
  /** Number of Pods that the step replaces. */
  readonly size: number;
  /** Pods of the new version after the step. */
  readonly updated: number;
  /** What follows: `is watched for 10m, then waits for approval`. Absent for a step that is done. */
  readonly then?: string;
  readonly dots: Dots;
}

export interface Dots {
  /**
   * In the order in which the workload's controller replaces them. Unavailable Pods are never left out before available ones. Empty if the user may not
   * read Pods: then `gaps` says so.
   */
  readonly pods: readonly PodDot[];
  /** How many Pods `pods` leaves out, because there are too many. 0 if none. */
  readonly leftOut: number;
  /** Of all Pods, including those that are left out. */
  readonly counts: Readonly<Record<PodState, number>>;
}

/**
 * `missing`: not created yet. `starting`: not Ready, without a sign of failure. `ready`: Ready, but not for minReadySeconds. `failing`: Kubernetes reports
 * why. `leaving`: it is being deleted.
 */
export type PodState = 'missing' | 'starting' | 'ready' | 'available' | 'failing' | 'leaving';

/** Draw by shape and colour: the shape shows the version, the colour the state. */
export interface PodDot {
  /** Absent for `missing`. */
  readonly name?: string;
  /** Without a release, the version of all Pods is `stable`. */
  readonly version: PodVersion;
  readonly state: PodState;
  /** Why it is not available, in Kubernetes' word: `CrashLoopBackOff`, `ContainerCreating`, `Unschedulable`. Absent for available Pods. */
  readonly why?: string;
  /** For `ready`: when it became Ready, and how many seconds it must stay Ready. */
  readonly readyAt?: Time;
  readonly minReadySeconds?: number;
  readonly createdAt?: Time;
  readonly node?: string;
  /** Of the container that restarted most often. Absent if none restarted. */
  readonly restarts?: number;
}

/** `abandoned`: neither the new nor the stable one, such as the version of a release that was replaced. */
export type PodVersion = 'new' | 'stable' | 'abandoned';

export interface VersionView {
  readonly version: PodVersion;
  /** The object that keeps the template: `ReplicaSet web-5d4f`. */
  readonly keeper: string;
  /** As in `kubectl tranche history`. */
  readonly revision?: string;
  readonly images: readonly string[];
  /** Wanted and available Pods. */
  readonly pods: number;
  readonly available: number;
}

export interface CheckPanel {
  readonly name: string;
  readonly tone: Tone;
  /** `Worse`, `Fine`, `Open`, `Unknown`. Absent: the operator has not reported it yet. */
  readonly verdict?: string;
  /** The verdict in words: `not shown yet`. */
  readonly word: string;
  readonly since?: Time;
  /** With numbers: `new version: 12 of 480 requests bad (2.5 %); stable version: 3 of 4320 requests bad (0.069 %)`. */
  readonly says?: string;
  /** What the check allows: `at most 1% bad requests, and at most 2 times the share of the stable version`. */
  readonly limit?: string;
  /** What follows if it is Worse: `the release stops and waits for approval`. */
  readonly ifWorse: string;
  /** Requests of the new version, and bad ones among them. */
  readonly n?: number;
  readonly bad?: number;
  /** How much more likely the numbers are if the new version is worse. At `alarm`, the verdict is Worse. Absent for a check that counts no requests. */
  readonly evidence?: number;
  readonly alarm?: number;
  /** Users who let the release go on although the verdict is Worse. */
  readonly acceptedBy?: readonly string[];
  /** Absent with fewer than two points. */
  readonly plot?: Plot;
}

/** Points for a small line, oldest first. They begin when the dashboard began to watch the release. */
export interface Plot {
  /** `evidence`: draw it on a logarithmic scale from 1. `share`: bad requests in percent. */
  readonly what: 'evidence' | 'share';
  readonly points: readonly PlotPoint[];
  /** A horizontal line. Absent if there is no such value. */
  readonly limit?: number;
}

export interface PlotPoint {
  readonly at: Time;
  readonly value: number;
}

export interface Traffic {
  readonly shares: readonly { readonly version: PodVersion; readonly percent: number }[];
  readonly says: string;
}

/**
 * Like `kubectl diff`: YAML of the Pod templates without the labels that controllers add. The values of environment variables are shown, because
 * everybody who may read the workload may read them; Secrets are referenced by name, and their contents are never read.
 */
export interface Diff {
  /** The versions: `revision 3 (5d4f)`. */
  readonly from: string;
  readonly to: string;
  /** Empty if the templates are equal. */
  readonly lines: readonly DiffLine[];
  /** Number of lines that were added and removed, including those that are left out. */
  readonly added: number;
  readonly removed: number;
  /** True if lines are left out because there are too many. */
  readonly cut: boolean;
}

export interface DiffLine {
  /** `gap`: unchanged lines are left out here; the text says how many. */
  readonly kind: 'context' | 'add' | 'remove' | 'gap';
  readonly text: string;
}

export interface Policies {
  /** False: the user may not read ReleasePolicies, so their effect is not known. */
  readonly known: boolean;
  /** The policies that select the workload. Those that hold the release first. */
  readonly list: readonly PolicyView[];
}

export interface PolicyView {
  readonly name: string;
  /** `Deny`, `Warn` or `Audit`. */
  readonly enforcement: string;
  /** It does not let the release go on now. */
  readonly holds: boolean;
  /** Its effects on this release, one sentence each. */
  readonly says: readonly string[];
  /** When it holds no more. Absent if that does not depend on time. */
  readonly until?: Time;
}

export interface HistoryItem {
  /** Number of the revision that `undo` can restore. Absent if no object has the version any more. */
  readonly revision?: string;
  readonly release?: string;
  /** Hash of the version's Pods. */
  readonly version?: string;
  readonly author?: string;
  readonly startedAt?: Time;
  /** Absent: it is in progress. */
  readonly endedAt?: Time;
  /** Absent if it is in progress, or if the clocks contradict each other. */
  readonly seconds?: number;
  readonly tone: Tone;
  /** `Completed`, `RolledBack`, ..., or `in progress`. */
  readonly outcome: string;
  /** How Pods were updated without the steps. */
  readonly bypassed?: string;
  readonly approvals: readonly ApprovalItem[];
  /** The last verdict of each check. */
  readonly checks: readonly { readonly name: string; readonly verdict: string; readonly tone: Tone }[];
  readonly brokenGlass: readonly { readonly user: string; readonly reason: string; readonly time: Time }[];
}

export interface ApprovalItem {
  /** `step 1`, or `undo` for an approval to restore a version without steps. */
  readonly what: string;
  readonly user: string;
  readonly time: Time;
}

// ---- DORA figures ---------------------------------------------------------------------------------------------------------------------------------

/** From the histories of the Rollouts, which have the last ten releases each. A figure is absent if there are too few releases for it. */
export interface Figures {
  /** Releases in the histories that have ended, and since when. `since` is absent without one. */
  readonly releases: number;
  readonly since?: Time;
  /** Time from the change of the workload to its last Pod: the median of the completed releases. */
  readonly leadTime?: Figure;
  /** Completed releases per week. */
  readonly frequency?: Figure;
  /** Share of the releases that were rolled back or failed, in percent. */
  readonly failureRate?: Figure;
  /** Time from the start of a release that failed to the end of its rollback: the median, in seconds. */
  readonly timeToRestore?: Figure;
  /** Why figures are absent: `1 release has ended: figures need at least 3`. Absent if the first three are there. */
  readonly missing?: string;
}

export interface Figure {
  readonly value: number;
  readonly unit: 'seconds' | 'per week' | 'percent';
  /** The value as people read it: `12m`, `3.5 per week`, `20 %`. */
  readonly text: string;
  /** Number of releases that it is computed from. */
  readonly over: number;
  /** What it is computed from, in words: `median of 8 completed releases`. */
  readonly says: string;
}

// ---- Actions --------------------------------------------------------------------------------------------------------------------------------------

export type ActionName = 'approve' | 'pause' | 'resume' | 'jump' | 'finish' | 'retry' | 'undo' | 'abort';

/** What the browser asks for. The server makes the patch from this, from the objects that it has. */
export interface ActionAsk {
  readonly name: ActionName;
  /** For `jump`: the step, from 1. */
  readonly step?: number;
  /** For `undo`: a revision of the history. Absent: the version that `kubectl tranche undo` chooses. */
  readonly revision?: number;
  /** The user has seen that a check is Worse, and approves nevertheless. */
  readonly yes?: boolean;
  /** `ActionView.version` of the action that the user saw. The server refuses the action if the release has changed since then. */
  readonly version: string;
}

export interface ActionView {
  readonly name: ActionName;
  /** For a button: `Approve step 1`. */
  readonly label: string;
  /** It makes sense in this state. The server asks the API server, too: see `verdict`. */
  readonly possible: boolean;
  /** Why not, and what to do instead. Absent if it is possible. */
  readonly why?: string;
  /** What will happen, in one sentence. Absent if it is not possible. */
  readonly says?: string;
  /** It approves although a check is Worse: what it overrules, with numbers. The user must confirm it. */
  readonly overrules?: string;
  /** The same in a terminal: `kubectl tranche approve web --step 1 -n shop`. */
  readonly command: string;
  /** `type`: the user must type the name of the Rollout. `ask`: show the dialog. */
  readonly confirm: 'ask' | 'type';
  /** The button ends the release or changes what runs without steps. */
  readonly danger: boolean;
  /** For `jump` the steps, of which one must be chosen; for `undo` the revisions, of which one may be. Absent for the others. */
  readonly choices?: readonly ActionChoice[];
  /** Identifies the state that the action is about. */
  readonly version: string;
  /** Filled in by the server: what the API server answers to a dry run of the very same writes. Absent: not asked yet, or not possible. */
  readonly verdict?: ActionVerdict;
}

export interface ActionChoice {
  /** The step or the revision. */
  readonly value: number;
  readonly label: string;
  readonly says: string;
  readonly command: string;
}

export type ActionVerdict =
  | { readonly allowed: true; readonly warnings: readonly string[] }
  /** `why`: the answer in words, with what to do. `unknown`: the API server could not say. */
  | { readonly allowed: false; readonly why: string; readonly unknown?: true };

// ---- Connection -----------------------------------------------------------------------------------------------------------------------------------

export interface Connection {
  readonly live: boolean;
  /** Since when it is live, or no longer live. */
  readonly since: Time;
  /** Why it is not live: `the API server does not answer: connect ECONNREFUSED`. Absent if it is live. */
  readonly why?: string;
  /** Of the kubeconfig. */
  readonly context?: string;
  /** The user as the API server sees it. Absent if it does not say. */
  readonly user?: string;
  /** Absent: all namespaces. */
  readonly namespace?: string;
  /** The server has no writing routes. */
  readonly readOnly: boolean;
}

// ---- Event stream ---------------------------------------------------------------------------------------------------------------------------------

/** A message of the event stream. First `connection` and `overview`; then what has changed. */
export type DashboardEvent =
  | { readonly type: 'connection'; readonly connection: Connection }
  | { readonly type: 'overview'; readonly overview: Overview }
  /** Rows that are new or different, and the keys of those that are gone. The browser puts them in order. */
  | {
      readonly type: 'rows';
      readonly changed: readonly ReleaseRow[];
      readonly gone: readonly string[];
      readonly summary: Omit<Overview, 'releases'>;
    }
  | { readonly type: 'detail'; readonly key: string; readonly detail: ReleaseDetail }
  /** The opened Rollout does not exist any more. */
  | { readonly type: 'gone'; readonly key: string };
