// `kubectl tranche list --watch`: the table in place on a terminal, else one line for each Rollout that has changed.
import type { Deployment, KubeObject, Rollout } from '../../api/types.ts';
import type { Cluster, Context, Timeout } from '../context.ts';
import { Screen, watchUntilOver } from '../live.ts';
import { isTable, printData, rolloutName, tidy, type Format } from '../output.ts';
import { DEPLOYMENTS, ROLLOUTS } from '../../api/resources.ts';
import { pathOf } from '../../kube/path.ts';
import { stateOf } from '../state.ts';
import { table } from '../text.ts';
import { byKey, key, none, rowsOf, type Shape } from './list.ts';

interface WatchOptions {
  readonly namespace: string | undefined;
  readonly format: Format;
  readonly timeout: Timeout | undefined;
}

/** Until --timeout or Ctrl-C: a list is never over. */
export function watchList(context: Context, cluster: Cluster, options: WatchOptions): Promise<number> {
  const { namespace, format, timeout } = options;
  const show = showing(context, format, { namespace, wide: format === 'wide' });
  return watchUntilOver(context, cluster, {
    // For machines the Deployments change nothing.
    collections: [
      { path: pathOf(ROLLOUTS, { namespace }) },
      ...(isTable(format) ? [{ path: pathOf(DEPLOYMENTS, { namespace }) }] : []),
    ],
    timeout,
    reason: () => 'a list is watched until you end it',
    async look([rollouts = [], deployments = []]) {
      await show((rollouts as readonly Rollout[]).toSorted(byKey), deployments as readonly Deployment[]);
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
    screen.draw(rollouts.length === 0 ? none(shape.namespace) : table(rowsOf(context, rollouts, deployments, shape)));
  };
}

/** Widths are those of the table that there was first; a wider cell moves its own line only. */
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
    const line = new Map(rollouts.map((rollout, i) => [key(rollout), rows[i + 1]!]));
    // Ages grow; that is no change.
    const states = new Map(deployments.map((one) => [key(one), one]));
    const version = (one: Rollout): string =>
      `${one.metadata.resourceVersion} ${stateOf(one, states.get(`${one.metadata.namespace}/${one.spec.workloadRef.name}`))}`;
    for (const rollout of changed(last, rollouts, version)) context.io.out(`${line.get(key(rollout))}\n`);
  };
}

function changed<T extends KubeObject>(
  last: Map<string, string | undefined>,
  objects: readonly T[],
  version: (object: T) => string | undefined,
): T[] {
  const found = objects.filter((object) => last.get(key(object)) !== version(object));
  for (const object of found) last.set(key(object), version(object));
  return found;
}
