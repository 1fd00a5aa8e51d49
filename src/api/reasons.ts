// All reasons of events and conditions, with their meanings (docs/status.md).

/** Events on a Rollout and on its Deployment: the type and the meaning of each reason. */
export const EVENTS = {
  Enrolled: ['Normal', 'the Deployment got the label that makes the webhook intercept its changes'],
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
  StepStarted: ['Normal', 'the Pods of a step are being replaced'],
  StepCompleted: ['Normal', 'all Pods of a step are available; the release waits or continues'],
  ReleasePaused: ['Normal', 'spec.strategy.paused of the Rollout or spec.paused of the Deployment paused the release'],
  ReleaseResumed: ['Normal', 'the release continues after a pause'],
  ReleaseCompleted: ['Normal', 'all Pods run the new template; Tranche restored the settings of the Deployment'],
  RolledBack: ['Normal', 'the stable template was restored; the Deployment controller rolls back'],
  ReleaseEnded: [
    'Normal',
    'the Rollout was disabled or deleted during a release; the settings of the Deployment were restored',
  ],
  Recovered: ['Normal', 'the Pods that stalled a step are available'],
  Trimmed: [
    'Normal',
    'after scaling there were too many Pods of the new version; some were replaced by Pods of the old version',
  ],
  Advice: ['Warning', 'what the steps mean for a Deployment that did not exist when the Rollout was created'],
  Stalled: ['Warning', 'a release cannot start or continue; the message contains the reason'],
  FailureRollback: ['Warning', 'a step failed and onFailure is Rollback: the stable template was restored'],
  Bypassed: ['Warning', 'a change of the template or of the hold bypassed the webhook'],
  TrimRefused: ['Warning', 'a correction of ReplicaSet sizes was reverted; the operator does not try again'],
  WriteRefused: ['Warning', 'the API server refuses a write of the operator; the operator tries again'],
  HoldReleased: [
    'Warning',
    'a Deployment was held without a release, for example after its Rollout was deleted; its settings were restored',
  ],
} as const satisfies Record<string, readonly ['Normal' | 'Warning', string]>;

export type EventReason = keyof typeof EVENTS;

/** Reasons of the condition `Progressing`. */
export type ProgressingReason = 'InRolling' | 'Paused' | 'Finalising' | 'Cancelling' | 'Completed';

/** Reasons of the condition `Stalled` with status True. */
export type StalledReason =
  /** Pods of the new version crash, cannot start, or cannot be scheduled. */
  | 'PodsFailing'
  /** Pods of the new version were not available within stepDeadlineSeconds. */
  | 'StepDeadlineExceeded'
  /** The Deployment's strategy is Recreate, so two versions cannot run at the same time. */
  | 'RecreateStrategy'
  /** The updateStrategy of the StatefulSet is OnDelete, so its controller does not replace Pods. */
  | 'OnDeleteStrategy'
  /** OpenKruise Rollouts left the Deployment during a release. The release must be taken over first. */
  | 'LeftByOpenKruise'
  /** The stable template is not found in a ReplicaSet or in its copy, so a rollback is not possible. */
  | 'StableUnknown'
  /** An older Rollout names the same Deployment. */
  | 'WorkloadTaken'
  /** `spec.workloadRef.name` is not a valid name. */
  | 'InvalidWorkloadRef'
  /** The webhooks do not select the namespace, so Deployments there cannot be held. */
  | 'NotReached'
  /** The Deployment does not exist. */
  | 'WorkloadNotFound';

/** `status.history[].outcome`. */
export type Outcome =
  'Completed' | 'RolledBack' | 'Failed' | 'Superseded' | 'Bypassed' | 'Disabled' | 'Deleted' | 'WorkloadGone';
