// Removes BatchReleases, which the controllers of OpenKruise leave behind. Their finalizer blocks the deletion of namespaces.
import { KRUISE_BATCH_FINALIZER } from '../../api/keys.ts';
import { BATCH_RELEASES } from '../../api/resources.ts';
import type { KubeObject } from '../../api/types.ts';
import type { Cluster } from '../cluster.ts';
import type { DryRun } from '../flags.ts';
import { removeObject } from '../resources.ts';

export interface BatchRelease extends KubeObject {
  readonly spec?: { readonly workloadRef?: { readonly kind?: string; readonly name?: string } };
}

/** The BatchReleases of Deployments. Empty if the cluster does not serve the kind. */
export async function listBatchReleases(cluster: Cluster, namespace: string | undefined): Promise<BatchRelease[]> {
  try {
    const all = await cluster.list<BatchRelease>(BATCH_RELEASES, { namespace });
    return all.filter(({ spec }) => spec?.workloadRef?.kind === 'Deployment');
  } catch (error) {
    if (cluster.answerOf(error) === 'NotFound') return [];
    throw error;
  }
}

/** `namespace/name` of the Deployment. */
export const workloadOf = ({ metadata, spec }: BatchRelease): string =>
  `${metadata.namespace}/${spec?.workloadRef?.name}`;

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
