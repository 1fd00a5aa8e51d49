// When releases may start and steps go on. The cron library stays outside: a calendar is passed in.
import type { ReleasePolicy, Window, WindowRules } from '../../api/policy.ts';
import type { Finding } from './policy.ts';
import { formatTime } from '../lib/time.ts';

export interface Calendar {
  /**
   * Milliseconds since the epoch. Inside: until when it stays open, as far as the opening goes that is newest now. Outside: when it
   * opens next; undefined = never.
   */
  windowAt(window: Window, timeZone: string, now: number): { readonly until?: number; readonly opensAt?: number };
  /** What is wrong with a schedule; undefined when nothing is. */
  scheduleProblem(schedule: string): string | undefined;
  isTimeZone(name: string): boolean;
}

export interface Closed {
  readonly why: string;
  /** When things may go on; undefined = never, as far as anybody can see. */
  readonly opensAt: number | undefined;
}

export const DEFAULT_TIME_ZONE = 'UTC';
/** From one closing to the next: more than a year of closings every day, one after the other. */
const MAX_HOPS = 500;
const HORIZON_MS = 2 * 366 * 86_400_000;

/** Undefined when things may start now. */
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

/** What closes at this moment, and until when at least. */
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
  if (longest !== undefined) return { why: longest.window.reason ?? 'a freeze', until: longest.until };
  if (allow.length === 0) return undefined;
  const states = allow.map((window) => calendar.windowAt(window, timeZone, at));
  if (states.some(({ until }) => until !== undefined)) return undefined;
  const openings = states.map(({ opensAt }) => opensAt).filter((time) => time !== undefined);
  return { why: 'outside the windows', until: openings.length > 0 ? Math.min(...openings) : undefined };
}

/** The policies that close now, those that stay closed longest first. */
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
  opensAt === undefined ? 'for good' : `until ${formatTime(opensAt)}`;

/** Findings about something that would start now. */
export const outsideWindows = (
  policies: readonly ReleasePolicy[],
  what: { readonly field: string; readonly value: unknown },
  now: number,
  calendar: Calendar,
): Finding[] =>
  closedPolicies(policies, now, calendar).map(({ policy, why, opensAt }) => ({
    ...what,
    policy,
    rule: 'windows',
    rank: opensAt ?? Infinity,
    reason: `starts a release while policy ${policy.metadata.name} is closed ${opens(opensAt)} (${why})`,
    remedy: opensAt === undefined ? 'ask whoever keeps the policy' : `try again after ${formatTime(opensAt)}`,
  }));
