// The workload kind StatefulSet of OpenKruise, the Advanced StatefulSet (docs/openkruise-workloads.md).
import { ADVANCED_STATEFUL_SETS } from '../../../api/resources.ts';
import type { IntOrString } from '../../../api/types.ts';
import { partitionKind } from '../partition/kind.ts';
import { ordinalOf } from '../partition/progress.ts';
import type { Partitioned, PartitionShape } from '../partition/shape.ts';
import { statefulSetShape } from '../statefulset/kind.ts';

export const advancedStatefulSetShape: PartitionShape = {
  ...statefulSetShape,
  resource: ADVANCED_STATEFUL_SETS,
  borrows: ['partition', 'paused'],
  minReadySeconds: ({ spec }) => spec.updateStrategy?.rollingUpdate?.minReadySeconds ?? 0,
  // With Parallel, its controller also counts Pods of older versions, and does not replace them first.
  blocks: (set, replicas) =>
    statefulSetShape.blocks(set, replicas) ?? {
      from: statefulSetShape.limits(set, replicas).unavailable,
      rule: 'maxUnavailable',
      known: 'they count for maxUnavailable',
    },
  indexIn(set) {
    // With this strategy, the controller chooses the Pods, and the partition is only their number.
    if (set.spec.updateStrategy?.rollingUpdate?.unorderedUpdate !== undefined) return undefined;
    const start = set.spec.ordinals?.start ?? 0;
    const reserved = reservedIn(set);
    // The partition counts Pods, so ordinals without a Pod do not count.
    return (pod) => {
      const ordinal = ordinalOf(pod);
      if (reserved.some(([from, to]) => from <= ordinal && ordinal <= to)) return Infinity;
      const without = reserved.map(([from, to]) => Math.max(0, Math.min(to, ordinal - 1) - Math.max(from, start) + 1));
      return without.reduce((index, pods) => index - pods, ordinal - start);
    };
  },
};

type Range = readonly [from: number, to: number];

/** The reserved ordinals, as ranges that do not overlap. Users write numbers, and ranges such as "3-5". */
function reservedIn({ spec }: Partitioned): readonly Range[] {
  const written = (spec.reserveOrdinals ?? []).map(rangeOf).filter(([from, to]) => from <= to);
  const ranges: Range[] = [];
  for (const [from, to] of written.toSorted(([a], [b]) => a - b)) {
    const rest = Math.max(from, (ranges.at(-1)?.[1] ?? -1) + 1);
    if (rest <= to) ranges.push([rest, to]);
  }
  return ranges;
}

function rangeOf(value: IntOrString): Range {
  const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(String(value)) ?? [];
  return [Number(from), Number(to)];
}

export const advancedStatefulSetKind = partitionKind(advancedStatefulSetShape);
