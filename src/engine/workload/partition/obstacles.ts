// Why a workload with a partition cannot be released in steps.
import type { Obstacle } from '../kind.ts';
import type { Partitioned } from './shape.ts';

/** A setting with which the release could not be completed, or the hold would do harm. */
export function unsupported(
  { metadata }: Partitioned,
  kind: string,
  { strategy, why, remedy }: Pick<Obstacle, 'strategy' | 'why' | 'remedy'>,
): Obstacle {
  const message = `${kind} "${metadata.name}" has ${strategy}, which ${why}: ${remedy}`;
  return { reason: 'UnsupportedStrategy', message, strategy, why, effect: why, remedy };
}

/** `type`: the type of update strategy to use instead. */
export function onDelete({ metadata, spec }: Partitioned, kind: string, type: string): Obstacle | undefined {
  if (spec.updateStrategy?.type !== 'OnDelete') return undefined;
  const remedy = `set spec.updateStrategy.type to ${type}`;
  const words = {
    strategy: 'update strategy OnDelete',
    why: 'updates a Pod only after somebody deletes it',
    effect: 'updates a Pod only after somebody deletes it',
    remedy,
  };
  const message = `${kind} "${metadata.name}" has ${words.strategy}, which ${words.why}: ${remedy}`;
  return { reason: 'OnDeleteStrategy', message, ...words };
}
