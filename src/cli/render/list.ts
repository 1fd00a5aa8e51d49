// Renders Rollouts as a table.
import { rolloutRows, type RolloutRow } from '../../view/rows.ts';
import type { Deployment, Rollout } from '../../api/types.ts';
import type { Context } from '../context.ts';
import { ago, duration } from '../text.ts';
import { paintState } from './state.ts';

export interface Shape {
  /** Undefined: all namespaces, with a column for the namespace. */
  readonly namespace: string | undefined;
  readonly wide: boolean;
}

/** The header and one row per Rollout. */
export const rowsOf = (
  context: Context,
  rollouts: readonly Rollout[],
  deployments: readonly Deployment[],
  shape: Shape,
): string[][] => [
  [
    ...(shape.namespace === undefined ? ['NAMESPACE'] : []),
    ...['NAME', 'WORKLOAD', 'STEP', 'NEW PODS', 'STATE', 'SINCE', 'AGE'],
    ...(shape.wide ? ['RELEASE', 'AUTHOR', 'IMAGES'] : []),
    'WHAT NEXT',
  ],
  ...rolloutRows(rollouts, deployments).map((row) => cellsOf(context, row, shape)),
];

/** The message if there are no Rollouts. */
export const noRollouts = (namespace: string | undefined): string =>
  `no Rollouts in ${namespace === undefined ? 'the cluster' : `namespace "${namespace}"`}; to create one: kubectl tranche init WORKLOAD\n`;

function cellsOf({ io, paint }: Context, row: RolloutRow, { namespace, wide }: Shape): string[] {
  const { progress } = row;
  return [
    ...(namespace === undefined ? [row.namespace ?? ''] : []),
    row.name,
    row.deployment,
    progress ? `${progress.step}/${progress.steps}` : '-',
    progress ? `${progress.updated}/${progress.replicas ?? '?'}` : '-',
    paintState(row.state, paint),
    row.since === undefined ? '-' : ago(io.now() - row.since),
    row.createdAt === undefined ? '-' : duration(io.now() - row.createdAt),
    ...(wide ? [row.releaseId ?? '-', row.author ?? '-', row.images.join(', ') || '-'] : []),
    row.message ?? '',
  ];
}
