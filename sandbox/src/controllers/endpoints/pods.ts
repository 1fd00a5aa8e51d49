// What a Service takes from its Pods: which of them, their ports, their host names. Endpoints and EndpointSlices share it.
import type { KubeObject } from '../../core/types.ts';
import { sameJson, selects } from '../framework/meta.ts';
import { isFinished, isReady, isTerminating } from '../replicaset/pods.ts';

export interface ServicePort {
  name?: string;
  port: number;
  protocol?: string;
  targetPort?: number | string;
  appProtocol?: string;
}

export interface Port {
  name: string;
  port: number;
  protocol: string;
  appProtocol?: string;
}

interface Container {
  restartPolicy?: string;
  ports?: { name?: string; containerPort: number; protocol?: string }[];
}

/** Users write the objects of a Service without a selector themselves. */
export const isSelecting = ({ spec }: KubeObject): boolean =>
  spec.type !== 'ExternalName' && Object.keys((spec.selector ?? {}) as object).length > 0;

export const isSelected = ({ spec }: KubeObject, labels: Record<string, string> | undefined): boolean =>
  selects({ matchLabels: spec.selector as Record<string, string> }, labels);

/** Selected Pods that have an address and have not ended, by name. */
export const podsOf = (service: KubeObject, pods: Iterable<KubeObject>): KubeObject[] =>
  [...pods]
    .filter((pod) => isSelected(service, pod.metadata.labels) && pod.status?.podIP && !isFinished(pod))
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));

/** Whether an endpoint may change with this change of its Pod, apart from its labels. The phase does not count: a Pod that ends is not ready. */
export const isSameEndpoint = (pod: KubeObject, before: KubeObject): boolean =>
  isReady(pod) === isReady(before) &&
  isTerminating(pod) === isTerminating(before) &&
  pod.spec.nodeName === before.spec.nodeName &&
  pod.spec.hostname === before.spec.hostname &&
  sameJson(pod.status?.podIPs, before.status?.podIPs) &&
  pod.status?.podIP === before.status?.podIP;

/** Ports that the Pod does not have are left out. */
export const portsOf = ({ spec }: KubeObject, pod: KubeObject): Port[] =>
  ((spec.ports ?? []) as ServicePort[]).flatMap((servicePort) => {
    const { name = '', protocol = 'TCP', appProtocol } = servicePort;
    const port = numberOf(servicePort, pod);
    return port === undefined ? [] : [{ name, port, protocol, ...(appProtocol ? { appProtocol } : {}) }];
  });

function numberOf(
  { port, targetPort = port, protocol = 'TCP' }: ServicePort,
  { spec }: KubeObject,
): number | undefined {
  if (typeof targetPort === 'number') return targetPort;
  const sidecars = ((spec.initContainers ?? []) as Container[]).filter(
    ({ restartPolicy }) => restartPolicy === 'Always',
  );
  return [...(spec.containers as Container[]), ...sidecars]
    .flatMap(({ ports }) => ports ?? [])
    .find((each) => each.name === targetPort && (each.protocol ?? 'TCP') === protocol)?.containerPort;
}

/** Pods of a StatefulSet have names in its Service. */
export const hostnameOf = (
  service: KubeObject,
  { spec: { hostname, subdomain } }: KubeObject,
): { hostname?: string } => (hostname && subdomain === service.metadata.name ? { hostname: hostname as string } : {});

export const targetOf = ({ metadata: { name, namespace, uid } }: KubeObject): object => ({
  kind: 'Pod',
  namespace,
  name,
  uid,
});
