// `kubectl tranche list --watch`: updates the table in place on a terminal, otherwise prints a line for each changed Rollout.
import { ROLLOUTS } from '../../api/resources.ts';
import type { Deployment, KubeObject, Rollout } from '../../api/types.ts';
import { byKey, keyOf, keyOfWorkload, workloadKey } from '../../view/rows.ts';
import { stateOf } from '../../view/state.ts';
import type { Cluster } from '../cluster.ts';
import type { Context } from '../context.ts';
import type { Timeout } from '../flags.ts';
import { isTable, printData, rolloutName, tidy, type Format } from '../output.ts';
import { noRollouts, rowsOf, type Shape } from '../render/list.ts';
import { table } from '../text.ts';
import { asKind, listable } from '../workloads.ts';
import { Screen, watchUntilOver } from './watch.ts';

interface WatchOptions {
  readonly namespace: string | undefined;
  readonly format: Format;
  readonly timeout: Timeout | undefined;
}

/** Watches until --timeout or Ctrl-C. */
export async function watchList(context: Context, cluster: Cluster, options: WatchOptions): Promise<number> {
  const { namespace, format, timeout } = options;
  const show = showing(context, format, { namespace, wide: format === 'wide' });
  // The other formats do not show workloads.
  const shown = isTable(format) ? await listable(cluster, namespace) : [];
  return watchUntilOver(context, cluster, {
    collections: [{ resource: ROLLOUTS, namespace }, ...shown.map((resource) => ({ resource, namespace }))],
    timeout,
    reason: () => 'the watch of a list does not end by itself',
    async look([rollouts = [], ...workloads]) {
      const ofKind = (list: readonly KubeObject[], i: number) => list.map((one) => asKind(one, shown[i]!));
      await show((rollouts as readonly Rollout[]).toSorted(byKey), workloads.flatMap(ofKind));
      return undefined;
    },
  });
}

type Show = (rollouts: readonly Rollout[], deployments: readonly Deployment[]) => Promise<void>;

function showing(context: Context, format: Format, shape: Shape): Show {
  if (!isTable(format)) return objects(context, format);
  return context.io.terminal ? picture(context, shape) : lines(context, shape);
}

function objects(context: Context, format: Exclude<Format, 'table' | 'wide'>): Show {
  const last = new Map<string, string | undefined>();
  return async (rollouts) => {
    for (const rollout of changed(last, rollouts, ({ metadata }) => metadata.resourceVersion))
      await printData(context, format, tidy(rollout), [rolloutName(rollout)]);
  };
}

function picture(context: Context, shape: Shape): Show {
  const screen = new Screen(context);
  return async (rollouts, deployments) => {
    screen.draw(
      rollouts.length === 0 ? noRollouts(shape.namespace) : table(rowsOf(context, rollouts, deployments, shape)),
    );
  };
}

/** Prints a line for each change. Column widths come from the current table, so they may differ between lines. */
function lines(context: Context, shape: Shape): Show {
  const last = new Map<string, string | undefined>();
  let head = true;
  return async (rollouts, deployments) => {
    if (rollouts.length === 0 && head) return;
    const rows = table(rowsOf(context, rollouts, deployments, shape))
      .trimEnd()
      .split('\n');
    if (head) context.io.out(`${rows[0]}\n`);
    head = false;
    const line = new Map(rollouts.map((rollout, i) => [keyOf(rollout), rows[i + 1] ?? '']));
    // A higher age is not a change.
    const states = new Map(deployments.map((one) => [keyOfWorkload(one), one]));
    const version = (one: Rollout): string =>
      `${one.metadata.resourceVersion} ${stateOf(one, states.get(workloadKey(one)))}`;
    for (const rollout of changed(last, rollouts, version)) context.io.out(`${line.get(keyOf(rollout))}\n`);
  };
}

function changed<T extends KubeObject>(
  last: Map<string, string | undefined>,
  objects: readonly T[],
  version: (object: T) => string | undefined,
): T[] {
  const found = objects.filter((object) => last.get(keyOf(object)) !== version(object));
  for (const object of found) last.set(keyOf(object), version(object));
  return found;
}
