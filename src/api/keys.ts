// Every label, annotation, finalizer and field manager we read or write, in one place.

/** OpenKruise Rollouts' keys, kept so that its clients and habits work (docs/migrating-from-openkruise.md). */
export const GROUP = 'rollouts.kruise.io';
/** As kubectl takes it. The short names `rollout` and `rollouts` are those of Argo Rollouts where both CRDs are. */
export const ROLLOUT_RESOURCE = 'rollouts.rollouts.kruise.io';
/** Label on an enrolled Deployment; its value is `deployment`. Selects what the webhook intercepts and the operator watches. */
export const WORKLOAD_TYPE = 'rollouts.kruise.io/workload-type';
/** Annotation `{"rolloutName":"<name>"}` on a Deployment in a release. */
export const IN_PROGRESSING = 'rollouts.kruise.io/in-progressing';
/** Label on a Deployment in a release: pod-template-hash of the stable ReplicaSet. */
export const STABLE_REVISION = 'rollouts.kruise.io/stable-revision';
/** Id of the release: label on the Deployment (a user may set it as label or annotation) and on the Pods of a batch. */
export const ROLLOUT_ID = 'rollouts.kruise.io/rollout-id';
/** Label on the Pods of a batch: the 1-based number of the step that brought the Pod. */
export const ROLLOUT_BATCH_ID = 'rollouts.kruise.io/rollout-batch-id';
/** Annotation on a v1alpha1 Rollout: `partition` (this product) or `canary` (refused: not supported yet). */
export const ROLLING_STYLE = 'rollouts.kruise.io/rolling-style';
/** Annotation on a v1alpha1 Rollout naming a TrafficRouting (refused: not supported yet). */
export const TRAFFIC_ROUTING = 'rollouts.kruise.io/trafficrouting';
/** Annotation on the Rollout: digest of the step plan. */
export const PLAN_HASH = 'rollouts.kruise.io/hash';
/** Finalizer on a Rollout, so that a Deployment is never left held when its Rollout goes. */
export const ROLLOUT_FINALIZER = 'rollouts.kruise.io/rollout';

/** What OpenKruise's own controllers keep on a Deployment while they release it. We read them to take such a release over. */
/** Annotation, JSON: the rolling update that the user wrote, while the strategy itself is Recreate. */
export const KRUISE_STRATEGY = 'rollouts.kruise.io/deployment-strategy';
/** Annotation, JSON: Ready Pods of the new version, and Pods wanted. The one of these that we write as well: its tools read it. */
export const KRUISE_EXTRA_STATUS = 'rollouts.kruise.io/deployment-extra-status';
/** Annotation, JSON: the user's settings during a blue-green release. */
export const KRUISE_ORIGINAL_STRATEGY = 'rollouts.kruise.io/original-deployment-strategy';
/** Annotation, JSON: the BatchRelease that has claimed the Deployment. */
export const KRUISE_CONTROL_INFO = 'batchrelease.rollouts.kruise.io/control-info';
/** Label: its own Deployment controller resizes the ReplicaSets. */
export const KRUISE_ADVANCED = 'rollouts.kruise.io/controlled-by-advanced-deployment-controller';
/** Label on the extra Deployment of a canary release: the name of the Deployment that is released. */
export const KRUISE_CANARY = 'rollouts.kruise.io/canary-deployment';
/** Finalizer on a BatchRelease. */
export const KRUISE_BATCH_FINALIZER = 'rollouts.kruise.io/batch-release-finalizer';

/** Our own keys. */
export const OWN_GROUP = 'tranche.dev';
/** Annotation on a held Deployment: JSON {@link import('./types.ts').Held}, the user's settings and the stable template's digest. */
export const HELD = 'tranche.dev/held';
/** Annotation on a held Deployment: the merge patch that gives it back as its user wrote it, for when nothing of ours is alive. */
export const GIVE_BACK = 'tranche.dev/give-back';
/** Label on the ControllerRevision that keeps the stable template during a release: the Deployment's name, as far as a label can hold it. */
export const STABLE_OF = 'tranche.dev/stable-of';
/**
 * Annotation on a Deployment, from its hold until they own them again: JSON of the field managers that owned what we borrow. Only the
 * webhook and the operator write it; a lie in it gives away no more than an edit of metadata.managedFields does.
 */
export const FIELD_OWNERS = 'tranche.dev/field-owners';
/** Annotation on a Deployment: who changed the template (the review's username), stamped by the webhook. */
export const CHANGED_BY = 'tranche.dev/changed-by';
/** Annotation on a Rollout: `Release` (default) | `Batches` | `Native`: what `kubectl rollout restart` does. */
export const ON_RESTART = 'tranche.dev/on-restart';
/** Annotation on a Rollout: `Finish` (default) | `Rollback`: what deleting it in the middle of a release does. */
export const ON_DELETE = 'tranche.dev/on-delete';
/** Annotation on a change: reason for going past policy. The webhook takes it off again: it is good for one change. */
export const BREAK_GLASS = 'tranche.dev/break-glass';
/** Annotation that only the webhook writes: JSON {@link import('./policy.ts').BrokenGlass}, who went past policy and why. */
export const GLASS_BROKEN = 'tranche.dev/glass-broken';
/** Annotation on a Rollout that only the webhook writes: JSON of the approval that an edit of a waiting step's pause is. */
export const APPROVED = 'tranche.dev/approved';
/** Annotation on a Rollout that only the webhook writes: JSON {@link import('./policy.ts').PlanChange}, who changed its plan in the middle of a release. */
export const PLAN_CHANGED = 'tranche.dev/plan-changed';
/** Annotation on a change that only users write: W3C traceparent of the span, in a pipeline for example, that the release is a child of. */
export const TRACEPARENT = 'tranche.dev/traceparent';
/** Annotation on a Deployment whose new template the API server itself paused, with nobody of ours there. */
export const PAUSED_UNSEEN = 'tranche.dev/paused-unseen';
/** Annotation on a ReplicaSet we trimmed: `<generation of the Deployment>/<updated Pods meant>`, so that it is not tried twice. */
export const TRIM = 'tranche.dev/trim';
/** Annotation on a converted Rollout: JSON of what the other version cannot say. */
export const CONVERSION = 'tranche.dev/conversion';

/** Kubernetes' own. */
/** Kubernetes' label on Pods of StatefulSets and DaemonSets: the name of their ControllerRevision. */
export const CONTROLLER_REVISION_HASH = 'controller-revision-hash';
export const POD_TEMPLATE_HASH = 'pod-template-hash';
export const REVISION = 'deployment.kubernetes.io/revision';
export const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
export const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';
export const RESTARTED_AT = 'kubectl.kubernetes.io/restartedAt';

/** Field manager and User-Agent product of the operator. */
export const FIELD_MANAGER = 'tranche';

/** `minReadySeconds` of a Deployment or ReplicaSet whose Pods the native controller must not call available. */
export const MARK_MIN_READY_SECONDS = 2147483646;
/** `progressDeadlineSeconds` that goes with it (it must exceed minReadySeconds). */
export const MARK_PROGRESS_DEADLINE_SECONDS = 2147483647;
