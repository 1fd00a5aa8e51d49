// The native kinds: one row each. Defaults, validation and columns are in the files next to this one.
import { resource, VERBS } from '../core/resources.ts';
import type { ResourceType } from '../core/types.ts';

const SCALE = { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' };
const READ_WRITE = VERBS.filter((verb) => verb !== 'deletecollection');

export function nativeTypes(): ResourceType[] {
  const apps = (kind: string, plural: string, more: Partial<ResourceType> = {}): ResourceType =>
    resource('apps', 'v1', kind, plural, { status: true, generation: true, categories: ['all'], ...more });
  const rbac = (kind: string, plural: string, namespaced: boolean): ResourceType =>
    resource('rbac.authorization.k8s.io', 'v1', kind, plural, { namespaced, createOnUpdate: true });
  return [
    resource('', 'v1', 'Namespace', 'namespaces', {
      namespaced: false,
      status: true,
      shortNames: ['ns'],
      verbs: READ_WRITE,
    }),
    resource('', 'v1', 'Node', 'nodes', { namespaced: false, status: true, shortNames: ['no'] }),
    resource('', 'v1', 'Pod', 'pods', { status: true, generation: true, shortNames: ['po'], categories: ['all'] }),
    resource('', 'v1', 'Service', 'services', { status: true, shortNames: ['svc'], categories: ['all'] }),
    resource('', 'v1', 'ConfigMap', 'configmaps', { shortNames: ['cm'] }),
    resource('', 'v1', 'Secret', 'secrets'),
    resource('', 'v1', 'ServiceAccount', 'serviceaccounts', { shortNames: ['sa'] }),
    resource('', 'v1', 'Endpoints', 'endpoints', { shortNames: ['ep'] }),
    resource('', 'v1', 'Event', 'events', { shortNames: ['ev'], garbageCollected: false }),
    apps('Deployment', 'deployments', { scale: SCALE, shortNames: ['deploy'], annotationsBumpGeneration: true }),
    apps('ReplicaSet', 'replicasets', { scale: SCALE, shortNames: ['rs'] }),
    apps('StatefulSet', 'statefulsets', { scale: SCALE, shortNames: ['sts'] }),
    apps('DaemonSet', 'daemonsets', { shortNames: ['ds'] }),
    resource('apps', 'v1', 'ControllerRevision', 'controllerrevisions'),
    resource('coordination.k8s.io', 'v1', 'Lease', 'leases', { createOnUpdate: true }),
    resource('discovery.k8s.io', 'v1', 'EndpointSlice', 'endpointslices', { generation: true }),
    resource('autoscaling', 'v2', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers', {
      status: true,
      shortNames: ['hpa'],
      categories: ['all'],
    }),
    resource('policy', 'v1', 'PodDisruptionBudget', 'poddisruptionbudgets', {
      status: true,
      generation: true,
      shortNames: ['pdb'],
    }),
    rbac('Role', 'roles', true),
    rbac('RoleBinding', 'rolebindings', true),
    rbac('ClusterRole', 'clusterroles', false),
    rbac('ClusterRoleBinding', 'clusterrolebindings', false),
  ];
}
