// All labels, annotations, finalizers and field managers that the program reads or writes.

/** The keys of OpenKruise Rollouts, which its clients use (docs/migrating-from-openkruise.md). */
export const GROUP = 'rollouts.kruise.io';
/** The resource name for kubectl. If the CRD of Argo Rollouts is installed too, the short name `rollouts` may mean that one. */
export const ROLLOUT_RESOURCE = 'rollouts.rollouts.kruise.io';
/** Label on an enrolled workload; its value is the kind, such as `deployment`. The webhook and the operator select workloads by it. */
export const WORKLOAD_TYPE = 'rollouts.kruise.io/workload-type';
/** Annotation `{"rolloutName":"<name>"}` on a workload in a release. */
export const IN_PROGRESSING = 'rollouts.kruise.io/in-progressing';
/** Label on a workload in a release: the revision of its stable version, such as the pod-template-hash of a ReplicaSet. */
export const STABLE_REVISION = 'rollouts.kruise.io/stable-revision';
/** Id of the release: a label on the workload and on the Pods of a batch. Users may set it as a label or annotation on the workload. */
export const ROLLOUT_ID = 'rollouts.kruise.io/rollout-id';
/** Label on the Pods of a batch: the number of the step that created the Pod, from 1. */
export const ROLLOUT_BATCH_ID = 'rollouts.kruise.io/rollout-batch-id';
/** Annotation on a v1alpha1 Rollout: `partition`, or `canary` (refused: not supported). */
export const ROLLING_STYLE = 'rollouts.kruise.io/rolling-style';
/** Annotation on a Rollout: name of a TrafficRouting. Finalizer on a TrafficRouting while it changes a route. */
export const TRAFFIC_ROUTING = 'rollouts.kruise.io/trafficrouting';
/** Prefix of finalizers on a TrafficRouting, one for each Rollout that names it and has a release in progress. */
export const PROGRESSING_ROLLOUT = 'progressing.rollouts.kruise.io/';
/** Annotation on the Rollout: digest of the step plan. */
export const PLAN_HASH = 'rollouts.kruise.io/hash';
/** Finalizer on a Rollout, so that its workload is given back before the Rollout is deleted. */
export const ROLLOUT_FINALIZER = 'rollouts.kruise.io/rollout';

/** Keys that OpenKruise's controllers set on a Deployment during a release. The program reads them to take the release over. */
/** Annotation, JSON: the rolling update that the user wrote, while the strategy itself is Recreate. */
export const KRUISE_STRATEGY = 'rollouts.kruise.io/deployment-strategy';
/** Annotation, JSON: Ready Pods of the new version, and desired Pods. The program also writes it, because OpenKruise's tools read it. */
export const KRUISE_EXTRA_STATUS = 'rollouts.kruise.io/deployment-extra-status';
/** Annotation, JSON: the user's settings during a blue-green release. */
export const KRUISE_ORIGINAL_STRATEGY = 'rollouts.kruise.io/original-deployment-strategy';
/** Annotation, JSON: the BatchRelease that controls the workload. */
export const KRUISE_CONTROL_INFO = 'batchrelease.rollouts.kruise.io/control-info';
/** Annotations on a DaemonSet: its versions, the Pods that keep the old one, and the type of the update strategy, which is OnDelete meanwhile. */
export const KRUISE_DAEMON_REVISION = 'rollouts.kruise.io/daemonset-revision';
export const KRUISE_DAEMON_CONTROL = 'rollouts.kruise.io/daemonset-advanced-control';
export const KRUISE_DAEMON_STRATEGY = 'rollouts.kruise.io/daemonset-original-update-strategy';
/** Label: OpenKruise's advanced Deployment controller scales the ReplicaSets. */
export const KRUISE_ADVANCED = 'rollouts.kruise.io/controlled-by-advanced-deployment-controller';
/** Label on the extra Deployment of a canary release: the name of the Deployment that is released. */
export const KRUISE_CANARY = 'rollouts.kruise.io/canary-deployment';
/** Annotation on a Pod, JSON: the last update in place. Its `updateTimestamp` is when it began, in RFC 3339. OpenKruise's workload controllers write it. */
export const KRUISE_IN_PLACE = 'apps.kruise.io/inplace-update-state';
/** Finalizer on a BatchRelease. */
export const KRUISE_BATCH_FINALIZER = 'rollouts.kruise.io/batch-release-finalizer';

/** The keys of Tranche. */
export const OWN_GROUP = 'tranche.dev';
/** Annotation on a held workload: JSON, of a Deployment {@link import('./types.ts').Held}, the user's settings and the digest of the stable template. */
export const HELD = 'tranche.dev/held';
/**
 * Label on a held Deployment: the part of the record that each batch changes, `surge-30pct.unavailable-25pct.at-1796066000` (the budget, and the Unix
 * time of the last grant). The Deployment controller copies annotations to the new ReplicaSet with a write of its own, and no labels.
 */
