// What a release will do, step by step, before it begins: computed with the budgets that the release itself will get.
import type { Deployment, HistoryEntry, IntOrString, Rollout } from '../../api/types.ts';
import { replicasOf, resolveLimits, stepTargets, type Limits } from '../lib/replicas.ts';
import { budgetFor } from '../workload/deployment/budget.ts';
import { userSettings } from '../workload/deployment/hold.ts';
import { parseTime } from '../lib/time.ts';

export type Wait = 'Approval' | 'None' | { readonly seconds: number };

export interface PlannedStep {
  /** 1-based; undefined for what follows the last step natively. */
  readonly step: number | undefined;
  /** As it is written. */
  readonly replicas: IntOrString | undefined;
  /** Pods of the new version and of the old one when the step is done. */
  readonly updated: number;
  readonly old: number;
  /** Pods that this step replaces. */
  readonly replaces: number;
  /** Pods beyond `spec.replicas` at any moment of the step, at most. */
  readonly surge: number;
  /** Pods that may be missing from `spec.replicas` available ones at any moment, at most, when all were available before. */
  readonly unavailable: number;
  /** What leads on when it is done. */
  readonly wait: Wait;
}

export interface Plan {
  readonly replicas: number;
  readonly limits: Limits;
  readonly steps: readonly PlannedStep[];
  /** Steps at which somebody has to approve. */
  readonly approvals: number;
  /** Of all timed pauses together. */
  readonly pauseSeconds: number;
}

/** `replicas`: at another size than the Deployment's. */
export function planRelease(rollout: Rollout, deployment: Deployment, replicas = replicasOf(deployment)): Plan {
  const { maxSurge, maxUnavailable } = userSettings(deployment);
  const limits = resolveLimits(maxSurge, maxUnavailable, replicas);
  const steps: PlannedStep[] = [];
  let updated = 0;
  const planned = rollout.spec.strategy.canary?.steps ?? [];
  const targets = stepTargets(planned, replicas);
  for (const [index, step] of planned.entries()) {
    const whole = targets[index]! >= replicas;
    const target = Math.max(updated, targets[index]!);
    const wait = whole ? 'None' : waitOf(step.pause?.duration);
    const worst = worstOf(updated, target, replicas, limits);
    const [old, replaces] = [replicas - target, target - updated];
    steps.push({ step: index + 1, replicas: step.replicas, updated: target, old, replaces, ...worst, wait });
    updated = target;
    if (whole) break;
  }
  if (updated < replicas) {
    const replaces = replicas - updated;
    const worst = { surge: Math.min(limits.surge, replaces), unavailable: Math.min(limits.unavailable, replicas) };
    steps.push({ step: undefined, replicas: undefined, updated: replicas, old: 0, replaces, ...worst, wait: 'None' });
  }
  return {
    replicas,
    limits,
    steps,
    approvals: steps.filter(({ wait }) => wait === 'Approval').length,
    pauseSeconds: steps.reduce((sum, { wait }) => sum + (typeof wait === 'object' ? wait.seconds : 0), 0),
  };
}

const waitOf = (seconds: number | undefined): Wait =>
  seconds === undefined || seconds === null ? 'Approval' : seconds === 0 ? 'None' : { seconds };

/**
 * Of all budgets of the step. The first has the most of both: with each Pod that becomes available, maxUnavailable grows by no more than
 * that Pod, and maxSurge does not grow.
 */
function worstOf(
  from: number,
  target: number,
  replicas: number,
  limits: Limits,
): Pick<PlannedStep, 'surge' | 'unavailable'> {
  if (from >= target) return { surge: 0, unavailable: 0 };
  const { maxSurge, maxUnavailable } = budgetFor(target, {
    available: from,
    updated: from,
    old: replicas - from,
    replicas,
    limits,
  });
  return { surge: maxSurge, unavailable: maxUnavailable - from };
}

export interface Experience {
  /** Completed releases it is taken from. */
  readonly releases: number;
  /** From the change to the last Pod, waiting for people included; the one in the middle. */
  readonly medianSeconds: number;
}

/** How long the last releases took; undefined when none of those remembered was completed. */
export function experienceOf(history: readonly HistoryEntry[] | undefined): Experience | undefined {
  const seconds = (history ?? [])
    .filter(({ outcome }) => outcome === 'Completed')
    .map(({ startTime, endTime }) => ((parseTime(endTime) ?? NaN) - (parseTime(startTime) ?? NaN)) / 1000)
    .filter((taken) => Number.isFinite(taken) && taken >= 0)
    .sort((a, b) => a - b);
  const medianSeconds = seconds[Math.floor((seconds.length - 1) / 2)];
  return medianSeconds === undefined ? undefined : { releases: seconds.length, medianSeconds };
}
