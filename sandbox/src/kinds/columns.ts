// The printer columns of native kinds.
import { age } from '../core/table.ts';
import { AGE, column, columns, doc, joined, labelsText, NONE, selectorText, wide, type Value } from './column.ts';
import type { Column, KubeObject } from '../core/types.ts';
import type {
  Condition,
  Container,
  CurrentMetric,
  EndpointSubset,
  IngressRule,
  LoadBalancerIngress,
  Metric,
  ServicePort,
  Subject,
} from './native.ts';

const template = (path: string): Column[] => [
  wide('Containers', 'Names of each container in the template.', ({ spec }) =>
    ((spec.template?.spec?.containers ?? []) as Container[]).map((each) => each.name).join(','),
  ),
  wide('Images', 'Images referenced by each container in the template.', ({ spec }) =>
    ((spec.template?.spec?.containers ?? []) as Container[]).map((each) => each.image).join(','),
  ),
  wide('Selector', doc(`${path}.selector`), ({ spec }) => selectorText(spec.selector)),
];

export const deploymentColumns = columns(
  column(
    'Ready',
    'Number of the pod with ready state',
    ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas}`,
  ),
  column('Up-to-date', doc('apps.v1.DeploymentStatus.updatedReplicas'), ({ status }) => status?.updatedReplicas ?? 0),
  column(
    'Available',
    doc('apps.v1.DeploymentStatus.availableReplicas'),
    ({ status }) => status?.availableReplicas ?? 0,
  ),
  AGE,
  ...template('apps.v1.DeploymentSpec'),
);

export const replicaSetColumns = columns(
  column('Desired', doc('apps.v1.ReplicaSetSpec.replicas'), ({ spec }) => spec.replicas, 'integer'),
  column('Current', doc('apps.v1.ReplicaSetStatus.replicas'), ({ status }) => status?.replicas ?? 0, 'integer'),
  column('Ready', doc('apps.v1.ReplicaSetStatus.readyReplicas'), ({ status }) => status?.readyReplicas ?? 0, 'integer'),
  AGE,
  ...template('apps.v1.ReplicaSetSpec'),
);

export const statefulSetColumns = columns(
  column(
    'Ready',
    'Number of the pod with ready state',
    ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas}`,
  ),
  AGE,
  ...template('apps.v1.StatefulSetSpec').slice(0, 2),
);

const daemon = (name: string, key: string): Column =>
  column(name, doc(`apps.v1.DaemonSetStatus.${key}`), ({ status }) => status?.[key] ?? 0, 'integer');

export const daemonSetColumns = columns(
  daemon('Desired', 'desiredNumberScheduled'),
  daemon('Current', 'currentNumberScheduled'),
  daemon('Ready', 'numberReady'),
  daemon('Up-to-date', 'updatedNumberScheduled'),
  daemon('Available', 'numberAvailable'),
  column('Node Selector', doc('core.v1.PodSpec.nodeSelector'), ({ spec }) =>
    labelsText(spec.template?.spec?.nodeSelector),
  ),
  AGE,
  ...template('apps.v1.DaemonSetSpec'),
);

export const controllerRevisionColumns = columns(
  column('Controller', 'Controller of the object', ({ metadata }) => {
    const owner = metadata.ownerReferences?.find((each) => each.controller);
    if (!owner) return NONE;
    const group = owner.apiVersion.includes('/') ? `.${owner.apiVersion.split('/')[0]}` : '';
    return `${owner.kind.toLowerCase()}${group}/${owner.name}`;
  }),
  column('Revision', doc('apps.v1.ControllerRevision.revision'), ({ revision }) => revision),
  AGE,
);

export const namespaceColumns = columns(
  column('Status', 'The status of the namespace', ({ status }) => status?.phase),
  AGE,
);

