// Finds the objects that commands need, with errors that help if an object does not exist.
import { DEPLOYMENTS, PODS, REPLICA_SETS, ROLLOUTS, type Resource } from '../api/resources.ts';
import type { Deployment, Pod, ReplicaSet, Rollout } from '../api/types.ts';
import { inNamespace } from '../engine/lib/text.ts';
import { ownerOf } from '../engine/release/governing-rollout.ts';
import { misnamedWorkload } from '../engine/validate/names.ts';
import type { Facts } from '../view/facts.ts';
import type { Cluster } from './cluster.ts';
import { CliError, usageError } from './exit.ts';
import type { DryRun } from './flags.ts';

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

/** Accepts `web`, `rollout/web`, and `deployment/web` for the Rollout of that Deployment. Throws CliError. */
export async function getRollout(cluster: Cluster, argument: string): Promise<Rollout> {
  const { kind, name } = parseName(argument);
  const { namespace } = cluster;
  if (kind === 'rollout') {
    const found = await cluster.find<Rollout>(ROLLOUTS, { namespace, name });
    if (found) return found;
  }
  const all = await listRollouts(cluster, namespace);
  const naming = all.filter(({ spec }) => spec.workloadRef.name === name);
  const owner = ownerOf(naming);
  if (kind === 'deployment' && owner) return owner;
  const there = owner === undefined && (await hasDeployment(cluster, name));
  const hint =
    owner !== undefined
      ? `; Deployment "${name}" is released by Rollout "${owner.metadata.name}"`
      : there
        ? `; to create one for Deployment "${name}": kubectl tranche init ${name}${inNamespace(namespace)}`
        : all.length === 0
          ? '; to create one: kubectl tranche init DEPLOYMENT'
          : `; existing Rollouts: ${all.map(({ metadata }) => metadata.name).join(', ')}`;
  const what = kind === 'rollout' ? `no Rollout "${name}"` : `no Rollout for Deployment "${name}"`;
  throw new CliError(`${what} in namespace "${namespace}"${hint}`);
}

/** For a hint only: without the permission to read Deployments, the hint is a different one. */
const hasDeployment = async (cluster: Cluster, name: string): Promise<boolean> =>
  (await cluster.find(DEPLOYMENTS, { namespace: cluster.namespace, name }).catch(() => undefined)) !== undefined;

/** The forms that kubectl accepts, without the Rollouts of other groups, such as Argo Rollouts. */
const OUR_KIND = /^rollouts?(\.(v\d\w*\.)?rollouts\.kruise\.io)?$/;
const DEPLOYMENT_KIND = /^deploy(ments?)?(\.(v\d\w*\.)?apps)?$/;

function parseName(argument: string): { kind: 'rollout' | 'deployment'; name: string } {
  const [first = '', second, ...more] = argument.split('/');
  if (second === undefined) return { kind: 'rollout', name: first };
  const kind = first.toLowerCase();
  if (more.length === 0 && second !== '') {
    if (OUR_KIND.test(kind)) return { kind: 'rollout', name: second };
    if (DEPLOYMENT_KIND.test(kind)) return { kind: 'deployment', name: second };
  }
  throw usageError(`invalid name of a Rollout "${argument}": write NAME, rollout/NAME or deployment/NAME`);
}

export async function getDeployment(
  cluster: Cluster,
  name: string,
  namespace = cluster.namespace,
): Promise<Deployment> {
  const found = await cluster.find<Deployment>(DEPLOYMENTS, { namespace, name });
  if (!found) throw new CliError(`no Deployment "${name}" in namespace "${namespace}"`);
  return found;
}

/** The Deployment that a Rollout names. Does not send a request if the name is invalid. */
export async function findWorkload(cluster: Cluster, rollout: Rollout): Promise<Deployment | undefined> {
  if (misnamedWorkload(rollout)) return undefined;
  const { namespace = cluster.namespace } = rollout.metadata;
  return cluster.find<Deployment>(DEPLOYMENTS, { namespace, name: rollout.spec.workloadRef.name });
}

export async function gather(cluster: Cluster, rollout: Rollout, now: number): Promise<Facts> {
  const namespace = rollout.metadata.namespace ?? cluster.namespace;
  const { factsOf, factsWithout } = await import('../view/facts.ts');
  const deployment = await findWorkload(cluster, rollout);
  if (!deployment) return factsWithout(rollout);
  const { selector } = deployment.spec;
  const [replicaSets, pods, { digest }] = await Promise.all([
    cluster.list<ReplicaSet>(REPLICA_SETS, { namespace, selector }),
    cluster.list<Pod>(PODS, { namespace, selector }),
    import('../kube/digest.ts'),
  ]);
  return factsOf(rollout, deployment, { replicaSets, pods }, { now, digest });
}

/** Deletes the object with this UID. Succeeds if it no longer exists. */
export async function removeObject(
  cluster: Cluster,
  resource: Resource,
  { uid, ...where }: { namespace: string | undefined; name: string; uid: string | undefined },
  dryRun: DryRun,
): Promise<void> {
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid } };
  try {
    await cluster.send({ method: 'DELETE', resource, ...where, body }, dryRun);
  } catch (error) {
    if (cluster.answerOf(error) !== 'NotFound') throw error;
  }
}
