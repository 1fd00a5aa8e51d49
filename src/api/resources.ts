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
export const REPLICA_SETS = namespaced('apps/v1', 'ReplicaSet', 'replicasets');
export const CONTROLLER_REVISIONS = namespaced('apps/v1', 'ControllerRevision', 'controllerrevisions');
export const PODS = namespaced('v1', 'Pod', 'pods');
export const SERVICES = namespaced('v1', 'Service', 'services');
export const SECRETS = namespaced('v1', 'Secret', 'secrets');
export const EVENTS = namespaced('v1', 'Event', 'events');
export const LEASES = namespaced('coordination.k8s.io/v1', 'Lease', 'leases');
export const ROLLOUTS = namespaced('rollouts.kruise.io/v1beta1', 'Rollout', 'rollouts');
export const BATCH_RELEASES = namespaced('rollouts.kruise.io/v1beta1', 'BatchRelease', 'batchreleases');
export const POLICIES = cluster('tranche.dev/v1alpha1', 'ReleasePolicy', 'releasepolicies');
export const NAMESPACES = cluster('v1', 'Namespace', 'namespaces');
export const DEFINITIONS = cluster('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'customresourcedefinitions');
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
