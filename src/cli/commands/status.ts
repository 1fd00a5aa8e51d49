// `kubectl tranche status`: the tree once, the tree that lives, or one line per change.
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
    'Shows a release as a tree: its steps with their progress, ReplicaSets and Pods, what it waits for, since when, and whether you may approve. ' +
    'With --watch it goes on until the release has ended: in place on a terminal, else one line per change.',
  arguments: [['[rollout]', 'its name, or deployment/NAME; all of the namespace when left out']],
  options: [
    ['-w, --watch', 'until the release has ended; 0 when it succeeded, 1 when it failed, stalled or was rolled back'],
    [
      '--until <what>',
      'with --watch: "done", or "approval" to end well as soon as a step waits for approval',
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
    throw usageError(`--until "${flags.until}" is not a choice: write done or approval`);
  if (!watching && (flags.timeout !== undefined || flags.until !== 'done'))
    throw usageError('--timeout and --until go with --watch: add it, or leave them out');
  const timeout = parseTimeout(flags.timeout);
  const cluster = await context.cluster();
  const rollouts =
    name === undefined ? await listRollouts(cluster, cluster.namespace) : [await getRollout(cluster, name)];
  if (rollouts.length === 0) {
    context.io.err(`no Rollouts in namespace "${cluster.namespace}"; make one with: kubectl tranche init DEPLOYMENT\n`);
    return EXIT.done;
  }
  if (!watching) return showOnce(context, cluster, rollouts, format);
  const [only, ...others] = rollouts;
  if (!only || others.length > 0)
    throw usageError(
      `--watch follows one Rollout, and there are ${rollouts.length}: name it, for example: kubectl tranche status ${only?.metadata.name} --watch`,
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
  const { releaseView } = await import('../../view/release.ts');
  const trees: string[] = [];
  for (const rollout of rollouts) {
    const facts = await gather(cluster, rollout, io.now());
    const shown = tree(releaseView(facts, io.now()), { paint, now: io.now(), wide: format === 'wide' });
    trees.push(shown + (await adviceFor(cluster, facts)));
  }
  io.out(trees.join('\n'));
  return EXIT.done;
}
