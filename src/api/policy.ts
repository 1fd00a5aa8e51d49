// The type of a ReleasePolicy (tranche.dev/v1alpha1), which is cluster-scoped.
import type { IntOrString, KubeObject, LabelSelector, RolloutId } from './types.ts';

/** Deny refuses a change. Warn accepts it with a warning. Audit accepts it with an event and a metric only. */
export type Enforcement = 'Deny' | 'Warn' | 'Audit';

export interface ReleasePolicy extends KubeObject {
  readonly spec: ReleasePolicySpec;
  readonly status?: ReleasePolicyStatus;
}

export interface ReleasePolicySpec {
  /** Absent or empty = all workloads. */
  readonly match?: { readonly namespaceSelector?: LabelSelector; readonly workloadSelector?: LabelSelector };
  /** Default Deny. */
  readonly enforcement?: Enforcement;
  readonly requireRollout?: boolean;
  readonly steps?: StepRules;
  readonly approval?: ApprovalRules;
  readonly analysis?: AnalysisRules;
  readonly windows?: WindowRules;
  /** Maximum number of releases in one namespace. */
  readonly maxConcurrentReleases?: number;
  readonly protectInFlight?: boolean;
  readonly rollbackWindow?: WindowRule;
  readonly breakGlass?: { readonly groups: readonly string[] };
}

/** Limits of the rollbackWindow of Rollouts. 0 forbids it. */
export interface WindowRule {
  readonly maxRevisions?: number;
  readonly maxSeconds?: number;
}

export interface StepRules {
  readonly maxFirstStep?: IntOrString;
  readonly maxIncrement?: IntOrString;
  readonly minSteps?: number;
  readonly minPauseSeconds?: number;
  readonly manual?: 'None' | 'First' | 'Last' | 'FirstAndLast' | 'All';
}

export interface ApprovalRules {
  /** Number of different users who must approve a step. Default 1. */
  readonly required?: number;
  readonly users?: readonly string[];
  readonly groups?: readonly string[];
  readonly notAuthor?: boolean;
  /** A `kubectl rollout restart` needs no approval if the Rollout has the annotation tranche.dev/on-restart: Batches. */
  readonly exemptRestarts?: boolean;
}

export type CheckKind = 'Ratio' | 'Value' | 'Pods' | 'Condition';

export interface AnalysisRules {
  /** Names of MetricSources, or `kubernetes`. A check without source counts as `default`, or as `kubernetes` if it reads an API of Kubernetes. */
  readonly sources?: readonly string[];
  /** A Rollout must have at least one check of each kind. */
  readonly required?: readonly CheckKind[];
  /** How long the checks must watch each step, unless it waits for approval. A timed pause counts. A last step that updates all Pods does not count. */
  readonly minSeconds?: number;
  /** The users and groups that may continue a release while a check is Worse. If it is absent, every approver may. If it is empty, nobody may. */
  readonly override?: { readonly users?: readonly string[]; readonly groups?: readonly string[] };
}

/** A window opens at each time of the cron schedule (five fields), and stays open for a number of seconds. */
export interface Window {
  readonly schedule: string;
  readonly durationSeconds: number;
  readonly reason?: string;
}

export interface WindowRules {
  /** IANA name. Default UTC. */
  readonly timeZone?: string;
  readonly deny?: readonly Window[];
  readonly allow?: readonly Window[];
}

export interface ReleasePolicyStatus {
  readonly observedGeneration?: number;
  /** Number of enrolled workloads of all kinds that the policy matches, and of their Rollouts. */
  readonly matchedDeployments?: number;
  readonly matchedRollouts?: number;
  /** The last ten refusals, newest first. */
  readonly refusals?: readonly PolicyRefusal[];
}

export interface PolicyRefusal {
  readonly time: string;
  /** E.g. `Deployment default/web`. */
  readonly object: string;
  readonly rule: string;
  readonly user: string;
  readonly message: string;
}

/** Value of the annotation `tranche.dev/glass-broken`, which only the webhook writes: who broke the glass, why, and for which change. */
export interface BrokenGlass {
  readonly user: string;
  readonly reason: string;
  readonly time: string;
  /** Names of the policies that this exempts from: those whose breakGlass groups contained the user. */
  readonly policies: readonly string[];
  /** The release that this applies to: its id, the workload's uid, and the digests of its new and stable templates. */
  readonly rolloutID?: RolloutId;
  readonly uid?: string;
  readonly template?: string;
  readonly stable?: string;
  /** On a Rollout: the step that this applies to. */
  readonly step?: number;
}

/** Value of the annotation `tranche.dev/plan-changed`, which only the webhook writes. */
export interface PlanChange {
  /** All users who changed the plan during the release. */
  readonly users: readonly string[];
  /** Identifies the last change. Writing the same plan again gives a new id. */
  readonly id: string;
}
