// Durations of releases, steps and approvals, from changes of a Rollout's status, for the metrics.
import type { HistoryEntry, Rollout } from '../api/types.ts';
import { pauseSeconds } from '../engine/lib/pause.ts';
import { parseTime } from '../engine/lib/time.ts';
import type { Collection } from '../kube/collection.ts';

export interface Measures {
  /** A release ended. */
  release(namespace: string, outcome: string, seconds: number): void;
  /** All Pods of a step were replaced. */
  step(seconds: number): void;
  /** A step that waited for approval continued. */
  approvalWait(seconds: number): void;
}

/** Must run only on the leader, so that replicas do not count twice. Returns a function that stops it. */
export const measureReleases = (rollouts: Pick<Collection<Rollout>, 'on'>, measures: Measures, now: () => number) =>
  rollouts.on(({ type, object, old }) => {
    if (type === 'updated' && old) measure(old, object, measures, now());
  });

function measure(before: Rollout, after: Rollout, measures: Measures, now: number): void {
  const endedBefore = new Set(before.status?.history?.filter(hasEnded).map(keyOf));
  const ended = (after.status?.history ?? []).filter((entry) => hasEnded(entry) && !endedBefore.has(keyOf(entry)));
  for (const { outcome, startTime, endTime } of ended)
    measures.release(after.metadata.namespace ?? '', outcome ?? '', secondsBetween(startTime, parseTime(endTime)));

  const [was, is] = [before.status?.canaryStatus, after.status?.canaryStatus];
  if (!was || !is || was.observedRolloutID !== is.observedRolloutID) return;
  const sameStep = was.currentStepIndex === is.currentStepIndex;
  if (sameStep && was.currentStepState === 'StepUpgrade' && DONE.has(is.currentStepState))
    measures.step(secondsBetween(was.lastUpdateTime, parseTime(is.lastUpdateTime)));
  if (was.currentStepState !== 'StepPaused' || ended.length > 0) return;
  const step = before.spec.strategy.canary?.steps?.[was.currentStepIndex - 1];
  if ((step && pauseSeconds(step) !== Infinity) || (sameStep && is.currentStepState === 'StepPaused')) return;
  measures.approvalWait(secondsBetween(was.lastUpdateTime, now));
}

const DONE: ReadonlySet<string> = new Set(['StepMetricsAnalysis', 'StepPaused', 'StepReady', 'Completed']);

const hasEnded = ({ endTime }: HistoryEntry): boolean => endTime !== undefined;
const keyOf = ({ rolloutID, startTime }: HistoryEntry): string => `${rolloutID} ${startTime}`;

const secondsBetween = (from: string | undefined, toMs: number | undefined): number => {
  const fromMs = parseTime(from);
  return fromMs === undefined || toMs === undefined ? 0 : Math.max(0, (toMs - fromMs) / 1000);
};
