// Messages about a workload with a partition for status.message: what Tranche cannot do itself.
import type { Pod } from '../../../api/types.ts';
import { inNamespace, pods } from '../../lib/text.ts';
import type { Blocks } from './shape.ts';

interface Remarks {
  readonly evict: Pod | undefined;
  /** Why its eviction was refused. */
  readonly refused: string | undefined;
  readonly stuck: readonly Pod[];
  readonly unready: readonly Pod[];
  /** Why the controller waits for them. */
  readonly blocks: Blocks | undefined;
  /** Says that the user's partition keeps old Pods. */
  readonly kept: string | undefined;
  readonly surplus: number;
  readonly startsNew: string;
}

/** The first of the remarks that applies. */
export function remarkOf({ evict, stuck: [first, ...more], unready, ...others }: Remarks): string | undefined {
  const [waitsFor] = unready;
  const { rule = '', known = '' } = others.blocks ?? {};
  if (evict !== undefined) return evicts(evict, known, others.refused);
  if (first !== undefined) return stuck(first, more.length, known);
  if (waitsFor !== undefined) return waits(waitsFor, rule);
  if (others.kept !== undefined) return others.kept;
  return others.surplus > 0 ? surplus(others.surplus, others.startsNew) : undefined;
}

/** `more`: number of further Pods like this one. */
export const stuck = ({ metadata: { name, namespace } }: Pod, more: number, known: string): string =>
  `Pod ${name}${more === 0 ? '' : ` and ${more} more`} of an old version ${more === 0 ? 'is' : 'are'} not Ready, and the StatefulSet controller waits ` +
  `instead of replacing ${more === 0 ? 'it' : 'them'} (${known}); to continue: kubectl delete pod ${name}${inNamespace(namespace)}`;

/** `refused`: why its eviction was refused. */
export const evicts = ({ metadata: { name } }: Pod, known: string, refused?: string): string =>
  `evicting Pod ${name} of an abandoned version, which is not Ready: the StatefulSet controller waits for it instead of replacing it (${known})` +
  (refused === undefined ? '' : `; the eviction is refused: ${refused}`);

/** For the event. */
export const evicted = ({ metadata: { name } }: Pod, known: string): string =>
  `Pod ${name} of an abandoned version, which was not Ready, was evicted: the StatefulSet controller waited for it instead of replacing it (${known})`;

/** A Pod of the stable version that the step does not update. */
export const waits = ({ metadata: { name } }: Pod, rule: string): string =>
  `Pod ${name} is not Ready, and the StatefulSet controller updates no other Pod until it is Ready (${rule})`;

/** The user's own partition, outside a hold. `ordered`: it is the index of a Pod. */
export const kept = (field: string, partition: number, ordered: boolean): string =>
  ordered
    ? `${field} is ${partition}, so the Pods below it keep their version`
    : `${field} lets ${pods(partition)} keep ${partition === 1 ? 'its' : 'their'} version`;

export const surplus = (count: number, startsNew: string): string =>
  `${pods(count)} beyond the step ${count === 1 ? 'has' : 'have'} the new version, because ${startsNew}`;
