// Policy rules for changes, plans and releases in progress. Each finding names the policy, the field, its value, the reason and what to write instead.
import { ROLLOUT_FINALIZER } from '../../api/keys.ts';
import type { ReleasePolicy, StepRules } from '../../api/policy.ts';
import type { CanaryStep, Deployment, IntOrString, Rollout } from '../../api/types.ts';
import { isWhole, percentOf, podsOf, stepTarget } from '../lib/replicas.ts';
import { pauseSeconds } from '../lib/pause.ts';
import { plural } from '../lib/text.ts';
import { isInFlight } from '../release/in-flight.ts';
import { judgeAnalysis, loosenedChecks, loosenedStep, type Loosened } from './analysis.ts';
import { startsAtOnce } from './at-once.ts';
import type { Finding } from './policy.ts';
import { isWider } from './rollback-window.ts';
import { outsideWindows, type Calendar } from './windows.ts';
import { sameJson } from '../lib/template.ts';

const STEPS = 'spec.strategy.canary.steps';
const CHANGED = { field: 'spec.template', value: 'changed', type: 'Forbidden' } as const;

export interface Change {
  readonly policies: readonly ReleasePolicy[];
  /** The Rollout that releases the change in steps. Undefined if the change is rolled out without steps. */
  readonly rollout: Rollout | undefined;
  /** Why the change is rolled out without steps although there is a Rollout. Part of a message. */
  readonly bypass?: string | undefined;
  /** A field of the template that takes effect on all nodes at once, although the rest is released in steps. */
  readonly atOnce?: string | undefined;
  readonly workload: string;
  /** Kind of the workload. Defaults to Deployment. */
  readonly kind?: string;
  /** `spec.replicas` after the change. */
  readonly replicas: number;
  /** Number of other workloads in the namespace that have a release in progress. */
  readonly inFlight: number;
  /** The change replaces a release of the same workload, so it does not count as another release. */
  readonly superseding: boolean;
  readonly now: number;
  readonly calendar: Calendar;
}

/** Findings about a change of the template that is not a rollback. */
export function judgeChange(change: Change): Finding[] {
  const { policies, rollout, workload, bypass } = change;
  if (rollout === undefined) {
    const without = policies
      .filter(({ spec }) => spec.requireRollout === true)
      .map((policy): Finding => {
        const name = policy.metadata.name;
        return {
          ...CHANGED,
          policy,
          rule: 'requireRollout',
          rank: 0,
          reason: `policy ${name} requires a Rollout, and this change would be rolled out without steps${bypass === undefined ? '' : ` (${bypass})`}`,
          remedy:
            bypass === undefined
              ? `create a Rollout whose workloadRef names ${change.kind ?? 'Deployment'} ${workload} first`
              : 'fix this first',
        };
      });
    return [...without, ...outsideWindows(policies, CHANGED, change.now, change.calendar)];
  }
  return [
    ...judgePlan(policies, rollout, change.replicas),
    ...outsideWindows(policies, CHANGED, change.now, change.calendar),
    ...tooMany(change),
    ...startsAtOnce(change),
  ];
}

function tooMany({ policies, inFlight, superseding }: Change): Finding[] {
  if (superseding) return [];
  return policies.flatMap((policy): Finding[] => {
    const limit = policy.spec.maxConcurrentReleases;
    if (limit === undefined || inFlight < limit) return [];
    return [
      {
        ...CHANGED,
        policy,
        rule: 'maxConcurrentReleases',
        rank: -limit,
        reason: `policy ${policy.metadata.name} allows ${plural(limit, 'release')} at a time in this namespace (running: ${inFlight})`,
        remedy: 'try again when one of them ends',
      },
    ];
  });
}

/** Findings about the steps and the checks. Without `replicas`, rules that depend on the number of Pods are checked when a release starts. */
export function judgePlan(
  policies: readonly ReleasePolicy[],
  rollout: Rollout,
  replicas: number | undefined,
): Finding[] {
  const steps = rollout.spec.strategy.canary?.steps ?? [];
  const found = policies.flatMap((policy) => {
    const rules = policy.spec.steps;
    return rules === undefined ? [] : [...stepFindings(policy, rules, steps, replicas)];
  });
  return [...found, ...judgeAnalysis(policies, rollout, replicas)];
}

