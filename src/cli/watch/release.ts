// `kubectl tranche status --watch`: follows a release to its end, as a tree or as one line per change.
import { ROLLOUTS } from '../../api/resources.ts';
import type { Deployment, Rollout } from '../../api/types.ts';
import { misnamedWorkload } from '../../engine/validate/names.ts';
import { factsWithout, type Facts } from '../../view/facts.ts';
import { resourceOf } from '../../view/reference.ts';
import { releaseView } from '../../view/release.ts';
import { replicasOf } from '../../engine/lib/replicas.ts';
import { messageOf, outcomeOf, stateOf, waitsForApproval } from '../../view/state.ts';
import { adviceFor } from '../advice.ts';
import type { Cluster } from '../cluster.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import type { Timeout } from '../flags.ts';
import { isTable, printData, rolloutName, tidy, type Format } from '../output.ts';
import { oneLine } from '../paint.ts';
import { tree } from '../render/tree.ts';
import { gather } from '../resources.ts';
import { routingLine } from '../routing-line.ts';
import { table } from '../text.ts';
import { Screen, watchUntilOver } from './watch.ts';

interface WatchOptions {
  readonly timeout: Timeout | undefined;
  readonly untilApproval: boolean;
  readonly format: Format;
}

/** Pods and the TrafficRouting are not watched. They are read after each change of the workload, and at this interval. */
const READ_PODS_EVERY_MS = 5000;

export async function watchRelease(
  context: Context,
  cluster: Cluster,
  first: Rollout,
  { timeout, untilApproval, format }: WatchOptions,
): Promise<number> {
  const { io } = context;
  const { name, namespace } = first.metadata;
  const show = showing(context, cluster, format);
  const end = (text: string, code: number): number => {
    io.err(`${name}: ${oneLine(text)}\n`);
    return code;
  };
  return watchUntilOver(context, cluster, {
    collections: [
      { resource: ROLLOUTS, namespace, only: name },
      ...(misnamedWorkload(first)
        ? []
        : [{ resource: resourceOf(first), namespace, only: first.spec.workloadRef.name }]),
    ],
    timeout,
    reason: ([rollouts]) => (rollouts?.[0] as Rollout | undefined)?.status?.message ?? 'no status yet',
    async look([rollouts = [], deployments = []], changed) {
      const [rollout] = rollouts as readonly Rollout[];
      const [deployment] = deployments as readonly Deployment[];
      if (!rollout) throw new CliError(`Rollout "${name}" was deleted`);
      await show(rollout, deployment, changed);
      const outcome = outcomeOf(rollout, deployment);
      if (outcome === 'failed') return end(`failed: ${rollout.status?.message}`, EXIT.failed);
      if (outcome === 'succeeded') return end('done', EXIT.done);
      const waiting = stateOf(rollout, deployment) === 'Waiting' && waitsForApproval(rollout);
      return untilApproval && waiting ? end('waits for approval', EXIT.done) : undefined;
    },
  });
}

type Show = (rollout: Rollout, deployment: Deployment | undefined, changed: boolean) => Promise<void>;

function showing(context: Context, cluster: Cluster, format: Format): Show {
  if (!isTable(format)) return objects(context, format);
  return context.io.terminal ? picture(context, cluster, format === 'wide') : lines(context);
}

function objects(context: Context, format: Exclude<Format, 'table' | 'wide'>): Show {
  let last: string | undefined;
  return async (rollout) => {
    const { resourceVersion } = rollout.metadata;
    if (resourceVersion === last) return;
    last = resourceVersion;
    await printData(context, format, tidy(rollout), [rolloutName(rollout)]);
  };
}

function picture(context: Context, cluster: Cluster, wide: boolean): Show {
  const { io, paint } = context;
  const screen = new Screen(context);
  let facts: Facts | undefined;
  let advice = '';
  let routing: string | undefined;
  let readAt = -Infinity;
  return async (rollout, deployment, changed) => {
    if (!facts || changed || io.now() - readAt >= READ_PODS_EVERY_MS) {
      facts = deployment ? await gather(cluster, rollout, io.now()) : factsWithout(rollout);
      routing = await routingLine(cluster, rollout);
      if (changed || advice === '') advice = await adviceFor(cluster, facts);
      readAt = io.now();
    }
    screen.draw(tree(releaseView(facts, io.now()), { paint, now: io.now(), wide, routing }) + advice);
  };
}

function lines({ io }: Context): Show {
  let last = '';
  return async (rollout, deployment) => {
    const updated = rollout.status?.canaryStatus?.canaryReplicas ?? 0;
    const of = deployment ? replicasOf(deployment) : '?';
    const state = stateOf(rollout, deployment);
    const message =
      state === 'Starting' ? 'the change is held; the operator has not reported it yet' : (messageOf(rollout) ?? '');
    const line = table([[state.padEnd(11), `${updated}/${of}`.padEnd(7), message]]);
    if (line === last) return;
    last = line;
    io.out(`${new Date(io.now()).toISOString().slice(11, 19)}   ${line}`);
  };
}
