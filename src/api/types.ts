// Types of Kubernetes objects and Rollouts as raw JSON. They have only the fields that the program reads; unknown fields are preserved.
import type { AnalysisCheck, CheckStatus, StepAnalysis, Verdict } from './analysis.ts';
import type { HeaderModifier, HttpMatch, TrafficRouting, TrafficStatus } from './traffic.ts';

declare const brand: unique symbol;

/** sha256 (hex) of the canonical JSON of a Pod template (engine/lib/template.ts). Two templates are the same when their digests are. */
export type TemplateDigest = string & { readonly [brand]: 'TemplateDigest' };

/**
 * The id of a release: the value of the label rollouts.kruise.io/rollout-id, which users may set. Any text can be one, but the compiler refuses a
 * digest.
 */
export type RolloutId = string & { readonly [brand]?: 'RolloutId' };

/** An integer is a number of Pods. A string is a percentage such as "50%". */
export type IntOrString = number | string;

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
}

/** Any Kubernetes object. Objects are frozen and never mutated. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
}

export interface PodTemplate {
  readonly metadata?: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: Readonly<Record<string, unknown>>;
}

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

export interface DeploymentStrategy {
  readonly type?: string;
  readonly rollingUpdate?: { readonly maxSurge?: IntOrString; readonly maxUnavailable?: IntOrString };
}

/** The common fields of all workload kinds. */
export interface Workload extends KubeObject {
  readonly spec: {
    readonly replicas?: number;
    readonly minReadySeconds?: number;
    readonly selector: LabelSelector;
    readonly template: PodTemplate;
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly updatedReplicas?: number;
    readonly readyReplicas?: number;
    readonly availableReplicas?: number;
    readonly conditions?: readonly Condition[];
  };
}

export interface Deployment extends Workload {
  readonly spec: Workload['spec'] & {
    readonly paused?: boolean;
    readonly progressDeadlineSeconds?: number;
    readonly revisionHistoryLimit?: number;
    readonly strategy?: DeploymentStrategy;
  };
  readonly status?: Workload['status'] & { readonly unavailableReplicas?: number };
}

export interface ReplicaSet extends KubeObject {
  readonly spec: {
    readonly replicas?: number;
    readonly minReadySeconds?: number;
    readonly selector: LabelSelector;
    readonly template: PodTemplate;
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly readyReplicas?: number;
    readonly availableReplicas?: number;
    readonly conditions?: readonly Condition[];
  };
}

export interface StatefulSet extends Workload {
  readonly spec: Workload['spec'] & {
    /** Default OrderedReady. */
    readonly podManagementPolicy?: string;
    readonly updateStrategy?: {
      readonly type?: string;
      readonly rollingUpdate?: { readonly partition?: number; readonly maxUnavailable?: IntOrString };
    };
    readonly ordinals?: { readonly start?: number };
  };
  readonly status?: Workload['status'] & {
    /** Name of the ControllerRevision of the template. */
    readonly updateRevision?: string;
    /** Name of the ControllerRevision that new Pods below the partition get. It follows when all Pods are updated and ready. */
    readonly currentRevision?: string;
  };
}

export interface DaemonSet extends Workload {
  readonly spec: Workload['spec'] & {
    readonly updateStrategy?: {
      readonly type?: string;
      readonly rollingUpdate?: { readonly maxUnavailable?: IntOrString; readonly maxSurge?: IntOrString };
    };
  };
  readonly status?: Workload['status'] & {
    /** Number of nodes that should run a Pod. */
    readonly desiredNumberScheduled?: number;
    /** Number of nodes that run a Pod and should not. */
    readonly numberMisscheduled?: number;
    readonly currentNumberScheduled?: number;
    readonly updatedNumberScheduled?: number;
    readonly numberReady?: number;
    readonly numberAvailable?: number;
    readonly numberUnavailable?: number;
  };
}

/** A stored template. Its data are immutable. */
export interface ControllerRevision extends KubeObject {
  readonly revision: number;
  readonly data?: {
    readonly spec?: { readonly paused?: boolean; readonly template?: PodTemplate & { $patch?: string } };
  };
}

export interface ContainerStatus {
  readonly name: string;
  readonly ready?: boolean;
  readonly restartCount?: number;
  readonly state?: ContainerState;
  readonly lastState?: ContainerState;
}

export interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly running?: { readonly startedAt?: string };
  readonly terminated?: { readonly reason?: string; readonly exitCode?: number; readonly finishedAt?: string };
}

export interface Pod extends KubeObject {
  readonly spec?: { readonly nodeName?: string };
  readonly status?: {
    readonly phase?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly conditions?: readonly Condition[];
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
  };
}

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastUpdateTime?: string;
  readonly lastTransitionTime?: string;
}