function* stepFindings(
  policy: ReleasePolicy,
  rules: StepRules,
  steps: readonly CanaryStep[],
  replicas: number | undefined,
): Generator<Finding> {
  const name = policy.metadata.name;
  const find = (field: string, value: unknown, rank: number, reason: string, remedy: string): Finding => {
    return { policy, rule: 'steps', field, value, rank, reason: `${reason} (policy ${name})`, remedy };
  };
  if (rules.minSteps !== undefined && steps.length < rules.minSteps) {
    const { minSteps } = rules;
    yield find(STEPS, steps.length, minSteps, `must have at least ${plural(minSteps, 'step')}`, 'add steps');
  }
  for (const [index, step] of steps.entries()) {
    const field = `${STEPS}[${index}].replicas`;
    const limit = index === 0 ? rules.maxFirstStep : undefined;
    if (limit !== undefined && exceeds(step.replicas, undefined, limit, replicas)) {
      yield find(
        field,
        step.replicas,
        -rankOf(limit),
        `must be at most ${limit} in the first step`,
        `write ${limit} or less`,
      );
    } else if (
      rules.maxIncrement !== undefined &&
      exceeds(step.replicas, steps[index - 1]?.replicas, rules.maxIncrement, replicas)
    ) {
      const reason = `must be at most ${rules.maxIncrement} more than the step before`;
      yield find(field, step.replicas, -rankOf(rules.maxIncrement), reason, 'write less, or add a step before it');
    }
  }
  const last = steps.at(-1);
  if (
    rules.maxIncrement !== undefined &&
    last !== undefined &&
    exceeds('100%', last.replicas, rules.maxIncrement, replicas)
  ) {
    const remedy = `add steps up to "100%", each at most ${rules.maxIncrement} more`;
    const reason = `must leave at most ${rules.maxIncrement} of the Pods after the last step`;
    yield find(`${STEPS}[${steps.length - 1}].replicas`, last.replicas, -rankOf(rules.maxIncrement), reason, remedy);
  }
  yield* pauseFindings(policy, rules, steps, replicas);
}

function* pauseFindings(
  policy: ReleasePolicy,
  rules: StepRules,
  steps: readonly CanaryStep[],
  replicas: number | undefined,
): Generator<Finding> {
  const { manual = 'None', minPauseSeconds } = rules;
  const name = policy.metadata.name;
  // A last step that updates all Pods does not wait.
  const final = steps.at(-1);
  const ends = final?.replicas === '100%' || (replicas !== undefined && isWhole(final, replicas));
  const gates = ends ? steps.length - 1 : steps.length;
  for (const [index, step] of steps.slice(0, gates).entries()) {
    const seconds = pauseSeconds(step);
    const field = `${STEPS}[${index}].pause.duration`;
    const common = { policy, rule: 'steps', field, value: step.pause?.duration } as const;
    const first = index === 0 && (manual === 'First' || manual === 'FirstAndLast');
    const last = index === gates - 1 && (manual === 'Last' || manual === 'FirstAndLast');
    if (seconds === Infinity) continue;
    if (manual === 'All' || first || last) {
      const reason =
        step.pause === undefined
          ? `a step with analysis and without pause continues by itself, and this step must wait for approval (policy ${name})`
          : `must not be set: this step must wait for approval (policy ${name})`;
      yield { ...common, type: 'Invalid', rank: Infinity, reason, remedy: 'write pause: {}' };
    } else if (minPauseSeconds !== undefined && seconds < minPauseSeconds) {
      const reason = `must be at least ${minPauseSeconds} seconds (policy ${name})`;
      const remedy = `write ${minPauseSeconds} or more, or pause: {} to wait for approval`;
      yield { ...common, rank: minPauseSeconds, reason, remedy };
    }
  }
  // If no step waits, nobody can approve anything.
  if (manual !== 'None' && gates === 0 && steps.length > 0) {
    const reason = `updates all Pods in one step, but a step must wait for approval (policy ${name})`;
    const remedy = 'add a smaller step before it';
    yield {
      policy,
      rule: 'steps',
      field: `${STEPS}[0].replicas`,
      value: final?.replicas,
      rank: Infinity,
      reason,
      remedy,
    };
  }
}

/** True if the increment from one step to the next exceeds the limit. False if that is not known. */
function exceeds(
  to: IntOrString | undefined,
  from: IntOrString | undefined,
  limit: IntOrString,
  replicas: number | undefined,
): boolean {
  const percents = [to, from ?? '0%', limit].map((value) => (typeof value === 'string' ? percentOf(value) : undefined));
  const [a, b, most] = percents;
  if (a !== undefined && b !== undefined && most !== undefined) return a - b > most;
  if (replicas === undefined) {
    // Absolute numbers of Pods can be compared without the number of replicas.
    return typeof to === 'number' && typeof limit === 'number' && typeof (from ?? 0) === 'number'
      ? to - Number(from ?? 0) > limit
      : false;
  }
  const pods = stepTarget(to, replicas) - stepTarget(from, replicas);
  return pods > Math.max(1, podsOf(limit, replicas, 'up'));
}

/** Orders the limits of several policies: the smaller one is stricter. Percentages and absolute numbers are compared only roughly. */
const rankOf = (limit: IntOrString): number => (typeof limit === 'number' ? limit : (percentOf(limit) ?? 0));

// Releases in progress -------------------------------------------------------------------------------------------------

/** Findings about an edit of a Rollout during its release. `next` is undefined if the Rollout is deleted. */
export function judgeProtection(
  policies: readonly ReleasePolicy[],
  old: Rollout,
  next: Rollout | undefined,
  deployment: Deployment | undefined,
): Finding[] {
  if (!isInFlight(old, deployment)) return [];
  const protecting = policies.filter(({ spec }) => spec.protectInFlight === true);
  if (protecting.length === 0) return [];
  const name = old.metadata.name;
  const found = next === undefined ? [deletion(name)] : [...loosened(old, next)];
  return protecting.flatMap((policy) =>
    found.map((one): Finding => ({
      ...one,
      policy,
      rule: 'protectInFlight',
      rank: 0,
      reason: `${one.reason} (policy ${policy.metadata.name} protects releases in progress)`,
    })),
  );
}

