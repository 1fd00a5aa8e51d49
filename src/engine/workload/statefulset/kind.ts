// The workload kind StatefulSet (docs/statefulsets.md).
import { STATEFUL_SETS } from '../../../api/resources.ts';
import { podsOf } from '../../lib/replicas.ts';
import { partitionKind } from '../partition/kind.ts';
import { onDelete } from '../partition/obstacles.ts';
import { ordinalOf } from '../partition/progress.ts';
import { EVERY, type PartitionShape } from '../partition/shape.ts';

export const statefulSetShape: PartitionShape = {
  resource: STATEFUL_SETS,
  workloadType: 'statefulset',
  at: ['updateStrategy', 'rollingUpdate'],
  borrows: ['partition'],
  all: EVERY,
  percent: false,
  kept: (partition) => Number(partition ?? 0),
  keeping: (pods) => pods,
  replicas: ({ spec }) => spec.replicas ?? 1,
  minReadySeconds: ({ spec }) => spec.minReadySeconds ?? 0,
  indexIn:
    ({ spec }) =>
    (pod) =>
      ordinalOf(pod) - (spec.ordinals?.start ?? 0),
  blocks: ({ spec }) =>
    spec.podManagementPolicy === 'Parallel'
      ? undefined
      : { from: 1, rule: 'podManagementPolicy OrderedReady', known: 'kubernetes#67250' },
  hashIn: (name) => name,
  updateRevision: ({ status }) => status?.updateRevision,
  isCurrent: ({ status }, updateRevision) => updateRevision !== undefined && status?.currentRevision === updateRevision,
  startsNew: 'Pods of a scale-up start with it',
  limits({ spec }, replicas) {
    const { maxUnavailable = 1 } = spec.updateStrategy?.rollingUpdate ?? {};
    return { surge: 0, unavailable: Math.max(1, podsOf(maxUnavailable, replicas, 'down')) };
  },
  obstacle: (set) => onDelete(set, 'StatefulSet', 'RollingUpdate'),
};

export const statefulSetKind = partitionKind(statefulSetShape);
