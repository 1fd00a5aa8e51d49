// The workload kind DaemonSet of OpenKruise, the Advanced DaemonSet (docs/openkruise-workloads.md).
import { ADVANCED_DAEMON_SETS } from '../../../api/resources.ts';
import { nodesOf, podsOf } from '../../lib/replicas.ts';
import type { Obstacle } from '../kind.ts';
import { atOnce } from '../daemonset/placement.ts';
import { partitionKind } from '../partition/kind.ts';
import { countedNodes } from '../daemonset/progress.ts';
import { noNodes } from '../daemonset/messages.ts';
import { onDelete, unsupported } from '../partition/obstacles.ts';
import { EVERY, hashAtEnd, type Partitioned, type PartitionShape } from '../partition/shape.ts';

const KIND = 'DaemonSet';
/** On it, with the value "true", the partition also limits how many Pods are created. */
const PROGRESSIVE = 'daemonset.kruise.io/progressive-create-pod';

export const advancedDaemonSetShape: PartitionShape = {
  resource: ADVANCED_DAEMON_SETS,
  workloadType: 'daemonset',
  at: ['updateStrategy', 'rollingUpdate'],
  borrows: ['partition', 'paused'],
  // Not 100%: its controller computes percentages from a number of nodes in the status, which may be from before a node was added.
  all: EVERY,
  percent: true,
  kept: (partition, replicas) => podsOf(partition ?? 0, replicas, 'down'),
  keeping: (pods) => pods,
  replicas: nodesOf,
  none: noNodes,
  counted: countedNodes,
  minReadySeconds: ({ spec }) => spec.minReadySeconds ?? 0,
  indexIn: () => undefined,
  blocks: () => undefined,
  hashIn: hashAtEnd,
  updateRevision: ({ status }) => status?.daemonSetHash,
  // Its controller creates every Pod with the version of the template.
  isCurrent: () => true,
  startsNew: 'Pods on new nodes, and Pods that are created again, start with it',
  limits({ spec }, replicas) {
    const { maxUnavailable, maxSurge = 0 } = spec.updateStrategy?.rollingUpdate ?? {};
    const surge = podsOf(maxSurge, replicas, 'up');
    return { surge, unavailable: podsOf(maxUnavailable ?? (surge === 0 ? 1 : 0), replicas, 'up') };
  },
  obstacle: (set) => onDelete(set, KIND, 'RollingUpdate') ?? onlySomeNodes(set) ?? progressive(set),
};

function onlySomeNodes(set: Partitioned): Obstacle | undefined {
  if (set.spec.updateStrategy?.rollingUpdate?.selector === undefined) return undefined;
  return unsupported(set, KIND, {
    strategy: 'an update strategy for some nodes',
    why: 'updates no Pod on other nodes',
    remedy: 'remove spec.updateStrategy.rollingUpdate.selector',
  });
}

function progressive(set: Partitioned): Obstacle | undefined {
  const { metadata } = set;
  if (metadata.annotations?.[PROGRESSIVE] !== 'true') return undefined;
  return unsupported(set, KIND, {
    strategy: `the annotation ${PROGRESSIVE}`,
    why: 'keeps the controller from creating Pods while a release is held',
    remedy: 'remove the annotation',
  });
}

export const advancedDaemonSetKind = { ...partitionKind(advancedDaemonSetShape), atOnce };
