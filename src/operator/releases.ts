// The Deployments with a release in progress, from the caches: those that are held, and those that their controller still updates after the last step.
import type { Deployment, KubeObject, Rollout, Workload } from '../api/types.ts';
import type { DeploymentInRelease } from '../engine/admit/replicaset.ts';
import { isInFlight } from '../engine/release/in-flight.ts';
import { isLeftBehind } from '../engine/release/openkruise.ts';
import { deploymentKind } from '../engine/workload/deployment/kind.ts';
import { readHeld } from '../engine/workload/deployment/hold.ts';
import { kindOf } from '../engine/workload/registry.ts';

/** Index of Rollouts by namespace: only those of Deployments whose status has a release in progress. */
export const inFlightIndex = (rollout: Rollout): string[] =>
  kindOf(rollout.spec.workloadRef) === deploymentKind && isInFlight(rollout, undefined)
    ? [rollout.metadata.namespace ?? '']
    : [];

interface Cache<T extends KubeObject> {
  get(key: string): T | undefined;
  by(index: string, value: string): readonly T[];
}

/**
 * Needs the indexes `held` of the Deployments and `inFlight` of the Rollouts. Without a record, not those whose controller finishes nothing: it does
 * not update Deployments that are being deleted, and one that OpenKruise left in a release waits for the takeover, which resizes its ReplicaSets.
 */
export function deploymentsInRelease(
  rollouts: Pick<Cache<Rollout>, 'by'>,
  deployments: Cache<Workload>,
  namespace: string,
): readonly DeploymentInRelease[] {
  const found = new Map<string, DeploymentInRelease>();
  for (const rollout of rollouts.by('inFlight', namespace)) {
    const deployment = deployments.get(`${namespace}/${rollout.spec.workloadRef.name}`);
    if (deployment && isUpdated(deployment, rollout))
      found.set(deployment.metadata.name, { deployment, rollout: rollout.metadata.name });
  }
  for (const deployment of deployments.by('held', namespace))
    found.set(deployment.metadata.name, { deployment, rollout: readHeld(deployment as Deployment)?.rollout });
  return [...found.values()];
}

const isUpdated = (deployment: Workload, rollout: Rollout): boolean =>
  deployment.metadata.deletionTimestamp === undefined && !isLeftBehind(deployment, rollout, deploymentKind);
