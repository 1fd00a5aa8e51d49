// Every reason we write into an event or a condition, and what it tells its reader (docs/status.md).

/** Reasons of events on the Rollout and on its Deployment: [type, meaning]. */
export const EVENTS = {
  Enrolled: ['Normal', 'the Deployment got the label by which its changes are intercepted'],
  ReleaseStarted: ['Normal', 'a new template was held and goes through the steps'],
  TakenOver: ['Normal', 'a release that OpenKruise Rollouts had begun goes on at its step'],
  ReleaseSuperseded: ['Normal', 'a newer template came during a release; it starts again at step 1'],
  PolicyBlocked: ['Normal', 'a policy does not let the next step begin now'],
  Approved: ['Normal', 'a step was approved; the message says by whom'],
  GlassBroken: ['Warning', 'somebody went past a policy, and gave a reason'],
  PolicyDenied: ['Warning', 'a change was refused by a policy'],
  PolicyWarned: ['Warning', 'a change was let through against a policy that only warns'],
  PolicyAudited: ['Warning', 'a change was let through against a policy that only tells'],
  PlanChanged: ['Normal', 'the number of steps changed during a release; the message says where it goes on'],
  StepStarted: ['Normal', 'the Pods of a step are being replaced'],
  StepCompleted: ['Normal', 'all Pods of a step are available; the release waits, or goes on'],
  ReleasePaused: ['Normal', 'spec.strategy.paused, or the Deployment’s own paused, froze the release'],
  ReleaseResumed: ['Normal', 'the release goes on where it was frozen'],
  ReleaseCompleted: ['Normal', 'every Pod runs the new template; the Deployment is as its user wrote it'],
  RolledBack: ['Normal', 'the stable template was put back; the native controller rolled back at once'],
  ReleaseEnded: ['Normal', 'the Rollout was disabled or deleted during a release; the Deployment was given back'],
  Recovered: ['Normal', 'the Pods that stalled a step are available'],
  Trimmed: ['Normal', 'scaling had left too many Pods of the new version; some went back to the old one'],
  Advice: ['Warning', 'what the steps come to on a Deployment that admission did not know when the Rollout was made'],
  Stalled: ['Warning', 'a release cannot begin or go on; the message says why'],
  FailureRollback: ['Warning', 'a step failed and onFailure is Rollback: the stable template was put back'],
  Bypassed: ['Warning', 'a change of the template, or of the hold, was not seen by the webhook'],
  TrimRefused: ['Warning', 'a correction of the sizes did not last; it is not tried again'],
  WriteRefused: ['Warning', 'the API server refuses what the operator writes; it is tried again'],
  HoldReleased: [
    'Warning',
    'a Deployment was held although nothing is released (its Rollout is gone, or nothing runs): it was given back',
  ],
} as const satisfies Record<string, readonly ['Normal' | 'Warning', string]>;

export type EventReason = keyof typeof EVENTS;

/** Condition `Progressing`. */
export type ProgressingReason = 'InRolling' | 'Paused' | 'Finalising' | 'Cancelling' | 'Completed';

/** Condition `Stalled`, when True. */
export type StalledReason =
  /** Pods of the new version crash, cannot start, or cannot be scheduled. */
  | 'PodsFailing'
  /** Pods of the new version were not available within stepDeadlineSeconds. */
  | 'StepDeadlineExceeded'
  /** The Deployment's strategy is Recreate: two versions cannot run side by side. */
  | 'RecreateStrategy'
  /** The updateStrategy of the StatefulSet is OnDelete: its controller replaces no Pod by itself. */
  | 'OnDeleteStrategy'
  /** OpenKruise Rollouts has left the Deployment in the middle of a release: it is to be taken over first. */
  | 'LeftByOpenKruise'
  /** The template to go back to is nowhere: not in a ReplicaSet, and not in the copy that is kept of it. */
  | 'StableUnknown'
  /** An older Rollout names the same Deployment. */
  | 'WorkloadTaken'
  /** `spec.workloadRef.name` is a name that no object can have. */
  | 'InvalidWorkloadRef'
  /** The webhooks do not reach the namespace: nothing there can be held. */
  | 'NotReached'
  /** The Deployment does not exist. */
  | 'WorkloadNotFound';

/** `status.history[].outcome`. */
export type Outcome =
  'Completed' | 'RolledBack' | 'Failed' | 'Superseded' | 'Bypassed' | 'Disabled' | 'Deleted' | 'WorkloadGone';
