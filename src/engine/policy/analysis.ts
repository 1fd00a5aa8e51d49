// Policy rules about the checks of a release: which a Rollout must have, how long they watch a step, and who may continue although one is Worse.
import type { AnalysisCheck, CheckStatus, StepAnalysis } from '../../api/analysis.ts';
import { minTotalOf } from '../analysis/step.ts';
import { isFailed } from '../analysis/verdict.ts';
import type { AnalysisRules, CheckKind, ReleasePolicy } from '../../api/policy.ts';
import type { CanaryStrategy, CanaryStep, Rollout } from '../../api/types.ts';
import { pauseSeconds } from '../lib/pause.ts';
import { isWhole } from '../lib/replicas.ts';
import { sameJson } from '../lib/template.ts';
import { isListed, whoMay, type Approver } from './approval.ts';
import { enforcementOf, type Finding } from './policy.ts';

const CANARY = 'spec.strategy.canary';
const ANALYSIS = `${CANARY}.analysis`;

/** Findings about the checks and the steps of a Rollout. Without `replicas`, a last step that is not `100%` counts as smaller. */
export function judgeAnalysis(
  policies: readonly ReleasePolicy[],
  rollout: Rollout,
  replicas: number | undefined,
): Finding[] {
  const { analysis = [], steps = [] } = rollout.spec.strategy.canary ?? {};
  return policies.flatMap((policy) => {
    const rules = policy.spec.analysis;
    if (rules === undefined) return [];
    return [
      ...requiredKinds(policy, rules, analysis),
      ...allowedSources(policy, rules, analysis),
      ...watchedSteps(policy, rules, { analysis, steps }, replicas),
    ];
  });
}

const FIELDS: Readonly<Record<CheckKind, 'ratio' | 'value' | 'pods' | 'condition'>> = {
  Ratio: 'ratio',
  Value: 'value',
  Pods: 'pods',
  Condition: 'condition',
};

function* requiredKinds(
  policy: ReleasePolicy,
  { required = [] }: AnalysisRules,
  checks: readonly AnalysisCheck[],
): Generator<Finding> {
  const missing = required.map((kind) => FIELDS[kind]).filter((field) => checks.every((check) => !check[field]));
  if (missing.length === 0) return;
  const reason = `must have a check with ${missing.join(', and one with ')} (policy ${policy.metadata.name})`;
  yield {
    policy,
    rule: 'analysis',
    rank: missing.length,
    field: ANALYSIS,
    value: checks.map(({ name }) => name),
    reason,
    remedy: missing.length === 1 ? 'add one' : 'add them',
  };
}

const reads = ({ pods, condition, value }: AnalysisCheck): string | undefined =>
  pods ? 'pods' : condition ? 'condition' : value?.external ? 'value.external' : undefined;

function* allowedSources(
  policy: ReleasePolicy,
  { sources }: AnalysisRules,
  checks: readonly AnalysisCheck[],
): Generator<Finding> {
  if (sources === undefined) return;
  for (const [index, check] of checks.entries()) {
    const kind = reads(check);
    const used = kind === undefined ? (check.source ?? 'default') : 'kubernetes';
    if (sources.includes(used)) continue;
    const common = { policy, rule: 'analysis', rank: -sources.length } as const;
    const only = `policy ${policy.metadata.name} allows only ${sources.join(', ')}`;
    yield kind === undefined
      ? {
          ...common,
          field: `${ANALYSIS}[${index}].source`,
          value: check.source,
          reason: check.source === undefined ? `without it, the source is "default", and ${only}` : only,
          remedy: 'write one of them',
        }
      : {
          ...common,
          field: `${ANALYSIS}[${index}].${kind}`,
          value: 'set',
          type: 'Forbidden',
          reason: `it is read from the source kubernetes, and ${only}`,
          remedy: 'remove the check',
        };
  }
}

