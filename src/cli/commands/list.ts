// `kubectl tranche list`: one line per Rollout.
import type { Deployment, KubeObject, Rollout } from '../../api/types.ts';
import { replicasOf } from '../../engine/lib/replicas.ts';
import { parseTime } from '../../engine/lib/time.ts';
import { DEPLOYMENTS } from '../../api/resources.ts';
import { pathOf } from '../../kube/path.ts';
import type { Run } from '../cli.ts';
import { parseTimeout, type Context } from '../context.ts';
import { EXIT, usageError } from '../exit.ts';
import { isTable, listOf, parseFormat, printData, rolloutName, tidy } from '../output.ts';
import type { Colour } from '../paint.ts';
import { listAll, listRollouts } from '../resources.ts';
import { messageOf, sinceOf, stateOf, stepsOf, type State } from '../state.ts';
import { duration, table } from '../text.ts';

export const COLOURS: Partial<Record<State, Colour>> = {
  Idle: 'green',
  Stalled: 'red',
  Blocked: 'red',
  Waiting: 'yellow',
  Paused: 'yellow',
  Moving: 'cyan',
  Finishing: 'cyan',
  RollingBack: 'cyan',
};

interface ListFlags {
  readonly allNamespaces?: boolean;
  readonly output?: string;
  readonly timeout?: string;
  readonly watch?: boolean;
}

export function list(flags: ListFlags): Run {
  const format = parseFormat(flags.output);
  const timeout = parseTimeout(flags.timeout);
  if (timeout && flags.watch !== true) throw usageError('--timeout goes with --watch: add it, or leave it out');
  return async (context) => {
    const cluster = await context.cluster();
    const namespace = flags.allNamespaces === true ? undefined : cluster.namespace;
    // Also before a watch: a kind that is not there, or a right that is missing, is said at once.
    const rollouts = await listRollouts(cluster, namespace);
    if (flags.watch === true) {
      const { watchList } = await import('./list-watch.ts');
      return watchList(context, cluster, { namespace, format, timeout });
    }
    rollouts.sort(byKey);
    if (!isTable(format)) {
      await printData(context, format, listOf(rollouts.map((rollout) => tidy(rollout))), rollouts.map(rolloutName));
      return EXIT.done;
    }
    if (rollouts.length === 0) {
      context.io.err(none(namespace));
      return EXIT.done;
    }
    const deployments = await listAll<Deployment>(cluster.api, pathOf(DEPLOYMENTS, { namespace }));
    context.io.out(table(rowsOf(context, rollouts, deployments, { namespace, wide: format === 'wide' })));
    return EXIT.done;
  };
}

export const none = (namespace: string | undefined): string =>
  `no Rollouts in ${namespace === undefined ? 'the cluster' : `namespace "${namespace}"`}; make one with: kubectl tranche init DEPLOYMENT\n`;

export interface Shape {
  /** Undefined: of all namespaces, which then have a column. */
  readonly namespace: string | undefined;
  readonly wide: boolean;
}

/** The head, and a row for each. */
export function rowsOf(
  context: Context,
  rollouts: readonly Rollout[],
  deployments: readonly Deployment[],
  { namespace, wide }: Shape,
): string[][] {
  const byName = new Map(deployments.map((deployment) => [key(deployment), deployment]));
  return [
    [
      ...(namespace === undefined ? ['NAMESPACE'] : []),
      ...['NAME', 'DEPLOYMENT', 'STEP', 'NEW PODS', 'STATE', 'FOR', 'AGE'],
      ...(wide ? ['RELEASE', 'AUTHOR'] : []),
      'WHAT NEXT',
    ],
    ...rollouts.map((rollout) => {
      const deployment = byName.get(`${rollout.metadata.namespace}/${rollout.spec.workloadRef.name}`);
      return row(context, rollout, deployment, namespace === undefined, wide);
    }),
  ];
}

export const key = ({ metadata }: KubeObject): string => `${metadata.namespace}/${metadata.name}`;
export const byKey = (a: KubeObject, b: KubeObject): number => (key(a) < key(b) ? -1 : 1);

function row(
  { io, paint }: Context,
  rollout: Rollout,
  deployment: Deployment | undefined,
  namespaced: boolean,
  wide: boolean,
): string[] {
  const { metadata, spec, status } = rollout;
  const state = stateOf(rollout, deployment);
  const releasing = status?.phase === 'Progressing';
  const canary = status?.canaryStatus;
  const since = (time: string | undefined): string => {
    const at = parseTime(time);
    return at === undefined ? '-' : duration(io.now() - at);
  };
  const colour = COLOURS[state];
  return [
    ...(namespaced ? [metadata.namespace ?? ''] : []),
    metadata.name,
    spec.workloadRef.name,
    releasing ? `${canary?.currentStepIndex ?? 0}/${stepsOf(rollout)}` : '-',
    releasing ? `${canary?.canaryReplicas ?? 0}/${deployment ? replicasOf(deployment) : '?'}` : '-',
    colour ? paint(colour, state) : state,
    since(sinceOf(rollout)),
    since(metadata.creationTimestamp),
    ...(wide ? [canary?.observedRolloutID || '-', status?.history?.[0]?.author ?? '-'] : []),
    messageOf(rollout) ?? '',
  ];
}