export const BUDGET = 'tranche.dev/budget';
/**
 * Label on a route that carries legs of a release, and on the Services of these legs: the Rollout's name, truncated to the length of a label. Such a
 * route has the annotation tranche.dev/held too: JSON {@link import('../engine/traffic/split.ts').RouteRecord}. Annotation on a held workload while
 * routes treat its versions differently: `Apart` or `Shared`.
 */
export const TRAFFIC = 'tranche.dev/traffic';
/** Annotation on a held workload: a merge patch that gives it back as its user wrote it, for use when Tranche does not run. */
export const GIVE_BACK = 'tranche.dev/give-back';
/** Label on the ControllerRevision that keeps the stable template during a release: the workload's name, truncated to the length of a label. */
export const STABLE_OF = 'tranche.dev/stable-of';
/**
 * Annotation on a workload, JSON: the field managers that owned the borrowed fields before the hold, until they own them again. Only the
 * webhook and the operator write it. A forged value has no more effect than an edit of metadata.managedFields.
 */
export const FIELD_OWNERS = 'tranche.dev/field-owners';
/** Annotation on a workload: the user who changed the template. The webhook sets it from the username of the review. */
export const CHANGED_BY = 'tranche.dev/changed-by';
/** Annotation on a Rollout: `Release` (default) | `Batches` | `Native`: the effect of `kubectl rollout restart`. */
export const ON_RESTART = 'tranche.dev/on-restart';
/** Annotation on a Rollout: `Finish` (default) | `Rollback`: the effect of deleting it during a release. */
export const ON_DELETE = 'tranche.dev/on-delete';
/** Annotation on a change: the reason for breaking the glass of a policy. It is valid for one change: the webhook removes it. */
export const BREAK_GLASS = 'tranche.dev/break-glass';
/** Annotation that only the webhook writes: JSON {@link import('./policy.ts').BrokenGlass}, the user and the reason. */
export const GLASS_BROKEN = 'tranche.dev/glass-broken';
/** Annotation on a Rollout that only the webhook writes: JSON of an approval that was given by an edit of a waiting step's pause. */
export const APPROVED = 'tranche.dev/approved';
/** Annotation on a Rollout that only the webhook writes: JSON {@link import('./policy.ts').PlanChange}, the users who changed its plan during a release. */
export const PLAN_CHANGED = 'tranche.dev/plan-changed';
/** Annotation on a change that only users write: W3C traceparent of the parent span of the release, for example of a pipeline. */
export const TRACEPARENT = 'tranche.dev/traceparent';
/** Annotation on a Deployment whose new template was paused by the MutatingAdmissionPolicy, while no webhook answered. */
export const PAUSED_UNSEEN = 'tranche.dev/paused-unseen';
/** Annotation on a trimmed ReplicaSet: `<generation of the Deployment>/<desired updated Pods>`. It prevents a second attempt. */
export const TRIM = 'tranche.dev/trim';
/** Annotation on a converted Rollout: JSON of the fields that the other version cannot express. */
export const CONVERSION = 'tranche.dev/conversion';

/** Label `true` on a ClusterRole: the operator gets its rules too, to read the objects of the check `condition`. */
export const AGGREGATE_TO_CONDITIONS = 'tranche.dev/aggregate-to-conditions';
/** Folder of the tokens that the chart mounts for MetricSources. Who writes a MetricSource must not be able to send other files somewhere. */
export const TOKEN_FOLDER = '/var/run/secrets/tranche.dev/';

/** Keys of Kubernetes. */
/** Labels on EndpointSlices: the name of the Service, and what made them. */
export const SERVICE_NAME = 'kubernetes.io/service-name';
export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
/** Kubernetes' label on Pods of StatefulSets and DaemonSets: the name of their ControllerRevision. */
export const CONTROLLER_REVISION_HASH = 'controller-revision-hash';
export const POD_TEMPLATE_HASH = 'pod-template-hash';
export const REVISION = 'deployment.kubernetes.io/revision';
export const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
export const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';
export const RESTARTED_AT = 'kubectl.kubernetes.io/restartedAt';

/** Field manager and User-Agent product of the operator. */
export const FIELD_MANAGER = 'tranche';

/** `minReadySeconds` of a Deployment or ReplicaSet whose Pods the native controller must not count as available. */
export const MARK_MIN_READY_SECONDS = 2147483646;
/** `progressDeadlineSeconds` of the same object. It must be greater than minReadySeconds. */
export const MARK_PROGRESS_DEADLINE_SECONDS = 2147483647;
