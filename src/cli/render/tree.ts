// Renders a release as a tree of steps, checks, ReplicaSets and Pods.
import { pods } from '../../engine/lib/text.ts';
import { parseTime } from '../../engine/lib/time.ts';
import type { RequestsView } from '../../view/requests.ts';
import type { PodView, ReleaseView, ReplicaSetView, RunningRelease, StepView } from '../../view/release.ts';
import { oneLine, type Paint } from '../paint.ts';
import { ago, bar, describeWait, duration, table } from '../text.ts';
import { checkCells, describeWatch } from './checks.ts';
import { paintState } from './state.ts';

/** The maximum number of Pods shown per ReplicaSet. */
const PODS_SHOWN = 8;

interface Node {
  readonly cells: readonly string[];
  readonly children?: readonly Node[];
}

export interface TreeOptions {
  readonly paint: Paint;
  readonly now: number;
  readonly wide: boolean;
  /** The TrafficRouting that the Rollout names, and what it does. */
  readonly routing?: string | undefined;
}

export function tree(shown: ReleaseView, options: TreeOptions): string {
  const { release, replicaSets } = shown;
  const nodes: Node[] = [];
  if (release && release.steps.length > 0)
    nodes.push({ cells: ['steps'], children: release.steps.map((step) => stepNode(step, options)) });
  if (release?.requests) nodes.push({ cells: ['requests'], children: [requestsNode(release.requests, options)] });
  if (release && release.checks.length > 0)
    nodes.push({
      cells: ['checks'],
      children: release.checks.map((check) => ({ cells: checkCells(check, options.paint, options.now) })),
    });
  if (replicaSets)
    nodes.push({ cells: [`${shown.keeper}s`], children: replicaSets.map((set) => replicaSetNode(set, options)) });
  const routing = options.routing === undefined ? '' : `  ${oneLine(options.routing)}\n`;
  return headOf(shown, options) + (release ? releaseLine(release, options) : '') + routing + draw(nodes);
}

function headOf(
  { name, namespace, kind, deployment, state, since, message }: ReleaseView,
  options: TreeOptions,
): string {
  const { paint, now } = options;
  return (
    `${paint('bold', name)}   ${paintState(state, paint)}${since === undefined ? '' : ` since ${ago(now - since)}`}` +
    `   ${kind} ${oneLine(deployment)}, namespace ${namespace}\n` +
    `  ${oneLine(message ?? 'no status yet')}\n`
  );
}

const releaseLine = ({ id, author, startedAt }: RunningRelease, { now }: TreeOptions): string =>
  `  release ${oneLine(id ?? '?')}${author ? ` by ${oneLine(author)}` : ''}` +
  `${startedAt === undefined ? '' : `, began ${ago(now - startedAt)}`}\n`;

const SIGNS = { Done: ['green', '✓'], Current: ['cyan', '●'], Ahead: ['dim', '○'] } as const;

function stepNode(
  { step, replicas, progress, updated, old, available, watched, wait, requests }: StepView,
  { paint }: TreeOptions,
): Node {
  const [colour, sign] = SIGNS[progress];
  const watching = watched ? `then ${describeWatch(watched)}` : '';
  const waiting = progress === 'Done' || (old === 0 && wait === 'None') ? '' : `then ${describeWait(wait)}`;
  const then = [watching, waiting].filter((text) => text !== '').join(', ');
  return {
    cells: [
      `${paint(colour, sign)} ${step ?? ' '}`,
      `${replicas ?? 'the rest'}`,
      progress === 'Ahead' ? paint('dim', pods(updated)) : `${bar(available, updated)} ${available}/${updated}`,
      [...(requests === undefined ? [] : [requests]), ...(then === '' ? [] : [then])].join(', '),
    ],
  };
}

const requestsNode = ({ route, gets, since }: RequestsView, { now }: TreeOptions): Node => ({
  cells: [
    oneLine(route),
    `sends ${oneLine(gets)} to the new version`,
    `for ${duration(now - (parseTime(since) ?? now))}`,
  ],
});

const ROLES = { New: 'new', Current: 'current', Stable: 'stable', Old: 'old' } as const;

function replicaSetNode({ name, role, size, available, pods: own }: ReplicaSetView, options: TreeOptions): Node {
  const shown = own.slice(0, PODS_SHOWN).map((pod) => podNode(pod, options));
  const rest = own.length - shown.length;
  return {
    cells: [name, ROLES[role], `${pods(size)}, ${available} available`],
    children: rest > 0 ? [...shown, { cells: [`and ${rest} more`] }] : shown,
  };
}

const podNode = ({ name, trouble, createdAt, node }: PodView, { paint, now, wide }: TreeOptions): Node => ({
  cells: [
    name,
    trouble === undefined ? paint('green', 'available') : paint('yellow', trouble),
    createdAt === undefined ? '' : duration(now - createdAt),
    ...(wide ? [node ?? '-'] : []),
  ],
});

/** Aligns the cells of siblings in columns. */
function draw(nodes: readonly Node[], prefix = '  '): string {
  const rows = table(nodes.map(({ cells }) => cells))
    .split('\n')
    .slice(0, -1);
  return nodes
    .map(({ children = [] }, i) => {
      const last = i === nodes.length - 1;
      return `${prefix}${last ? '└─' : '├─'} ${rows[i]}\n${draw(children, `${prefix}${last ? '   ' : '│  '}`)}`;
    })
    .join('');
}
