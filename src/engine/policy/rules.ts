// The rules about changes, plans and releases in flight. Each finding names policy, field, value, reason and remedy.
import { ROLLOUT_FINALIZER } from '../../api/keys.ts';
import type { ReleasePolicy, StepRules } from '../../api/policy.ts';
import type { CanaryStep, Deployment, IntOrString, Rollout } from '../../api/types.ts';
import { isWhole, percentOf, podsOf, stepTarget } from '../lib/replicas.ts';
import { isInFlight } from '../release/in-flight.ts';
import type { Finding } from './policy.ts';
import { outsideWindows, type Calendar } from './windows.ts';
import { sameJson } from '../lib/template.ts';

const STEPS = 'spec.strategy.canary.steps';
const CHANGED = { field: 'spec.template', value: 'changed' } as const;

export interface Change {
  readonly policies: readonly ReleasePolicy[];
  /** The Rollout in whose steps the change goes out; undefined = it goes out without steps. */
  readonly rollout: Rollout | undefined;
  /** Why it goes out without steps although there is a Rollout; for people. */
  readonly bypass?: string | undefined;
  readonly workload: string;
  /** `spec.replicas` after the change. */
  readonly replicas: number;
  /** Other Deployments of the namespace that are in a release. */
  readonly inFlight: number;
  /** A release of this very Deployment runs already: a newer template takes its place, not a second one. */
  readonly superseding: boolean;
  readonly now: number;
  readonly calendar: Calendar;
}

/** A template changes, and not back to the stable one. */
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
          reason: `would go out without steps${bypass === undefined ? '' : ` (${bypass})`}, and policy ${name} requires a Rollout`,
          remedy:
            bypass === undefined
              ? `make a Rollout whose workloadRef names Deployment ${workload} first`
              : 'put that right first',
        };
      });
    return [...without, ...outsideWindows(policies, CHANGED, change.now, change.calendar)];
  }
  return [
    ...judgePlan(policies, rollout, change.replicas),
    ...outsideWindows(policies, CHANGED, change.now, change.calendar),
    ...tooMany(change),
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
        reason: `would be release ${inFlight + 1} in this namespace, and policy ${policy.metadata.name} allows ${limit} at the same time`,
        remedy: 'try again when one of them has ended',
      },
    ];
  });
}

/** What the steps must be like. Where the size is not known, what depends on it is judged when a release starts. */
export function judgePlan(
  policies: readonly ReleasePolicy[],
  rollout: Rollout,
  replicas: number | undefined,
): Finding[] {
  const steps = rollout.spec.strategy.canary?.steps ?? [];
  return policies.flatMap((policy) => {
    const rules = policy.spec.steps;
    return rules === undefined ? [] : [...stepFindings(policy, rules, steps, replicas)];
  });
}

function* stepFindings(
  policy: ReleasePolicy,
  rules: StepRules,
  steps: readonly CanaryStep[],
  replicas: number | undefined,
): Generator<Finding> {
  const name = policy.metadata.name;
  const find = (field: string, value: unknown, rank: number, reason: string, remedy: string): Finding => {
    return { policy, rule: 'steps', field, value, rank, reason: `${reason} policy ${name} allows`, remedy };
  };
  if (rules.minSteps !== undefined && steps.length < rules.minSteps) {
    const { minSteps } = rules;
    yield find(STEPS, steps.length, minSteps, 'steps are fewer than', `write at least ${minSteps}`);
  }
  for (const [index, step] of steps.entries()) {
    const field = `${STEPS}[${index}].replicas`;
    const [limit, most] = index === 0 ? [rules.maxFirstStep, 'as the first step'] : [undefined, ''];
    if (limit !== undefined && exceeds(step.replicas, undefined, limit, replicas)) {
      yield find(field, step.replicas, -rankOf(limit), `is more ${most} than`, `use ${limit} or less`);
    } else if (
      rules.maxIncrement !== undefined &&
      exceeds(step.replicas, steps[index - 1]?.replicas, rules.maxIncrement, replicas)
    ) {
      const remedy = `add ${rules.maxIncrement} or less to the step before it`;
      yield find(field, step.replicas, -rankOf(rules.maxIncrement), 'adds more Pods in one step than', remedy);
    }
  }
  const last = steps.at(-1);
  if (
    rules.maxIncrement !== undefined &&
    last !== undefined &&
    exceeds('100%', last.replicas, rules.maxIncrement, replicas)
  ) {
    const remedy = `end with steps up to "100%", each of ${rules.maxIncrement} or less`;
    const reason = 'is the last step, and leaves more Pods to follow at once than';
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
  // A last step that leaves nothing to release waits for nothing.
  const final = steps.at(-1);
  const ends = final?.replicas === '100%' || (replicas !== undefined && isWhole(final, replicas));
  const gates = ends ? steps.length - 1 : steps.length;
  for (const [index, { pause }] of steps.slice(0, gates).entries()) {
    const seconds = pause?.duration ?? undefined;
    const field = `${STEPS}[${index}].pause.duration`;
    const common = { policy, rule: 'steps', field, value: seconds } as const;
    const first = index === 0 && (manual === 'First' || manual === 'FirstAndLast');
    const last = index === gates - 1 && (manual === 'Last' || manual === 'FirstAndLast');
    if (seconds === undefined) continue;
    if (manual === 'All' || first || last) {
      const reason = `goes on by itself, and policy ${name} lets this step only wait for approval`;
      yield { ...common, rank: Infinity, reason, remedy: 'write pause: {}' };
    } else if (minPauseSeconds !== undefined && seconds < minPauseSeconds) {
      const reason = `is shorter than policy ${name} allows`;
      const remedy = `use ${minPauseSeconds} or more, or pause: {} to wait for approval`;
      yield { ...common, rank: minPauseSeconds, reason, remedy };
    }
  }
  // Without a step that waits there is nothing to approve at all.
  if (manual !== 'None' && gates === 0 && steps.length > 0) {
    const reason = `releases everything in one step, and policy ${name} wants one that waits for approval`;
    const remedy = 'put a smaller step before it';
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

/** Does going from one step to the next release more than the limit? Unknown counts as no. */
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
    // Numbers of Pods can be compared with one another whatever the size is.
    return typeof to === 'number' && typeof limit === 'number' && typeof (from ?? 0) === 'number'
      ? to - Number(from ?? 0) > limit
      : false;
  }
  const pods = stepTarget(to, replicas) - stepTarget(from, replicas);
  return pods > Math.max(1, podsOf(limit, replicas, 'up'));
}

/** Among limits of several policies the smaller one asks for more; percents and numbers are not compared in earnest. */
const rankOf = (limit: IntOrString): number => (typeof limit === 'number' ? limit : (percentOf(limit) ?? 0));

// Releases in flight ---------------------------------------------------------------------------------------------------

/** What is done to a Rollout in the middle of its release; `next` undefined = it is deleted. */
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
      reason: `${one.reason}, and policy ${policy.metadata.name} protects releases in flight`,
    })),
  );
}

