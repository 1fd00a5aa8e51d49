// What is wrong with a Pod of the new version: only what Kubernetes itself says, no metrics needed.
import type { ContainerStatus, Pod } from '../api/types.ts';
import { readySince } from './view.ts';
import { parseTime } from './time.ts';

export interface Trouble {
  readonly pod: string;
  /** Kubernetes' own word, e.g. `ImagePullBackOff`. */
  readonly why: string;
}

export interface Health {
  /** Pods that fail, and have for long enough. */
  readonly failing: readonly Trouble[];
  /** Pods that are not available and have had the whole deadline. */
  readonly late: readonly Trouble[];
  /** Pods that are not available, in order of name, with what each is waiting for. */
  readonly waiting: readonly Trouble[];
  /** When one of these may change without any event. */
  readonly changesAt: number | undefined;
}

/** A Pod that recovers within this time has not failed. */
const TRANSIENT_MS = 30_000;
const UNSCHEDULABLE_MS = 300_000;
const RESTARTS = 3;
const WAITING_REASONS = new Set([
  'CrashLoopBackOff',
  'ImagePullBackOff',
  'ErrImagePull',
  'InvalidImageName',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
]);

export interface HealthRules {
  readonly now: number;
  readonly minReadySeconds: number;
  /** When the step began, or went on after a pause. */
  readonly stepStartedAt: number;
  /** 0 = none. */
  readonly stepDeadlineSeconds: number;
}

export function judgePods(pods: readonly Pod[], rules: HealthRules): Health {
  const failing: Trouble[] = [];
  const late: Trouble[] = [];
  const waiting: Trouble[] = [];
  const moments: number[] = [];
  const { now } = rules;
  for (const pod of [...pods].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))) {
    const name = pod.metadata.name;
    const since = readySince(pod, now);
    if (since !== undefined && since + rules.minReadySeconds * 1000 <= now && !isRestless(pod, since, now)) continue;
    const signal = signalOf(pod);
    waiting.push({ pod: name, why: signal?.why ?? whyNotAvailable(pod, rules) });
    if (isDisrupted(pod)) continue;
    if (signal && signal.from <= now) failing.push({ pod: name, why: signal.why });
    else if (signal) moments.push(signal.from);
    const deadline = Math.max(createdAt(pod), rules.stepStartedAt) + rules.stepDeadlineSeconds * 1000;
    if (rules.stepDeadlineSeconds === 0) continue;
    if (deadline <= now) late.push({ pod: name, why: `not available after ${rules.stepDeadlineSeconds} s` });
    else moments.push(deadline);
  }
  return { failing, late, waiting, changesAt: moments.length > 0 ? Math.min(...moments) : undefined };
}

const createdAt = (pod: Pod): number => parseTime(pod.metadata.creationTimestamp) ?? 0;
const statuses = (pod: Pod): readonly ContainerStatus[] => [
  ...(pod.status?.initContainerStatuses ?? []),
  ...(pod.status?.containerStatuses ?? []),
];

/** Evicted, preempted, or on a node that is drained or lost: not the version's fault. */
const isDisrupted = (pod: Pod): boolean =>
  pod.status?.conditions?.some(({ type, status }) => type === 'DisruptionTarget' && status === 'True') ?? false;

/** Ready again for a moment only, after restart upon restart. */
const isRestless = (pod: Pod, readyAt: number, now: number): boolean =>
  statuses(pod).some(({ restartCount }) => (restartCount ?? 0) >= RESTARTS) && readyAt + TRANSIENT_MS > now;

function signalOf(pod: Pod): { why: string; from: number } | undefined {
  const conditions = pod.status?.conditions ?? [];
  const scheduled = conditions.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False' && scheduled.reason === 'Unschedulable') {
    const since = parseTime(scheduled.lastTransitionTime) ?? createdAt(pod);
    return { why: 'Unschedulable', from: since + UNSCHEDULABLE_MS };
  }
  const ready = conditions.find(({ type }) => type === 'Ready');
  const unreadySince = ready?.status === 'False' ? parseTime(ready.lastTransitionTime) : undefined;
  const from = (unreadySince ?? createdAt(pod)) + TRANSIENT_MS;
  for (const { state, lastState, restartCount } of statuses(pod)) {
    const waits = state?.waiting?.reason;
    const restarts = restartCount ?? 0;
    if (waits !== undefined && WAITING_REASONS.has(waits)) return { why: waits, from: restarts >= RESTARTS ? 0 : from };
    if (state?.terminated?.reason === 'OOMKilled' || lastState?.terminated?.reason === 'OOMKilled')
      return { why: 'OOMKilled', from: restarts >= RESTARTS ? 0 : from };
    if (restarts >= RESTARTS) return { why: `${restarts} restarts`, from: 0 };
  }
  return undefined;
}

function whyNotAvailable(pod: Pod, { minReadySeconds, now }: HealthRules): string {
  const since = readySince(pod, now);
  if (since !== undefined) return `Ready for ${Math.max(0, Math.floor((now - since) / 1000))} of ${minReadySeconds} s`;
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False') return 'Unschedulable';
  const waits = statuses(pod).map(({ state }) => state?.waiting?.reason);
  return waits.find((reason) => reason !== undefined) ?? 'not ready';
}