const WAIT = 'wait until the release ends, or roll it back first';

const deletion = (name: string): Loosened => ({
  field: 'metadata.name',
  value: name,
  type: 'Forbidden',
  reason: `Rollout ${name} cannot be deleted during its release`,
  remedy: WAIT,
});

/** Removing the finalizer, or naming an owner that does not exist, would let other controllers delete the Rollout. */
function* unhooked(old: Rollout, next: Rollout): Generator<Loosened> {
  const [before, after] = [old, next].map(({ metadata }) => metadata) as [Rollout['metadata'], Rollout['metadata']];
  const has = ({ finalizers = [] }: Rollout['metadata']): boolean => finalizers.includes(ROLLOUT_FINALIZER);
  if (has(before) && !has(after)) {
    const reason = `${ROLLOUT_FINALIZER} cannot be removed during a release`;
    const value = after.finalizers ?? [];
    yield { field: 'metadata.finalizers', value, type: 'Forbidden', reason, remedy: WAIT };
  }
  if (!sameJson(before.ownerReferences ?? [], after.ownerReferences ?? [])) {
    const reason = 'cannot change during a release, because a Rollout is deleted with its owners';
    const value = after.ownerReferences ?? [];
    yield { field: 'metadata.ownerReferences', value, type: 'Forbidden', reason, remedy: WAIT };
  }
}

function* loosened(old: Rollout, next: Rollout): Generator<Loosened> {
  yield* unhooked(old, next);
  if (next.spec.disabled === true && old.spec.disabled !== true) {
    const reason = 'cannot be set during a release';
    yield { field: 'spec.disabled', value: true, type: 'Forbidden', reason, remedy: WAIT };
  }
  const window = next.spec.strategy.canary?.rollbackWindow;
  if (isWider(window, old.spec.strategy.canary?.rollbackWindow)) {
    const reason = 'must not be wider than before during a release';
    yield { field: 'spec.strategy.canary.rollbackWindow', value: window, reason, remedy: 'keep it' };
  }
  yield* loosenedChecks(old.spec.strategy.canary ?? {}, next.spec.strategy.canary ?? {});
  const current = old.status?.canaryStatus?.currentStepIndex ?? 1;
  const [before, after] = [old, next].map((rollout) => rollout.spec.strategy.canary?.steps ?? []) as [
    readonly CanaryStep[],
    readonly CanaryStep[],
  ];
  if (after.length < before.length) {
    const reason = `must keep at least ${plural(before.length, 'step')} during a release`;
    yield { field: STEPS, value: after.length, reason, remedy: WAIT };
  }
  for (const [index, was] of before.entries()) {
    const is = after[index];
    if (is === undefined || index + 1 < current) continue;
    if (grows(was.replicas, is.replicas)) {
      const reason = `must not be more than the previous value ${JSON.stringify(was.replicas)} during a release`;
      yield { field: `${STEPS}[${index}].replicas`, value: is.replicas, reason, remedy: 'keep it, or write less' };
    }
    const [longer, shorter] = [was, is].map(pauseSeconds) as [number, number];
    // A shorter pause in the waiting step is an approval, which has its own rules.
    const approves = index + 1 === current && old.status?.canaryStatus?.currentStepState === 'StepPaused';
    if (shorter < longer && !approves) {
      const reason = `must not be shorter than before (${longer === Infinity ? 'until approval' : `${longer} s`}) during a release`;
      yield { field: `${STEPS}[${index}].pause.duration`, value: shorter, reason, remedy: 'keep it' };
    }
    if (!approves) yield* loosenedStep(was, is, `${STEPS}[${index}]`);
  }
}

/** A change between a number and a percentage counts as more, because it is more at some number of replicas. */
function grows(was: IntOrString | undefined, is: IntOrString | undefined): boolean {
  if (was === is) return false;
  if (typeof was === 'number' && typeof is === 'number') return is > was;
  const [a, b] = [was, is].map((value) => (typeof value === 'string' ? percentOf(value) : undefined));
  return a === undefined || b === undefined || b > a;
}

/** Findings about scaling to 0 during a release: scaling up again would create only Pods of the new version. */
export const judgeScaleToZero = (
  policies: readonly ReleasePolicy[],
  rollout: Rollout | undefined,
  deployment: Deployment | undefined,
): Finding[] =>
  rollout === undefined || !isInFlight(rollout, deployment)
    ? []
    : policies
        .filter(({ spec }) => spec.protectInFlight === true)
        .map((policy) => ({
          policy,
          rule: 'protectInFlight',
          rank: 0,
          field: 'spec.replicas',
          value: 0,
          reason: `must be at least 1 during a release (policy ${policy.metadata.name} protects releases in progress)`,
          remedy: 'write 1 or more, or roll back first',
        }));
