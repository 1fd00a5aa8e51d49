// Evictions of Pods, for all workload kinds: the effect, and when a refused one is tried again.
import { PODS } from '../../api/resources.ts';
import type { Pod } from '../../api/types.ts';
import type { Effect } from '../decision.ts';
import { pods } from '../lib/text.ts';
import { cleaned } from '../messages.ts';

/** An eviction that the API server refused. */
export interface Refusal {
  readonly uid: string;
  /** Name of the Pod. */
  readonly pod: string;
  /** The resourceVersion of the Pod that was not the current one any more. Absent if the eviction was refused for another reason. */
  readonly stale?: string;
  /** What the API server said. Text of others: it may contain anything. */
  readonly said: string;
  /** When it was refused last, in milliseconds. */
  readonly at: number;
  /** How often in a row. */
  readonly times: number;
}

/** What this process knows about its own evictions of the Pods of one workload. */
export interface Evictions {
  /** When this process began to work, in milliseconds: it does not know earlier evictions. */
  readonly startedAt?: number;
  /** Nodes whose Pod was evicted a short time ago. */
  readonly emptied?: readonly Emptied[];
  /** When a Pod was evicted last, in milliseconds. */
  readonly lastAt?: number;
  readonly refused?: Refusal;
}

export interface Emptied {
  /** Of the Pod that was evicted. */
  readonly uid: string;
  readonly node: string;
  /** In milliseconds. */
  readonly at: number;
}

export interface Eviction {
  readonly pod: Pod;
  /** For the event. */
  readonly says: string;
}

/** After this time, the workload's controller has seen that the Pod is gone, and its status says so. */
export const SEEN_MS = 10_000;
const FIRST_WAIT_MS = 10_000;
const LONGEST_WAIT_MS = 60_000;
/** The watch shows the newer Pod before that. */
const STALE_WAIT_MS = 1_000;

export const evictPod = ({ pod, says }: Eviction): Effect => ({
  kind: 'Evict',
  why: 'evict',
  resource: PODS,
  pod,
  says,
});

/** When the Pod may be evicted again, in milliseconds. Undefined if it may be evicted now. */
export function evictAgainAt(pod: Pod, evictions: Evictions | undefined, now: number): number | undefined {
  const refused = evictions?.refused;
  if (refused === undefined || refused.uid !== pod.metadata.uid) return undefined;
  const { stale, at, times } = refused;
  if (stale !== undefined && stale !== pod.metadata.resourceVersion) return undefined;
  const again =
    at + (stale === undefined ? Math.min(FIRST_WAIT_MS * 2 ** (times - 1), LONGEST_WAIT_MS) : STALE_WAIT_MS);
  return again > now ? again : undefined;
}

/** `The disruption budget agent needs 3 healthy pods and has 3 currently`. Undefined if the last eviction of the Pod was not refused. */
export const refusalOf = (pod: Pod, evictions: Evictions | undefined): string | undefined => {
  const refused = evictions?.refused;
  return refused !== undefined && refused.uid === pod.metadata.uid && refused.stale === undefined
    ? cleaned(refused.said).replace(/\.$/, '')
    : undefined;
};

/** `Pod agent-x5k2b`, `Pods agent-x5k2b, agent-8mnd4 and 3 more`. */
export function namesOf(named: readonly Pod[], most = 3): string {
  const names = named.slice(0, most).map(({ metadata }) => metadata.name);
  const more = named.length - names.length;
  return `${named.length === 1 ? 'Pod' : 'Pods'} ${names.join(', ')}${more > 0 ? ` and ${pods(more)} more`.replace(/ Pods?/, '') : ''}`;
}