function* watchedSteps(
  policy: ReleasePolicy,
  { minSeconds }: AnalysisRules,
  { analysis = [], steps = [] }: CanaryStrategy,
  replicas: number | undefined,
): Generator<Finding> {
  if (minSeconds === undefined) return;
  const by = `(policy ${policy.metadata.name})`;
  const final = steps.at(-1);
  const ends = final?.replicas === '100%' || (replicas !== undefined && isWhole(final, replicas));
  // If all Pods are updated in one step, no step is before it, so this step must be watched.
  const gates = ends && steps.length > 1 ? steps.slice(0, -1) : steps;
  for (const [index, step] of gates.entries()) {
    const { seconds } = step.analysis ?? {};
    const waits = pauseSeconds(step) === Infinity && !(ends && steps.length === 1);
    // Checks watch a timed pause, too.
    const watched = analysis.length === 0 ? 0 : Math.max(seconds ?? 0, step.pause?.duration ?? 0);
    if (waits || watched >= minSeconds) continue;
    yield {
      policy,
      rule: 'analysis',
      rank: minSeconds,
      field: `${CANARY}.steps[${index}].analysis.seconds`,
      value: seconds,
      reason: `must be at least ${minSeconds}, or the step must wait for approval ${by}`,
      remedy: `write ${minSeconds} or more, or pause: {}`,
    };
  }
}

// A check that is Worse ------------------------------------------------------------------------------------------------

/** The checks that stop the release: they are Worse, and nobody has let the release continue. */
export const failedChecks = (rollout: Rollout): readonly CheckStatus[] =>
  (rollout.status?.canaryStatus?.analysis ?? []).filter(isFailed);

/** Findings about a person who lets a release continue although checks are Worse. */
export function judgeOverride(policies: readonly ReleasePolicy[], rollout: Rollout, approver: Approver): Finding[] {
  const failed = failedChecks(rollout).map(({ name }) => name);
  if (failed.length === 0) return [];
  return policies.flatMap((policy): Finding[] => {
    const { override } = policy.spec.analysis ?? {};
    if (override === undefined || isListed(override, approver)) return [];
    const { users = [], groups = [] } = override;
    const nobody = users.length + groups.length === 0;
    const checks = `${failed.length === 1 ? 'check' : 'checks'} ${failed.join(', ')} ${failed.length === 1 ? 'is' : 'are'} Worse`;
    return [
      {
        policy,
        rule: 'analysis.override',
        rank: 0,
        field: 'approval of a failed check',
        value: approver.user,
        type: 'Forbidden',
        reason: `${checks}, and policy ${policy.metadata.name} lets ${nobody ? 'nobody' : `only ${whoMay(users, groups)}`} continue`,
        remedy: nobody ? 'roll back' : 'ask them, or roll back',
      },
    ];
  });
}

/**
 * True if this person may let a release continue although a check is Worse, under the enforced policies. Accepts a recorded approval too: its
 * `groups` are those that policies name, and `past` are the policies that do not apply.
 */
export const mayOverride = (
  policies: readonly ReleasePolicy[],
  { user, groups = [], past = [] }: { user: string; groups?: readonly string[]; past?: readonly string[] },
): boolean =>
  policies.every((policy) => {
    const { override } = policy.spec.analysis ?? {};
    const asks = override !== undefined && enforcementOf(policy) === 'Deny' && !past.includes(policy.metadata.name);
    return !asks || isListed(override, { user, groups });
  });

// Releases in progress -------------------------------------------------------------------------------------------------

export type Loosened = Pick<Finding, 'field' | 'value' | 'type' | 'reason' | 'remedy'>;

/** Limits of a check. A smaller number is stricter. */
interface Limit {
  readonly field: string;
  readonly value: (check: AnalysisCheck, canary: CanaryStrategy) => unknown;
  readonly size: (check: AnalysisCheck, canary: CanaryStrategy) => number;
}

const onFailureOf = ({ onFailure }: AnalysisCheck, canary: CanaryStrategy): string =>
  onFailure ?? canary.onFailure ?? 'Hold';
const limit = (
  field: string,
  value: (check: AnalysisCheck) => number | undefined,
  absent: number,
  size = (number: number): number => number,
): Limit => ({ field, value, size: (check) => size(value(check) ?? absent) });

