// The shapes users and Kubernetes write, as raw JSON: only the fields we read are named, unknown ones travel along.

declare const brand: unique symbol;

/** sha256 (hex) of the canonical JSON of a Pod template (engine/lib/template.ts). Two templates are the same when their digests are. */
export type TemplateDigest = string & { readonly [brand]: 'TemplateDigest' };

/** An integer is Pods; a string is a percent such as "50%". */
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

/** Any Kubernetes object. Frozen JSON; never mutated. */
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

/** What workloads of all kinds have in common. */
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
  readonly spec: {
    readonly replicas?: number;
    readonly paused?: boolean;
    readonly minReadySeconds?: number;
    readonly progressDeadlineSeconds?: number;
    readonly revisionHistoryLimit?: number;
    readonly strategy?: DeploymentStrategy;
    readonly selector: LabelSelector;
    readonly template: PodTemplate;
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly updatedReplicas?: number;
    readonly readyReplicas?: number;
    readonly availableReplicas?: number;
    readonly unavailableReplicas?: number;
    readonly conditions?: readonly Condition[];
  };
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
  };
}

/** Keeps a template; its data never changes. */
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

/** Rollout v1beta1, the stored version. The operator reads and writes only this one. */
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
  readonly trafficRoutings?: readonly unknown[];
  /** Seconds; default 600; 0 = no deadline. */
  readonly stepDeadlineSeconds?: number;
  /** Default `Hold`. */
  readonly onFailure?: 'Hold' | 'Rollback';
}

export interface CanaryStep {
  readonly replicas?: IntOrString;
  readonly traffic?: string;
  /** No pause, or a pause without duration: wait for approval. 0: go on at once. N: go on after N seconds. */
  readonly pause?: { readonly duration?: number };
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
  readonly rolloutID: string;
  readonly revision: string;
  readonly user: string;
  readonly time: string;
  /** Digest of the plan that was approved, and of the step that follows: another plan needs another approval. */
  readonly plan?: string;
  /** Of the groups that a policy names, those that the user was in. */
  readonly groups?: readonly string[];
  /** Policies whose rules about approvals the user went past, with broken glass. */
  readonly past?: readonly string[];
}

export interface CanaryStatus {
  readonly observedWorkloadGeneration?: number;
  readonly observedRolloutID?: string;
  readonly rolloutHash?: string;
  readonly stableRevision?: string;
  /** pod-template-hash of the ReplicaSet being released ("" until it exists). */
  readonly canaryRevision?: string;
  readonly podTemplateHash: string;
  readonly canaryReplicas: number;
  readonly canaryReadyReplicas: number;
  /** 1-based. */
  readonly currentStepIndex: number;
  /** 1-based; -1 = none. */
  readonly nextStepIndex: number;
  readonly currentStepState: StepState | '';
  readonly finalisingStep: string;
  readonly message?: string;
  readonly lastUpdateTime?: string;
  readonly approvals?: readonly Approval[];
  /** sha256 of the canonical JSON of the template this status is about: another one on the Deployment is a new release. */
  readonly templateDigest?: TemplateDigest;
  /** The same of the stable template. */
  readonly stableDigest?: TemplateDigest;
  /** True when the step began with more updated Pods than its target: they are kept. */
  readonly keepsReplicas?: boolean;
  /** `replicas` of each step, as this status knows them: another number of steps during a release is compared with it. */
  readonly plan?: readonly IntOrString[];
  /** True when the number of steps changed after Pods were granted: the step waits for approval, whatever its pause says. */
  readonly planChanged?: boolean;
  /** True when then no step fits the Pods that are updated: the step has not begun, and begins when it is approved. */
  readonly notBegun?: boolean;
  /** The id of the last release, where another id was set on the Deployment after it ended. */
  readonly releasedRolloutID?: string;
  /**
   * Only under a policy that requires approvals: the step's `replicas` when it was entered, 0 while nothing may be released before the first
   * approval. More than that is not approved.
   */
  readonly grantedReplicas?: IntOrString;
  /** `spec.replicas` when the step began, and again when it was done. */
  readonly stepReplicas?: number;
}

/** The trace of a release, made at admission. */
export interface TraceContext {
  /** W3C traceparent of the span of the whole release. */
  readonly traceparent: string;
  /** Id of the span it is a child of, in the same trace: that of whoever asked for the change. */
  readonly parent?: string;
  /** When the change was admitted: RFC 3339 with milliseconds. */
  readonly admitted: string;
}

export interface HistoryEntry {
  readonly rolloutID: string;
  readonly revision: string;
  readonly author?: string;
  readonly startTime: string;
  readonly endTime?: string;
  readonly outcome?: string;
  readonly approvals?: readonly Approval[];
  /** Who went past policy for this release, and why. */
  readonly brokenGlass?: readonly { readonly user: string; readonly reason: string; readonly time: string }[];
  readonly trace?: TraceContext;
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
}

/** Value of the annotation `tranche.dev/held`: everything needed to give a workload back as its user wrote it. The same for all kinds: */
export interface HoldRecord {
  /** Format of this record. */
  readonly v: 1;
  /** The Rollout that holds the workload. */
  readonly rollout: string;
  /** The user's own values of the fields that we borrow; `null` where a field was absent. */
  readonly user: object;
  /** Of the stable template. */
  readonly stable: TemplateDigest;
  /** When Pods were last granted: they are due since then. */
  readonly moved?: string;
  /** When the workload's controller was last reminded of what it could not make. */
  readonly reminded?: string;
  /**
   * Where the Rollout leaves and the stable template was put back: the workload's generation before that, then the digest of what was
   * stored, if others made something else of it.
   */
  readonly reverted?: string;
  /** What no webhook saw, when the operator had to hold the workload itself. */
  readonly bypassed?: string;
  /** Absent where nothing is traced, and where no webhook saw the change. */
  readonly trace?: TraceContext;
}

/** The record on a Deployment. */
export interface Held extends HoldRecord {
  readonly user: {
    readonly paused: boolean | null;
    readonly maxSurge: IntOrString | null;
    readonly maxUnavailable: IntOrString | null;
    readonly minReadySeconds: number | null;
    readonly progressDeadlineSeconds: number | null;
  };
  /** True while ReplicaSets of an abandoned version carry marks: a rollback must take them off before it is freed. */
  readonly marks?: boolean;
  /**
   * maxSurge and maxUnavailable as we last set them; absent = 0 and 1. What differs from it on the Deployment is an edit of the
   * user's that no webhook saw.
   */
  readonly budget?: { readonly maxSurge: IntOrString; readonly maxUnavailable: IntOrString };
  /** Fields of `user` that Kubernetes would refuse, and that its defaults have replaced. Found when the record is read; never written. */
  readonly mended?: readonly string[];
}
