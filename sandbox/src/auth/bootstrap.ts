// The default roles and bindings of a cluster that users and controllers of the sandbox need.
import type { KubeObject } from '../core/types.ts';
import { RBAC } from './rbac.ts';
import type { PolicyRule } from './rules.ts';

const API_VERSION = `${RBAC}/v1`;
const READ = 'get list watch';
const WRITE = 'create delete deletecollection patch update';
const ALL = `${READ} ${WRITE}`;

const words = (text: string): string[] => (text === '' ? [''] : text.split(' '));
/** `core` is the group without a name. */
const rule = (verbs: string, groups: string, resources: string): PolicyRule => ({
  verbs: words(verbs),
  apiGroups: words(groups).map((group) => (group === 'core' ? '' : group)),
  resources: words(resources),
});
const urls = (paths: string): PolicyRule => ({ verbs: ['get'], nonResourceURLs: words(paths) });

const HEALTH = '/healthz /livez /readyz /version /version/';
const WORKLOADS =
  'deployments deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale daemonsets';
const EVENTS = rule('create patch update', 'core events.k8s.io', 'events');

const aggregate = (target: string): Record<string, string> => ({ [`${RBAC}/aggregate-to-${target}`]: 'true' });

interface RoleRow {
  rules: PolicyRule[];
  labels?: Record<string, string>;
  /** Collects the rules of roles with this label. */
  gathers?: string;
}

const ROLES: Record<string, RoleRow> = {
  'cluster-admin': { rules: [rule('*', '*', '*'), { verbs: ['*'], nonResourceURLs: ['*'] }] },
  admin: { rules: [], gathers: 'admin' },
  edit: { rules: [], gathers: 'edit', labels: aggregate('admin') },
  view: { rules: [], gathers: 'view', labels: aggregate('edit') },
  'system:aggregate-to-admin': {
    labels: aggregate('admin'),
    rules: [rule('create', 'authorization.k8s.io', 'localsubjectaccessreviews'), rule(ALL, RBAC, 'rolebindings roles')],
  },
  'system:aggregate-to-edit': {
    labels: aggregate('edit'),
    rules: [
      rule(READ, 'core', 'pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy'),
      rule('impersonate', 'core', 'serviceaccounts'),
      rule(WRITE, 'core', 'pods pods/attach pods/exec pods/portforward pods/proxy'),
      rule('create', 'core', 'pods/eviction'),
      rule(
        WRITE,
        'core',
        'configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy',
      ),
      rule('create', 'core', 'serviceaccounts/token'),
      rule(WRITE, 'apps', `${WORKLOADS} deployments/rollback`),
      rule(WRITE, 'autoscaling', 'horizontalpodautoscalers'),
      rule(WRITE, 'batch', 'cronjobs jobs'),
      rule(WRITE, 'policy', 'poddisruptionbudgets'),
      rule(WRITE, 'networking.k8s.io', 'ingresses networkpolicies'),
      rule(ALL, 'coordination.k8s.io', 'leases'),
    ],
  },
  'system:aggregate-to-view': {
    labels: aggregate('view'),
    rules: [
      rule(
        READ,
        'core',
        'configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status',
      ),
      rule(
        READ,
        'core',
        'bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status',
      ),
      rule(READ, 'core', 'namespaces'),
      rule(READ, 'discovery.k8s.io', 'endpointslices'),
      rule(
        READ,
        'apps',
        `controllerrevisions ${WORKLOADS} daemonsets/status deployments/status replicasets/status statefulsets/status`,
      ),
      rule(READ, 'autoscaling', 'horizontalpodautoscalers horizontalpodautoscalers/status'),
      rule(READ, 'batch', 'cronjobs cronjobs/status jobs jobs/status'),
      rule(READ, 'policy', 'poddisruptionbudgets poddisruptionbudgets/status'),
      rule(READ, 'networking.k8s.io', 'ingresses ingresses/status networkpolicies'),
    ],
  },
  'system:basic-user': {
    rules: [
      rule('create', 'authorization.k8s.io', 'selfsubjectaccessreviews selfsubjectrulesreviews'),
      rule('create', 'authentication.k8s.io', 'selfsubjectreviews'),
    ],
  },
  'system:discovery': { rules: [urls(`/api /api/* /apis /apis/* /openapi /openapi/* ${HEALTH}`)] },
  'system:public-info-viewer': { rules: [urls(HEALTH)] },
  'system:monitoring': {
    rules: [urls('/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*')],
  },
  'system:auth-delegator': {
    rules: [
      rule('create', 'authentication.k8s.io', 'tokenreviews'),
      rule('create', 'authorization.k8s.io', 'subjectaccessreviews'),
    ],
  },
  'system:kube-scheduler': {
    rules: [
      EVENTS,
      rule('create get list update watch', 'coordination.k8s.io', 'leases'),
      rule(READ, 'core', 'nodes namespaces persistentvolumeclaims persistentvolumes replicationcontrollers services'),
      rule('delete get list watch', 'core', 'pods'),
      rule('create', 'core', 'bindings pods/binding'),
      rule('patch update', 'core', 'pods/status'),
      rule(READ, 'apps', 'replicasets statefulsets'),
      rule(READ, 'policy', 'poddisruptionbudgets'),
    ],
  },
  'system:node': {
    rules: [
      EVENTS,
      rule(READ, 'core', 'configmaps nodes persistentvolumeclaims persistentvolumes pods secrets services'),
      rule('create patch update', 'core', 'nodes nodes/status'),
      rule('create delete', 'core', 'pods'),
      rule('patch update', 'core', 'pods/status'),
      rule('create', 'core', 'pods/eviction serviceaccounts/token'),
      rule('create delete get patch update', 'coordination.k8s.io', 'leases'),
    ],
  },
};

