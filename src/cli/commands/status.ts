// `kubectl tranche status`: shows a release as a tree, once or with --watch.
import type { Rollout } from '../../api/types.ts';
import { adviceFor } from '../advice.ts';
import type { Cluster } from '../cluster.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { EXIT, usageError } from '../exit.ts';
import { OUTPUT, parseTimeout, WATCH_TIMEOUT } from '../flags.ts';
import { isTable, listOf, parseFormat, printData, rolloutName, tidy, type Format } from '../output.ts';
import { tree } from '../render/tree.ts';
import { gather, getRollout, listRollouts } from '../resources.ts';

interface StatusFlags {
  readonly watch?: boolean;
  readonly until?: string;
  readonly timeout?: string;
  readonly output?: string;
}

export const status = defineCommand({
  description:
    'Shows a release as a tree of steps, ReplicaSets and Pods, with what it waits for, since when, and whether you may approve. With --watch, it ' +
    'updates until the release ends: in place on a terminal, otherwise one line per change.',
  arguments: [['[rollout]', 'Name of the Rollout, or deployment/NAME; default: all Rollouts of the namespace']],
  options: [
    ['-w, --watch', 'Watch until the release ends. Exit code 0: succeeded; 1: failed, stalled or rolled back'],
    [
      '--until <what>',
      'With --watch: "done", or "approval" to end with exit code 0 when a step waits for approval',
      { default: 'done' },
    ],
    WATCH_TIMEOUT,
    OUTPUT,
  ],
  examples: ['kubectl tranche status web', 'kubectl tranche status web --watch --timeout 10m   # in CI'],
  run: showStatus,
});

async function showStatus(context: Context, flags: StatusFlags, name: string | undefined): Promise<number> {
  const format = parseFormat(flags.output);
  const watching = flags.watch === true;
  if (flags.until !== 'done' && flags.until !== 'approval')
    throw usageError(`invalid --until "${flags.until}": write done or approval`);
  if (!watching && (flags.timeout !== undefined || flags.until !== 'done'))
    throw usageError('--timeout and --until require --watch');
  const timeout = parseTimeout(flags.timeout);
  const cluster = await context.cluster();
  const rollouts =
    name === undefined ? await listRollouts(cluster, cluster.namespace) : [await getRollout(cluster, name)];
  if (rollouts.length === 0) {
    context.io.err(`no Rollouts in namespace "${cluster.namespace}"; to create one: kubectl tranche init WORKLOAD\n`);
    return EXIT.done;
  }
  if (!watching) return showOnce(context, cluster, rollouts, format);
  const [only, ...others] = rollouts;
  if (!only || others.length > 0)
    throw usageError(
      `--watch requires the name of one of the ${rollouts.length} Rollouts, for example: kubectl tranche status ${only?.metadata.name} --watch`,
    );
  const { watchRelease } = await import('../watch/release.ts');
  return watchRelease(context, cluster, only, { timeout, untilApproval: flags.until === 'approval', format });
}

async function showOnce(
  context: Context,
  cluster: Cluster,
  rollouts: readonly Rollout[],
  format: Format,
): Promise<number> {
  if (!isTable(format)) {
    const tidied = rollouts.map((rollout) => tidy(rollout));
    await printData(context, format, tidied.length === 1 ? tidied[0] : listOf(tidied), rollouts.map(rolloutName));
    return EXIT.done;
  }
  const { io, paint } = context;
  const [{ releaseView }, { routingLine }] = await Promise.all([
    import('../../view/release.ts'),
    import('../routing-line.ts'),
  ]);
  const trees: string[] = [];
  for (const rollout of rollouts) {
    const facts = await gather(cluster, rollout, io.now());
    const routing = await routingLine(cluster, rollout);
    const shown = tree(releaseView(facts, io.now()), { paint, now: io.now(), wide: format === 'wide', routing });
    trees.push(shown + (await adviceFor(cluster, facts)));
  }
  io.out(trees.join('\n'));
  return EXIT.done;
}
