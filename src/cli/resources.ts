// The objects that commands read and write, and what to say when one is not there.
import type { Deployment, KubeObject, LabelSelector, Pod, ReplicaSet, Rollout } from '../api/types.ts';
import { ownerOf } from '../engine/release/governing-rollout.ts';
import type { Children } from '../engine/snapshot.ts';
import { misnamedWorkload } from '../engine/validate/names.ts';
import { deploymentKind } from '../engine/workload/deployment/kind.ts';
import type { View } from '../engine/workload/deployment/view.ts';
import { isOwnedBy } from '../engine/workload/pods.ts';
import type { Api } from '../kube/api.ts';
import { digest } from '../kube/digest.ts';
import { isNotFound } from '../kube/errors.ts';
import { findObject } from '../kube/get.ts';
import { DEPLOYMENTS, PODS, REPLICA_SETS, ROLLOUTS } from '../api/resources.ts';
import { inNamespace } from '../engine/lib/text.ts';
import { pathOf } from '../kube/path.ts';
import type { Cluster } from './context.ts';
import { CliError, usageError } from './exit.ts';

const PAGE = '500';

/** All of a collection, page by page. */
export async function listAll<T extends KubeObject>(
  api: Api,
  path: string,
  query: Readonly<Record<string, string>> = {},
): Promise<T[]> {
  const items: T[] = [];
  let next = '';
  do {
    const answer = (await api.request({
      method: 'GET',
      path,
      query: { ...query, limit: PAGE, ...(next ? { continue: next } : {}) },
    })) as { apiVersion?: string; kind?: string; items?: T[]; metadata?: { continue?: string } };
    // Items of a list do not say what they are.
    const { apiVersion, kind = '' } = answer;
    const header = apiVersion === undefined ? {} : { apiVersion, kind: kind.replace(/List$/, '') };
    items.push(...(answer.items ?? []).map((item) => (item.kind ? item : { ...header, ...item })));
    next = answer.metadata?.continue ?? '';
  } while (next !== '');
  return items;
}

/** A kind that the server does not know is not an empty list. */
export async function listRollouts({ api }: Cluster, namespace: string | undefined): Promise<Rollout[]> {
  try {
    return await listAll<Rollout>(api, pathOf(ROLLOUTS, { namespace }));
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw new CliError(
      'this cluster has no Rollouts of rollouts.kruise.io/v1beta1: install the chart, then look with: kubectl tranche doctor',
    );
  }
}

/** `web`, `rollout/web`, or `deployment/web` for the Rollout that names that Deployment. */
export async function getRollout(cluster: Cluster, argument: string): Promise<Rollout> {
  const { kind, name } = parseName(argument);
  const { api, namespace } = cluster;
  if (kind === 'rollout') {
    const found = await findObject<Rollout>(api, ROLLOUTS, { namespace, name });
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
        ? `; Deployment "${name}" has none: make one with: kubectl tranche init ${name}${inNamespace(namespace)}`
        : all.length === 0
          ? '; there is none: make one with: kubectl tranche init DEPLOYMENT'
          : `; there ${all.length === 1 ? 'is' : 'are'}: ${all.map(({ metadata }) => metadata.name).join(', ')}`;
  const what = kind === 'rollout' ? `no Rollout "${name}"` : `no Rollout for Deployment "${name}"`;
  throw new CliError(`${what} in namespace "${namespace}"${hint}`);
}

/** Only to say so: whoever may not look gets another hint. */
const hasDeployment = async ({ api, namespace }: Cluster, name: string): Promise<boolean> =>
  (await findObject(api, DEPLOYMENTS, { namespace, name }).catch(() => undefined)) !== undefined;

/** As kubectl takes them; another group's Rollout, such as that of Argo Rollouts, is not meant. */
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
  throw usageError(`"${argument}" names no Rollout: write NAME, rollout/NAME or deployment/NAME`);
}

export async function getDeployment({ api, namespace }: Cluster, name: string): Promise<Deployment> {
  const found = await findObject<Deployment>(api, DEPLOYMENTS, { namespace, name });
  if (!found) throw new CliError(`no Deployment "${name}" in namespace "${namespace}"`);
  return found;
}

/** The Deployment that a Rollout names; a name that none can have is not asked for. */
export async function findWorkload(cluster: Cluster, rollout: Rollout): Promise<Deployment | undefined> {
  if (misnamedWorkload(rollout)) return undefined;
  const { namespace = cluster.namespace } = rollout.metadata;
  return findObject<Deployment>(cluster.api, DEPLOYMENTS, { namespace, name: rollout.spec.workloadRef.name });
}

/** `a=b,c in (d,e)` */
export function selectorText({ matchLabels, matchExpressions }: LabelSelector): string {
  const equal = Object.entries(matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  const others = (matchExpressions ?? []).map(({ key, operator, values = [] }) => {
    if (operator === 'Exists') return key;
    if (operator === 'DoesNotExist') return `!${key}`;
    return `${key} ${operator === 'NotIn' ? 'notin' : 'in'} (${values.join(',')})`;
  });
  return [...equal, ...others].join(',');
}

/** Everything known about one Rollout, as the operator sees it. */
export interface Facts {
  readonly rollout: Rollout;
  readonly deployment: Deployment | undefined;
  readonly view: View | undefined;
  readonly pods: readonly Pod[];
}

export async function gather(cluster: Cluster, rollout: Rollout, now: number): Promise<Facts> {
  const { api } = cluster;
  const namespace = rollout.metadata.namespace ?? cluster.namespace;
  const deployment = await findWorkload(cluster, rollout);
  if (!deployment) return { rollout, deployment, view: undefined, pods: [] };
  const labelSelector = selectorText(deployment.spec.selector);
  const [replicaSets, pods] = await Promise.all([
    listAll<ReplicaSet>(api, pathOf(REPLICA_SETS, { namespace }), { labelSelector }),
    listAll<Pod>(api, pathOf(PODS, { namespace }), { labelSelector }),
  ]);
  return factsOf(rollout, deployment, { replicaSets, pods }, now);
}

export function factsOf(rollout: Rollout, deployment: Deployment, children: Children, now: number): Facts {
  const view = deploymentKind.progress({ now, rollout, digest }, deployment, children);
  return { rollout, deployment, view, pods: children.pods };
}

export const podsOfSet = (pods: readonly Pod[], set: ReplicaSet): Pod[] => pods.filter((pod) => isOwnedBy(pod, set));
