// All reasons of events and conditions, with their meanings (docs/status.md).

/** Events on a Rollout: the type and the meaning of each reason. */
export const EVENTS = {
  Enrolled: ['Normal', 'the workload got the label that makes the webhook intercept its changes'],
  ReleaseStarted: ['Normal', 'a new template is held and goes through the steps'],
  TakenOver: ['Normal', 'a release that OpenKruise Rollouts started continues at its step'],
  ReleaseSuperseded: ['Normal', 'a newer template replaced the release, which starts again at step 1'],
  PolicyBlocked: ['Normal', 'a policy does not allow the next step to start now'],
  Approved: ['Normal', 'a step was approved; the message contains the user'],
  GlassBroken: ['Warning', 'a user overrode a policy and gave a reason'],
  PolicyDenied: ['Warning', 'a policy refused a change'],
  PolicyWarned: ['Warning', 'a change violated a policy with enforcement Warn and was accepted'],
  PolicyAudited: ['Warning', 'a change violated a policy with enforcement Audit and was accepted'],
  PlanChanged: ['Normal', 'the number of steps changed during a release; the message says at which step it continues'],
  StepStarted: ['Normal', 'the Pods of a step are being replaced; it may report that the step before has completed'],
  AnalysisOverridden: [
    'Warning',
    'a release goes on although a check is Worse; the message contains the users who approved it',
  ],
  StepCompleted: ['Normal', 'all Pods of a step are available; the release waits'],
  ReleasePaused: [
    'Normal',
    'spec.strategy.paused of the Rollout, or the workload itself (such as spec.paused of a Deployment), paused the release',
  ],
  ReleaseResumed: ['Normal', 'the release continues after a pause'],
  ReleaseCompleted: ['Normal', 'all Pods run the new template; Tranche restored the settings of the workload'],
  RolledBack: ['Normal', 'the stable template was restored; the controller of the workload rolls back'],
  Restored: [
    'Normal',
    'a version that was completed before was restored without steps, by the controller of the workload',
  ],
  ReleaseEnded: [
    'Normal',
    'the Rollout was disabled or deleted during a release; the settings of the workload were restored',
  ],
  TrafficShifted: ['Normal', 'the proxies give the new version the requests of the step'],
  TrafficRetreated: [
    'Warning',
    'the Service of a version has no ready endpoint any more: the route sends it no requests until it has one',
  ],
  Recovered: ['Normal', 'the Pods that stalled a step are available'],
  PodEvicted: ['Normal', 'a Pod was evicted, so that its controller creates it with another version'],
  EvictionRefused: [
    'Warning',
    'the API server refuses to evict a Pod, for example because of a PodDisruptionBudget; the operator tries again',
  ],
  Trimmed: [
    'Normal',
    'after scaling there were too many Pods of the new version; some were replaced by Pods of the old version',
  ],
  Advice: ['Warning', 'what the steps mean for a workload that did not exist when the Rollout was created'],
  Stalled: ['Warning', 'a release cannot start or continue; the message contains the reason'],
  FailureRollback: ['Warning', 'a step failed and onFailure is Rollback: the stable template was restored'],
  Bypassed: ['Warning', 'a change of the template or of the hold bypassed the webhook'],
  CreatedDuringRelease: [
    'Warning',
    'more Pods than the step asks for have the new version, because they were created during the release',
  ],
  TrimRefused: ['Warning', 'a correction of ReplicaSet sizes was reverted; the operator does not try again'],
  WriteRefused: ['Warning', 'the API server refuses a write of the operator; the operator tries again'],
  HoldReleased: [
    'Warning',
    'a workload was held without a release, for example after its Rollout was deleted; its settings were restored',
  ],
} as const satisfies Record<string, readonly ['Normal' | 'Warning', string]>;

export type EventReason = keyof typeof EVENTS;

/** Normal events that the workload gets too: the start and the end of a release. */
const ENDS: ReadonlySet<EventReason> = new Set([
  'ReleaseStarted',
  'TakenOver',
  'ReleaseSuperseded',
  'ReleaseCompleted',
  'RolledBack',
  'Restored',
  'ReleaseEnded',
]);

/** True if the event is also recorded on the workload: warnings, and the start and the end of a release. Each event is a write. */
export const concernsWorkload = (reason: EventReason): boolean => EVENTS[reason][0] === 'Warning' || ENDS.has(reason);

/** Reasons of the condition `Progressing`. */
export type ProgressingReason = 'InRolling' | 'Paused' | 'Finalising' | 'Cancelling' | 'Completed';

/** Reasons of the condition `Stalled` with status True. */
export type StalledReason =
  /** Pods of the new version crash, cannot start, or cannot be scheduled. */
  | 'PodsFailing'
  /** A check has shown that the new version is worse. */
  | 'AnalysisFailed'
  /** A check has had no data for half an hour. */
  | 'AnalysisUnknown'
  /** Pods of the new version were not available within stepDeadlineSeconds. */
  | 'StepDeadlineExceeded'
  /** The Deployment's strategy is Recreate, so two versions cannot run at the same time. */
  | 'RecreateStrategy'
  /** The updateStrategy of the StatefulSet or DaemonSet is OnDelete, so its controller does not replace Pods. */
  | 'OnDeleteStrategy'
  /** The update strategy of a workload of OpenKruise has a setting with which the release could not be completed. */
  | 'UnsupportedStrategy'
  /** The kind of the workload is not served or not enabled, or cannot be read. */
  | 'KindNotServed'
  /** OpenKruise Rollouts left the workload during a release. The release must be taken over first. */
  | 'LeftByOpenKruise'
  /** The stable template is not found in a ReplicaSet or ControllerRevision, or in its copy, so a rollback is not possible. */
  | 'StableUnknown'
  /** The route, its Service or the Services of the versions are missing, belong to somebody else or to an older Rollout, or cannot be read. */
  | 'TrafficBlocked'
  /** An older Rollout names the same workload. */
  | 'WorkloadTaken'
  /** `spec.workloadRef.name` is not a valid name. */
  | 'InvalidWorkloadRef'
  /** The webhooks do not select the namespace, so workloads there cannot be held. */
  | 'NotReached'
  /** The workload does not exist. */
  | 'WorkloadNotFound';

/** `status.history[].outcome`. */
export type Outcome =
  | 'Completed'
  | 'RolledBack'
  | 'Restored'
  | 'Failed'
  | 'Superseded'
  | 'Bypassed'
  | 'Disabled'
  | 'Deleted'
  | 'WorkloadGone';
