// Everything known about one Rollout at one moment, as the operator sees it.
import type { Deployment, Pod, Rollout } from '../api/types.ts';
import type { Children } from '../engine/snapshot.ts';
import { deploymentKind } from '../engine/workload/deployment/kind.ts';
import type { View } from '../engine/workload/deployment/view.ts';
import type { ProgressFacts } from '../engine/workload/kind.ts';

export interface Facts {
  readonly rollout: Rollout;
  /** Undefined: it does not exist, or could not be looked for. */
  readonly deployment: Deployment | undefined;
  /** Its numbers and ReplicaSets; undefined without a Deployment. */
  readonly view: View | undefined;
  /** Those under its selector; Pods of others may be among them. */
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

/** A Rollout whose Deployment is not there. */
export const factsWithout = (rollout: Rollout): Facts => ({
  rollout,
  deployment: undefined,
  view: undefined,
  pods: [],
});
