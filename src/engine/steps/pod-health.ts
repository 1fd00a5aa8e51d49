// Health of the Pods of the new version, from their Kubernetes status only, without metrics.
import type { ContainerStatus, Pod } from '../../api/types.ts';
import { isUpdating, readySince, updatedInPlaceAt } from '../workload/pods.ts';
import { parseTime } from '../lib/time.ts';
import * as messages from '../messages.ts';

export interface Trouble {
  /** Name of the Pod, or of the object that must create it. */
  readonly pod: string;
  /** Kubernetes' reason, for example `ImagePullBackOff`. */
  readonly why: string;
  /** Number of Pods that it counts as. Defaults to 1. */
  readonly pods?: number;
}

/** Pods that are due but do not exist. */
export interface Missing extends Trouble {
  readonly pods: number;
  /** Since when they are due, in milliseconds, if that is later than `dueSince`. */
  readonly since?: number;
  /** Since when Kubernetes reports that it cannot create them, in milliseconds. */
  readonly refusedAt?: number;
}

export interface Health {
  /** Pods that have failed for long enough. */
  readonly failing: readonly Trouble[];
  /** Pods that are not available after the whole deadline. */
  readonly late: readonly Trouble[];
  /** Pods that are not available, sorted by name, with the reason. */
  readonly waiting: readonly Trouble[];
  /** When one of these may change without an event, in milliseconds. */
  readonly changesAt: number | undefined;
}

/** Default of stepDeadlineSeconds. */
export const DEFAULT_DEADLINE_SECONDS = 600;
/** A Pod that recovers within this time has not failed. */
const TRANSIENT_MS = 30_000;
const UNSCHEDULABLE_MS = 300_000;
/** The same time as for an unschedulable Pod, because both lack resources. */
const UNMADE_MS = 300_000;
/** Maximum time between consecutive failures of Pods. */
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
  /** When the step started or continued after a pause, in milliseconds. */
  readonly stepStartedAt: number;
  /** 0 means no deadline. minReadySeconds is added to it. */
  readonly stepDeadlineSeconds: number;
  /** When the Pods became due, in milliseconds. Defaults to stepStartedAt. */
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

  const unavailable = pods.filter((pod) => availableAt(pod, rules) > now).sort(byName);
  const rejected = rejectedSince(rules.failed ?? [], dueSince);
  const again = failingAgain(rejected, unavailable.length + (missing?.pods ?? 0), now);
  if (again) {
    waiting.push(again.trouble);
    signal(again.trouble, again.from);
  }
  if (missing) {
    const { refusedAt, since = 0, ...trouble } = missing;
    waiting.push(trouble);
    if (refusedAt !== undefined) signal(trouble, Math.max(refusedAt, dueSince) + UNMADE_MS);
    expect(trouble, Math.max(dueSince, since));
  }
  // A Pod that replaces a rejected Pod has the same deadline as that Pod.
  const replacing = new Set(unavailable.filter(counts).sort(youngestFirst).slice(0, rejected.length));
  for (const pod of unavailable) {
    const name = pod.metadata.name;
    const found = signalOf(pod, now);
    waiting.push({ pod: name, why: found?.why ?? whyNotAvailable(pod, rules) });
    const due = availableAt(pod, rules);
    if (due !== Infinity) moments.push(due);
    if (!counts(pod)) continue;
    if (found) signal({ pod: name, why: found.why }, found.from);
    const since = replacing.has(pod) ? dueSince : Math.max(createdAt(pod), stepStartedAt);
    expect({ pod: name, why: `not available after ${seconds} s` }, since);
  }
  return { failing, late, waiting, changesAt: moments.length > 0 ? Math.min(...moments) : undefined };
}

/** In milliseconds. Infinity if it is not Ready. A Pod that restarted often must be Ready for some time. */
function availableAt(pod: Pod, { now, minReadySeconds }: HealthRules): number {
  const since = readySince(pod, now);
  if (since === undefined) return Infinity;
  return since + Math.max(minReadySeconds * 1000, restartsOf(pod, now) >= RESTARTS ? TRANSIENT_MS : 0);
}

/** Pods that failed because of the version, youngest first. */
const rejectedSince = (failed: readonly Pod[], since: number): readonly Pod[] =>
  failed.filter((pod) => counts(pod) && createdAt(pod) >= since).sort(youngestFirst);

/** Three failed Pods count like three restarts of one Pod. Undefined if no Pod failed or none is missing. */
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

/** Reasons of Pods that Kubernetes ended because of their node. */
const DISRUPTED = new Set(['Evicted', 'NodeShutdown', 'Terminated', 'Preempting', 'NodeLost']);

/** False for a Pod that was evicted or preempted, or whose node is drained or lost. The version is not the cause. */
const counts = ({ status }: Pod): boolean =>
  !DISRUPTED.has(status?.reason ?? '') &&
  !status?.conditions?.some((condition) => condition.type === 'DisruptionTarget' && condition.status === 'True');

/** The most restarts of a container. After an update in place, older versions may have caused them, so they count only if it ended since then. */
const restartsOf = (pod: Pod, now: number): number =>
  Math.max(0, ...statuses(pod).map((status) => (hasEnded(pod, status, now) ? (status.restartCount ?? 0) : 0)));

/** True if this version has ended in the container: it was not an update in place that ended it. */
function hasEnded(pod: Pod, { lastState }: ContainerStatus, now: number): boolean {
  const updated = updatedInPlaceAt(pod, now);
  if (updated === undefined) return true;
  return !isUpdating(pod) && (parseTime(lastState?.terminated?.finishedAt) ?? 0) > updated;
}

/** A sign of failure, in Kubernetes' word, and from when on it counts, in milliseconds. Undefined if there is none. */
export function signalOf(pod: Pod, now: number): { why: string; from: number } | undefined {
  const conditions = pod.status?.conditions ?? [];
  const scheduled = conditions.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False' && scheduled.reason === 'Unschedulable') {
    const since = parseTime(scheduled.lastTransitionTime) ?? createdAt(pod);
    return { why: 'Unschedulable', from: since + UNSCHEDULABLE_MS };
  }
  const ready = conditions.find(({ type }) => type === 'Ready');
  const unreadySince = ready?.status === 'False' ? parseTime(ready.lastTransitionTime) : undefined;
  const updated = updatedInPlaceAt(pod, now);
  const restarts = restartsOf(pod, now);
  const from = restarts >= RESTARTS ? 0 : Math.max(unreadySince ?? createdAt(pod), updated ?? 0) + TRANSIENT_MS;
  for (const status of statuses(pod)) {
    const { state, lastState } = status;
    const waits = state?.waiting?.reason;
    if (waits !== undefined && WAITING_REASONS.has(waits)) return { why: waits, from };
    const ended = [state, hasEnded(pod, status, now) ? lastState : undefined];
    if (ended.some((one) => one?.terminated?.reason === 'OOMKilled')) return { why: 'OOMKilled', from };
  }
  return restarts >= RESTARTS ? { why: `${restarts} restarts`, from } : undefined;
}

function whyNotAvailable(pod: Pod, { minReadySeconds, now }: HealthRules): string {
  const since = readySince(pod, now);
  if (since !== undefined) return `Ready for ${Math.max(0, Math.floor((now - since) / 1000))} of ${minReadySeconds} s`;
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False') return 'Unschedulable';
  const waits = statuses(pod).map(({ state }) => state?.waiting?.reason);
  return waits.find((reason) => reason !== undefined) ?? 'not ready';
}
