// Predicts what a release will do in each step, with the budgets that the release itself will use.
import type { StepAnalysis } from '../../api/analysis.ts';
import type { HistoryEntry, IntOrString, Rollout, Workload } from '../../api/types.ts';
import { pauseSeconds } from '../lib/pause.ts';
import { stepTargets, type Limits } from '../lib/replicas.ts';
import { routingOf } from '../traffic/plan.ts';
import { deploymentKind } from '../workload/deployment/kind.ts';
import type { WorkloadKind } from '../workload/kind.ts';
import { parseTime } from '../lib/time.ts';

/** `approval`: the step waits for its time and for approval. */
export type Wait = 'Approval' | 'None' | { readonly seconds: number; readonly approval?: true };

export interface PlannedStep {
  /** 1-based. Undefined for the Pods after the last step. */
  readonly step: number | undefined;
  /** As written in the Rollout. */
  readonly replicas: IntOrString | undefined;
  /** Pods of the new and of the old version after the step. */
  readonly updated: number;
  readonly old: number;
  /** Number of Pods that this step replaces. 0 if the steps before have updated as many. */
  readonly replaces: number;
  /** Maximum number of Pods beyond `spec.replicas` during the step. */
  readonly surge: number;
  /** Maximum number of unavailable Pods during the step, if all were available before. */
  readonly unavailable: number;
  /** How long the checks watch the step before that. */
  readonly watched?: StepAnalysis;
  /** What the release waits for after the step. */
  readonly wait: Wait;
  /** A policy requires approvals, and the step is the first one and updates all Pods: it waits for approval before it starts, too. */
  readonly startsAfterApproval?: true;
}

export interface Plan {
  readonly replicas: number;
  readonly limits: Limits;
  readonly steps: readonly PlannedStep[];
  /** How often the release waits for approval. */
  readonly approvals: number;
  /** Sum of all timed pauses. */
  readonly pauseSeconds: number;
}

export interface PlanOptions {
  /** Another number of replicas than the workload's. */
  readonly size?: number | undefined;
  /** A policy requires approvals: every step waits for them. */
  readonly approval?: boolean;
  readonly kind?: WorkloadKind;
}

export function planRelease(rollout: Rollout, workload: Workload, options: PlanOptions = {}): Plan {
  const { kind = deploymentKind, approval = false } = options;
  const replicas = options.size ?? kind.replicas(workload);
  const { limits, worst: worstOf } = kind.spending(workload, replicas);
  const steps: PlannedStep[] = [];
  let updated = 0;
  /** Pods that the surge of the step before has left over. */
  let surplus = 0;
  const planned = rollout.spec.strategy.canary?.steps ?? [];
  const targets = stepTargets(planned, replicas);
  for (const [index, step] of planned.entries()) {
    // Only the last step ends the release: a step before it waits even if all Pods are updated.
    const ends = replicas === 0 || (index === planned.length - 1 && targets[index]! >= replicas);
    const target = Math.max(updated, targets[index]!);
    const wait = ends ? 'None' : waitOf(pauseSeconds(step), approval);
    const goesOn = wait === 'None' && !ends && step.analysis === undefined && routingOf(rollout) === undefined;
    const worst = worstOf(updated, target, goesOn);
    const surge = Math.max(surplus, worst.surge);
    surplus = goesOn ? surge : 0;
    const [old, replaces] = [replicas - target, target - updated];
    const whole = approval && index === 0 && replicas > 0 && target >= replicas;
    const watched = step.analysis && replicas > 0 ? { watched: step.analysis } : {};
    const starts = whole ? { startsAfterApproval: true as const } : {};
    steps.push({
      step: index + 1,
      replicas: step.replicas,
      updated: target,
      old,
      replaces,
      ...{ ...worst, surge },
      wait,
      ...watched,
      ...starts,
    });
    updated = target;
    if (ends) break;
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
    approvals:
      steps.filter(({ wait }) => wait === 'Approval' || (wait !== 'None' && wait.approval === true)).length +
      steps.filter(({ startsAfterApproval }) => startsAfterApproval).length,
    pauseSeconds: steps.reduce((sum, { wait }) => sum + (typeof wait === 'object' ? wait.seconds : 0), 0),
  };
}

function waitOf(seconds: number, approval: boolean): Wait {
  if (seconds === Infinity) return 'Approval';
  if (seconds === 0) return approval ? 'Approval' : 'None';
  return approval ? { seconds, approval } : { seconds };
}

export interface Experience {
  /** Number of completed releases that the median is computed from. */
  readonly releases: number;
  /** Median time from the change to the last Pod, including waits for approval. */
  readonly medianSeconds: number;
}

/** How long the last releases took. Undefined if none in the history was completed. */
export function experienceOf(history: readonly HistoryEntry[] | undefined): Experience | undefined {
  const completed = (history ?? []).filter(({ outcome }) => outcome === 'Completed');
  const seconds = completed.map((entry) => secondsBetween(entry, entry)).filter((taken) => taken !== undefined);
  const medianSeconds = medianOf(seconds);
  return medianSeconds === undefined ? undefined : { releases: seconds.length, medianSeconds };
}

/** From the start of one release to the end of this or another one. Undefined if the end is unknown, or if the times contradict each other. */
export function secondsBetween({ startTime }: HistoryEntry, { endTime }: HistoryEntry): number | undefined {
  const seconds = ((parseTime(endTime) ?? NaN) - (parseTime(startTime) ?? NaN)) / 1000;
  return seconds >= 0 ? seconds : undefined;
}

/** The lower one of two in the middle. Undefined without values. */
export const medianOf = (values: readonly number[]): number | undefined =>
  values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)];
