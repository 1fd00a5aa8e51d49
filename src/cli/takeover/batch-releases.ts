// Removes BatchReleases, which the controllers of OpenKruise leave behind. Their finalizer blocks the deletion of namespaces.
import { KRUISE_BATCH_FINALIZER } from '../../api/keys.ts';
import { BATCH_RELEASES, DEPLOYMENTS, groupOf, kindName, type Resource } from '../../api/resources.ts';
import type { KubeObject } from '../../api/types.ts';
import { WORKLOADS } from '../../view/reference.ts';
import type { Cluster } from '../cluster.ts';
import type { DryRun } from '../flags.ts';
import { removeObject } from '../resources.ts';

export interface BatchRelease extends KubeObject {
  readonly spec?: {
    readonly workloadRef?: { readonly apiVersion?: string; readonly kind?: string; readonly name?: string };
  };
}

/** The BatchReleases of workloads that can be released. Empty if the cluster does not serve the kind. */
export async function listBatchReleases(cluster: Cluster, namespace: string | undefined): Promise<BatchRelease[]> {
  try {
    const all = await cluster.list<BatchRelease>(BATCH_RELEASES, { namespace });
    return all.filter((one) => resourceIn(one) !== undefined);
  } catch (error) {
    if (cluster.answerOf(error) === 'NotFound') return [];
    throw error;
  }
}

/** The key of its workload, as keyOfWorkload gives it. */
export const workloadOf = (one: BatchRelease): string =>
  `${kindName(resourceIn(one) ?? DEPLOYMENTS)}/${one.metadata.namespace}/${one.spec?.workloadRef?.name}`;

const resourceIn = ({ spec: { workloadRef: of } = {} }: BatchRelease): Resource | undefined =>
  WORKLOADS.find(({ apiVersion, kind }) => kind === of?.kind && groupOf(apiVersion) === groupOf(of.apiVersion));

/** Removes the finalizer first, because its controller no longer runs. */
export async function removeBatchRelease(cluster: Cluster, { metadata }: BatchRelease, dryRun: DryRun): Promise<void> {
  const { namespace, name, uid, resourceVersion, finalizers = [] } = metadata;
  const rest = finalizers.filter((one) => one !== KRUISE_BATCH_FINALIZER);
  if (rest.length !== finalizers.length) {
    const body = { metadata: { uid, resourceVersion, finalizers: rest } };
    const contentType = 'application/merge-patch+json';
    try {
      await cluster.send({ method: 'PATCH', resource: BATCH_RELEASES, namespace, name, contentType, body }, dryRun);
    } catch (error) {
      if (cluster.answerOf(error) !== 'NotFound') throw error;
      return;
    }
  }
  if (metadata.deletionTimestamp === undefined)
    await removeObject(cluster, BATCH_RELEASES, { namespace, name, uid }, dryRun);
}
