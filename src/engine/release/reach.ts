// Where the webhooks do not reach, no change is held: a Rollout there is refused, and one that is there already says so.
import type { Violation } from '../validate/violation.ts';

export interface Reached {
  /** The namespace that the program runs in; undefined outside of the cluster. */
  readonly own?: string | undefined;
  /** The only namespaces to work in; empty: all. */
  readonly watched: readonly string[];
}

const CLUSTER_NAMESPACE = 'kube-system';
const ELSEWHERE = 'put the Deployment and its Rollout into another namespace';
const MAX_NAMED = 5;

/** Why a Rollout in this namespace would do nothing; undefined where it works. The chart's webhooks select by the same rules. */
export function unreachedBy({ own, watched }: Reached): (namespace: string) => Violation | undefined {
  const unreached = (value: string, reason: string, remedy: string): Violation => ({
    field: 'metadata.namespace',
    value,
    reason: `${reason}, so no change of a Deployment there is held`,
    remedy,
  });
  return (namespace) => {
    if (namespace === CLUSTER_NAMESPACE) {
      return unreached(
        namespace,
        'is left alone by the webhooks, which are never in the way of the cluster',
        ELSEWHERE,
      );
    }
    if (namespace === own) {
      return unreached(namespace, 'is the namespace that Tranche runs in, which its webhooks leave alone', ELSEWHERE);
    }
    if (watched.length === 0 || watched.includes(namespace)) return undefined;
    const remedy = `add it to watchNamespaces of the chart, which has ${list(watched)}, or use one of those`;
    return unreached(namespace, 'is not a namespace that Tranche works in', remedy);
  };
}

const list = (names: readonly string[]): string =>
  names.length <= MAX_NAMED
    ? names.join(', ')
    : `${names.slice(0, MAX_NAMED).join(', ')} and ${names.length - MAX_NAMED} more`;

/** The same, said of a Rollout that is there. */
export const notReached = (deployment: string, { value, reason, remedy }: Violation): string =>
  `Deployment "${deployment}" is not released in steps: namespace "${String(value)}" ${reason}; ${remedy}`;
