// The Pods of a DaemonSet: their nodes, what a new one looks like, and which nodes may run one.
import type { KubeObject } from '../../core/types.ts';
import { REVISION_LABEL } from '../framework/history.ts';
import { byAge, controllerReference } from '../framework/meta.ts';
import { isSelected, taintsOf, tolerates, type Placement, type Toleration } from '../node/placement.ts';
import { isFinished, isTerminating, untilAvailableMs } from '../replicaset/pods.ts';

/** Annotation of the DaemonSet, and label of its Pods. From before apps/v1. */
const GENERATION_ANNOTATION = 'deprecated.daemonset.template.generation';
const GENERATION_LABEL = 'pod-template-generation';

const tolerate = (key: string, effect: string): Toleration => ({
  key: `node.kubernetes.io/${key}`,
  operator: 'Exists',
  effect,
});

/** Pods of DaemonSets stay on nodes with problems, and start on cordoned ones. */
const TOLERATIONS = [
  tolerate('not-ready', 'NoExecute'),
  tolerate('unreachable', 'NoExecute'),
  tolerate('disk-pressure', 'NoSchedule'),
  tolerate('memory-pressure', 'NoSchedule'),
  tolerate('pid-pressure', 'NoSchedule'),
  tolerate('unschedulable', 'NoSchedule'),
];

const withTolerations = (spec: Placement & { hostNetwork?: boolean }): Toleration[] => {
  const own = spec.tolerations ?? [];
  const added = spec.hostNetwork ? [...TOLERATIONS, tolerate('network-unavailable', 'NoSchedule')] : TOLERATIONS;
  const isSame = (a: Toleration, b: Toleration): boolean =>
    a.key === b.key && a.effect === b.effect && a.operator === b.operator && !a.value;
  return [
    ...own.map((toleration) => added.find((each) => isSame(toleration, each)) ?? toleration),
    ...added.filter((each) => !own.some((toleration) => isSame(toleration, each))),
  ];
};

export interface Verdict {
  /** A Pod may start here. */
  start: boolean;
  /** A Pod that is here may stay. */
  stay: boolean;
}

export const judge = (node: KubeObject, daemonSet: KubeObject): Verdict => {
  const spec = daemonSet.spec.template.spec as Placement;
  const { name } = node.metadata;
  if ((spec.nodeName && spec.nodeName !== name) || !isSelected(node, spec)) return { start: false, stay: false };
  const tolerations = withTolerations(spec);
  const against = taintsOf(node).filter((taint) => !tolerates({ tolerations }, taint));
  return {
    start: against.every(({ effect }) => effect === 'PreferNoSchedule'),
    stay: against.every(({ effect }) => effect !== 'NoExecute'),
  };
};

/** The node of the Pod, also before it is scheduled. */
const nodeOf = (pod: KubeObject): string | undefined => {
  const { nodeName, affinity } = pod.spec as Placement;
  if (nodeName) return nodeName;
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const fields = terms.flatMap(({ matchFields = [] }) => matchFields);
  return fields.find(({ key, operator }) => key === 'metadata.name' && operator === 'In')?.values?.[0];
};

/** Pods that have ended and are deleted do not count. */
export const byNode = (pods: readonly KubeObject[]): Map<string, KubeObject[]> => {
  const nodes = new Map<string, KubeObject[]>();
  for (const pod of pods) {
    const node = isFinished(pod) && isTerminating(pod) ? undefined : nodeOf(pod);
    if (node) nodes.set(node, [...(nodes.get(node) ?? []), pod]);
  }
  return nodes;
};

/** Scheduled ones first, then the oldest. */
export const byScheduleAndAge = (a: KubeObject, b: KubeObject): number =>
  Number(!a.spec.nodeName) - Number(!b.spec.nodeName) || byAge(a, b);

export const isAvailable = (pod: KubeObject, daemonSet: KubeObject, nowMs: number): boolean =>
  untilAvailableMs(pod, daemonSet.spec.minReadySeconds ?? 0, nowMs) === 0;

const generationOf = ({ metadata }: KubeObject): string | undefined => metadata.annotations?.[GENERATION_ANNOTATION];

export const isUpdated = (pod: KubeObject, daemonSet: KubeObject, hash: string): boolean => {
  const labels = pod.metadata.labels ?? {};
  const generation = generationOf(daemonSet);
  return labels[REVISION_LABEL] === hash || (generation !== undefined && labels[GENERATION_LABEL] === generation);
};

export const newPod = (daemonSet: KubeObject, node: string, hash: string): object => {
  const { metadata, spec } = daemonSet.spec.template;
  const generation = generationOf(daemonSet);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: `${daemonSet.metadata.name}-`,
      namespace: daemonSet.metadata.namespace,
      labels: {
        ...metadata?.labels,
        ...(generation === undefined ? {} : { [GENERATION_LABEL]: generation }),
        [REVISION_LABEL]: hash,
      },
      ...(metadata?.annotations ? { annotations: metadata.annotations } : {}),
      ...(metadata?.finalizers ? { finalizers: metadata.finalizers } : {}),
      ownerReferences: [controllerReference(daemonSet)],
    },
    spec: { ...spec, tolerations: withTolerations(spec), affinity: onNode(spec.affinity, node) },
  };
};

/** Replaces the required terms: the controller has already compared them with the node. */
const onNode = (affinity: Placement['affinity'], node: string): object => {
  const nodeSelectorTerms = [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] }];
  return {
    ...affinity,
    nodeAffinity: {
      ...affinity?.nodeAffinity,
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms },
    },
  };
};