export const nodeColumns = columns(
  column('Status', 'The status of the node', ({ spec, status }) => {
    const ready = ((status?.conditions ?? []) as Condition[]).find(({ type }) => type === 'Ready');
    const text = !ready ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
    return spec?.unschedulable ? `${text},SchedulingDisabled` : text;
  }),
  column('Roles', 'The roles of the node', ({ metadata }) => {
    const prefix = 'node-role.kubernetes.io/';
    const roles = Object.keys(metadata.labels ?? {}).filter((key) => key.startsWith(prefix));
    return joined(roles.map((key) => key.slice(prefix.length)).sort());
  }),
  AGE,
  column(
    'Version',
    doc('core.v1.NodeSystemInfo.kubeletVersion'),
    ({ status }) => status?.nodeInfo?.kubeletVersion ?? '',
  ),
);

export const serviceColumns = columns(
  column('Type', doc('core.v1.ServiceSpec.type'), ({ spec }) => spec.type),
  column('Cluster-IP', doc('core.v1.ServiceSpec.clusterIP'), ({ spec }) => spec.clusterIP || NONE),
  column('External-IP', doc('core.v1.ServiceSpec.externalIPs'), ({ spec, status }) => {
    const balancers = ((status?.loadBalancer?.ingress ?? []) as LoadBalancerIngress[]).map(
      ({ ip, hostname }) => ip ?? hostname,
    );
    if (spec.type === 'ExternalName') return spec.externalName;
    if (spec.type === 'LoadBalancer' && !balancers.length && !spec.externalIPs?.length) return '<pending>';
    return joined([...balancers, ...(spec.externalIPs ?? [])]);
  }),
  column('Port(s)', doc('core.v1.ServiceSpec.ports'), ({ spec }) =>
    joined(
      ((spec.ports ?? []) as ServicePort[]).map(({ port, nodePort, protocol }) =>
        nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
      ),
    ),
  ),
  AGE,
  wide('Selector', doc('core.v1.ServiceSpec.selector'), ({ spec }) => labelsText(spec.selector)),
);

const count = (name: string, description: string, key: string): Column =>
  column(name, description, (object) => Object.keys(object[key] ?? {}).length);

export const configMapColumns = columns(
  column(
    'Data',
    doc('core.v1.ConfigMap.data'),
    ({ data, binaryData }) => Object.keys(data ?? {}).length + Object.keys(binaryData ?? {}).length,
  ),
  AGE,
);

export const secretColumns = columns(
  column('Type', doc('core.v1.Secret.type'), ({ type }) => type),
  count('Data', doc('core.v1.Secret.data'), 'data'),
  AGE,
);

export const endpointsColumns = columns(
  column('Endpoints', doc('core.v1.Endpoints.subsets'), ({ subsets }) => {
    const all = ((subsets ?? []) as EndpointSubset[]).flatMap(({ addresses = [], ports }) =>
      addresses.flatMap(({ ip }) => (ports ? ports.map(({ port }) => `${ip}:${port}`) : [ip])),
    );
    return all.length > 3 ? `${all.slice(0, 3).join(',')} + ${all.length - 3} more...` : joined(all);
  }),
  AGE,
);

const eventTime = (time: unknown, now: number): string => (time ? age(time, now) : '<unknown>');

export const eventColumns = columns(
  column('Last Seen', doc('core.v1.Event.lastTimestamp'), (event, now) =>
    eventTime(event.series?.lastObservedTime ?? event.lastTimestamp ?? event.firstTimestamp ?? event.eventTime, now),
  ),
  column('Type', doc('core.v1.Event.type'), ({ type }) => type ?? ''),
  column('Reason', doc('core.v1.Event.reason'), ({ reason }) => reason ?? ''),
  column(
    'Object',
    doc('core.v1.Event.involvedObject'),
    ({ involvedObject: about }) => `${(about?.kind ?? '').toLowerCase()}/${about?.name ?? ''}`,
  ),
  wide('Subobject', doc('core.v1.ObjectReference.fieldPath'), ({ involvedObject }) => involvedObject?.fieldPath ?? ''),
  wide('Source', doc('core.v1.Event.source'), ({ source, reportingComponent, reportingInstance }) =>
    [source?.component || reportingComponent || '', source?.host || reportingInstance || ''].filter(Boolean).join(', '),
  ),
  column('Message', doc('core.v1.Event.message'), ({ message = '' }) => String(message).trim()),
  wide('First Seen', doc('core.v1.Event.firstTimestamp'), (event, now) =>
    eventTime(event.firstTimestamp ?? event.eventTime, now),
  ),
  wide('Count', doc('core.v1.Event.count'), ({ count: times, series }) => series?.count ?? times ?? 1),
);
// `kubectl get events` begins with the time. The name appears only with -o wide.
eventColumns.push({ ...eventColumns.shift()!, priority: 1 });

