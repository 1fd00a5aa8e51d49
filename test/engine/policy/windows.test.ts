// When releases may start. The calendar is a small one of our own here; the real one has its tests in test/schedule.
import assert from 'node:assert/strict';
import type { Window, WindowRules } from '../../../src/api/policy.ts';
import { sentence } from '../../../src/engine/validate/violation.ts';
import { closedAt, closedPolicies, opens, outsideWindows, type Calendar } from '../../../src/engine/policy/windows.ts';
import { policy } from './support.ts';

/** Opens once, at the second that its schedule names. */
const calendar: Calendar = {
  windowAt({ schedule, durationSeconds }: Window, _zone: string, now: number) {
    const from = Number(schedule) * 1000;
    const until = from + durationSeconds * 1000;
    if (now < from) return { opensAt: from };
    return now < until ? { until } : {};
  },
  scheduleProblem: () => undefined,
  isTimeZone: () => true,
};
const window = (from: number, to: number, reason?: string): Window => ({
  schedule: String(from),
  durationSeconds: to - from,
  ...(reason !== undefined && { reason }),
});
const closed = (rules: WindowRules | undefined, second: number): string => {
  const found = closedAt(rules, second * 1000, calendar);
  return found === undefined
    ? 'open'
    : `${found.why}, until ${found.opensAt === undefined ? 'never' : found.opensAt / 1000}`;
};

describe('windows', () => {
  for (const [when, rules, second, expected] of [
    ['without rules', undefined, 0, 'open'],
    ['in a window that denies', { deny: [window(10, 20, 'party')] }, 15, 'party, until 20'],
    ['after it', { deny: [window(10, 20)] }, 20, 'open'],
    ['in two that follow one another', { deny: [window(10, 20), window(20, 30)] }, 15, 'deny window, until 30'],
    ['in two at once, the longer counts', { deny: [window(10, 20), window(12, 30, 'long')] }, 15, 'long, until 30'],
    ['before a window that allows', { allow: [window(10, 20)] }, 5, 'outside the allow windows, until 10'],
    ['in it', { allow: [window(10, 20)] }, 15, 'open'],
    ['after the last', { allow: [window(10, 20)] }, 25, 'outside the allow windows, until never'],
    ['denied before allowed', { deny: [window(10, 20)], allow: [window(15, 30)] }, 12, 'deny window, until 20'],
    [
      'allowed too early',
      { deny: [window(10, 20)], allow: [window(15, 18), window(40, 50)] },
      12,
      'deny window, until 40',
    ],
  ] as const) {
    it(`${when}: ${expected}`, () => assert.equal(closed(rules, second), expected));
  }
});

describe('policies with windows', () => {
  const short = policy('short', { windows: { deny: [window(10, 20)] } });
  const long = policy('long', { windows: { deny: [window(10, 30)] } });
  const never = policy('never', { windows: { allow: [window(1, 2)] } });

  it('are told with the one that stays closed longest first', () => {
    const names = closedPolicies([short, long, never, policy('open', {})], 15_000, calendar).map(
      (one) => one.policy.metadata.name,
    );
    assert.deepEqual(names, ['never', 'long', 'short']);
  });

  it('say until when, and what to do', () => {
    const what = { field: 'spec.template', value: 'changed' };
    const [first, second] = outsideWindows([short, never], what, 15_000, calendar).map(sentence);
    assert.match(
      first ?? '',
      /policy never is closed permanently \(outside the allow windows\); ask the owner of the policy$/,
    );
    assert.match(
      second ?? '',
      /policy short is closed until 1970-01-01T00:00:20Z \(deny window\); try again after 1970/,
    );
    assert.deepEqual([opens(undefined), opens(20_000)], ['permanently', 'until 1970-01-01T00:00:20Z']);
  });
});