/** Rollout v1beta1, the storage version. The operator reads and writes only this version. */
export interface Rollout extends KubeObject {
  readonly spec: RolloutSpec;
  readonly status?: RolloutStatus;
}

export interface RolloutSpec {
  readonly workloadRef: { readonly apiVersion: string; readonly kind: string; readonly name: string };
  readonly disabled?: boolean;
  readonly strategy: {
    readonly paused?: boolean;
    readonly canary?: CanaryStrategy;
    readonly blueGreen?: unknown;
  };
}

export interface CanaryStrategy {
  readonly steps?: readonly CanaryStep[];
  readonly failureThreshold?: IntOrString;
  readonly enableExtraWorkloadForCanary?: boolean;
  /** At most one. */
  readonly trafficRoutings?: readonly TrafficRouting[];
  /** Name of a TrafficRouting. "" if there is none. */
  readonly trafficRoutingRef?: string;
  /** In seconds. Default 600. 0 = no deadline. */
  readonly stepDeadlineSeconds?: number;
  /** Default `Hold`. */
  readonly onFailure?: 'Hold' | 'Rollback';
  /** How far a change may go back to a completed version at once, without steps. Absent = never. */
  readonly rollbackWindow?: RollbackWindow;
  /** Checks of the release, from its first step on. */
  readonly analysis?: readonly AnalysisCheck[];
}

/** Both limits apply. An absent limit does not limit. */
export interface RollbackWindow {
  /** How many completed versions before the stable one. */
  readonly revisions?: number;
  /** How long ago the version was replaced. */
  readonly seconds?: number;
}

export interface CanaryStep {
  readonly replicas?: IntOrString;
  /** Share of the requests for the new version: a percentage. */
  readonly traffic?: string;
  /** Requests that go to the new version. Only these do, so `traffic` has no effect beside them. */
  readonly matches?: readonly HttpMatch[];
  /** Changes the requests that match. */
  readonly requestHeaderModifier?: HeaderModifier;
  /** Without a pause, or without a duration, the step waits for approval. 0 = the release continues immediately. N = it continues after N seconds. */
  readonly pause?: { readonly duration?: number };
  /** How long the checks watch the step when its Pods are available. Absent = the step does not wait for them. */
  readonly analysis?: StepAnalysis;
}

export type Phase = 'Initial' | 'Healthy' | 'Progressing' | 'Disabling' | 'Disabled' | 'Terminating';

export type StepState =
  | 'BeforeStepUpgrade'
  | 'StepUpgrade'
  | 'StepTrafficRouting'
  | 'StepMetricsAnalysis'
  | 'StepPaused'
  | 'StepReady'
  | 'Completed';

export interface Approval {
  readonly step: number;
  readonly rolloutID: RolloutId;
  readonly revision: string;
  readonly user: string;
  readonly time: string;
  /** Digest of the approved plan and of the next step. A changed plan needs a new approval. */
  readonly plan?: string;
  /** The user's groups that a policy names. */
  readonly groups?: readonly string[];
  /** Policies whose approval rules do not apply, because the user broke the glass. */
  readonly past?: readonly string[];
}

export interface CanaryStatus {
  readonly observedWorkloadGeneration?: number;
  readonly observedRolloutID?: RolloutId;
  readonly rolloutHash?: string;
  readonly stableRevision?: string;
  /** pod-template-hash of the new ReplicaSet. "" until it exists. */
  readonly canaryRevision?: string;
  readonly podTemplateHash: string;
  readonly canaryReplicas: number;
  readonly canaryReadyReplicas: number;
  /** From 1. */
  readonly currentStepIndex: number;
  /** From 1. -1 = there is no next step. */
  readonly nextStepIndex: number;
  readonly currentStepState: StepState | '';
  readonly finalisingStep: string;
  readonly message?: string;
  readonly lastUpdateTime?: string;
  readonly approvals?: readonly Approval[];
  /** sha256 of the canonical JSON of the template that this status describes. A workload with another template is a new release. */
  readonly templateDigest?: TemplateDigest;
  /** Digest of the stable template. */
  readonly stableDigest?: TemplateDigest;
  /** True if the step started with more updated Pods than its target. They are kept. */
  readonly keepsReplicas?: boolean;
  /** `replicas` of each step when the status was written. It shows whether the number of steps has changed during the release. */
  readonly plan?: readonly IntOrString[];
  /** True if the number of steps changed after Pods were granted. The step then waits for approval, regardless of its pause. */
  readonly planChanged?: boolean;
  /** True if no step of the changed plan fits the updated Pods. The step starts when it is approved. */
  readonly notBegun?: boolean;
  /** Id of the last release, if another id was set on the workload after its end. */
  readonly releasedRolloutID?: RolloutId;
  /**
   * Only under a policy that requires approvals: `replicas` of the step when it started, or 0 before the first approval. A later increase
   * is not approved.
   */
  readonly grantedReplicas?: IntOrString;
  /** `spec.replicas` when the step started. It is updated when the step completes. */
  readonly stepReplicas?: number;
  /** A user writes this digest to approve that this completed version is restored without steps. It is not stored: the approval is. */
  readonly undoTo?: TemplateDigest;
  /** Why the stable version, which was completed before, is being restored without steps. */
  readonly restores?: 'Window' | 'Approval';
  /** What the checks of this release say. */
  readonly analysis?: readonly CheckStatus[];
  readonly traffic?: TrafficStatus;
}