type Loosened = Pick<Finding, 'field' | 'value' | 'reason' | 'remedy'>;
const WAIT = 'wait until the release ends, or roll it back first';

const deletion = (name: string): Loosened => ({
  field: 'metadata.name',
  value: name,
  reason: 'cannot be deleted in the middle of its release',
  remedy: WAIT,
});

/** Whoever takes the finalizer off, or names an owner that does not exist, has the Rollout deleted by others. */
function* unhooked(old: Rollout, next: Rollout): Generator<Loosened> {
  const [before, after] = [old, next].map(({ metadata }) => metadata) as [Rollout['metadata'], Rollout['metadata']];
  const has = ({ finalizers = [] }: Rollout['metadata']): boolean => finalizers.includes(ROLLOUT_FINALIZER);
  if (has(before) && !has(after)) {
    const reason = `cannot lose ${ROLLOUT_FINALIZER} in the middle of a release`;
    yield { field: 'metadata.finalizers', value: after.finalizers ?? [], reason, remedy: WAIT };
  }
  if (!sameJson(before.ownerReferences ?? [], after.ownerReferences ?? [])) {
    const reason = 'cannot change in the middle of a release: a Rollout is deleted with its owners';
    yield { field: 'metadata.ownerReferences', value: after.ownerReferences ?? [], reason, remedy: WAIT };
  }
}

function* loosened(old: Rollout, next: Rollout): Generator<Loosened> {
  yield* unhooked(old, next);
  if (next.spec.disabled === true && old.spec.disabled !== true) {
    const reason = 'cannot be set in the middle of a release';
    yield { field: 'spec.disabled', value: true, reason, remedy: WAIT };
  }
  const current = old.status?.canaryStatus?.currentStepIndex ?? 1;
  const [before, after] = [old, next].map((rollout) => rollout.spec.strategy.canary?.steps ?? []) as [
    readonly CanaryStep[],
    readonly CanaryStep[],
  ];
  if (after.length < before.length) {
    const reason = `steps instead of ${before.length}: none can be taken away`;
    yield { field: STEPS, value: after.length, reason, remedy: WAIT };
  }
  for (const [index, was] of before.entries()) {
    const is = after[index];
    if (is === undefined || index + 1 < current) continue;
    if (grows(was.replicas, is.replicas)) {
      const reason = `releases more than the ${JSON.stringify(was.replicas)} it was`;
      yield { field: `${STEPS}[${index}].replicas`, value: is.replicas, reason, remedy: `leave it, or use less` };
    }
    const [longer, shorter] = [was, is].map(({ pause }) => pause?.duration ?? Infinity) as [number, number];
    // In the step that waits it is an approval, and judged as one.
    const approves = index + 1 === current && old.status?.canaryStatus?.currentStepState === 'StepPaused';
    if (shorter < longer && !approves) {
      const reason = `waits less than before (${longer === Infinity ? 'for approval' : `${longer} s`})`;
      yield { field: `${STEPS}[${index}].pause.duration`, value: shorter, reason, remedy: 'leave it as it is' };
    }
  }
}

/** Another kind of number may be more at some size, and counts as more. */
function grows(was: IntOrString | undefined, is: IntOrString | undefined): boolean {
  if (was === is) return false;
  if (typeof was === 'number' && typeof is === 'number') return is > was;
  const [a, b] = [was, is].map((value) => (typeof value === 'string' ? percentOf(value) : undefined));
  return a === undefined || b === undefined || b > a;
}

/** A Deployment in the middle of its release is scaled to 0: scaled up again, all its Pods would be of the new version. */
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
          reason: `in the middle of a release would bring it up again in the new version only, and policy ${policy.metadata.name} protects releases in flight`,
          remedy: 'keep at least 1, or roll it back first',
        }));
