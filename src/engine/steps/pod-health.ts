// What is wrong with a Pod of the new version: only what Kubernetes itself says, no metrics needed.
import type { ContainerStatus, Pod } from '../../api/types.ts';
import { readySince } from '../workload/pods.ts';
import { parseTime } from '../lib/time.ts';
import * as messages from '../messages.ts';

export interface Trouble {
  /** The Pod's name, or what is to make it. */
  readonly pod: string;
  /** Kubernetes' own word, e.g. `ImagePullBackOff`. */
  readonly why: string;
  /** As so many Pods; absent = 1. */
  readonly pods?: number;
}

/** Pods that are due and not there. */
export interface Missing extends Trouble {
  readonly pods: number;
  /** Since when Kubernetes says that it cannot make them. */
  readonly refusedAt?: number;
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

/** Of a Rollout that says nothing. */
export const DEFAULT_DEADLINE_SECONDS = 600;
/** A Pod that recovers within this time has not failed. */
const TRANSIENT_MS = 30_000;
const UNSCHEDULABLE_MS = 300_000;
/** As long as for one that finds no node: both are a matter of room. */
const UNMADE_MS = 300_000;
/** Pods that fail one after another: the next within this time. */
const STREAK_MS = 300_000;
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
  /** 0 = none. minReadySeconds come on top of it. */
  readonly stepDeadlineSeconds: number;
  /** Since when the Pods are due; absent = since the step began. */
  readonly dueSince?: number;
  /** Pods of the new version with phase Failed. */
  readonly failed?: readonly Pod[];
  readonly missing?: Missing | undefined;
}

export const podsIn = (troubles: readonly Trouble[]): number =>
  troubles.reduce((sum, { pods }) => sum + (pods ?? 1), 0);

export function judgePods(pods: readonly Pod[], rules: HealthRules): Health {
  const failing: Trouble[] = [];
  const late: Trouble[] = [];
  const waiting: Trouble[] = [];
  const moments: number[] = [];
  const { now, missing, stepStartedAt, dueSince = stepStartedAt } = rules;
  const seconds = rules.stepDeadlineSeconds + rules.minReadySeconds;
  const expect = (trouble: Trouble, since: number): void => {
    if (rules.stepDeadlineSeconds === 0) return;
    if (since + seconds * 1000 <= now) late.push(trouble);
    else moments.push(since + seconds * 1000);
  };
  const signal = (trouble: Trouble, from: number): void => {
    if (from <= now) failing.push(trouble);
    else if (from !== Infinity) moments.push(from);
  };

  const unavailable = pods.filter((pod) => !isAvailable(pod, rules)).sort(byName);
  const rejected = rejectedSince(rules.failed ?? [], dueSince);
  const again = failingAgain(rejected, unavailable.length + (missing?.pods ?? 0), now);
  if (again) {
    waiting.push(again.trouble);
    signal(again.trouble, again.from);
  }
  if (missing) {
    const { refusedAt, ...trouble } = missing;
    waiting.push(trouble);
    if (refusedAt !== undefined) signal(trouble, Math.max(refusedAt, dueSince) + UNMADE_MS);
    expect(trouble, dueSince);
  }
  // Whoever takes the place of a Pod that was rejected is due since that one was.
  const replacing = new Set(unavailable.filter(counts).sort(youngestFirst).slice(0, rejected.length));
  for (const pod of unavailable) {
    const name = pod.metadata.name;
    const found = signalOf(pod);
    waiting.push({ pod: name, why: found?.why ?? whyNotAvailable(pod, rules) });
    if (!counts(pod)) continue;
    if (found) signal({ pod: name, why: found.why }, found.from);
    const since = replacing.has(pod) ? dueSince : Math.max(createdAt(pod), stepStartedAt);
    expect({ pod: name, why: `not available after ${seconds} s` }, since);
  }
  return { failing, late, waiting, changesAt: moments.length > 0 ? Math.min(...moments) : undefined };
}

function isAvailable(pod: Pod, { now, minReadySeconds }: HealthRules): boolean {
  const since = readySince(pod, now);
  return since !== undefined && since + minReadySeconds * 1000 <= now && !isRestless(pod, since, now);
}

/** Failed for a reason of their own, youngest first. */
const rejectedSince = (failed: readonly Pod[], since: number): readonly Pod[] =>
  failed.filter((pod) => counts(pod) && createdAt(pod) >= since).sort(youngestFirst);

/** Three for each Pod that is not available, as three restarts of one; undefined while none has failed, or none is wanted. */
function failingAgain(
  rejected: readonly Pod[],
  unavailable: number,
  now: number,
): { readonly trouble: Trouble; readonly from: number } | undefined {
  const [last] = rejected;
  if (!last || unavailable === 0) return undefined;
  const end = rejected.findIndex(
    (pod, i) => (i === 0 ? now : createdAt(rejected[i - 1]!)) - createdAt(pod) > STREAK_MS,
  );
  const streak = end === -1 ? rejected : rejected.slice(0, end);
  if (streak.length === 0) return undefined;
  const said = messages.cleaned([last.status?.reason ?? 'Failed', last.status?.message].filter(Boolean).join(': '));
  const before = streak.length - 1;
  const why = before === 0 ? said : messages.again(said, before);
  const pods = Math.min(unavailable, Math.floor(streak.length / RESTARTS));
  const from = pods === 0 ? Infinity : createdAt(streak.at(-1)!) + TRANSIENT_MS;
  return { trouble: { pod: last.metadata.name, why, pods: Math.max(1, pods) }, from };
}

const byName = (a: Pod, b: Pod): number => (a.metadata.name < b.metadata.name ? -1 : 1);
const youngestFirst = (a: Pod, b: Pod): number => createdAt(b) - createdAt(a) || byName(a, b);
const createdAt = (pod: Pod): number => parseTime(pod.metadata.creationTimestamp) ?? 0;
const statuses = (pod: Pod): readonly ContainerStatus[] => [
  ...(pod.status?.initContainerStatuses ?? []),
  ...(pod.status?.containerStatuses ?? []),
];

/** Of Pods that Kubernetes ended for the sake of their node. */
const DISRUPTED = new Set(['Evicted', 'NodeShutdown', 'Terminated', 'Preempting', 'NodeLost']);

/** Not one that is evicted, preempted, or on a node that is drained or lost: that is not the version's fault. */
const counts = ({ status }: Pod): boolean =>
  !DISRUPTED.has(status?.reason ?? '') &&
  !status?.conditions?.some((condition) => condition.type === 'DisruptionTarget' && condition.status === 'True');

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
