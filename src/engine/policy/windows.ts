// Time windows of policies: when releases may start and steps may continue. The calendar is passed in, so this file needs no cron library.
import type { ReleasePolicy, Window, WindowRules } from '../../api/policy.ts';
import type { Finding } from './policy.ts';
import { formatTime } from '../lib/time.ts';

export interface Calendar {
  /**
   * Times are milliseconds since the epoch. Inside the window: `until`, the end of its latest opening. Outside: `opensAt`, its next opening.
   * Undefined if it never opens.
   */
  windowAt(window: Window, timeZone: string, now: number): { readonly until?: number; readonly opensAt?: number };
  /** The error in a schedule. Undefined if it is valid. */
  scheduleProblem(schedule: string): string | undefined;
  isTimeZone(name: string): boolean;
}

export interface Closed {
  readonly why: string;
  /** When the windows open. Undefined if they do not open within two years. */
  readonly opensAt: number | undefined;
}

export const DEFAULT_TIME_ZONE = 'UTC';
/** Maximum number of consecutive closed windows, enough for one each day for more than a year. */
const MAX_HOPS = 500;
const HORIZON_MS = 2 * 366 * 86_400_000;

/** Undefined if the windows are open. */
export function closedAt(rules: WindowRules | undefined, now: number, calendar: Calendar): Closed | undefined {
  if (rules === undefined) return undefined;
  const first = closing(rules, now, calendar);
  if (first === undefined) return undefined;
  let at = first.until;
  for (let hop = 0; hop < MAX_HOPS && at !== undefined && at - now <= HORIZON_MS; hop++) {
    const next = closing(rules, at, calendar);
    if (next === undefined) return { why: first.why, opensAt: at };
    at = next.until;
  }
  return { why: first.why, opensAt: undefined };
}

/** The window that closes at this moment, and its end. */
function closing(
  { deny = [], allow = [], timeZone = DEFAULT_TIME_ZONE }: WindowRules,
  at: number,
  calendar: Calendar,
): { why: string; until: number | undefined } | undefined {
  const denied = deny
    .map((window) => ({ window, until: calendar.windowAt(window, timeZone, at).until }))
    .filter(({ until }) => until !== undefined)
    .toSorted((a, b) => b.until! - a.until!);
  const longest = denied[0];
  if (longest !== undefined) return { why: longest.window.reason ?? 'deny window', until: longest.until };
  if (allow.length === 0) return undefined;
  const states = allow.map((window) => calendar.windowAt(window, timeZone, at));
  if (states.some(({ until }) => until !== undefined)) return undefined;
  const openings = states.map(({ opensAt }) => opensAt).filter((time) => time !== undefined);
  return { why: 'outside the allow windows', until: openings.length > 0 ? Math.min(...openings) : undefined };
}

/** The policies that are closed now. The one that opens last comes first. */
export function closedPolicies(
  policies: readonly ReleasePolicy[],
  now: number,
  calendar: Calendar,
): (Closed & { readonly policy: ReleasePolicy })[] {
  return policies
    .flatMap((policy) => {
      const closed = closedAt(policy.spec.windows, now, calendar);
      return closed ? [{ ...closed, policy }] : [];
    })
    .toSorted((a, b) => (b.opensAt ?? Infinity) - (a.opensAt ?? Infinity));
}

export const opens = (opensAt: number | undefined): string =>
  opensAt === undefined ? 'permanently' : `until ${formatTime(opensAt)}`;

/** Findings about a change that would start a release now. */
export const outsideWindows = (
  policies: readonly ReleasePolicy[],
  what: Pick<Finding, 'field' | 'value' | 'type'>,
  now: number,
  calendar: Calendar,
): Finding[] =>
  closedPolicies(policies, now, calendar).map(({ policy, why, opensAt }) => ({
    ...what,
    policy,
    rule: 'windows',
    rank: opensAt ?? Infinity,
    reason: `policy ${policy.metadata.name} is closed ${opens(opensAt)} (${why})`,
    remedy: opensAt === undefined ? 'ask the owner of the policy' : `try again after ${formatTime(opensAt)}`,
  }));
