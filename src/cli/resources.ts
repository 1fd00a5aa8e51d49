// Finds the objects that commands need, with errors that help if an object does not exist.
import { CONTROLLER_REVISIONS, DEPLOYMENTS, PODS, REPLICA_SETS, ROLLOUTS, type Resource } from '../api/resources.ts';
import type {
  ControllerRevision,
  Deployment,
  KubeObject,
  LabelSelector,
  Pod,
  ReplicaSet,
  Rollout,
} from '../api/types.ts';
import { inNamespace, workloadArgument } from '../engine/lib/text.ts';
import { ownerOf } from '../engine/release/governing-rollout.ts';
import { misnamedWorkload } from '../engine/validate/names.ts';
import type { Children } from '../engine/snapshot.ts';
import type { ChildKind } from '../engine/workload/kind.ts';
import type { Facts } from '../view/facts.ts';
import { resourceOf } from '../view/reference.ts';
import type { Cluster, Write } from './cluster.ts';
import { CliError, usageError } from './exit.ts';
import type { DryRun } from './flags.ts';
import { findOthers, resourceNamed } from './workloads.ts';

/** Throws CliError if the server does not serve the kind. */
export async function listRollouts(cluster: Cluster, namespace: string | undefined): Promise<Rollout[]> {
  try {
    return await cluster.list<Rollout>(ROLLOUTS, { namespace });
  } catch (error) {
    if (cluster.answerOf(error) !== 'NotFound') throw error;
    throw new CliError(
      'the cluster does not serve rollouts.kruise.io/v1beta1: install the chart, then check with: kubectl tranche doctor',
    );
  }
}

/** Accepts `web`, `rollout/web`, and `deployment/web` for the Rollout of that Deployment, and so for each kind. Throws CliError. */
export async function getRollout(cluster: Cluster, argument: string): Promise<Rollout> {
  const { kind, name } = parseName(argument);
  const { namespace } = cluster;
  if (kind === 'rollout') {
    const found = await cluster.find<Rollout>(ROLLOUTS, { namespace, name });
    if (found) return found;
  }
  const all = await listRollouts(cluster, namespace);
  const named = all.filter(({ spec }) => spec.workloadRef.name === name);
  const naming = kind === 'rollout' ? named : named.filter((one) => resourceOf(one) === kind);
  const owner = ownerOf(naming);
  if (kind !== 'rollout' && owner) return owner;
  const there = owner ? undefined : await workloadWithout(cluster, kind === 'rollout' ? undefined : kind, name);
  const hint =
    owner !== undefined
      ? `; ${resourceOf(owner).kind} "${name}" is released by Rollout "${owner.metadata.name}"`
      : there !== undefined
        ? `; to create one for ${there.kind} "${name}": kubectl tranche init ${workloadArgument(there, name)}${inNamespace(namespace)}`
        : all.length === 0
          ? '; to create one: kubectl tranche init WORKLOAD'
          : `; existing Rollouts: ${all.map(({ metadata }) => metadata.name).join(', ')}`;
  const what = kind === 'rollout' ? `no Rollout "${name}"` : `no Rollout for ${kind.kind} "${name}"`;
  throw new CliError(`${what} in namespace "${namespace}"${hint}`);
}

/** The kind of a workload with this name. For a hint only: without the permission to read it, the hint is a different one. */
async function workloadWithout(
  cluster: Cluster,
  resource: Resource | undefined,
  name: string,
): Promise<Resource | undefined> {
  const first = resource ?? DEPLOYMENTS;
  if (await cluster.find(first, { namespace: cluster.namespace, name }).catch(() => undefined)) return first;
  return resource === undefined ? (await findOthers(cluster, name))[0]?.resource : undefined;
}

/** The forms that kubectl accepts, without the Rollouts of other groups, such as Argo Rollouts. */
const OUR_KIND = /^rollouts?(\.(v\d\w*\.)?rollouts\.kruise\.io)?$/;

