// The native kinds with a schema, and the packages of their types: input of the generator.

/** An API group version: the package of its types, and its kinds (with all types that they refer to). */
export interface Root {
  group: string;
  version: string;
  /** Prefix of the definition names, as in Kubernetes' OpenAPI. */
  package: string;
  kinds: string[];
}

const api = (group: string, version: string, directory: string, kinds: string): Root => ({
  group,
  version,
  package: `io.k8s.api.${directory}.${version}`,
  kinds: kinds.split(' '),
});

/** Core first: a type in several groups belongs to the first one. */
export const roots: Root[] = [
  {
    group: '',
    version: 'v1',
    package: 'io.k8s.apimachinery.pkg.apis.meta.v1',
    kinds: ['Status', 'DeleteOptions', 'APIGroup', 'APIGroupList', 'APIResourceList', 'APIVersions', 'Condition'],
  },
  api(
    '',
    'v1',
    'core',
    'Pod PodTemplate ReplicationController Service Endpoints ConfigMap Secret ServiceAccount Event Node Namespace PersistentVolume PersistentVolumeClaim ResourceQuota LimitRange Binding TopologySelectorTerm',
  ),
  api('apps', 'v1', 'apps', 'Deployment ReplicaSet StatefulSet DaemonSet ControllerRevision'),
  api('batch', 'v1', 'batch', 'Job CronJob'),
  api('autoscaling', 'v1', 'autoscaling', 'Scale HorizontalPodAutoscaler'),
  api('autoscaling', 'v2', 'autoscaling', 'HorizontalPodAutoscaler'),
  api('policy', 'v1', 'policy', 'PodDisruptionBudget Eviction'),
  api('networking.k8s.io', 'v1', 'networking', 'Ingress IngressClass NetworkPolicy'),
  api('rbac.authorization.k8s.io', 'v1', 'rbac', 'Role RoleBinding ClusterRole ClusterRoleBinding'),
  api('coordination.k8s.io', 'v1', 'coordination', 'Lease'),
  api('discovery.k8s.io', 'v1', 'discovery', 'EndpointSlice'),
  api('events.k8s.io', 'v1', 'events', 'Event'),
  api('scheduling.k8s.io', 'v1', 'scheduling', 'PriorityClass'),
  api('storage.k8s.io', 'v1', 'storage', 'StorageClass'),
  api('authentication.k8s.io', 'v1', 'authentication', 'TokenRequest TokenReview SelfSubjectReview'),
  api(
    'authorization.k8s.io',
    'v1',
    'authorization',
    'SubjectAccessReview LocalSubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview',
  ),
  api(
    'admissionregistration.k8s.io',
    'v1',
    'admissionregistration',
    'MutatingWebhookConfiguration ValidatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding MutatingAdmissionPolicy MutatingAdmissionPolicyBinding',
  ),
  {
    group: 'apiextensions.k8s.io',
    version: 'v1',
    package: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1',
    kinds: ['CustomResourceDefinition'],
  },
  {
    group: 'apiregistration.k8s.io',
    version: 'v1',
    package: 'io.k8s.kube-aggregator.pkg.apis.apiregistration.v1',
    kinds: ['APIService'],
  },
];

/** Types of meta/v1 that other types refer to, without package. */
export const metaTypes =
  'ObjectMeta ListMeta ShardInfo OwnerReference ManagedFieldsEntry LabelSelector LabelSelectorRequirement FieldSelectorRequirement Status StatusCause StatusDetails DeleteOptions Preconditions Condition APIResource APIResourceList APIGroup APIGroupList APIVersions GroupVersionForDiscovery ServerAddressByClientCIDR'.split(
    ' ',
  );
