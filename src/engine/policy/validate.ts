// What is wrong with a ReleasePolicy itself, and what its author should know.
import type { ReleasePolicy, Window, WindowRules } from '../../api/policy.ts';
import { advisePolicy } from './advice.ts';
import { closedAt, DEFAULT_TIME_ZONE, type Calendar } from './windows.ts';
import type { Findings } from '../validate/rollout.ts';
import type { Violation } from '../validate/violation.ts';

export function validatePolicy(policy: ReleasePolicy, now: number, calendar: Calendar): Findings {
  const { spec } = policy;
  const violations = [...windows(spec.windows, now, calendar), ...people(policy), ...selectors(policy)];
  return { violations, warnings: violations.length > 0 ? [] : advisePolicy(policy) };
}

function* windows(rules: WindowRules | undefined, now: number, calendar: Calendar): Generator<Violation> {
  if (rules === undefined) return;
  const zone = rules.timeZone ?? DEFAULT_TIME_ZONE;
  let usable = true;
  if (!calendar.isTimeZone(zone)) {
    usable = false;
    const remedy = 'write an IANA name such as Europe/Berlin or UTC';
    yield { field: 'spec.windows.timeZone', value: zone, reason: 'is no time zone', remedy };
  }
  for (const list of ['deny', 'allow'] as const) {
    for (const [index, { schedule }] of (rules[list] ?? []).entries()) {
      const problem = calendar.scheduleProblem(schedule);
      if (problem === undefined) continue;
      usable = false;
      const field = `spec.windows.${list}[${index}].schedule`;
      const remedy = 'write five fields of cron, e.g. "0 16 * * FRI"';
      yield { field, value: schedule, reason: problem, remedy };
    }
  }
  if (!usable) return;
  for (const [index, window] of (rules.allow ?? []).entries()) {
    if (!isCovered(window, rules, now, calendar)) continue;
    const reason = 'lies inside the windows that deny: it never opens anything';
    yield { field: `spec.windows.allow[${index}]`, value: window, reason, remedy: 'remove it, or the one that denies' };
  }
  const closed = closedAt(rules, now, calendar);
  if (closed !== undefined && closed.opensAt === undefined) {
    const reason = 'never let anything start';
    yield {
      field: 'spec.windows',
      value: 'these windows',
      reason,
      remedy: 'shorten what denies, or widen what allows',
    };
  }
}

const OPENINGS_TRIED = 60;

/** Each of its next openings is denied from the first moment to the last. */
function isCovered(allow: Window, { deny = [], timeZone }: WindowRules, now: number, calendar: Calendar): boolean {
  if (deny.length === 0) return false;
  const zone = timeZone ?? DEFAULT_TIME_ZONE;
  let at: number | undefined = now;
  for (let tried = 0; tried < OPENINGS_TRIED && at !== undefined; tried++) {
    const state = calendar.windowAt(allow, zone, at);
    const end: number | undefined = state.until;
    if (end === undefined) {
      at = state.opensAt;
      continue;
    }
    const free = closedAt({ deny, timeZone: zone }, at, calendar);
    if (free === undefined || (free.opensAt !== undefined && free.opensAt < end)) return false;
    at = end;
  }
  return true;
}

function* people({ spec }: ReleasePolicy): Generator<Violation> {
  const { approval, breakGlass } = spec;
  if (approval !== undefined) {
    const { required = 1, users, groups } = approval;
    const [people, teams] = [new Set(users ?? []).size, (groups ?? []).length];
    if ((users !== undefined || groups !== undefined) && people + teams === 0) {
      const reason = 'names nobody who could approve';
      const remedy = 'add a user or a group, or leave both out for whoever has the verb approve on Rollouts';
      yield { field: groups === undefined ? 'spec.approval.users' : 'spec.approval.groups', value: [], reason, remedy };
    } else if (people > 0 && teams === 0 && people < required) {
      const reason = `people are required, and only ${people} may approve`;
      yield {
        field: 'spec.approval.required',
        value: required,
        reason,
        remedy: 'add users or a group, or ask for fewer',
      };
    }
  }
  if (breakGlass !== undefined && breakGlass.groups.length === 0) {
    const reason = 'names nobody';
    yield { field: 'spec.breakGlass.groups', value: [], reason, remedy: 'add a group, or remove breakGlass' };
  }
}

/** Kubernetes' own rules for selectors, which a schema cannot say. */
function* selectors({ spec }: ReleasePolicy): Generator<Violation> {
  for (const name of ['namespaceSelector', 'workloadSelector'] as const) {
    for (const [index, { operator, values = [] }] of (spec.match?.[name]?.matchExpressions ?? []).entries()) {
      const wants = operator === 'In' || operator === 'NotIn';
      if (wants === values.length > 0) continue;
      const field = `spec.match.${name}.matchExpressions[${index}].values`;
      const reason = wants ? `are missing for ${operator}` : `do not go with ${operator}`;
      yield { field, value: values, reason, remedy: wants ? 'write at least one' : 'remove them' };
    }
  }
}
