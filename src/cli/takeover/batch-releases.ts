// BatchReleases: how OpenKruise's two controllers speak with each other. With both gone they only stand in the way of deletions.
import { KRUISE_BATCH_FINALIZER } from '../../api/keys.ts';
import type { KubeObject } from '../../api/types.ts';
import { isNotFound } from '../../kube/errors.ts';
import { BATCH_RELEASES } from '../../api/resources.ts';
import { pathOf } from '../../kube/path.ts';
import { send } from '../act.ts';
import type { Cluster, DryRun } from '../context.ts';
import { listAll } from '../resources.ts';

export interface BatchRelease extends KubeObject {
  readonly spec?: { readonly workloadRef?: { readonly kind?: string; readonly name?: string } };
}

/** Of Deployments; none where the kind is gone. */
export async function listBatchReleases({ api }: Cluster, namespace: string | undefined): Promise<BatchRelease[]> {
  try {
    const all = await listAll<BatchRelease>(api, pathOf(BATCH_RELEASES, { namespace }));
    return all.filter(({ spec }) => spec?.workloadRef?.kind === 'Deployment');
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

/** Its finalizer waits for a controller that is not there. */
export async function removeBatchRelease(cluster: Cluster, { metadata }: BatchRelease, dryRun: DryRun): Promise<void> {
  if (dryRun === 'client') return;
  const { namespace, name } = metadata;
  const path = pathOf(BATCH_RELEASES, { namespace, name });
  const rest = (metadata.finalizers ?? []).filter((name) => name !== KRUISE_BATCH_FINALIZER);
  try {
    if (rest.length !== (metadata.finalizers ?? []).length) {
      const body = { metadata: { uid: metadata.uid, resourceVersion: metadata.resourceVersion, finalizers: rest } };
      await send(cluster, { method: 'PATCH', path, contentType: 'application/merge-patch+json', body }, dryRun);
    }
    if (metadata.deletionTimestamp !== undefined) return;
    // An API server that finds a body does not look at the query: a dry run has to be said there.
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      preconditions: { uid: metadata.uid },
      ...(dryRun === 'server' ? { dryRun: ['All'] } : {}),
    };
    await send(cluster, { method: 'DELETE', path, body }, dryRun);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
