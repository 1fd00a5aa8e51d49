// `kubectl tranche list`: prints one line per Rollout.
import { resourceOf } from '../../view/reference.ts';
import { byKey } from '../../view/rows.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { EXIT, usageError } from '../exit.ts';
import { ALL_NAMESPACES, OUTPUT, parseTimeout, WATCH_TIMEOUT } from '../flags.ts';
import { isTable, listOf, parseFormat, printData, rolloutName, tidy } from '../output.ts';
import { noRollouts, rowsOf } from '../render/list.ts';
import { listRollouts } from '../resources.ts';
import { table } from '../text.ts';
import { listWorkloads } from '../workloads.ts';

interface ListFlags {
  readonly allNamespaces?: boolean;
  readonly output?: string;
  readonly timeout?: string;
  readonly watch?: boolean;
}

export const list = defineCommand({
  description:
    'Lists Rollouts with their step, new Pods and state, and what each one waits for. -o wide adds the release, its author, and the images.',
  options: [
    ALL_NAMESPACES,
    [
      '-w, --watch',
      'Watch for changes: update in place on a terminal, otherwise print a line for each changed Rollout',
    ],
    WATCH_TIMEOUT,
    OUTPUT,
  ],
  examples: [
    'kubectl tranche list -A',
    'kubectl tranche list --watch',
    "kubectl tranche list -o jsonpath='{.items[*].status.phase}'",
  ],
  run: showList,
});

async function showList(context: Context, flags: ListFlags): Promise<number> {
  const format = parseFormat(flags.output);
  const timeout = parseTimeout(flags.timeout);
  if (timeout && flags.watch !== true) throw usageError('--timeout requires --watch');
  const cluster = await context.cluster();
  const namespace = flags.allNamespaces === true ? undefined : cluster.namespace;
  // Also before a watch, so that a missing kind or permission is reported at once.
  const rollouts = await listRollouts(cluster, namespace);
  if (flags.watch === true) {
    const { watchList } = await import('../watch/list.ts');
    return watchList(context, cluster, { namespace, format, timeout });
  }
  rollouts.sort(byKey);
  if (!isTable(format)) {
    await printData(context, format, listOf(rollouts.map((rollout) => tidy(rollout))), rollouts.map(rolloutName));
    return EXIT.done;
  }
  if (rollouts.length === 0) {
    context.io.err(noRollouts(namespace));
    return EXIT.done;
  }
  const named = new Set(rollouts.map(resourceOf));
  const workloads = await listWorkloads(cluster, namespace, [...named]);
  const deployments = workloads.map(({ workload }) => workload);
  context.io.out(table(rowsOf(context, rollouts, deployments, { namespace, wide: format === 'wide' })));
  return EXIT.done;
}
