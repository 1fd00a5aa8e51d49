import assert from 'node:assert/strict';
import type { WindowRules } from '../../src/api/policy.ts';
import { validatePolicy } from '../../src/engine/policy/validate.ts';
import { closedAt } from '../../src/engine/policy/windows.ts';
import { sentence } from '../../src/engine/validate/violation.ts';
import { createCalendar } from '../../src/schedule/calendar.ts';
import { policy } from '../engine/policy/support.ts';

const calendar = createCalendar();
const HOUR = 3600;
const weekend = { schedule: '0 16 * * FRI', durationSeconds: 64 * HOUR, reason: 'weekend' };
const night = { schedule: '0 22 * * *', durationSeconds: 8 * HOUR, reason: 'night' };
const berlin = (rules: Omit<WindowRules, 'timeZone'>): WindowRules => ({ timeZone: 'Europe/Berlin', ...rules });

/** `open`, or why and until when it is closed. */
const state = (rules: WindowRules, at: string): string => {
  const closed = closedAt(rules, Date.parse(at), calendar);
  if (closed === undefined) return 'open';
  return `${closed.why}: ${closed.opensAt === undefined ? 'for good' : new Date(closed.opensAt).toISOString().replace('.000', '')}`;
};

describe('a calendar', () => {
  it('answers the same whatever it was asked before', () => {
    const asked = createCalendar();
    const schedules = ['0 16 * * FRI', '30 2 * * *', '*/7 * * * *', '0 0 29 2 *'];
    const from = Date.parse('2026-10-24T12:00:00Z');
    for (let i = 0; i < 400; i++) {
      // Mostly forward, in steps that fit into no schedule, and now and then back; over the change to winter time.
      const now = from + i * 397_003 - (i % 10 === 9 ? 9 * HOUR * 1000 : 0);
      for (const schedule of schedules) {
        const window = { schedule, durationSeconds: 1_800 };
        const fresh = createCalendar().windowAt(window, 'Europe/Berlin', now);
        assert.deepEqual(
          asked.windowAt(window, 'Europe/Berlin', now),
          fresh,
          `${schedule} ${new Date(now).toISOString()}`,
        );
      }
    }
  });
});

describe('windows', () => {
  const table: readonly (readonly [string, WindowRules, string, string])[] = [
    ['before a freeze', berlin({ deny: [weekend] }), '2026-01-09T14:59:59Z', 'open'],
    ['at its first moment', berlin({ deny: [weekend] }), '2026-01-09T15:00:00Z', 'weekend: 2026-01-12T07:00:00Z'],
    ['at its last moment', berlin({ deny: [weekend] }), '2026-01-12T06:59:59Z', 'weekend: 2026-01-12T07:00:00Z'],
    ['after it', berlin({ deny: [weekend] }), '2026-01-12T07:00:00Z', 'open'],
    [
      'over the change to summer time: seconds are seconds',
      berlin({ deny: [weekend] }),
      '2026-03-29T12:00:00Z',
      'weekend: 2026-03-30T07:00:00Z',
    ],
    [
      'over the change to winter time',
      berlin({ deny: [weekend] }),
      '2026-10-25T12:00:00Z',
      'weekend: 2026-10-26T06:00:00Z',
    ],
    [
      'opening in the hour that is left out',
      berlin({ deny: [{ schedule: '30 2 * * *', durationSeconds: HOUR }] }),
      '2026-03-29T01:10:00Z',
      'deny window: 2026-03-29T02:00:00Z',
    ],
    [
      'opening in the hour that comes twice: once',
      berlin({ deny: [{ schedule: '30 2 * * *', durationSeconds: HOUR }] }),
      '2026-10-25T01:45:00Z',
      'open',
    ],
    ['across midnight, before', berlin({ deny: [night] }), '2026-01-06T22:30:00Z', 'night: 2026-01-07T05:00:00Z'],
    ['across midnight, after', berlin({ deny: [night] }), '2026-01-07T04:30:00Z', 'night: 2026-01-07T05:00:00Z'],
    [
      'across new year',
      berlin({ deny: [{ schedule: '0 0 20 12 *', durationSeconds: 20 * 24 * HOUR, reason: 'holidays' }] }),
      '2027-01-02T00:00:00Z',
      'holidays: 2027-01-08T23:00:00Z',
    ],
    [
      'two that overlap, one after the other',
      berlin({ deny: [weekend, night] }),
      '2026-01-09T21:30:00Z',
      'weekend: 2026-01-12T07:00:00Z',
    ],
    [
      'one that begins when the other ends',
      {
        deny: [
          { schedule: '0 8 * * *', durationSeconds: HOUR },
          { schedule: '0 9 * * *', durationSeconds: HOUR },
        ],
      },
      '2026-01-05T08:30:00Z',
      'deny window: 2026-01-05T10:00:00Z',
    ],
    [
      'inside what allows',
      { allow: [{ schedule: '0 9 * * MON-FRI', durationSeconds: 8 * HOUR }] },
      '2026-01-05T09:00:00Z',
      'open',
    ],
    [
      'outside what allows',
      { allow: [{ schedule: '0 9 * * MON-FRI', durationSeconds: 8 * HOUR }] },
      '2026-01-09T17:00:00Z',
      'outside the allow windows: 2026-01-12T09:00:00Z',
    ],
    [
      'allowed and denied: denied',
      {
        allow: [{ schedule: '0 9 * * *', durationSeconds: 8 * HOUR }],
        deny: [{ schedule: '0 10 * * *', durationSeconds: HOUR }],
      },
      '2026-01-05T10:30:00Z',
      'deny window: 2026-01-05T11:00:00Z',
    ],
    [
      'denied until after what allows',
      {
        allow: [{ schedule: '0 9 * * *', durationSeconds: 8 * HOUR }],
        deny: [{ schedule: '0 10 * * MON', durationSeconds: 8 * HOUR }],
      },
      '2026-01-05T10:30:00Z',
      'deny window: 2026-01-06T09:00:00Z',
    ],
    [
      'never',
      { deny: [{ schedule: '* * * * *', durationSeconds: 120 }] },
      '2026-01-05T10:30:00Z',
      'deny window: for good',
    ],
    ['without any', {}, '2026-01-05T10:30:00Z', 'open'],
  ];
  for (const [what, rules, at, expected] of table) {
    it(`${what}: ${expected}`, () => assert.equal(state(rules, at), expected));
  }
});

