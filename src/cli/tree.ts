// A release as a tree: steps, ReplicaSets, Pods.
import { CHANGED_BY, ROLLOUT_ID } from '../api/keys.ts';
import type { Pod, ReplicaSet } from '../api/types.ts';
import { planRelease, type PlannedStep } from '../engine/steps/plan.ts';
import { judgePods } from '../engine/steps/pod-health.ts';
import { parseTime } from '../engine/lib/time.ts';
import { hashOf, sizeOf } from '../engine/workload/deployment/view.ts';
import { pods as podsText } from '../engine/lib/text.ts';
import { describeWait } from './act.ts';
import { COLOURS } from './commands/list.ts';
import { oneLine, type Paint } from './paint.ts';
import { podsOfSet, type Facts } from './resources.ts';
import { messageOf, sinceOf, stateOf } from './state.ts';
import { bar, duration, table } from './text.ts';

/** Pods named under a ReplicaSet; those that are not available come first. */
const PODS_SHOWN = 8;

interface Node {
  readonly cells: readonly string[];
  readonly children?: readonly Node[];
}

export interface TreeOptions {
  readonly paint: Paint;
  readonly now: number;
  readonly wide: boolean;
}

export function tree(facts: Facts, options: TreeOptions): string {
  const { rollout, deployment, view } = facts;
  const { paint, now } = options;
  const state = stateOf(rollout, deployment);
  const colour = COLOURS[state];
  const since = parseTime(sinceOf(rollout));
  const lines = [
    `${paint('bold', rollout.metadata.name)}   ${colour ? paint(colour, state) : state}` +
      `${since === undefined ? '' : ` for ${duration(now - since)}`}   Deployment ${oneLine(rollout.spec.workloadRef.name)}, namespace ${rollout.metadata.namespace}\n`,
    `  ${oneLine(messageOf(rollout) ?? 'the operator has not looked at it yet')}\n`,
  ];
  const releasing = rollout.status?.phase === 'Progressing';
  if (deployment && releasing) {
    const [last] = rollout.status?.history ?? [];
    const id = deployment.metadata.labels?.[ROLLOUT_ID] ?? '?';
    const author = deployment.metadata.annotations?.[CHANGED_BY];
    const began = parseTime(last?.startTime);
    lines.push(
      `  release ${oneLine(id)}${author ? ` by ${oneLine(author)}` : ''}${began === undefined ? '' : `, began ${duration(now - began)} ago`}\n`,
    );
  }
  const nodes: Node[] = [];
  if (deployment && releasing) nodes.push({ cells: ['steps'], children: steps(facts, options) });
  if (view) nodes.push({ cells: ['ReplicaSets'], children: replicaSets(facts, options) });
  return lines.join('') + draw(nodes);
}

function steps({ rollout, deployment, view }: Facts, { paint }: TreeOptions): Node[] {
  if (!deployment || !view) return [];
  const status = rollout.status?.canaryStatus;
  const current = status?.currentStepIndex ?? 0;
  return planRelease(rollout, deployment).steps.map((step) => {
    const index = step.step ?? Infinity;
    const over = status?.currentStepState === 'Completed' || index < current;
    const here = !over && index === current;
    const available = over ? step.updated : here ? Math.min(view.available, step.updated) : 0;
    const sign = over ? paint('green', '✓') : here ? paint('cyan', '●') : paint('dim', '○');
    const share = step.replicas === undefined ? 'the rest' : `${step.replicas}`;
    return {
      cells: [
        `${sign} ${step.step ?? ' '}`,
        share,
        over || here
          ? `${bar(available, step.updated)} ${available}/${step.updated}`
          : paint('dim', podsText(step.updated)),
        over ? '' : whatThen(step),
      ],
    };
  });
}

const whatThen = ({ wait, old }: PlannedStep): string =>
  old === 0 && wait === 'None' ? '' : `then ${describeWait(wait)}`;

function replicaSets({ rollout, deployment, view, pods }: Facts, options: TreeOptions): Node[] {
  if (!view || !deployment) return [];
  const sets = [...(view.newSet ? [view.newSet] : []), ...view.oldSets.filter((set) => sizeOf(set) > 0)];
  const startedAt = parseTime(rollout.status?.canaryStatus?.lastUpdateTime) ?? 0;
  return sets.map((set) => {
    const own = podsOfSet(pods, set).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    const { waiting } = judgePods(own, {
      now: options.now,
      minReadySeconds: view.minReadySeconds,
      stepStartedAt: startedAt,
      stepDeadlineSeconds: 0,
    });
    const why = new Map(waiting.map((trouble) => [trouble.pod, trouble.why]));
    const role = roleOf(set, view.newSet, view.stableSet);
    const available = Math.max(0, own.length - waiting.length);
    return {
      cells: [set.metadata.name, role, `${podsText(sizeOf(set))}, ${available} available`],
      children: podNodes(own, why, options),
    };
  });
}

function roleOf(set: ReplicaSet, newSet: ReplicaSet | undefined, stableSet: ReplicaSet | undefined): string {
  if (set === newSet)
    return stableSet === undefined || stableSet === set || hashOf(stableSet) === hashOf(set) ? 'current' : 'new';
  return set === stableSet ? 'stable' : 'old';
}

function podNodes(own: readonly Pod[], why: ReadonlyMap<string, string>, { paint, now, wide }: TreeOptions): Node[] {
  const sorted = own.toSorted(
    (a, b) =>
      Number(why.has(b.metadata.name)) - Number(why.has(a.metadata.name)) ||
      (a.metadata.name < b.metadata.name ? -1 : 1),
  );
  const shown = sorted.slice(0, PODS_SHOWN);
  const rest = sorted.length - shown.length;
  const nodes: Node[] = shown.map((pod) => {
    const { name, creationTimestamp } = pod.metadata;
    const trouble = why.get(name);
    const created = parseTime(creationTimestamp);
    return {
      cells: [
        name,
        trouble === undefined ? paint('green', 'available') : paint('yellow', trouble),
        created === undefined ? '' : duration(now - created),
        ...(wide ? [pod.spec?.nodeName ?? '-'] : []),
      ],
    };
  });
  if (rest > 0) nodes.push({ cells: [`and ${rest} more`] });
  return nodes;
}

/** Siblings have their cells in columns. */
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