/** The rules for the controllers of kube-controller-manager. Each runs as a service account in kube-system. */
const CONTROLLERS: Record<string, PolicyRule[]> = {
  'clusterrole-aggregation-controller': [rule('escalate get list patch update watch', RBAC, 'clusterroles')],
  'daemon-set-controller': [
    rule(READ, 'apps extensions', 'daemonsets'),
    rule('update', 'apps extensions', 'daemonsets/status'),
    rule('update', 'apps extensions', 'daemonsets/finalizers'),
    rule('list watch', 'core', 'nodes'),
    rule('create delete list patch watch', 'core', 'pods'),
    rule('create', 'core', 'pods/binding'),
    rule('create delete get list patch update watch', 'apps', 'controllerrevisions'),
    EVENTS,
  ],
  'deployment-controller': [
    rule('get list update watch', 'apps extensions', 'deployments'),
    rule('update', 'apps extensions', 'deployments/status'),
    rule('update', 'apps extensions', 'deployments/finalizers'),
    rule('create delete get list patch update watch', 'apps extensions', 'replicasets'),
    rule('get list update watch', 'core', 'pods'),
    EVENTS,
  ],
  'disruption-controller': [
    rule(READ, 'apps extensions', 'deployments replicasets'),
    rule(READ, 'core', 'replicationcontrollers'),
    rule(READ, 'policy', 'poddisruptionbudgets'),
    rule(READ, 'apps', 'statefulsets'),
    rule('update', 'policy', 'poddisruptionbudgets/status'),
    rule('get list watch', 'core', 'pods'),
    rule('patch update', 'core', 'pods/status'),
    rule('get', '*', '*/scale'),
    EVENTS,
  ],
  'endpoint-controller': [
    rule(READ, 'core', 'pods services'),
    rule('create delete get list update', 'core', 'endpoints'),
    rule('create', 'core', 'endpoints/restricted'),
    EVENTS,
  ],
  'endpointslice-controller': [
    rule(READ, 'core', 'nodes pods services'),
    rule('update', 'core', 'services/finalizers'),
    rule('create delete get list update', 'discovery.k8s.io', 'endpointslices'),
    rule('create', 'discovery.k8s.io', 'endpointslices/restricted'),
    EVENTS,
  ],
  'generic-garbage-collector': [rule('delete get list patch update watch', '*', '*')],
  'horizontal-pod-autoscaler': [
    rule(READ, 'autoscaling', 'horizontalpodautoscalers'),
    rule('update', 'autoscaling', 'horizontalpodautoscalers/status'),
    rule('get update', '*', '*/scale'),
    rule('list', 'core', 'pods'),
    rule('list get', 'metrics.k8s.io', 'pods'),
    EVENTS,
  ],
  'namespace-controller': [
    rule('delete get list update watch', 'core', 'namespaces'),
    rule('update', 'core', 'namespaces/finalize namespaces/status'),
    rule('delete deletecollection get list', '*', '*'),
  ],
  'node-controller': [
    rule('delete get list patch update watch', 'core', 'nodes'),
    rule('patch update', 'core', 'nodes/status pods/status'),
    rule('delete get list watch', 'core', 'pods'),
    EVENTS,
  ],
  'pod-garbage-collector': [
    rule('delete list watch', 'core', 'pods'),
    rule(READ, 'core', 'nodes'),
    rule('patch', 'core', 'pods/status'),
  ],
  'replicaset-controller': [
    rule('get list update watch', 'apps extensions', 'replicasets'),
    rule('update', 'apps extensions', 'replicasets/status'),
    rule('update', 'apps extensions', 'replicasets/finalizers'),
    rule('create delete list patch watch', 'core', 'pods'),
    EVENTS,
  ],
  'root-ca-cert-publisher': [rule('create update', 'core', 'configmaps'), rule(READ, 'core', 'namespaces'), EVENTS],
  'service-account-controller': [
    rule('create get list watch', 'core', 'serviceaccounts'),
    rule(READ, 'core', 'namespaces'),
    EVENTS,
  ],
  'statefulset-controller': [
    rule('list watch', 'core', 'pods'),
    rule(READ, 'apps', 'statefulsets'),
    rule('update', 'apps', 'statefulsets/status'),
    rule('update', 'apps', 'statefulsets/finalizers'),
    rule('create delete get patch update', 'core', 'pods'),
    rule('create delete get list patch update watch', 'apps', 'controllerrevisions'),
    rule('create get list watch', 'core', 'persistentvolumeclaims'),
    rule('delete update', 'core', 'persistentvolumeclaims'),
    rule('update', 'core', 'pods/finalizers'),
    EVENTS,
  ],
};

