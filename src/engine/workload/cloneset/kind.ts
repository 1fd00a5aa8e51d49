// The workload kind CloneSet of OpenKruise (docs/openkruise-workloads.md).
import { CLONE_SETS } from '../../../api/resources.ts';
import type { IntOrString } from '../../../api/types.ts';
import { percentOf, podsOf, shareOf } from '../../lib/replicas.ts';
import { partitionKind } from '../partition/kind.ts';
import { onDelete } from '../partition/obstacles.ts';
import { EVERY, hashAtEnd, type PartitionShape } from '../partition/shape.ts';

const ALL = '100%';

/** As the CloneSet controller counts: a percentage rounds up, and one below 100% leaves at least one Pod that is updated. */
function kept(partition: IntOrString | null, replicas: number): number {
  if (partition === null) return 0;
  if (partition === ALL) return EVERY;
  const pods = podsOf(partition, replicas, 'up');
  return percentOf(String(partition)) !== undefined && replicas > 1 ? Math.min(pods, replicas - 1) : pods;
}

export const cloneSetShape: PartitionShape = {
  resource: CLONE_SETS,
  workloadType: 'cloneset',
  at: ['updateStrategy'],
  borrows: ['partition', 'paused'],
  all: ALL,
  percent: true,
  kept,
  // A percentage follows the number of replicas, also while no operator runs.
  keeping: (pods, replicas) => shareOf(pods, replicas, 'up'),
  replicas: ({ spec }) => spec.replicas ?? 1,
  minReadySeconds: ({ spec }) => spec.minReadySeconds ?? 0,
  indexIn: () => undefined,
  blocks: () => undefined,
  hashIn: hashAtEnd,
  updateRevision: ({ status }) => status?.updateRevision,
  isCurrent: ({ status }, updateRevision) => updateRevision !== undefined && status?.currentRevision === updateRevision,
  startsNew: 'Pods of a scale-up started with it',
  limits({ spec }, replicas) {
    const { maxUnavailable = '20%', maxSurge = 0 } = spec.updateStrategy ?? {};
    const surge = podsOf(maxSurge, replicas, 'up');
    return { surge, unavailable: Math.min(replicas, podsOf(maxUnavailable, replicas, surge === 0 ? 'up' : 'down')) };
  },
  obstacle: (set) => onDelete(set, 'CloneSet', 'ReCreate'),
};

export const cloneSetKind = partitionKind(cloneSetShape);