/** `pods: 1/3` for each resource, with requests and limits separate. */
const usage =
  (limits: boolean) =>
  ({ status }: KubeObject): string =>
    Object.entries((status?.hard ?? {}) as Record<string, string>)
      .filter(([name]) => name.startsWith('limits.') === limits)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, hard]) => `${name}: ${status.used?.[name] ?? '0'}/${hard}`)
      .join(', ');

export const quotaColumns = columns(
  column('Request', 'Request represents a minimum amount of cpu/memory that a container may consume.', usage(false)),
  column('Limit', 'Limits control the maximum amount of cpu/memory that a container may use.', usage(true)),
  AGE,
);

export const serviceAccountColumns = columns(
  column('Secrets', doc('core.v1.ServiceAccount.secrets'), ({ secrets }) => secrets?.length ?? 0),
  AGE,
);

const quantityOf = (metric: Metric, current: CurrentMetric | undefined): string => {
  const { resource } = metric;
  if (!resource) return '<unknown>';
  const target = resource.target;
  if (target?.averageUtilization !== undefined) {
    const now = current?.resource?.current?.averageUtilization;
    return `${resource.name}: ${now === undefined ? '<unknown>' : `${now}%`}/${target.averageUtilization}%`;
  }
  return `${resource.name}: ${current?.resource?.current?.averageValue ?? '<unknown>'}/${target?.averageValue}`;
};

export const autoscalerColumns = columns(
  column(
    'Reference',
    doc('autoscaling.v2.HorizontalPodAutoscalerSpec.scaleTargetRef'),
    ({ spec }) => `${spec.scaleTargetRef.kind}/${spec.scaleTargetRef.name}`,
  ),
  column('Targets', doc('autoscaling.v2.HorizontalPodAutoscalerSpec.metrics'), ({ spec, status }) =>
    joined(((spec.metrics ?? []) as Metric[]).map((metric, i) => quantityOf(metric, status?.currentMetrics?.[i]))),
  ),
  column('MinPods', doc('autoscaling.v2.HorizontalPodAutoscalerSpec.minReplicas'), ({ spec }) =>
    String(spec.minReplicas ?? '<unset>'),
  ),
  column('MaxPods', doc('autoscaling.v2.HorizontalPodAutoscalerSpec.maxReplicas'), ({ spec }) => spec.maxReplicas),
  column(
    'Replicas',
    doc('autoscaling.v2.HorizontalPodAutoscalerStatus.currentReplicas'),
    ({ status }) => status?.currentReplicas ?? 0,
  ),
  AGE,
);

export const budgetColumns = columns(
  column('Min Available', doc('policy.v1.PodDisruptionBudgetSpec.minAvailable'), ({ spec }) =>
    String(spec.minAvailable ?? 'N/A'),
  ),
  column('Max Unavailable', doc('policy.v1.PodDisruptionBudgetSpec.maxUnavailable'), ({ spec }) =>
    String(spec.maxUnavailable ?? 'N/A'),
  ),
  column(
    'Allowed Disruptions',
    doc('policy.v1.PodDisruptionBudgetStatus.disruptionsAllowed'),
    ({ status }) => status?.disruptionsAllowed ?? 0,
    'integer',
  ),
  AGE,
);

export const leaseColumns = columns(
  column('Holder', doc('coordination.v1.LeaseSpec.holderIdentity'), ({ spec }) => spec?.holderIdentity ?? ''),
  AGE,
);

