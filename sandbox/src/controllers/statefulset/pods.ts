// The Pods of a StatefulSet and their claims: names, ordinals, identity, and what a new Pod looks like.
import type { KubeObject } from '../../core/types.ts';
import { REVISION_LABEL, type PodTemplate } from '../framework/history.ts';
import { controllerReference } from '../framework/meta.ts';
import { isReady, isTerminating, untilAvailableMs } from '../replicaset/pods.ts';

const NAME_LABEL = 'statefulset.kubernetes.io/pod-name';
const INDEX_LABEL = 'apps.kubernetes.io/pod-index';

/** -1: the Pod has no ordinal. */
export const ordinalOf = ({ metadata: { name } }: KubeObject): number => Number(/-(\d+)$/.exec(name)?.[1] ?? -1);

export const isMember = (set: KubeObject, pod: KubeObject): boolean =>
  pod.metadata.name.replace(/-\d+$/, '') === set.metadata.name && ordinalOf(pod) >= 0;

export const startOf = (set: KubeObject): number => set.spec.ordinals?.start ?? 0;

export const revisionOf = (pod: KubeObject): string => pod.metadata.labels?.[REVISION_LABEL] ?? '';

/** False for a Pod that is planned, or was created in this sync. */
export const isCreated = (pod: KubeObject): boolean => Boolean(pod.status?.phase);

export const isRunningAndReady = (pod: KubeObject): boolean => pod.status?.phase === 'Running' && isReady(pod);

export const isAvailable = (pod: KubeObject, set: KubeObject, nowMs: number): boolean =>
  untilAvailableMs(pod, set.spec.minReadySeconds ?? 0, nowMs) === 0;

export const isUnavailable = (pod: KubeObject, set: KubeObject, nowMs: number): boolean =>
  !isAvailable(pod, set, nowMs) || isTerminating(pod);

interface Volume {
  name: string;
  persistentVolumeClaim?: { claimName: string };
}

interface ClaimTemplate extends KubeObject {
  spec: object;
}

const claimTemplates = (set: KubeObject): ClaimTemplate[] => set.spec.volumeClaimTemplates ?? [];

const claimName = (set: KubeObject, template: ClaimTemplate, ordinal: number): string =>
  `${template.metadata.name}-${set.metadata.name}-${ordinal}`;

/** The claims of the Pod. */
export const claimsFor = (set: KubeObject, pod: KubeObject): KubeObject[] =>
  claimTemplates(set).map((template) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      ...template.metadata,
      name: claimName(set, template, ordinalOf(pod)),
      namespace: set.metadata.namespace!,
      labels: { ...template.metadata.labels, ...set.spec.selector.matchLabels },
    },
    spec: template.spec,
  }));

const volumesFor = (set: KubeObject, pod: KubeObject): Volume[] => {
  const claimed = claimTemplates(set).map((template) => ({
    name: template.metadata.name,
    persistentVolumeClaim: { claimName: claimName(set, template, ordinalOf(pod)) },
  }));
  const own: Volume[] = pod.spec.volumes ?? [];
  return [...claimed, ...own.filter(({ name }) => !claimed.some((claim) => claim.name === name))];
};

export const newPod = (set: KubeObject, ordinal: number, template: PodTemplate, revision: string): KubeObject => {
  const { metadata, spec } = template;
  const name = `${set.metadata.name}-${ordinal}`;
  const pod: KubeObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      generateName: `${set.metadata.name}-`,
      namespace: set.metadata.namespace!,
      labels: { ...metadata?.labels, [NAME_LABEL]: name, [INDEX_LABEL]: String(ordinal), [REVISION_LABEL]: revision },
      ...(metadata?.annotations ? { annotations: metadata.annotations } : {}),
      ...(metadata?.finalizers ? { finalizers: metadata.finalizers } : {}),
      ownerReferences: [controllerReference(set)],
    },
    spec: { ...spec, hostname: name, ...(set.spec.serviceName ? { subdomain: set.spec.serviceName } : {}) },
  };
  const volumes = volumesFor(set, pod);
  return volumes.length > 0 ? { ...pod, spec: { ...pod.spec, volumes } } : pod;
};

/** The Pod has the labels and volumes of its ordinal. Somebody may have changed them, or the Pod was adopted. */
export const isItself = (set: KubeObject, pod: KubeObject): boolean => {
  const volumes: Volume[] = pod.spec.volumes ?? [];
  return (
    pod.metadata.labels?.[NAME_LABEL] === pod.metadata.name &&
    claimTemplates(set).every((template) => {
      const volume = volumes.find(({ name }) => name === template.metadata.name);
      return volume?.persistentVolumeClaim?.claimName === claimName(set, template, ordinalOf(pod));
    })
  );
};

export const madeItself = (set: KubeObject, pod: KubeObject): KubeObject => {
  const labels = {
    ...pod.metadata.labels,
    [NAME_LABEL]: pod.metadata.name,
    [INDEX_LABEL]: String(ordinalOf(pod)),
  };
  const volumes = volumesFor(set, pod);
  return {
    ...pod,
    metadata: { ...pod.metadata, labels },
    spec: volumes.length > 0 ? { ...pod.spec, volumes } : pod.spec,
  };
};
