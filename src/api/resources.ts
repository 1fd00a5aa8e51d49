// The API resources that the program reads and writes.

/** A kind, and the name of its collection. */
export interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  /** True for a cluster-scoped kind. Absent for a namespaced one. */
  readonly cluster?: true;
}

const namespaced = (apiVersion: string, kind: string, plural: string): Resource => ({ apiVersion, kind, plural });
const cluster = (apiVersion: string, kind: string, plural: string): Resource => ({
  ...namespaced(apiVersion, kind, plural),
  cluster: true,
});

export const DEPLOYMENTS = namespaced('apps/v1', 'Deployment', 'deployments');
export const STATEFUL_SETS = namespaced('apps/v1', 'StatefulSet', 'statefulsets');
export const DAEMON_SETS = namespaced('apps/v1', 'DaemonSet', 'daemonsets');
/** The kinds of OpenKruise. Their CRDs may be absent. */
export const CLONE_SETS = namespaced('apps.kruise.io/v1alpha1', 'CloneSet', 'clonesets');
export const ADVANCED_STATEFUL_SETS = namespaced('apps.kruise.io/v1beta1', 'StatefulSet', 'statefulsets');
export const ADVANCED_DAEMON_SETS = namespaced('apps.kruise.io/v1alpha1', 'DaemonSet', 'daemonsets');
export const REPLICA_SETS = namespaced('apps/v1', 'ReplicaSet', 'replicasets');
export const CONTROLLER_REVISIONS = namespaced('apps/v1', 'ControllerRevision', 'controllerrevisions');
export const PODS = namespaced('v1', 'Pod', 'pods');
export const SERVICES = namespaced('v1', 'Service', 'services');
export const ENDPOINT_SLICES = namespaced('discovery.k8s.io/v1', 'EndpointSlice', 'endpointslices');
/** The kinds of the Gateway API. Their CRDs may be absent. */
export const HTTP_ROUTES = namespaced('gateway.networking.k8s.io/v1', 'HTTPRoute', 'httproutes');
export const GRPC_ROUTES = namespaced('gateway.networking.k8s.io/v1', 'GRPCRoute', 'grpcroutes');
export const SECRETS = namespaced('v1', 'Secret', 'secrets');
export const EVENTS = namespaced('v1', 'Event', 'events');
export const LEASES = namespaced('coordination.k8s.io/v1', 'Lease', 'leases');
export const ROLLOUTS = namespaced('rollouts.kruise.io/v1beta1', 'Rollout', 'rollouts');
export const TRAFFIC_ROUTINGS = namespaced('rollouts.kruise.io/v1alpha1', 'TrafficRouting', 'trafficroutings');
export const BATCH_RELEASES = namespaced('rollouts.kruise.io/v1beta1', 'BatchRelease', 'batchreleases');
export const POLICIES = cluster('tranche.dev/v1alpha1', 'ReleasePolicy', 'releasepolicies');
export const METRIC_SOURCES = cluster('tranche.dev/v1alpha1', 'MetricSource', 'metricsources');
/** Use of resources by Pods, from metrics-server. */
export const POD_METRICS = namespaced('metrics.k8s.io/v1beta1', 'PodMetrics', 'pods');
export const NAMESPACES = cluster('v1', 'Namespace', 'namespaces');
export const DEFINITIONS = cluster('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'customresourcedefinitions');
export const CLUSTER_ROLE_BINDINGS = cluster(
  'rbac.authorization.k8s.io/v1',
  'ClusterRoleBinding',
  'clusterrolebindings',
);
export const MUTATING = cluster(
  'admissionregistration.k8s.io/v1',
  'MutatingWebhookConfiguration',
  'mutatingwebhookconfigurations',
);
export const VALIDATING = cluster(
  'admissionregistration.k8s.io/v1',
  'ValidatingWebhookConfiguration',
  'validatingwebhookconfigurations',
);

/** The API group of an apiVersion. "" for the core group, and for a value that is no apiVersion. */
export const groupOf = (apiVersion: unknown): string =>
  typeof apiVersion === 'string' && apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';

/** The group of Kubernetes' own workloads. Their kinds need no group in names. */
const NATIVE = 'apps';

/** The name of a kind in keys, records and metrics: `StatefulSet`, or `StatefulSet.apps.kruise.io` for a kind of another group. */
export const kindName = ({ apiVersion, kind }: Pick<Resource, 'apiVersion' | 'kind'>): string =>
  [NATIVE, ''].includes(groupOf(apiVersion)) ? kind : `${kind}.${groupOf(apiVersion)}`;

/** The name of a resource: `statefulsets`, or `statefulsets.apps.kruise.io`. It is also the name of its CRD. */
export const resourceName = ({ apiVersion, plural }: Resource): string =>
  groupOf(apiVersion) === NATIVE ? plural : `${plural}.${groupOf(apiVersion)}`;

/** The resource as kubectl takes it: `statefulset`, or `statefulsets.apps.kruise.io`. */
export const argumentOf = (resource: Resource): string =>
  groupOf(resource.apiVersion) === NATIVE ? resource.kind.toLowerCase() : resourceName(resource);