/** With the defaults of engine/analysis. */
const LIMITS: readonly Limit[] = [
  limit('intervalSeconds', ({ intervalSeconds }) => intervalSeconds, 30),
  limit('warmUpSeconds', ({ warmUpSeconds }) => warmUpSeconds, 60),
  {
    field: 'ratio.limit',
    value: ({ ratio }) => ratio?.limit,
    size: ({ ratio }) => (ratio?.limit === undefined ? Infinity : Number(ratio.limit.slice(0, -1))),
  },
  limit('ratio.timesStable', ({ ratio }) => ratio?.timesStable, Infinity),
  limit('ratio.fineBelowTimesStable', ({ ratio }) => ratio?.fineBelowTimesStable, 3),
  limit('value.max', ({ value }) => value?.max, Infinity),
  limit(
    'value.min',
    ({ value }) => value?.min,
    -Infinity,
    (number) => -number,
  ),
  limit('value.failures', ({ value }) => value?.failures, 3),
  limit('pods.timesStable', ({ pods }) => pods?.timesStable, Infinity),
  {
    field: 'onFailure',
    value: onFailureOf,
    size: (check, canary) => (onFailureOf(check, canary) === 'Rollback' ? 0 : 1),
  },
];

/** What a check measures: all but its limits. */
function measured({
  intervalSeconds: _,
  warmUpSeconds: __,
  onFailure: ___,
  ratio,
  value,
  pods,
  ...rest
}: AnalysisCheck) {
  const { limit: _l, timesStable: _t, fineBelowTimesStable: _f, ...counted } = ratio ?? {};
  const { min: _min, max: _max, failures: _failures, ...read } = value ?? {};
  const { timesStable: _s, ...compared } = pods ?? {};
  return { ...rest, counted, read, compared };
}

/** Checks that an edit removes or loosens. */
export function* loosenedChecks(before: CanaryStrategy, after: CanaryStrategy): Generator<Loosened> {
  for (const was of before.analysis ?? []) {
    const index = (after.analysis ?? []).findIndex(({ name }) => name === was.name);
    const is = after.analysis?.[index];
    if (is === undefined) {
      const reason = `check ${was.name} cannot be removed during a release`;
      yield { field: ANALYSIS, value: was.name, type: 'Forbidden', reason, remedy: 'keep it' };
      continue;
    }
    const at = `${ANALYSIS}[${index}]`;
    if (!sameJson(measured(was), measured(is))) {
      const reason = `check ${was.name} cannot measure something else during a release`;
      yield { field: at, value: is, type: 'Forbidden', reason, remedy: 'keep it, and add a check with another name' };
      continue;
    }
    for (const { field, value, size } of LIMITS) {
      if (size(is, after) <= size(was, before)) continue;
      const reason = `must not be looser than before (${JSON.stringify(value(was, before)) ?? 'the default'}) during a release`;
      yield { field: `${at}.${field}`, value: value(is, after), type: 'Invalid', reason, remedy: 'keep it' };
    }
  }
}

/** The analysis of a step that an edit shortens. `at`: field of the step. */
export function* loosenedStep(
  { analysis: was }: CanaryStep,
  { analysis: is }: CanaryStep,
  at: string,
): Generator<Loosened> {
  if (was === undefined) return;
  const field = `${at}.analysis`;
  if (is === undefined) {
    yield {
      field,
      value: undefined,
      type: 'Forbidden',
      reason: 'cannot be removed during a release',
      remedy: 'keep it',
    };
    return;
  }
  const size = (of: StepAnalysis, name: 'seconds' | 'minTotal'): number =>
    name === 'minTotal' ? minTotalOf(of) : of.seconds;
  for (const name of ['seconds', 'minTotal'] as const) {
    if (size(is, name) >= size(was, name)) continue;
    const reason = `must not be less than before (${size(was, name)}) during a release`;
    yield { field: `${field}.${name}`, value: is[name], type: 'Invalid', reason, remedy: 'keep it' };
  }
  if (is.lowTraffic === 'Continue' && was.lowTraffic !== 'Continue') {
    const reason = `must not be looser than before (${was.lowTraffic ?? 'Approval'}) during a release`;
    yield { field: `${field}.lowTraffic`, value: is.lowTraffic, reason, remedy: 'keep it' };
  }
}
