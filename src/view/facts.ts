// The facts about one Rollout, as the operator sees them.
import type { Deployment, Pod, Rollout } from '../api/types.ts';
import type { Children } from '../engine/snapshot.ts';
import { deploymentKind } from '../engine/workload/deployment/kind.ts';
import type { Progress, ProgressFacts, Version, WorkloadKind } from '../engine/workload/kind.ts';
import { kindOf } from '../engine/workload/registry.ts';

export interface Facts {
  readonly rollout: Rollout;
  /** Undefined: it does not exist, or its name is invalid. */
  readonly deployment: Deployment | undefined;
  /** Numbers and versions of the workload; undefined without one. */
  readonly view: Progress | undefined;
  /** The Pods that the selector matches, including Pods of other owners. */
  readonly pods: readonly Pod[];
}

/** The kind of the workload that a Rollout names. Deployment if it names no supported kind. */
export const kindFor = ({ spec }: Rollout): WorkloadKind => kindOf(spec.workloadRef) ?? deploymentKind;

/** The new version first. */
export const versionsOf = (view: Progress | undefined): readonly Version[] =>
  view === undefined ? [] : [...(view.newVersion ? [view.newVersion] : []), ...view.oldVersions];

/** `now` in milliseconds since the epoch. */
export function factsOf(
  rollout: Rollout,
  deployment: Deployment,
  children: Children,
  { now, digest }: Pick<ProgressFacts, 'now' | 'digest'>,
): Facts {
  const view = kindFor(rollout).progress({ now, rollout, digest }, deployment, children);
  return { rollout, deployment, view, pods: children.pods };
}

/** The facts about a Rollout without a workload. */
export const factsWithout = (rollout: Rollout): Facts => ({
  rollout,
  deployment: undefined,
  view: undefined,
  pods: [],
});