describe('a ReleasePolicy', () => {
  const now = Date.parse('2026-01-05T10:00:00Z');
  const said = (spec: object): string =>
    validatePolicy(policy('p', spec), now, calendar).violations.map(sentence).join('\n');

  for (const [what, spec, expected] of [
    [
      'a schedule that is none',
      { windows: { deny: [{ schedule: 'every friday', durationSeconds: 60 }] } },
      /windows.deny\[0\].schedule: Invalid value: "every friday": must have five fields; write a schedule such as/,
    ],
    [
      'a field out of range',
      { windows: { allow: [{ schedule: '0 25 * * *', durationSeconds: 60 }] } },
      /windows.allow\[0\].schedule: Invalid value: "0 25 \* \* \*": must be a cron schedule/,
    ],
    [
      'a day that never comes',
      { windows: { deny: [{ schedule: '0 0 30 2 *', durationSeconds: 60 }] } },
      /has no future date/,
    ],
    [
      'an unknown zone',
      { windows: { timeZone: 'Europe/Atlantis', deny: [weekend] } },
      /windows.timeZone: Invalid value: "Europe\/Atlantis": must be an IANA time zone; write a name/,
    ],
    [
      'windows that never open',
      { windows: { deny: [{ schedule: '0 * * * *', durationSeconds: HOUR }] } },
      /spec.windows: Invalid value: .*: never allows a release to start/,
    ],
    [
      'a window that only opens when another denies',
      {
        windows: {
          allow: [
            { schedule: '0 9 * * *', durationSeconds: HOUR },
            { schedule: '0 20 * * *', durationSeconds: HOUR },
          ],
          deny: [{ schedule: '0 8 * * *', durationSeconds: 3 * HOUR }],
        },
      },
      /windows.allow\[0\]: Invalid value: .*: is inside the deny windows/,
    ],
    [
      'groups that are empty',
      { approval: { required: 1, groups: [] } },
      /approval.groups: Required value: without users and groups, nobody can approve/,
    ],
    [
      'more people than there are',
      { approval: { required: 2, users: ['a', 'a'] } },
      /approval.required: Invalid value: 2: must not be more than the number of users \(1\)/,
    ],
    ['a glass that nobody may break', { breakGlass: { groups: [] } }, /breakGlass.groups: Required value: add a group/],
    [
      'an expression without values',
      { match: { namespaceSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] } } },
      /values: Required value: must be specified when operator is In/,
    ],
  ] as const) {
    it(`with ${what} is refused`, () => assert.match(said(spec), expected));
  }

  it('as in the documentation is accepted', () => {
    assert.equal(said({ windows: berlin({ deny: [weekend, night] }), approval: { required: 2, groups: ['m'] } }), '');
    assert.equal(said({ approval: { required: 2 } }), '');
  });

  it('says that labels of Deployments are in their editors’ hands', () => {
    const spec = { match: { workloadSelector: { matchLabels: { tier: 'front' } } } };
    assert.match(validatePolicy(policy('p', spec), now, calendar).warnings.join(), /can remove its labels/);
  });
});
