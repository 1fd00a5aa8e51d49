// The facts about one Rollout, as the operator sees them.
import type { Deployment, Pod, Rollout } from '../api/types.ts';
import type { Children } from '../engine/snapshot.ts';
import { deploymentKind } from '../engine/workload/deployment/kind.ts';
import type { View } from '../engine/workload/deployment/view.ts';
import type { ProgressFacts } from '../engine/workload/kind.ts';

export interface Facts {
  readonly rollout: Rollout;
  /** Undefined: it does not exist, or its name is invalid. */
  readonly deployment: Deployment | undefined;
  /** Numbers and ReplicaSets of the Deployment; undefined without one. */
  readonly view: View | undefined;
  /** The Pods that the selector matches, including Pods of other owners. */
  readonly pods: readonly Pod[];
}

/** `now` in milliseconds since the epoch. */
export function factsOf(
  rollout: Rollout,
  deployment: Deployment,
  children: Children,
  { now, digest }: Pick<ProgressFacts, 'now' | 'digest'>,
): Facts {
  const view = deploymentKind.progress({ now, rollout, digest }, deployment, children);
  return { rollout, deployment, view, pods: children.pods };
}

/** The facts about a Rollout without a Deployment. */
export const factsWithout = (rollout: Rollout): Facts => ({
  rollout,
  deployment: undefined,
  view: undefined,
  pods: [],
});
