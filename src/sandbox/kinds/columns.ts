// What kubectl shows of each native kind, with the documentation of the field a column shows.
import { NAME_COLUMN } from '../core/resources.ts';
import { formatLabelSelector, labelSelectorOf } from '../core/select.ts';
import { age, AGE_COLUMN } from '../core/table.ts';
import { definitions } from '../schema/index.ts';
import type { Column, KubeObject } from '../core/types.ts';

/* eslint-disable @typescript-eslint/no-explicit-any -- parts of objects of any kind */

export type Value = (object: KubeObject, now: number) => unknown;

const SELECTORS =
  'More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors';

/** Fields that refer to another type: the generated schemas say nothing about the field itself. */
const REFERENCES: Record<string, string> = {
  'apps.v1.DeploymentSpec.selector':
    "Label selector for pods. Existing ReplicaSets whose pods are selected by this will be the ones affected by this deployment. It must match the pod template's labels.",
  'apps.v1.ReplicaSetSpec.selector': `Selector is a label query over pods that should match the replica count. Label keys and values that must match in order to be controlled by this replica set. It must match the pod template's labels. ${SELECTORS}`,
  'apps.v1.DaemonSetSpec.selector': `A label query over pods that are managed by the daemon set. Must match in order to be controlled. It must match the pod template's labels. ${SELECTORS}`,
  'autoscaling.v2.HorizontalPodAutoscalerSpec.scaleTargetRef':
    'scaleTargetRef points to the target resource to scale, and is used to the pods for which metrics should be collected, as well as to actually change the replica count.',
  'core.v1.Event.involvedObject': 'The object that this event is about.',
  'core.v1.Event.source': 'The component reporting this event. Should be a short machine understandable string.',
  'rbac.v1.RoleBinding.roleRef':
    'RoleRef can reference a Role in the current namespace or a ClusterRole in the global namespace. If the RoleRef cannot be resolved, the Authorizer must return an error. This field is immutable.',
};

/** The documentation of a field of a native type, e.g. `apps.v1.DeploymentStatus.updatedReplicas`. */
export function doc(path: string): string {
  const at = path.lastIndexOf('.');
  const definition = definitions[`io.k8s.api.${path.slice(0, at)}`];
  return definition?.properties?.[path.slice(at + 1)]?.description ?? REFERENCES[path] ?? '';
}

export const column = (name: string, description: string, value: Value, type = 'string'): Column => ({
  name,
  type,
  description,
  priority: 0,
  value,
});
/** Shown by `-o wide` only. */
export const wide = (name: string, description: string, value: Value): Column => ({
  ...column(name, description, value),
  priority: 1,
});

export const columns = (...list: Column[]): Column[] => [NAME_COLUMN, ...list];
export const AGE = AGE_COLUMN;
export const NONE = '<none>';

export const joined = (list: readonly unknown[] | undefined): string => (list?.length ? list.join(',') : NONE);
const selectorText = (selector: any): string =>
  selector ? formatLabelSelector(labelSelectorOf(selector)) || NONE : NONE;
export const labelsText = (labels: Record<string, string> | undefined): string =>
  labels ? formatLabelSelector(labelSelectorOf({ matchLabels: labels })) || NONE : NONE;

const template = (path: string): Column[] => [
  wide('Containers', 'Names of each container in the template.', ({ spec }) =>
    (spec.template?.spec?.containers ?? []).map((each: any) => each.name).join(','),
  ),
  wide('Images', 'Images referenced by each container in the template.', ({ spec }) =>
    (spec.template?.spec?.containers ?? []).map((each: any) => each.image).join(','),
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

/** What kubectl calls the status of a Pod: the most telling of phase, reasons and container states. */
function podStatus({ metadata, spec, status = {} }: KubeObject): string {
  let reason: string = status.reason || status.phase || 'Unknown';
  for (const { type, reason: why } of status.conditions ?? []) {
    if (type === 'PodScheduled' && why === 'SchedulingGated') reason = why;
  }
  let initializing = false;
  for (const [i, container] of ((status.initContainerStatuses ?? []) as any[]).entries()) {
    const { terminated, waiting } = container.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (terminated)
      reason = `Init:${terminated.reason || (terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`)}`;
    else if (waiting?.reason && waiting.reason !== 'PodInitializing') reason = `Init:${waiting.reason}`;
    else reason = `Init:${i}/${spec.initContainers.length}`;
    initializing = true;
    break;
  }
  if (!initializing) {
    let running = false;
    for (const container of [...((status.containerStatuses ?? []) as any[])].reverse()) {
      const { waiting, terminated } = container.state ?? {};
      if (waiting?.reason) reason = waiting.reason;
      else if (terminated) {
        reason =
          terminated.reason || (terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`);
      } else if (container.ready && container.state?.running) running = true;
    }
    if (reason === 'Completed' && running) reason = isReady(status) ? 'Running' : 'NotReady';
  }
  if (metadata.deletionTimestamp) return status.reason === 'NodeLost' ? 'Unknown' : 'Terminating';
  return reason;
}

const isReady = (status: any): boolean =>
  (status.conditions ?? []).some((each: any) => each.type === 'Ready' && each.status === 'True');

function restarts({ status }: KubeObject, now: number): string {
  const list = (status?.containerStatuses ?? []) as any[];
  const count = list.reduce((sum, each) => sum + (each.restartCount ?? 0), 0);
  const last = list
    .map((each) => each.lastState?.terminated?.finishedAt)
    .filter(Boolean)
    .sort()
    .at(-1);
  return count && last ? `${count} (${age(last, now)} ago)` : String(count);
}

