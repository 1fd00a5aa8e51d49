// What is made of the answers: failures, shares with their intervals, and the bar.
import assert from 'node:assert/strict';
import { barOf, cellsOf } from './bar.ts';
import { byVersion, failed, sayFailures, select, shareOf, type Answer } from './counts.ts';

const answer = (version: string, more: Partial<Answer> = {}): Answer => ({
  sentMs: 0,
  manner: 'kept',
  marked: false,
  version,
  pod: `${version}-a`,
  ...more,
});
const many = (version: string, count: number, more: Partial<Answer> = {}): Answer[] =>
  Array.from({ length: count }, () => answer(version, more));

describe('counts of requests', () => {
  it('leave failed requests out of the versions', () => {
    const answers = [...many('v1', 2), answer('', { problem: '503' })];
    assert.deepEqual(byVersion(answers), { v1: 2 });
    assert.equal(failed(answers).length, 1);
  });

  it('select by time, mark and manner', () => {
    const answers = [
      answer('a', { sentMs: 10 }),
      answer('b', { sentMs: 20, marked: true }),
      answer('c', { manner: 'grpc' }),
    ];
    const versions = (part: readonly Answer[]): string[] => part.map(({ version }) => version);
    assert.deepEqual(versions(select(answers, { fromMs: 10, toMs: 20 })), ['a']);
    assert.deepEqual(versions(select(answers, { marked: true })), ['b']);
    assert.deepEqual(versions(select(answers, { manner: 'grpc' })), ['c']);
  });

  for (const [fresh, old, inside, outside] of [
    [50, 950, [0.05, 0.04, 0.06], [0.02, 0.1]],
    [500, 500, [0.5, 0.45, 0.55], [0.4, 0.6]],
    [0, 1000, [0, 0.01], [0.03]],
    [1000, 0, [1, 0.99], [0.97]],
    [305, 0, [1], [0.95]],
    [0, 305, [0], [0.05]],
  ] as const)
    it(`give ${fresh} of ${fresh + old} an interval`, () => {
      const { low, high, requests } = shareOf([...many('v2', fresh), ...many('v1', old)], 'v2');
      assert.equal(requests, fresh + old);
      for (const share of inside) assert.ok(low <= share && share <= high, `${share} in ${low} to ${high}`);
      for (const share of outside) assert.ok(share < low || high < share, `${share} not in ${low} to ${high}`);
    });

  it('know nothing without requests', () => {
    assert.deepEqual(shareOf([answer('', { problem: 'timeout' })], 'v2'), { requests: 0, share: 0, low: 0, high: 1 });
  });

  it('group failures, the most frequent first', () => {
    const answers = [
      answer('', { problem: 'ECONNRESET', manner: 'new', sentMs: 900 }),
      answer('', { problem: '503', sentMs: 1000 }),
      answer('', { problem: '503', sentMs: 2500 }),
    ];
    assert.equal(
      sayFailures(answers),
      '503 (kept) × 2, from 1.0 s to 2.5 s; ECONNRESET (new) × 1, from 0.9 s to 0.9 s',
    );
    assert.equal(sayFailures(many('v1', 3)), '');
  });
});

describe('the bar of requests', () => {
  it('is of the last seconds, and counts the failures of all', () => {
    const answers = [
      ...many('v1', 1000, { sentMs: 0 }),
      answer('', { problem: '503', sentMs: 1 }),
      ...many('v1', 150, { sentMs: 9000 }),
      ...many('v2', 150, { sentMs: 9000 }),
    ];
    assert.equal(
      barOf(answers, 10_000, ['v1', 'v2']),
      `${'█'.repeat(15)}${'▒'.repeat(15)}   v1 50.0 %  v2 50.0 %       100 requests/s   1 failed of 1301`,
    );
  });

  it('is empty before the first answer', () => {
    assert.match(barOf([], 0, ['v1']), /^ {30}.*0 requests\/s {3}0 failed of 0$/);
  });

  it('shows every version that has answered, in all its cells', () => {
    for (const shares of [[1], [0.999, 0.001], [0.4, 0.3, 0.3], [0.02, 0.02, 0.96]]) {
      const cells = cellsOf(shares);
      assert.equal(
        cells.reduce((sum, each) => sum + each, 0),
        30,
      );
      assert.ok(cells.every((each) => each >= 1));
    }
  });
});
