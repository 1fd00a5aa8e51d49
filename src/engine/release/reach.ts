// Namespaces that the webhooks do not select: new Rollouts are refused there, and existing ones report it.
import type { Violation } from '../validate/violation.ts';

export interface Reached {
  /** The namespace that the program runs in. Undefined outside the cluster. */
  readonly own?: string | undefined;
  /** The only namespaces that Tranche works in. Empty means all namespaces. */
  readonly watched: readonly string[];
}

const CLUSTER_NAMESPACE = 'kube-system';
const ELSEWHERE = 'use another namespace';
const MAX_NAMED = 5;

/** Why a Rollout in a namespace has no effect. Undefined if it works. The chart's webhooks use the same rules. */
export function unreachedBy({ own, watched }: Reached): (namespace: string) => Violation | undefined {
  const unreached = (value: string, reason: string, remedy: string): Violation => ({
    field: 'metadata.namespace',
    value,
    reason: `${reason}, so a Rollout has no effect there`,
    remedy,
  });
  return (namespace) => {
    if (namespace === CLUSTER_NAMESPACE) {
      return unreached(namespace, 'is excluded from the webhooks to protect the cluster', ELSEWHERE);
    }
    if (namespace === own) {
      return unreached(namespace, 'is the namespace of Tranche, which its webhooks exclude', ELSEWHERE);
    }
    if (watched.length === 0 || watched.includes(namespace)) return undefined;
    const remedy = `add it to watchNamespaces of the chart (now ${list(watched)}), or use one of these`;
    return unreached(namespace, 'is not in watchNamespaces', remedy);
  };
}

const list = (names: readonly string[]): string =>
  names.length <= MAX_NAMED
    ? names.join(', ')
    : `${names.slice(0, MAX_NAMED).join(', ')} and ${names.length - MAX_NAMED} more`;

/** The message for an existing Rollout. */
export const notReached = (kind: string, name: string, { value, reason, remedy }: Violation): string =>
  `${kind} "${name}" is not released in steps: namespace "${String(value)}" ${reason}; ${remedy}`;
