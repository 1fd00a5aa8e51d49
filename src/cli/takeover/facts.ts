// Reads the facts about one workload that OpenKruise Rollouts left, and plans the next write.
import { KRUISE_CANARY } from '../../api/keys.ts';
import { DEPLOYMENTS, REPLICA_SETS, ROLLOUTS, SERVICES, type Resource } from '../../api/resources.ts';
import type { Deployment, IntOrString, ReplicaSet, Rollout } from '../../api/types.ts';
import { ownerOf } from '../../engine/release/governing-rollout.ts';
import type { Ending, Service, TakeoverPlan } from '../../engine/release/takeover-plan.ts';
import { resourceOf } from '../../view/reference.ts';
import type { Cluster } from '../cluster.ts';
import { usageError } from '../exit.ts';
import { getDeployment, listChildren } from '../resources.ts';
import { asKind, listWorkloads, type Named } from '../workloads.ts';

export interface Wish {
  readonly ending: Ending | undefined;
  /** The user's own partition. */
  readonly partition: IntOrString | undefined;
}

/** The workloads that have something of OpenKruise, of all kinds that can be taken over. */
export async function findLeftovers(cluster: Cluster, namespace: string | undefined): Promise<Named[]> {
  const [all, rollouts] = [await listWorkloads(cluster, namespace), await rolloutsIn(cluster, namespace)];
  const { leftoverOf } = await import('../../engine/release/openkruise.ts');
  const { kindOfResource } = await import('../../engine/workload/registry.ts');
  return all.filter(({ resource, workload }) => {
    const kind = kindOfResource(resource);
    if (resource !== DEPLOYMENTS && kind?.openKruise === undefined) return false;
    return leftoverOf(workload, ownerOf(naming(rollouts, resource, workload)), kind) !== undefined;
  });
}

/** The next write, and the workload that it was planned on. */
export async function planNext(
  cluster: Cluster,
  { resource, workload: { metadata } }: Named,
  { ending, partition }: Wish,
  now: number,
): Promise<{ readonly plan: TakeoverPlan; readonly workload: Deployment }> {
  const namespace = metadata.namespace ?? cluster.namespace;
  const workload = asKind(await getDeployment(cluster, metadata.name, namespace, resource), resource);
  const { selector } = workload.spec;
  const { kindOfResource } = await import('../../engine/workload/registry.ts');
  const kind = kindOfResource(resource);
  if (partition !== undefined && kind && !('partition' in kind.borrowed(workload)))
    throw usageError(`--partition: a ${resource.kind} has no partition`);
  const [all, services, { digest }] = await Promise.all([
    rolloutsIn(cluster, namespace),
    cluster.list<Service>(SERVICES, { namespace }),
    import('../../kube/digest.ts'),
  ]);
  const common = { now, digest, services, rollouts: naming(all, resource, workload) };
  if (resource === DEPLOYMENTS) {
    const [replicaSets, extras, { planTakeover }] = await Promise.all([
      cluster.list<ReplicaSet>(REPLICA_SETS, { namespace, selector }),
      cluster.list<Deployment>(resource, { namespace, selector: { matchLabels: { [KRUISE_CANARY]: metadata.name } } }),
      import('../../engine/release/takeover.ts'),
    ]);
    return { plan: planTakeover({ ...common, deployment: workload, replicaSets, extras }, ending), workload };
  }
  const { openKruise } = kind ?? {};
  if (!kind || !openKruise)
    return {
      plan: { kind: 'Nothing', says: `a ${resource.kind} cannot be taken over, and is left as it is` },
      workload,
    };
  const children = await listChildren(cluster, kind.children, { namespace, selector });
  const { planHeldTakeover } = await import('../../engine/release/takeover-held.ts');
  const facts = { ...common, kind: { ...kind, openKruise }, workload, children, partition };
  return { plan: planHeldTakeover(facts, ending), workload };
}

/** Empty if the cluster does not serve the kind. */
async function rolloutsIn(cluster: Cluster, namespace: string | undefined): Promise<Rollout[]> {
  try {
    return await cluster.list<Rollout>(ROLLOUTS, { namespace });
  } catch (error) {
    if (cluster.answerOf(error) === 'NotFound') return [];
    throw error;
  }
}

const naming = (rollouts: readonly Rollout[], resource: Resource, { metadata }: Deployment): Rollout[] =>
  rollouts.filter(
    (one) =>
      one.metadata.namespace === metadata.namespace &&
      one.spec.workloadRef.name === metadata.name &&
      resourceOf(one) === resource,
  );
