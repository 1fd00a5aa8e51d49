// The shape of a ReleasePolicy (tranche.dev/v1alpha1), as users write it; cluster-scoped.
import type { IntOrString, KubeObject, LabelSelector } from './types.ts';

/** Deny refuses; Warn accepts with a warning; Audit accepts, and tells by event and metric only. */
export type Enforcement = 'Deny' | 'Warn' | 'Audit';

export interface ReleasePolicy extends KubeObject {
  readonly spec: ReleasePolicySpec;
  readonly status?: ReleasePolicyStatus;
}

export interface ReleasePolicySpec {
  /** Absent or empty selects everything. */
  readonly match?: { readonly namespaceSelector?: LabelSelector; readonly workloadSelector?: LabelSelector };
  /** Default Deny. */
  readonly enforcement?: Enforcement;
  readonly requireRollout?: boolean;
  readonly steps?: StepRules;
  readonly approval?: ApprovalRules;
  readonly windows?: WindowRules;
  /** In one namespace. */
  readonly maxConcurrentReleases?: number;
  readonly protectInFlight?: boolean;
  readonly breakGlass?: { readonly groups: readonly string[] };
}

export interface StepRules {
  readonly maxFirstStep?: IntOrString;
  readonly maxIncrement?: IntOrString;
  readonly minSteps?: number;
  readonly minPauseSeconds?: number;
  readonly manual?: 'None' | 'First' | 'Last' | 'FirstAndLast' | 'All';
}

export interface ApprovalRules {
  /** Distinct people per step; default 1. */
  readonly required?: number;
  readonly users?: readonly string[];
  readonly groups?: readonly string[];
  readonly notAuthor?: boolean;
  /** A mere `kubectl rollout restart` goes through the steps without approval, where the Rollout asks for that. */
  readonly exemptRestarts?: boolean;
}

/** Opens at every time of the schedule (five fields of cron) and lasts so many seconds of real time. */
export interface Window {
  readonly schedule: string;
  readonly durationSeconds: number;
  readonly reason?: string;
}

export interface WindowRules {
  /** IANA name; default UTC. */
  readonly timeZone?: string;
  readonly deny?: readonly Window[];
  readonly allow?: readonly Window[];
}

export interface ReleasePolicyStatus {
  readonly observedGeneration?: number;
  /** Deployments that a Rollout names, and their Rollouts. */
  readonly matchedDeployments?: number;
  readonly matchedRollouts?: number;
  /** The last ten, newest first. */
  readonly refusals?: readonly PolicyRefusal[];
}

export interface PolicyRefusal {
  readonly time: string;
  /** `Deployment default/web` */
  readonly object: string;
  readonly rule: string;
  readonly user: string;
  readonly message: string;
}

/** Value of the annotation `tranche.dev/glass-broken`, which only the webhook writes: who went past policy, why, and for what. */
export interface BrokenGlass {
  readonly user: string;
  readonly reason: string;
  readonly time: string;
  /** Names of those whose group they were in when they broke it: it opens these, and no other. */
  readonly policies: readonly string[];
  /** The release it is good for: its id, the Deployment's uid, and the digests of its template and of the stable one. */
  readonly rolloutID?: string;
  readonly uid?: string;
  readonly template?: string;
  readonly stable?: string;
  /** On a Rollout: the step it is good for. */
  readonly step?: number;
}

/** Value of the annotation `tranche.dev/plan-changed`, which only the webhook writes. */
export interface PlanChange {
  /** Everybody who changed the plan in the middle of the release. */
  readonly users: readonly string[];
  /** Of the last change: the same plan written again is another one. */
  readonly id: string;
}
