// `kubectl tranche retry`: replaces failing Pods of a stalled release, or releases a rolled back version again.
import { PODS } from '../../api/resources.ts';
import type { HistoryEntry } from '../../api/types.ts';
import { deploymentTemplate } from '../../engine/lib/template.ts';
import { plural } from '../../engine/lib/text.ts';
import { isTrue } from '../../engine/status.ts';
import { stateOf } from '../../view/state.ts';
import { change, follow, getTarget, replaceTemplate, standing, type Target } from '../act.ts';
import type { Cluster } from '../cluster.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { DRY_RUN, dryRunNote, parseDryRun, ROLLOUT, type DryRun } from '../flags.ts';
import { gather, removeObject } from '../resources.ts';

export const retry = defineCommand({
  description:
    'Retries a stalled or rolled back release. If the release is stalled, the command deletes the Pods of the new version that are not ready, with your ' +
    'permissions, and Kubernetes replaces them. If the last release was rolled back, the command releases the same version again from step 1.',
  arguments: [ROLLOUT],
  options: [DRY_RUN],
  run: retryRelease,
});

const UNDONE = new Set<string | undefined>(['RolledBack', 'Failed']);

async function retryRelease(context: Context, flags: { dryRun?: string }, name: string): Promise<number> {
  const dryRun = parseDryRun(flags.dryRun);
  const cluster = await context.cluster();
  const target = await getTarget(cluster, name);
  const { rollout, deployment } = target;
  if (rollout.status?.phase === 'Progressing' && isTrue(rollout, 'Stalled'))
    return startAnew(context, cluster, target, dryRun);
  const [last] = rollout.status?.history ?? [];
  if (stateOf(rollout, deployment) === 'Idle' && last && UNDONE.has(last.outcome))
    return releaseAgain(context, cluster, name, last, dryRun);
  throw new CliError(
    `nothing to retry: ${rollout.metadata.name} has no stalled or rolled back release (${standing(target)})`,
  );
}

/** Deletes the Pods of the new version that are not ready. */
async function startAnew(context: Context, cluster: Cluster, target: Target, dryRun: DryRun): Promise<number> {
  const { rollout } = target;
  const { readySince } = await import('../../engine/workload/pods.ts');
  const { view } = await gather(cluster, rollout, context.io.now());
  const bad = (view?.pods ?? []).filter((pod) => readySince(pod, Infinity) === undefined);
  const missing = view ? view.updated - view.pods.length : 0;
  if (bad.length === 0 && (missing > 0 || (view && !view.newSet)))
    throw new CliError(
      `nothing to retry: Pods of the new version of ${rollout.metadata.name} are not created yet, and Kubernetes retries by itself: ` +
        `${rollout.status?.message ?? ''}`,
    );
  if (!view || bad.length === 0)
    throw new CliError(
      `nothing to retry: all Pods of the new version of ${rollout.metadata.name} are ready; the release continues by itself`,
    );
  const { namespace = cluster.namespace } = rollout.metadata;
  for (const { metadata } of bad) {
    const { name, uid } = metadata;
    await removeObject(cluster, PODS, { namespace, name, uid }, dryRun);
  }
  const names = bad.map(({ metadata }) => metadata.name).join(', ');
  context.io.out(
    `${plural(bad.length, 'unready Pod')} of the new version deleted, to be replaced: ${names}; ${follow(rollout)}${dryRunNote(dryRun)}\n`,
  );
  return EXIT.done;
}

async function releaseAgain(
  context: Context,
  cluster: Cluster,
  name: string,
  last: HistoryEntry,
  dryRun: DryRun,
): Promise<number> {
  const { hashOf } = await import('../../engine/workload/deployment/view.ts');
  await change(context, name, dryRun, async ({ rollout, deployment }) => {
    const { view } = await gather(cluster, rollout, context.io.now());
    const set = view?.oldSets.find((one) => hashOf(one) === last.revision);
    if (!deployment || !set)
      throw new CliError(
        `no ReplicaSet has the rolled back version (${last.revision || 'it had no Pods'}): apply its manifest again`,
      );
    return {
      write: replaceTemplate(deployment, deploymentTemplate(set.spec.template)),
      says: () => `${rollout.metadata.name} releases ${last.revision} again from step 1; ${follow(rollout)}`,
    };
  });
  return EXIT.done;
}
