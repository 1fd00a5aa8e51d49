// The printer columns of Pods.
import { age } from '../core/table.ts';
import { AGE, column, columns, doc, NONE, wide } from './column.ts';
import type { KubeObject } from '../core/types.ts';
import type { Condition, ContainerStatus, PodStatus } from './native.ts';

/** The status of a Pod as kubectl shows it, from its phase, reasons and container states. */
function podStatus({ metadata, spec, status = {} }: KubeObject): string {
  let reason: string = status.reason || status.phase || 'Unknown';
  for (const { type, reason: why } of status.conditions ?? []) {
    if (type === 'PodScheduled' && why === 'SchedulingGated') reason = why;
  }
  let initializing = false;
  for (const [i, container] of ((status.initContainerStatuses ?? []) as ContainerStatus[]).entries()) {
    const { terminated, waiting } = container.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (terminated)
      reason = `Init:${terminated.reason || (terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`)}`;
    else if (waiting?.reason && waiting.reason !== 'PodInitializing') reason = `Init:${waiting.reason}`;
    else reason = `Init:${i}/${spec.initContainers.length}`;
    initializing = true;
    break;
  }
  if (!initializing) {
    let running = false;
    for (const container of [...((status.containerStatuses ?? []) as ContainerStatus[])].reverse()) {
      const { waiting, terminated } = container.state ?? {};
      if (waiting?.reason) reason = waiting.reason;
      else if (terminated) {
        reason =
          terminated.reason || (terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`);
      } else if (container.ready && container.state?.running) running = true;
    }
    if (reason === 'Completed' && running) reason = isReady(status) ? 'Running' : 'NotReady';
  }
  if (metadata.deletionTimestamp) return status.reason === 'NodeLost' ? 'Unknown' : 'Terminating';
  return reason;
}

const isReady = (status: PodStatus): boolean =>
  (status.conditions ?? []).some((each) => each.type === 'Ready' && each.status === 'True');

function restarts({ status }: KubeObject, now: number): string {
  const list = (status?.containerStatuses ?? []) as ContainerStatus[];
  const count = list.reduce((sum, each) => sum + (each.restartCount ?? 0), 0);
  const last = list
    .map((each) => each.lastState?.terminated?.finishedAt)
    .filter(Boolean)
    .sort()
    .at(-1);
  return count && last ? `${count} (${age(last, now)} ago)` : String(count);
}

export const podColumns = columns(
  column('Ready', 'The aggregate readiness state of this pod for accepting traffic.', ({ spec, status }) => {
    const ready = ((status?.containerStatuses ?? []) as ContainerStatus[]).filter(
      (each) => each.ready && each.state?.running,
    );
    return `${ready.length}/${spec.containers.length}`;
  }),
  column('Status', 'The aggregate status of the containers in this pod.', podStatus),
  column(
    'Restarts',
    'The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.',
    restarts,
  ),
  AGE,
  wide('IP', doc('core.v1.PodStatus.podIP'), ({ status }) => status?.podIPs?.[0]?.ip ?? NONE),
  wide('Node', doc('core.v1.PodSpec.nodeName'), ({ spec }) => spec.nodeName ?? NONE),
  wide('Nominated Node', doc('core.v1.PodStatus.nominatedNodeName'), ({ status }) => status?.nominatedNodeName ?? NONE),
  wide('Readiness Gates', doc('core.v1.PodSpec.readinessGates'), ({ spec, status }) => {
    const gates = (spec.readinessGates ?? []) as { conditionType: string }[];
    if (!gates.length) return NONE;
    const met = gates.filter(({ conditionType }) =>
      ((status?.conditions ?? []) as Condition[]).some((each) => each.type === conditionType && each.status === 'True'),
    );
    return `${met.length}/${gates.length}`;
  }),
);
