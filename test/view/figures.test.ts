// The figures of DORA from histories, also from few releases and from clocks that contradict each other.
import assert from 'node:assert/strict';
import type { HistoryEntry } from '../../src/api/types.ts';
import { figuresView } from '../../src/view/dashboard/figures.ts';
import { figuresOf } from '../../src/view/figures.ts';
import { ago, NOW } from './support.ts';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A release that began so many seconds ago and took so many. */
const release = (
  began: number,
  took: number,
  outcome = 'Completed',
  more: Partial<HistoryEntry> = {},
): HistoryEntry => ({
  rolloutID: `r${began}`,
  revision: 'v1',
  startTime: ago(began),
  endTime: ago(began - took),
  outcome,
  ...more,
});
/** In progress. */
const running = (began: number): HistoryEntry => ({ rolloutID: 'now', revision: '', startTime: ago(began) });

const SIX = [
  running(10),
  release(1 * DAY, 10 * MINUTE),
  release(3 * DAY, 20 * MINUTE, 'RolledBack'),
  release(5 * DAY, 30 * MINUTE),
  release(8 * DAY, 40 * MINUTE),
  release(14 * DAY, 5 * MINUTE, 'Superseded'),
];

describe('figures of releases', () => {
  it('have none without a release, and say why', () => {
    assert.deepEqual(figuresView([], NOW), {
      releases: 0,
      missing: 'no release has ended yet: figures need at least 3',
    });
    assert.deepEqual(figuresView([[]], NOW), figuresView([], NOW));
    assert.deepEqual(figuresView([[running(10)]], NOW), figuresView([], NOW));
  });

  it('have none of one release, and say how many there are', () => {
    assert.deepEqual(figuresView([[release(HOUR, MINUTE)]], NOW), {
      releases: 1,
      since: ago(HOUR),
      missing: '1 release has ended: each figure needs at least 3 with known times',
    });
  });

  it('are medians and shares of the releases that ended', () => {
    const { ended, since, leadTime, frequency, failureRate, timeToRestore } = figuresOf([SIX], NOW);
    assert.deepEqual(
      { ended, since, leadTime, failureRate, timeToRestore },
      {
        ended: 5,
        since: NOW - 14 * DAY * 1000,
        leadTime: { value: 30 * MINUTE, over: 3 },
        failureRate: { value: 25, over: 4 },
        timeToRestore: { value: 20 * MINUTE, over: 1 },
      },
    );
    assert.deepEqual(frequency, { value: 1.5, over: 3 });
  });

  it('do not extrapolate a full history of some minutes to a week', () => {
    const history = Array.from({ length: 10 }, (_, i) => release((i + 1) * MINUTE, 30));
    assert.deepEqual(figuresOf([history], NOW).frequency, { value: 70, over: 10 });
  });

  it('are written in words', () => {
    const { leadTime, frequency, failureRate, timeToRestore, missing } = figuresView([SIX], NOW);
    assert.deepEqual(
      [leadTime, frequency, failureRate, timeToRestore].map((one) => one && `${one.text} (${one.says})`),
      [
        '30m (median of 3 completed releases)',
        '1.5 per week (3 completed releases)',
        '25 % (of 4 releases that were completed, rolled back or failed)',
        '20m (median of 1 release that was rolled back)',
      ],
    );
    assert.equal(missing, undefined);
  });

  it('count a completed version that was left for an earlier one as failed, until that one was back', () => {
    const history = [
      release(HOUR, 2 * MINUTE, 'Restored'),
      release(2 * HOUR, 10 * MINUTE),
      release(3 * HOUR, 10 * MINUTE),
      release(4 * HOUR, 10 * MINUTE),
    ];
    const { failureRate, timeToRestore } = figuresOf([history], NOW);
    assert.deepEqual(failureRate, { value: 100 / 3, over: 3 });
    assert.deepEqual(timeToRestore, { value: HOUR + 2 * MINUTE, over: 1 });
    // What was restored after a release that is not in the history any more is not known.
    assert.equal(figuresOf([[release(HOUR, 1, 'Restored')]], NOW).timeToRestore, undefined);
  });

  const LIES: readonly (readonly [string, HistoryEntry])[] = [
    ['ends before it begins', release(HOUR, -10)],
    ['has no time', release(HOUR, 1, 'Completed', { startTime: 'yesterday', endTime: 'today' })],
    ['has an empty time', release(HOUR, 1, 'Completed', { startTime: '' })],
  ];
  for (const [what, lie] of LIES)
    it(`do not use the times of a release that ${what}`, () => {
      const history = [lie, ...SIX];
      assert.deepEqual(figuresOf([history], NOW).leadTime, figuresOf([SIX], NOW).leadTime);
      assert.deepEqual(figuresOf([[lie, lie, lie]], NOW).leadTime, undefined);
      for (const value of Object.values(figuresOf([[lie, lie, lie, lie]], NOW)))
        assert.ok(
          typeof value !== 'object' || (Number.isFinite(value.value) && value.value >= 0),
          JSON.stringify(value),
        );
    });

  it('are the same if the clock of this machine is behind that of the operator', () => {
    const future = [release(-HOUR, MINUTE), release(-HOUR, MINUTE), release(-HOUR, MINUTE)];
    const { frequency, leadTime } = figuresOf([future], NOW);
    assert.deepEqual(leadTime, { value: MINUTE, over: 3 });
    assert.deepEqual(frequency, { value: 3, over: 3 });
  });

  it('count releases per week over the time that the history covers', () => {
    // Ten releases are all that a history keeps, so this one knows nothing about the time before.
    const full = Array.from({ length: 10 }, (_, i) => release((i + 1) * DAY, HOUR));
    assert.deepEqual(figuresOf([full], NOW).frequency, { value: 7, over: 10 });
    // Of a new Rollout, nothing is missing: three releases of one hour are three in the week.
    const young = [1, 2, 3].map((i) => release(i * 10 * MINUTE, MINUTE));
    assert.deepEqual(figuresOf([young], NOW).frequency, { value: 3, over: 3 });
    // Of several Rollouts, what all of them know: two of the older one are before that.
    const old = [2, 4, 12, 20].map((i) => release(i * DAY, HOUR));
    assert.deepEqual(figuresOf([full, old], NOW).frequency, { value: 8.4, over: 12 });
  });

  it('are of all histories together', () => {
    const { ended, leadTime } = figuresOf([SIX, [release(HOUR, 50 * MINUTE)]], NOW);
    assert.deepEqual([ended, leadTime], [6, { value: 30 * MINUTE, over: 4 }]);
  });
});
