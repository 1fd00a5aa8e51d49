// The check `ratio`: bad requests among all requests, against a limit, against the stable version, or both.
import {
  betterThanLimit,
  betterThanStable,
  capFor,
  worseThanLimit,
  worseThanStable,
  type Evidence,
  type Look,
  type Test,
} from './evidence.ts';
import type { Seen } from './counters.ts';
import type { Judgement, Verdict } from './verdict.ts';

/** At least one of `limit` and `timesStable`. */
export interface RatioCheck {
  /** Highest rate of bad requests in the new version, above 0 and below 1. */
  readonly limit?: number;
  /** Highest rate of bad requests, as a multiple of the rate in the stable version. Above 0. */
  readonly timesStable?: number;
  /** The release is shown to be fine when its rate is below this multiple of the stable rate. At least `timesStable`; default 3. */
  readonly fineBelowTimesStable?: number;
}

/** Probability of Worse for a release that is not worse, over all its looks and checks. */
export const FALSE_ALARMS = 0.01;
/** Probability of Fine for a release that is not. */
export const FALSE_FINE = 0.05;
const FINE_BELOW = 3;

/** All that a later look needs. It is stored in the status, so it has no samples. */
export interface RatioState extends Judgement {
  /** Requests and bad requests so far. */
  readonly fresh: { readonly total: number; readonly bad: number };
  readonly stable: { readonly total: number; readonly bad: number };
  /** In the order of `testsOf`. */
  readonly worse: readonly Evidence[];
  readonly fine: readonly Evidence[];
  /** For each test of `fine`: it has shown its part. */
  readonly shown: readonly boolean[];
}

interface Tests {
  readonly worse: readonly Test[];
  readonly fine: readonly Test[];
  /** The evidence at which a test decides. */
  readonly alarm: number;
  readonly enough: number;
}

/** `checks`: number of checks of the release, which share the probability of a false alarm. */
function testsOf({ limit, timesStable, fineBelowTimesStable }: RatioCheck, checks: number): Tests {
  const tests = (limit === undefined ? 0 : 1) + (timesStable === undefined ? 0 : 1);
  const alpha = FALSE_ALARMS / (checks * Math.max(tests, 1));
  const [cap, fineCap] = [capFor(alpha), capFor(FALSE_FINE)];
  const below = Math.max(fineBelowTimesStable ?? FINE_BELOW, timesStable ?? 0);
  return {
    worse: [
      ...(limit === undefined ? [] : [worseThanLimit(limit, cap)]),
      ...(timesStable === undefined ? [] : [worseThanStable(timesStable, cap)]),
    ],
    fine: [
      ...(limit === undefined ? [] : [betterThanLimit(limit, fineCap)]),
      ...(timesStable === undefined ? [] : [betterThanStable(below, fineCap)]),
    ],
    alarm: 1 / alpha,
    enough: 1 / FALSE_FINE,
  };
}

/** The state before the first look. */
export function startRatio(check: RatioCheck, at: number): RatioState {
  const { worse, fine } = testsOf(check, 1);
  return {
    verdict: 'Open',
    since: at,
    fresh: { total: 0, bad: 0 },
    stable: { total: 0, bad: 0 },
    worse: worse.map(({ start }) => start),
    fine: fine.map(({ start }) => start),
    shown: fine.map(() => false),
  };
}

/**
 * The state after these looks. Judging all looks at once, one after the other, or again from a stored state gives the same state. A look at which
 * nothing can be seen changes only the verdict.
 */
export function judgeRatio(check: RatioCheck, checks: number, before: RatioState, looks: readonly Seen[]): RatioState {
  const tests = testsOf(check, checks);
  return looks.reduce(
    (state, seen) => ('look' in seen ? see(tests, state, seen.at, seen.look) : miss(state, seen)),
    before,
  );
}

/** The strongest evidence that the release is worse, of all tests: 1 at the start. At `alarm` the verdict is Worse. */
export function evidenceOf(
  check: RatioCheck,
  checks: number,
  { worse }: RatioState,
): { readonly evidence: number; readonly alarm: number } {
  const tests = testsOf(check, checks);
  const evidence = Math.max(...tests.worse.map((test, index) => test.value(worse[index]!)));
  return { evidence, alarm: tests.alarm };
}

function see(tests: Tests, before: RatioState, at: number, look: Look): RatioState {
  const worse = tests.worse.map((test, index) => test.add(before.worse[index]!, look));
  const fine = tests.fine.map((test, index) => test.add(before.fine[index]!, look));
  const shown = fine.map(
    (evidence, index) => before.shown[index]! || tests.fine[index]!.value(evidence) >= tests.enough,
  );
  const isWorse =
    before.verdict === 'Worse' || tests.worse.some((test, index) => test.value(worse[index]!) >= tests.alarm);
  const verdict: Verdict = isWorse ? 'Worse' : shown.every((one) => one) ? 'Fine' : 'Open';
  const { why: _, ...rest } = before;
  return {
    ...rest,
    ...sinceOf(before, verdict, at),
    fresh: { total: before.fresh.total + look.fresh.total, bad: before.fresh.bad + look.fresh.bad },
    stable: { total: before.stable.total + look.stable.total, bad: before.stable.bad + look.stable.bad },
    worse,
    fine,
    shown,
  };
}

const miss = (before: RatioState, { at, unknown }: Seen & { readonly unknown: string }): RatioState =>
  before.verdict === 'Worse' ? before : { ...before, ...sinceOf(before, 'Unknown', at), why: unknown };

const sinceOf = (before: Judgement, verdict: Verdict, at: number): Judgement => ({
  verdict,
  since: before.verdict === verdict ? before.since : at,
});