/** A version whose release went through all steps, or that ran when the Rollout was created. Only the operator writes it. */
export interface CompletedVersion {
  /** Kind and name of the workload that completed it: `Deployment/web`. It counts for no other workload. */
  readonly workload: string;
  readonly templateDigest: TemplateDigest;
  /** pod-template-hash. */
  readonly revision: string;
  readonly completedTime: string;
  /** When another version became the stable one. Absent for the stable version. */
  readonly replacedTime?: string;
}

/** The trace context of a release, created at admission. */
export interface TraceContext {
  /** W3C traceparent of the root span of the release. */
  readonly traceparent: string;
  /** Id of its parent span in the same trace, from the requester of the change. */
  readonly parent?: string;
  /** When the change was admitted: RFC 3339 with milliseconds. */
  readonly admitted: string;
}

export interface HistoryEntry {
  readonly rolloutID: RolloutId;
  readonly revision: string;
  readonly author?: string;
  readonly startTime: string;
  readonly endTime?: string;
  readonly outcome?: string;
  readonly approvals?: readonly Approval[];
  /** How Pods were updated without the steps, if the webhook did not see it. */
  readonly bypassed?: string;
  /** The users who broke the glass for this release, and their reasons. */
  readonly brokenGlass?: readonly { readonly user: string; readonly reason: string; readonly time: string }[];
  readonly trace?: TraceContext;
  /** When each step started, in order. A step that was visited again is there again. */
  readonly steps?: readonly StepStart[];
  /** The last verdict of each check, by name. */
  readonly analysis?: Readonly<Record<string, Verdict>>;
}

/** The start of a step of a past release, for `kubectl tranche analyze`. */
export interface StepStart {
  /** Number of the step, from 1. */
  readonly step: number;
  readonly time: string;
}

export interface RolloutStatus {
  readonly observedGeneration?: number;
  readonly phase?: Phase | '';
  readonly message?: string;
  readonly currentStepIndex: number;
  readonly currentStepState: StepState | '';
  readonly conditions?: readonly Condition[];
  readonly canaryStatus?: CanaryStatus;
  /** The last ten releases, newest first. */
  readonly history?: readonly HistoryEntry[];
  /** The version that was the stable one last is first. */
  readonly completedVersions?: readonly CompletedVersion[];
}

/** Value of the annotation `tranche.dev/held`: all data needed to give a workload back as its user wrote it. These fields are common to all kinds. */
export interface HoldRecord {
  /** Version of the format. */
  readonly v: 1;
  /** The Rollout that holds the workload. */
  readonly rollout: string;
  /** The user's values of the borrowed fields. `null` if the field was absent. */
  readonly user: object;
  /** Digest of the stable template. */
  readonly stable: TemplateDigest;
  /** When Pods were last granted. */
  readonly moved?: string;
  /** When the workload's controller was last triggered to retry Pods or ReplicaSets that it could not create. */
  readonly reminded?: string;
  /**
   * Set if the Rollout is deleted and the stable template was restored: first the workload's generation before the write, then the digest
   * of the stored template if another webhook or policy has changed it.
   */
  readonly reverted?: string;
  /** The change that bypassed the webhook, if the operator held the workload itself. */
  readonly bypassed?: string;
  /** Absent if tracing is off, or if the change bypassed the webhook. */
  readonly trace?: TraceContext;
}

/** The record of a held Deployment. */
export interface Held extends HoldRecord {
  readonly user: {
    readonly paused: boolean | null;
    readonly maxSurge: IntOrString | null;
    readonly maxUnavailable: IntOrString | null;
    readonly minReadySeconds: number | null;
    readonly progressDeadlineSeconds: number | null;
  };
  /** True while ReplicaSets of an abandoned version have marks. A rollback must remove the marks before the Deployment is given back. */
  readonly marks?: boolean;
  /**
   * maxSurge and maxUnavailable as last set by Tranche, in the label tranche.dev/budget together with `moved`. Absent = 0 and 1. Other values on
   * the Deployment are an edit by a user that bypassed the webhook.
   */
  readonly budget?: { readonly maxSurge: IntOrString; readonly maxUnavailable: IntOrString };
  /** Fields of `user` that Kubernetes would refuse, and that were replaced by defaults. Computed when the record is read, never stored. */
  readonly mended?: readonly string[];
}