export const podColumns = columns(
  column('Ready', 'The aggregate readiness state of this pod for accepting traffic.', ({ spec, status }) => {
    const ready = ((status?.containerStatuses ?? []) as any[]).filter((each) => each.ready && each.state?.running);
    return `${ready.length}/${spec.containers.length}`;
  }),
  column('Status', 'The aggregate status of the containers in this pod.', podStatus),
  column(
    'Restarts',
    'The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.',
    restarts,
  ),
  AGE,
  wide('IP', doc('core.v1.PodStatus.podIP'), ({ status }) => status?.podIPs?.[0]?.ip ?? NONE),
  wide('Node', doc('core.v1.PodSpec.nodeName'), ({ spec }) => spec.nodeName ?? NONE),
  wide('Nominated Node', doc('core.v1.PodStatus.nominatedNodeName'), ({ status }) => status?.nominatedNodeName ?? NONE),
  wide('Readiness Gates', doc('core.v1.PodSpec.readinessGates'), ({ spec, status }) => {
    const gates = (spec.readinessGates ?? []) as any[];
    if (!gates.length) return NONE;
    const met = gates.filter(({ conditionType }) =>
      (status?.conditions ?? []).some((each: any) => each.type === conditionType && each.status === 'True'),
    );
    return `${met.length}/${gates.length}`;
  }),
);

export const namespaceColumns = columns(
  column('Status', 'The status of the namespace', ({ status }) => status?.phase),
  AGE,
);

export const nodeColumns = columns(
  column('Status', 'The status of the node', ({ spec, status }) => {
    const ready = ((status?.conditions ?? []) as any[]).find(({ type }) => type === 'Ready');
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
    const balancers = ((status?.loadBalancer?.ingress ?? []) as any[]).map(({ ip, hostname }) => ip ?? hostname);
    if (spec.type === 'ExternalName') return spec.externalName;
    if (spec.type === 'LoadBalancer' && !balancers.length && !spec.externalIPs?.length) return '<pending>';
    return joined([...balancers, ...(spec.externalIPs ?? [])]);
  }),
  column('Port(s)', doc('core.v1.ServiceSpec.ports'), ({ spec }) =>
    joined(
      ((spec.ports ?? []) as any[]).map(({ port, nodePort, protocol }) =>
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
    const all = ((subsets ?? []) as any[]).flatMap(({ addresses = [], ports }) =>
      (addresses as any[]).flatMap(({ ip }) => (ports ? (ports as any[]).map(({ port }) => `${ip}:${port}`) : [ip])),
    );
    return all.length > 3 ? `${all.slice(0, 3).join(',')} + ${all.length - 3} more...` : joined(all);
  }),
  AGE,
);

const eventTime = (time: unknown, now: number): string => (time ? age(time, now) : '<unknown>');

export const eventColumns = columns(
  column('Last Seen', doc('core.v1.Event.lastTimestamp'), (event, now) =>
    eventTime(
      event.series?.lastObservedTime ?? event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp,
      now,
    ),
  ),
  column('Type', doc('core.v1.Event.type'), ({ type }) => type),
  column('Reason', doc('core.v1.Event.reason'), ({ reason }) => reason),
  column(
    'Object',
    doc('core.v1.Event.involvedObject'),
    ({ involvedObject: about }) => `${(about?.kind ?? '').toLowerCase()}/${about?.name ?? ''}`,
  ),
  wide('Subobject', doc('core.v1.ObjectReference.fieldPath'), ({ involvedObject }) => involvedObject?.fieldPath ?? ''),
  wide('Source', doc('core.v1.Event.source'), ({ source, reportingComponent }) =>
    source?.component ? [source.component, source.host].filter(Boolean).join(', ') : (reportingComponent ?? ''),
  ),
  column('Message', doc('core.v1.Event.message'), ({ message = '' }) => String(message).trim()),
  wide('First Seen', doc('core.v1.Event.firstTimestamp'), (event, now) =>
    eventTime(event.firstTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp, now),
  ),
  wide('Count', doc('core.v1.Event.count'), ({ count: times, series }) => series?.count ?? times ?? 1),
);
// `kubectl get events` begins with the time; the name is for -o wide.
eventColumns.push({ ...eventColumns.shift()!, priority: 1 });

export const serviceAccountColumns = columns(
  column('Secrets', doc('core.v1.ServiceAccount.secrets'), ({ secrets }) => secrets?.length ?? 0),
  AGE,
);

const quantityOf = (metric: any, current: any): string => {
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
    joined(((spec.metrics ?? []) as any[]).map((metric, i) => quantityOf(metric, status?.currentMetrics?.[i]))),
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
    ports?.length ? joined((ports as any[]).map(({ port }) => port ?? '*')) : '<unset>',
  ),
  column('Endpoints', doc('discovery.v1.EndpointSlice.endpoints'), ({ endpoints }) => {
    const all = ((endpoints ?? []) as any[]).flatMap(({ addresses }) => addresses as string[]);
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
    ((list ?? []) as any[])
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
      ((spec.rules ?? []) as any[])
        .map(({ host }) => host)
        .filter(Boolean)
        .join(',') || '*',
  ),
  column('Address', 'Address is a list containing ingress points for the load-balancer', ({ status }) =>
    ((status?.loadBalancer?.ingress ?? []) as any[]).map(({ ip, hostname }) => ip ?? hostname).join(','),
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
