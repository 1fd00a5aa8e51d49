// `kubectl tranche retry`: failing Pods start anew, or a version that was rolled back is released again.
import type { HistoryEntry } from '../../api/types.ts';
import { isTrue } from '../../engine/status.ts';
import { deploymentTemplate } from '../../engine/lib/template.ts';
import { hashOf } from '../../engine/workload/deployment/view.ts';
import { readySince } from '../../engine/workload/pods.ts';
import { isNotFound } from '../../kube/errors.ts';
import { PODS } from '../../api/resources.ts';
import { plural } from '../../engine/lib/text.ts';
import { pathOf } from '../../kube/path.ts';
import type { Run } from '../cli.ts';
import { change, follow, getTarget, replaceTemplate, send, type Target } from '../act.ts';
import { parseDryRun, type Cluster, type Context, type DryRun } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { gather } from '../resources.ts';
import { standing, stateOf } from '../state.ts';

const UNDONE = new Set<string | undefined>(['RolledBack', 'Failed']);

export function retry(flags: { dryRun?: string }, name: string): Run {
  const dryRun = parseDryRun(flags.dryRun);
  return async (context) => {
    const cluster = await context.cluster();
    const target = await getTarget(cluster, name);
    const { rollout, deployment } = target;
    if (rollout.status?.phase === 'Progressing' && isTrue(rollout, 'Stalled'))
      return startAnew(context, cluster, target, dryRun);
    const [last] = rollout.status?.history ?? [];
    if (stateOf(rollout, deployment) === 'Idle' && last && UNDONE.has(last.outcome))
      return releaseAgain(context, cluster, name, last, dryRun);
    throw new CliError(
      `nothing to retry: ${rollout.metadata.name} has neither a release that is stalled nor one that was rolled back ` +
        `(${standing(rollout, deployment)})`,
    );
  };
}

/** Only Pods of the new version that are not available: nothing that works is touched. */
async function startAnew(context: Context, cluster: Cluster, target: Target, dryRun: DryRun): Promise<number> {
  const { rollout } = target;
  const { view } = await gather(cluster, rollout, context.io.now());
  const bad = (view?.pods ?? []).filter((pod) => readySince(pod, Infinity) === undefined);
  const missing = view ? view.updated - view.pods.length : 0;
  if (bad.length === 0 && (missing > 0 || (view && !view.newSet)))
    throw new CliError(
      `nothing to retry: the Pods of the new version of ${rollout.metadata.name} are not made yet, and Kubernetes tries that by itself: ` +
        `${rollout.status?.message ?? ''}`,
    );
  if (!view || bad.length === 0)
    throw new CliError(
      `nothing to retry: every Pod of the new version of ${rollout.metadata.name} is ready; it goes on by itself`,
    );
  const { namespace = cluster.namespace } = rollout.metadata;
  for (const { metadata } of bad) {
    if (dryRun === 'client') continue;
    const preconditions = { uid: metadata.uid };
    // An API server that finds a body does not look at the query: a dry run has to be said there.
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      preconditions,
      ...(dryRun === 'server' ? { dryRun: ['All'] } : {}),
    };
    try {
      await send(cluster, { method: 'DELETE', path: pathOf(PODS, { namespace, name: metadata.name }), body }, dryRun);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
  const names = bad.map(({ metadata }) => metadata.name).join(', ');
  const suffix = dryRun === 'none' ? '' : ` (${dryRun} dry run: nothing was changed)`;
  context.io.out(
    `${plural(bad.length, 'Pod')} of the new version that ${bad.length === 1 ? 'was' : 'were'} not ready ` +
      `${bad.length === 1 ? 'is' : 'are'} deleted and made anew: ${names}; ${follow(rollout)}${suffix}\n`,
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
  await change(context, name, dryRun, async ({ rollout, deployment }) => {
    const { view } = await gather(cluster, rollout, context.io.now());
    const set = view?.oldSets.find((one) => hashOf(one) === last.revision);
    if (!deployment || !set)
      throw new CliError(
        `the version that was rolled back (${last.revision || 'it never had a Pod'}) is not among the ReplicaSets any more: apply its manifest again`,
      );
    return {
      call: replaceTemplate(deployment, deploymentTemplate(set.spec.template)),
      says: () => `${rollout.metadata.name} releases ${last.revision} again, from step 1; ${follow(rollout)}`,
    };
  });
  return EXIT.done;
}