export const endpointSliceColumns = columns(
  column('AddressType', doc('discovery.v1.EndpointSlice.addressType'), ({ addressType }) => addressType),
  column('Ports', doc('discovery.v1.EndpointSlice.ports'), ({ ports }) =>
    ports?.length ? joined((ports as { port?: number }[]).map(({ port }) => port ?? '*')) : '<unset>',
  ),
  column('Endpoints', doc('discovery.v1.EndpointSlice.endpoints'), ({ endpoints }) => {
    const all = ((endpoints ?? []) as { addresses: string[] }[]).flatMap(({ addresses }) => addresses);
    return all.length > 3
      ? `${all.slice(0, 3).join(',')} + ${all.length - 3} more...`
      : all.length
        ? all.join(',')
        : '<unset>';
  }),
  AGE,
);

export const roleColumns = columns(
  column('Created At', AGE.description!, ({ metadata }) => metadata.creationTimestamp, 'date'),
);

const subjects =
  (kind: string): Value =>
  ({ subjects: list }) =>
    ((list ?? []) as Subject[])
      .filter((each) => each.kind === kind)
      .map((each) => (kind === 'ServiceAccount' ? `${each.namespace}/${each.name}` : each.name))
      .join(', ');

export const bindingColumns = columns(
  column('Role', doc('rbac.v1.RoleBinding.roleRef'), ({ roleRef }) => `${roleRef.kind}/${roleRef.name}`),
  AGE,
  wide('Users', 'Users in the roleBinding', subjects('User')),
  wide('Groups', 'Groups in the roleBinding', subjects('Group')),
  wide('ServiceAccounts', 'ServiceAccounts in the roleBinding', subjects('ServiceAccount')),
);

export const webhookColumns = columns(
  column(
    'Webhooks',
    'Webhooks indicates the number of webhooks registered in this configuration',
    ({ webhooks }) => webhooks?.length ?? 0,
    'integer',
  ),
  AGE,
);

export const policyColumns = columns(
  column(
    'Validations',
    'Validations indicates the number of validation rules defined in this configuration',
    ({ spec }) => spec.validations?.length ?? 0,
    'integer',
  ),
  column('ParamKind', 'ParamKind specifies the kind of resources used to parameterize this policy', ({ spec }) =>
    spec.paramKind ? `${spec.paramKind.apiVersion}/${spec.paramKind.kind}` : '<unset>',
  ),
  AGE,
);

export const policyBindingColumns = columns(
  column(
    'PolicyName',
    'PolicyName indicates the policy definition which the policy binding binded to',
    ({ spec }) => spec.policyName,
  ),
  column(
    'ParamRef',
    'ParamRef indicates the param resource which sets the configration param',
    ({ spec }) => spec.paramRef?.name ?? '<unset>',
  ),
  AGE,
);

export const definitionColumns = columns(
  column('Created At', AGE.description!, ({ metadata }) => metadata.creationTimestamp, 'date'),
);

export const ingressColumns = columns(
  column(
    'Class',
    'The name of the IngressClass resource that should be used for additional configuration',
    ({ spec }) => spec.ingressClassName ?? NONE,
  ),
  column(
    'Hosts',
    'Hosts that incoming requests are matched against before the ingress rule',
    ({ spec }) =>
      ((spec.rules ?? []) as IngressRule[])
        .map(({ host }) => host)
        .filter(Boolean)
        .join(',') || '*',
  ),
  column('Address', 'Address is a list containing ingress points for the load-balancer', ({ status }) =>
    ((status?.loadBalancer?.ingress ?? []) as LoadBalancerIngress[])
      .map(({ ip, hostname }) => ip ?? hostname)
      .join(','),
  ),
  column('Ports', 'Ports of TLS configurations that open', ({ spec }) => (spec.tls?.length ? '80, 443' : '80')),
  AGE,
);

export const networkPolicyColumns = columns(
  column('Pod-Selector', doc('networking.v1.NetworkPolicySpec.podSelector'), ({ spec }) =>
    selectorText(spec.podSelector),
  ),
  AGE,
);
