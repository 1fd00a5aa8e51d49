// Validates a ReleasePolicy: errors, and warnings for its author.
import type { CheckKind, ReleasePolicy, Window, WindowRules } from '../../api/policy.ts';
import { advisePolicy } from './advice.ts';
import { closedAt, DEFAULT_TIME_ZONE, type Calendar } from './windows.ts';
import type { Findings } from '../validate/rollout.ts';
import type { Violation } from '../validate/violation.ts';

export function validatePolicy(policy: ReleasePolicy, now: number, calendar: Calendar): Findings {
  const { spec } = policy;
  const violations = [
    ...windows(spec.windows, now, calendar),
    ...people(policy),
    ...checks(policy),
    ...selectors(policy),
  ];
  return { violations, warnings: violations.length > 0 ? [] : advisePolicy(policy) };
}

function* windows(rules: WindowRules | undefined, now: number, calendar: Calendar): Generator<Violation> {
  if (rules === undefined) return;
  const zone = rules.timeZone ?? DEFAULT_TIME_ZONE;
  let usable = true;
  if (!calendar.isTimeZone(zone)) {
    usable = false;
    const remedy = 'write a name such as Europe/Berlin or UTC';
    yield { field: 'spec.windows.timeZone', value: zone, reason: 'must be an IANA time zone', remedy };
  }
  for (const list of ['deny', 'allow'] as const) {
    for (const [index, { schedule }] of (rules[list] ?? []).entries()) {
      const problem = calendar.scheduleProblem(schedule);
      if (problem === undefined) continue;
      usable = false;
      const field = `spec.windows.${list}[${index}].schedule`;
      const remedy = 'write a schedule such as "0 16 * * FRI"';
      yield { field, value: schedule, reason: problem, remedy };
    }
  }
  if (!usable) return;
  for (const [index, window] of (rules.allow ?? []).entries()) {
    if (!isCovered(window, rules, now, calendar)) continue;
    const reason = 'is inside the deny windows and never opens';
    yield { field: `spec.windows.allow[${index}]`, value: window, reason, remedy: 'remove it, or a deny window' };
  }
  const closed = closedAt(rules, now, calendar);
  if (closed !== undefined && closed.opensAt === undefined) {
    const reason = 'never allows a release to start';
    const remedy = 'shorten the deny windows, or extend the allow windows';
    yield { field: 'spec.windows', value: rules, reason, remedy };
  }
}

const OPENINGS_TRIED = 60;

/** True if deny windows cover each of its next openings completely. */
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
      const field = groups === undefined ? 'spec.approval.users' : 'spec.approval.groups';
      const reason = 'without users and groups, nobody can approve';
      const remedy =
        'add a user or a group, or remove both fields to accept everybody with the verb approve on Rollouts';
      yield { field, value: [], type: 'Required', reason, remedy };
    } else if (people > 0 && teams === 0 && people < required) {
      const reason = `must not be more than the number of users (${people})`;
      yield {
        field: 'spec.approval.required',
        value: required,
        reason,
        remedy: 'add users or a group, or write a smaller number',
      };
    }
  }
  if (breakGlass !== undefined && breakGlass.groups.length === 0) {
    const remedy = 'add a group, or remove breakGlass';
    yield { field: 'spec.breakGlass.groups', value: [], type: 'Required', reason: '', remedy };
  }
}

/** Kinds of checks that are always read from the Kubernetes API. */
const OF_KUBERNETES: ReadonlySet<CheckKind> = new Set(['Pods', 'Condition']);

function* checks({ spec }: ReleasePolicy): Generator<Violation> {
  const { required = [], sources } = spec.analysis ?? {};
  if (sources === undefined) return;
  const unable = required.filter((kind) => OF_KUBERNETES.has(kind));
  if (unable.length > 0 && !sources.includes('kubernetes')) {
    const reason = `spec.analysis.required has ${unable.join(' and ')}, which are read from the source kubernetes`;
    yield { field: 'spec.analysis.sources', value: sources, reason, remedy: 'add kubernetes' };
  } else if (required.includes('Ratio') && sources.every((name) => name === 'kubernetes')) {
    const reason = 'spec.analysis.required has Ratio, and the source kubernetes does not answer PromQL';
    yield { field: 'spec.analysis.sources', value: sources, reason, remedy: 'add the name of a MetricSource' };
  }
}

/** Kubernetes' rules for selectors that a schema cannot express. */
function* selectors({ spec }: ReleasePolicy): Generator<Violation> {
  for (const name of ['namespaceSelector', 'workloadSelector'] as const) {
    for (const [index, { operator, values = [] }] of (spec.match?.[name]?.matchExpressions ?? []).entries()) {
      const wants = operator === 'In' || operator === 'NotIn';
      if (wants === values.length > 0) continue;
      const field = `spec.match.${name}.matchExpressions[${index}].values`;
      const reason = `must ${wants ? '' : 'not '}be specified when operator is ${operator}`;
      const type = wants ? 'Required' : 'Forbidden';
      yield { field, value: values, type, reason, remedy: wants ? 'write at least one value' : 'remove them' };
    }
  }
}