const BINDINGS: [role: string, kind: 'Group' | 'User', names: string[]][] = [
  ['cluster-admin', 'Group', ['system:masters']],
  ['system:basic-user', 'Group', ['system:authenticated']],
  ['system:discovery', 'Group', ['system:authenticated']],
  ['system:public-info-viewer', 'Group', ['system:authenticated', 'system:unauthenticated']],
  ['system:monitoring', 'Group', ['system:monitoring']],
  ['system:kube-scheduler', 'User', ['system:kube-scheduler']],
  ['system:node', 'Group', ['system:nodes']],
];

const metadata = (name: string, labels?: Record<string, string>): KubeObject['metadata'] => ({
  name,
  labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults', ...labels },
  annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
});

const clusterRole = (name: string, row: RoleRow): KubeObject => ({
  ...(row.gathers ? { aggregationRule: { clusterRoleSelectors: [{ matchLabels: aggregate(row.gathers) }] } } : {}),
  apiVersion: API_VERSION,
  kind: 'ClusterRole',
  metadata: metadata(name, row.labels),
  rules: row.rules,
});

const clusterRoleBinding = (role: string, subjects: object[]): KubeObject => ({
  apiVersion: API_VERSION,
  kind: 'ClusterRoleBinding',
  metadata: metadata(role),
  roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: role },
  subjects,
});

/** ClusterRoles and ClusterRoleBindings to create at the start. startAggregation fills the aggregated ones. */
export const bootstrapObjects = (): KubeObject[] => [
  ...Object.entries(ROLES).map(([name, row]) => clusterRole(name, row)),
  ...Object.entries(CONTROLLERS).map(([name, rules]) => clusterRole(`system:controller:${name}`, { rules })),
  ...BINDINGS.map(([role, kind, names]) =>
    clusterRoleBinding(
      role,
      names.map((name) => ({ apiGroup: RBAC, kind, name })),
    ),
  ),
  ...Object.keys(CONTROLLERS).map((name) =>
    clusterRoleBinding(`system:controller:${name}`, [{ kind: 'ServiceAccount', name, namespace: 'kube-system' }]),
  ),
];