function parseName(argument: string): { kind: 'rollout' | Resource; name: string } {
  const [first = '', second, ...more] = argument.split('/');
  if (second === undefined) return { kind: 'rollout', name: first };
  const kind = OUR_KIND.test(first.toLowerCase()) ? 'rollout' : resourceNamed(first);
  if (more.length === 0 && second !== '' && kind !== undefined) return { kind, name: second };
  throw usageError(`invalid name of a Rollout "${argument}": write NAME, rollout/NAME or deployment/NAME`);
}

/** The Rollout as written, with the namespace of the command if it has none, and with the status of the stored one if there is one. */
export async function getStored(cluster: Cluster, written: Rollout): Promise<Rollout> {
  const { namespace = cluster.namespace, name } = written.metadata;
  const { status } = (await cluster.find<Rollout>(ROLLOUTS, { namespace, name })) ?? {};
  return { ...written, metadata: { ...written.metadata, namespace }, ...(status && { status }) };
}

export async function getDeployment(
  cluster: Cluster,
  name: string,
  namespace = cluster.namespace,
  resource: Resource = DEPLOYMENTS,
): Promise<Deployment> {
  const found = await cluster.find<Deployment>(resource, { namespace, name });
  if (!found) throw new CliError(`no ${resource.kind} "${name}" in namespace "${namespace}"`);
  return found;
}

/** The workload that a Rollout names. Does not send a request if the name is invalid. */
export async function findWorkload(cluster: Cluster, rollout: Rollout): Promise<Deployment | undefined> {
  if (misnamedWorkload(rollout)) return undefined;
  const { namespace = cluster.namespace } = rollout.metadata;
  return cluster.find<Deployment>(resourceOf(rollout), { namespace, name: rollout.spec.workloadRef.name });
}

export async function gather(cluster: Cluster, rollout: Rollout, now: number): Promise<Facts> {
  const namespace = rollout.metadata.namespace ?? cluster.namespace;
  const { factsOf, factsWithout, kindFor } = await import('../view/facts.ts');
  const deployment = await findWorkload(cluster, rollout);
  if (!deployment) return factsWithout(rollout);
  const { selector } = deployment.spec;
  const [children, { digest }] = await Promise.all([
    listChildren(cluster, kindFor(rollout).children, { namespace, selector }),
    import('../kube/digest.ts'),
  ]);
  return factsOf(rollout, deployment, children, { now, digest });
}

/** The objects of these kinds that the selector of a workload matches. */
export async function listChildren(
  cluster: Cluster,
  kinds: readonly ChildKind[],
  where: { readonly namespace: string | undefined; readonly selector: LabelSelector },
): Promise<Children> {
  const list = <T extends KubeObject>(child: ChildKind, resource: Resource): Promise<T[]> =>
    kinds.includes(child) ? cluster.list<T>(resource, where) : Promise.resolve([]);
  const [replicaSets, pods, revisions] = await Promise.all([
    list<ReplicaSet>('replicaSets', REPLICA_SETS),
    list<Pod>('pods', PODS),
    list<ControllerRevision>('revisions', CONTROLLER_REVISIONS),
  ]);
  return { replicaSets, pods, revisions };
}

/** Deletes the object with this UID. Succeeds if it no longer exists. */
export async function removeObject(
  cluster: Cluster,
  resource: Resource,
  { uid, ...where }: { namespace: string | undefined; name: string; uid: string | undefined },
  dryRun: DryRun,
): Promise<void> {
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid } };
  await sendDeletion(cluster, { method: 'DELETE', resource, ...where, body }, dryRun);
}

/** Succeeds if the object no longer exists. */
export async function sendDeletion(cluster: Cluster, write: Write, dryRun: DryRun): Promise<void> {
  try {
    await cluster.send(write, dryRun);
  } catch (error) {
    if (cluster.answerOf(error) !== 'NotFound') throw error;
  }
}
