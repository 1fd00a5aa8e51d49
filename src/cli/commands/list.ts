// `kubectl tranche list`: one line per Rollout.
import type { Deployment, Rollout } from '../../api/types.ts';
import { replicasOf } from '../../engine/batch.ts';
import { parseTime } from '../../engine/time.ts';
import type { Run } from '../cli.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import { isTable, listOf, parseFormat, printData, tidy } from '../output.ts';
import type { Colour } from '../paint.ts';
import { appsPath, listAll, listRollouts } from '../resources.ts';
import { sinceOf, stateOf, stepsOf, waitingFor, type State } from '../state.ts';
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

export function list(flags: { allNamespaces?: boolean; output?: string }): Run {
  const format = parseFormat(flags.output);
  return async (context) => {
    const cluster = await context.cluster();
    const namespace = flags.allNamespaces === true ? undefined : cluster.namespace;
    const rollouts = await listRollouts(cluster, namespace);
    rollouts.sort((a, b) => (key(a) < key(b) ? -1 : 1));
    if (!isTable(format)) {
      const names = rollouts.map(({ metadata }) => `rollout.rollouts.kruise.io/${metadata.name}`);
      await printData(context, format, listOf(rollouts.map((rollout) => tidy(rollout))), names);
      return EXIT.done;
    }
    if (rollouts.length === 0) {
      const where = namespace === undefined ? 'the cluster' : `namespace "${namespace}"`;
      context.io.err(`no Rollouts in ${where}; make one with: kubectl tranche init DEPLOYMENT\n`);
      return EXIT.done;
    }
    const deployments = await listAll<Deployment>(cluster.api, appsPath('deployments', namespace));
    const byName = new Map(deployments.map((deployment) => [key(deployment), deployment]));
    const rows = rollouts.map((rollout) => {
      const name = `${rollout.metadata.namespace}/${rollout.spec.workloadRef.name}`;
      return row(context, rollout, byName.get(name), namespace === undefined, format === 'wide');
    });
    const head = ['NAME', 'DEPLOYMENT', 'STEP', 'NEW PODS', 'STATE', 'FOR', 'AGE', 'WHAT NEXT'];
    const wide = ['RELEASE', 'AUTHOR'];
    context.io.out(
      table([
        [
          ...(namespace === undefined ? ['NAMESPACE'] : []),
          ...head.slice(0, -1),
          ...(format === 'wide' ? wide : []),
          ...head.slice(-1),
        ],
        ...rows,
      ]),
    );
    return EXIT.done;
  };
}

const key = ({ metadata }: Rollout | Deployment): string => `${metadata.namespace}/${metadata.name}`;

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
    waitingFor(rollout),
  ];
}
