// Defaults of Pods and Pod templates. Sets missing fields only, because stored parts
// are frozen.

import { fill } from './defaults.ts';
import type { Container, Handler, PodSpec, Probe, Quantities, Volume } from './native.ts';

const MODE = 420;

/** Images without a tag or with the tag `latest` get the pull policy Always. */
function pullPolicy(image: string): string {
  if (image.includes('@')) return 'IfNotPresent';
  const tag = /:([^:/]+)$/.exec(image)?.[1];
  return tag === undefined || tag === 'latest' ? 'Always' : 'IfNotPresent';
}

function httpGet(handler: Handler | undefined): void {
  if (handler?.httpGet) fill(handler.httpGet, { path: '/', scheme: 'HTTP' });
  if (handler?.grpc) fill(handler.grpc, { service: '' });
}

function probe(value: Probe | undefined): void {
  if (!value) return;
  fill(value, { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 });
  httpGet(value);
}

function container(value: Container, hostNetwork: boolean): void {
  fill(value, {
    imagePullPolicy: pullPolicy(value.image ?? ''),
    resources: {},
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
  });
  for (const port of value.ports ?? []) {
    fill(port, { protocol: 'TCP' });
    if (hostNetwork) fill(port, { hostPort: port.containerPort });
  }
  for (const variable of value.env ?? []) {
    if (variable.valueFrom?.fieldRef) fill(variable.valueFrom.fieldRef, { apiVersion: 'v1' });
    if (variable.valueFrom?.resourceFieldRef) fill(variable.valueFrom.resourceFieldRef, { divisor: '0' });
  }
  probe(value.livenessProbe);
  probe(value.readinessProbe);
  probe(value.startupProbe);
  httpGet(value.lifecycle?.postStart);
  httpGet(value.lifecycle?.preStop);
}

function volume(value: Volume): void {
  if (Object.keys(value).length === 1) fill(value, { emptyDir: {} });
  for (const kind of ['secret', 'configMap', 'downwardAPI', 'projected'] as const) {
    const source = value[kind];
    if (source) fill(source, { defaultMode: MODE });
  }
  if (value.hostPath) fill(value.hostPath, { type: '' });
  for (const source of value.projected?.sources ?? []) {
    if (source.serviceAccountToken) fill(source.serviceAccountToken, { expirationSeconds: 3600 });
    for (const item of source.downwardAPI?.items ?? []) if (item.fieldRef) fill(item.fieldRef, { apiVersion: 'v1' });
  }
  for (const item of value.downwardAPI?.items ?? []) if (item.fieldRef) fill(item.fieldRef, { apiVersion: 'v1' });
}

export function defaultPodSpec(spec: PodSpec): void {
  fill(spec, {
    dnsPolicy: 'ClusterFirst',
    restartPolicy: 'Always',
    schedulerName: 'default-scheduler',
    securityContext: {},
    terminationGracePeriodSeconds: 30,
  });
  // Keeps the deprecated field in sync.
  if (spec.serviceAccountName) fill(spec, { serviceAccount: spec.serviceAccountName });
  else if (spec.serviceAccount) fill(spec, { serviceAccountName: spec.serviceAccount });
  for (const kind of ['initContainers', 'containers', 'ephemeralContainers'] as const) {
    for (const each of spec[kind] ?? []) container(each, spec.hostNetwork === true);
  }
  for (const each of spec.volumes ?? []) volume(each);
}

/** Defaults for Pods that do not apply to templates. */
export function defaultPod(spec: PodSpec): void {
  defaultPodSpec(spec);
  fill(spec, { enableServiceLinks: true });
  for (const each of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    const { resources } = each;
    if (!resources?.limits) continue;
    if (!resources.requests) resources.requests = {};
    fill(resources.requests, resources.limits);
  }
}

const SECONDS = 300;
const TOLERATED = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];

/** The admission plugin Priority, which all clusters run. */
export function admitPod(
  name: string,
  spec: PodSpec,
  priorityOf: (className: string | undefined, pod: string) => number,
): void {
  const priority = priorityOf(spec.priorityClassName, name);
  fill(spec, { priority, preemptionPolicy: 'PreemptLowerPriority' });
}

/** The admission plugin DefaultTolerationSeconds, for new and changed Pods. */
export function tolerateNodes(spec: PodSpec): void {
  const tolerations = spec.tolerations ?? [];
  const missing = TOLERATED.filter(
    (key) =>
      !tolerations.some((each) => (!each.key || each.key === key) && (!each.effect || each.effect === 'NoExecute')),
  );
  if (missing.length === 0) return;
  spec.tolerations = [
    ...tolerations,
    ...missing.map((key) => ({ effect: 'NoExecute', key, operator: 'Exists', tolerationSeconds: SECONDS })),
  ];
}

/** Guaranteed: all containers have equal requests and limits for CPU and memory. BestEffort: no container has any. */
export function qosClass(spec: PodSpec): string {
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
  const counts = (list: Quantities | undefined): [string, string][] =>
    Object.entries(list ?? {}).filter(([name]) => name === 'cpu' || name === 'memory');
  if (containers.every(({ resources }) => !counts(resources?.requests).length && !counts(resources?.limits).length)) {
    return 'BestEffort';
  }
  const guaranteed = containers.every(({ resources }) => {
    const limits = counts(resources?.limits);
    const requests = resources?.requests ?? {};
    return limits.length === 2 && limits.every(([name, value]) => (requests[name] ?? value) === value);
  });
  return guaranteed ? 'Guaranteed' : 'Burstable';
}
